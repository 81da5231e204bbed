"""Name the rules of consolidation that have changed, so that a finished run keeps its labels.

A run notes in run.json the number of the rules that it began under. Consolidated again, by whatever
version, it is consolidated by those.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules by which the default method consolidates, where versions differ.

    `follow_skew` says that the class prior follows one common class (`class_prior`), `min_gold` the
    answered gold images from which on rho is fitted, and `weigh_copies` that workers who hand in
    one another's answers count as one person (`copies`); `copy_errors` are the standard errors by
    which the agreement may be off that others let expect of them. Nobody is taken for one who, by
    as many standard errors as `expert_errors`, may agree with the others as often as those do with
    one another; None takes them for one, too. `memory_gain` is what the expected gain is multiplied
    by where workers are remembered (`confidence`).

    `even_skew` and `full_skew` are the skews of the votes up to which the prior is even, and from
    which on it is EM's own. There no class has less than `fit_floor` of the commonest one's share
    while workers are learned, and `label_floor` of it when labels are chosen; of images with as
    many answers as `even_labels_from` or more they are chosen by the even prior (`class_prior`).
    `unnamed_apart` says that labels which nobody gives make no crowd a skewed one.

    `gold_slack` is by how much the log likelihood of gold images may be below its highest where rho
    stays near the usual one; None takes the most probable rho by a prior around that. `later_power`
    is the power with which answers from the fourth on repeat those before them (`confidence`).
    """

    follow_skew: bool
    min_gold: int
    weigh_copies: bool
    memory_gain: float = 1.0
    even_skew: float = 0.25
    full_skew: float = 0.40
    fit_floor: float = 0.0
    label_floor: float = 0.0
    even_labels_from: int | None = None
    gold_slack: float | None = None
    later_power: float = 1.0
    copy_errors: float = 0.0
    expert_errors: float | None = None
    unnamed_apart: bool = False


_FLOORS = Rules(
    follow_skew=True,
    min_gold=20,
    weigh_copies=True,
    memory_gain=1.25,
    even_skew=0.20,
    full_skew=0.30,
    fit_floor=0.05,
    label_floor=0.25,
)
_FEW_GOLD = replace(_FLOORS, fit_floor=0.06, even_labels_from=3, gold_slack=0.7, later_power=0.8)
RULES = {
    1: Rules(follow_skew=False, min_gold=50, weigh_copies=False),
    2: Rules(follow_skew=True, min_gold=20, weigh_copies=True),
    3: Rules(follow_skew=True, min_gold=20, weigh_copies=True, memory_gain=1.25),
    4: _FLOORS,
    5: _FEW_GOLD,
    6: replace(_FEW_GOLD, copy_errors=2.0, expert_errors=1.0, unnamed_apart=True),
}
"""Rules by number; never to be changed, only to be added to. With 20 gold images the ECE of crowds
falls or stays, with 10 it does not (docs/decisions/consensus-class-shares.md). With memory as many
images are above a bound as without where gains are a quarter larger
(docs/decisions/consensus-memory.md). With floors a prior that is right about a rare class costs
few of its images: docs/decisions/consensus-class-shares.md. Few gold images move rho only as far as
they surely tell, and many answers are believed more:
docs/decisions/consensus-confidence-by-answers.md. Whoever may be an expert in a crowd that errs
often, by themselves or in common, is not taken for a copy: docs/decisions/consensus-copies.md."""
OLDEST_RULES, NEWEST_RULES = min(RULES), max(RULES)
