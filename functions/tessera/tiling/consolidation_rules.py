"""Name the rules of consolidation that have changed, so that a finished run keeps its labels.

A run notes in run.json the number of the rules that it began under. Consolidated again, by whatever
version, it is consolidated by those.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules by which the default method consolidates, where versions differ.

    `follow_skew` says that the class prior follows one common class (`class_prior`), `min_gold` the
    answered gold images from which on rho is fitted, and `weigh_copies` that workers who hand in
    one another's answers count as one person (`copies`).
    """

    follow_skew: bool
    min_gold: int
    weigh_copies: bool


RULES = {
    1: Rules(follow_skew=False, min_gold=50, weigh_copies=False),
    2: Rules(follow_skew=True, min_gold=20, weigh_copies=True),
}
"""Rules by number; never to be changed, only to be added to. With 20 gold images the ECE of crowds
falls or stays, with 10 it does not (docs/decisions/consensus-class-shares.md)."""
OLDEST_RULES, NEWEST_RULES = min(RULES), max(RULES)
