"""Workers who hand in one another's answers are found, and count as one person."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tessera.tiling.consensus import Consensus, Crowd, Evidence, consolidate
from tessera.tiling.consensus.copies import Alike, find_alike, merge_copies, only_label
from tessera.tiling.consensus.crowd import split_by_depth
from tessera.tiling.consolidation_rules import NEWEST_RULES, OLDEST_RULES, RULES
from tests.examples import examples
from tests.tiling.consensus.crowds import crowd, crowds, reordered, simulated


def copied(
    workers: int, *, classes: int = 4, right: float = 0.0
) -> tuple[Crowd, NDArray[np.int64]]:
    """Return a crowd of 30, of whom the first so many give one list of labels."""
    answers, truth = simulated(800, 30, classes, seed=workers)
    chance = np.random.default_rng(workers)
    shared = np.where(
        chance.random(len(truth)) < right, truth, chance.integers(0, classes, len(truth))
    )
    label = np.where(answers.worker < workers, shared[answers.image], answers.label)
    return replace(answers, label=label.astype(np.int8)), truth


def alike_in(answers: Crowd) -> Alike:
    return find_alike(split_by_depth(answers), answers.workers, answers.classes)


def groups_of(answers: Crowd) -> list[list[int]]:
    return alike_in(answers).copies


@pytest.mark.parametrize("right", [0.0, 0.5])
@pytest.mark.parametrize("workers", [6, 10, 15])
def test_copies_of_two_classes_are_named_if_not_weighed_as_one(workers: int, right: float) -> None:
    alike = alike_in(copied(workers, classes=2, right=right)[0])
    named = [*alike.copies, *alike.experts]
    assert named in ([], [list(range(workers))])
    assert named or right


@pytest.mark.parametrize("right", [0.0, 0.3])
@pytest.mark.parametrize("workers", [6, 10, 15])
def test_copies_are_one_group_and_nobody_else_is_in_it(workers: int, right: float) -> None:
    assert groups_of(copied(workers, right=right)[0]) == [list(range(workers))]


@pytest.mark.parametrize("right", [0.5, 0.75, 1.0])
@pytest.mark.parametrize("workers", [6, 10, 15])
def test_of_a_list_as_good_as_others_answers_nobody_else_is_in_the_group(
    workers: int, right: float
) -> None:
    assert groups_of(copied(workers, right=right)[0]) in ([], [list(range(workers))])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("accuracy", [0.5, 0.75, 0.97])
@pytest.mark.parametrize("skew", [0.0, 0.9])
def test_honest_workers_are_no_copies_however_good(accuracy: float, skew: float, seed: int) -> None:
    honest, _ = simulated(500, 20, 3, accuracy=accuracy, skew=skew, seed=seed)
    assert groups_of(honest) == []


def test_experts_who_agree_with_everybody_are_no_copies() -> None:
    answers, truth = simulated(800, 30, 4, accuracy=0.6)
    label = np.where(answers.worker < 8, truth[answers.image], answers.label)
    assert groups_of(replace(answers, label=label.astype(np.int8))) == []


@pytest.mark.thorough
@given(st.integers(0, 2**32), st.integers(2, 8), st.integers(5, 20), st.integers(3, 5))
@settings(max_examples=examples(20))
def test_two_experts_of_a_crowd_that_errs_are_no_copies(
    seed: int, classes: int, workers: int, each: int
) -> None:
    answers, truth = simulated(500, workers, classes, answers=each, accuracy=0.65, seed=seed)
    expert = (answers.worker < 2) & (np.random.default_rng(seed).random(len(answers)) < 0.99)
    label = np.where(expert, truth[answers.image], answers.label)
    assert groups_of(replace(answers, label=label.astype(np.int8))) == []


def misled(seed: int, experts: int, classes: int = 4) -> tuple[Crowd, NDArray[np.int64]]:
    """Return a crowd of experts and of people who often err, mostly in the same way."""
    answers, truth = simulated(700, 30, classes, seed=seed)
    chance = np.random.default_rng(seed)
    expert = answers.worker < experts
    right = chance.random(len(answers)) < np.where(expert, 0.97, 0.35)
    tempting = (truth + chance.integers(1, classes, len(truth))) % classes
    other = (truth[answers.image] + chance.integers(1, classes, len(answers))) % classes
    wrong = np.where(chance.random(len(answers)) < 0.6, tempting[answers.image], other)
    label = np.where(right, truth[answers.image], wrong).astype(np.int8)
    return replace(answers, label=label), truth


@pytest.mark.parametrize("experts", [5, 10, 15, 20])
@pytest.mark.parametrize("classes", [4, 8])
def test_experts_are_hardly_ever_copies_though_the_others_share_mistakes(
    experts: int, classes: int
) -> None:
    crowds = [misled(seed, experts, classes=classes)[0] for seed in range(8)]
    assert sum(bool(groups_of(each)) for each in crowds) <= 1
    assert [list(range(experts))] in [alike_in(each).experts for each in crowds]


def test_experts_are_believed_though_the_others_share_mistakes() -> None:
    answers, truth = misled(1, 15)
    before = consolidate(answers, evidence=Evidence(rules=RULES[5]))
    assert before.copies == [list(range(15))]  # as runs that began under those rules keep it
    assert right_of(consolidate(answers), truth) > right_of(before, truth) + 0.1


def test_a_run_that_began_before_has_its_copies_as_they_were() -> None:
    named = [
        [
            consolidate(_weak(seed), evidence=Evidence(rules=RULES[rules])).copies
            for seed in range(9)
        ]
        for rules in (5, NEWEST_RULES)
    ]
    assert any(named[0])
    assert not any(named[1])


def _weak(seed: int) -> Crowd:
    """Return a crowd of six of whom two are experts and the others often err."""
    answers, truth = simulated(600, 6, 2, accuracy=0.6, seed=seed)
    label = np.where(answers.worker < 2, truth[answers.image], answers.label)
    return replace(answers, label=label.astype(np.int8))


def test_where_everybody_agrees_nobody_is_compared() -> None:
    assert groups_of(crowd(*[(i, w, i % 3) for i in range(200) for w in range(4)])) == []
    assert groups_of(crowd(images=3, workers=2)) == []


def right_of(consensus: Consensus, truth: NDArray[np.int64]) -> float:
    return float((consensus.label == truth).mean())


def test_copies_count_as_one_person_and_less_is_believed_of_them() -> None:
    answers, truth = copied(15)
    old = consolidate(answers, evidence=Evidence(rules=RULES[OLDEST_RULES]))
    new = consolidate(answers)
    assert new.copies == [list(range(15))]
    assert old.copies == []
    assert right_of(new, truth) > right_of(old, truth) + 0.1
    assert new.confidence.mean() < right_of(new, truth) + 0.12
    assert new.accuracy is not None
    assert len(set(new.accuracy[:15].tolist())) == 1
    np.testing.assert_array_equal(new.answers, old.answers)  # those that were given


@pytest.mark.parametrize("share", [0.3, 0.5])
def test_workers_who_always_give_one_label_count_as_one_and_are_no_copies(share: float) -> None:
    answers, truth = simulated(1000, 30, 3, accuracy=0.75)
    lazy = answers.worker < 30 * share
    always = replace(answers, label=np.where(lazy, 1, answers.label).astype(np.int8))
    consensus = consolidate(always)
    assert consensus.copies == [list(range(round(30 * share)))]
    assert only_label(always, consensus.copies[0]) == (1, 1.0)
    alone = consolidate(always, evidence=Evidence(rules=RULES[OLDEST_RULES]))
    assert right_of(consensus, truth) > right_of(alone, truth)


@given(crowds(), st.data())
def test_only_a_label_of_nine_in_ten_answers_is_a_groups_only_one(
    answers: Crowd, data: st.DataObject
) -> None:
    group = sorted(data.draw(st.sets(st.integers(0, answers.workers - 1), min_size=1)))
    labels = answers.label[np.isin(answers.worker, group) & (answers.label >= 0)].tolist()
    only = only_label(answers, group)
    often = [label for label in set(labels) if labels.count(label) >= 0.9 * len(labels)]
    assert ([only[0]] if only else []) == often
    assert only is None or only[1] == labels.count(only[0]) / len(labels)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_answers_finds_no_other_copies(seed: int) -> None:
    answers, _ = copied(10)
    order = np.random.default_rng(seed).permutation(len(answers))
    assert groups_of(reordered(answers, order)) == groups_of(answers)


@given(crowds(), st.data())
def test_merged_answers_keep_one_of_a_group_and_all_others(
    answers: Crowd, data: st.DataObject
) -> None:
    group = sorted(data.draw(st.sets(st.integers(0, answers.workers - 1), min_size=1)))
    merged = merge_copies(answers, [group])
    inside = np.isin(answers.worker, group)
    outside = ~np.isin(merged.worker, group)
    assert int(outside.sum()) == int((~inside).sum())
    readable = inside & (answers.label >= 0)
    of_group = np.unique(answers.image[readable])
    kept = (merged.worker == group[0]) & (merged.label >= 0)
    np.testing.assert_array_equal(np.sort(merged.image[kept]), of_group)
