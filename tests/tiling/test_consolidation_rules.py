"""Rules of consolidation keep what finished runs were labeled by."""

from __future__ import annotations

from dataclasses import replace

from tessera.tiling.consolidation_rules import NEWEST_RULES, OLDEST_RULES, RULES, Rules


def test_rules_that_runs_began_under_are_never_changed() -> None:
    assert RULES[1] == Rules(follow_skew=False, min_gold=50, weigh_copies=False)
    assert RULES[2] == Rules(follow_skew=True, min_gold=20, weigh_copies=True)
    assert RULES[3] == Rules(follow_skew=True, min_gold=20, weigh_copies=True, memory_gain=1.25)
    assert RULES[4] == Rules(
        follow_skew=True,
        min_gold=20,
        weigh_copies=True,
        memory_gain=1.25,
        even_skew=0.20,
        full_skew=0.30,
        fit_floor=0.05,
        label_floor=0.25,
    )
    assert RULES[5] == replace(
        RULES[4], fit_floor=0.06, even_labels_from=3, gold_slack=0.7, later_power=0.8
    )
    assert RULES[6] == replace(RULES[5], copy_errors=2.0, expert_errors=1.0, unnamed_apart=True)
    for number in range(1, 6):
        rules = RULES[number]
        assert (rules.copy_errors, rules.expert_errors, rules.unnamed_apart) == (0.0, None, False)
    for number in (1, 2, 3):  # the defaults are what they were
        rules = RULES[number]
        assert (rules.even_skew, rules.full_skew) == (0.25, 0.40)
        assert (rules.fit_floor, rules.label_floor) == (0.0, 0.0)
    for number in (1, 2, 3, 4):
        rules = RULES[number]
        assert (rules.even_labels_from, rules.gold_slack, rules.later_power) == (None, None, 1.0)
    assert (1, max(RULES)) == (OLDEST_RULES, NEWEST_RULES)
