"""Decide, while people work, whose answers on gold images are surely too often wrong.

By gold images alone, never by speed, and never by what others answered: who is right against the
crowd is not stopped. Why these numbers: docs/decisions/live-control.md.
"""

from __future__ import annotations

from math import sqrt
from typing import Annotated, Any

import msgspec
from msgspec import Meta

Z = 2.576
"""Standard normal quantile: a worker's accuracy lies above the interval with a chance of 0.5 %. It
is looked at after every page, so that the usual 1.96 would stop honest workers near the bound."""


class StopBelow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bound on workers' accuracy on gold images, and the answers to them that it takes at least."""

    right: Annotated[
        float, Meta(gt=0, lt=1, description="Share of gold images labeled as known, at least")
    ]
    gold: Annotated[
        int, Meta(ge=5, le=1000, description="Answers to gold images before anybody is stopped")
    ] = 12

    def is_surely_below(self, right: int, gold: int) -> bool:
        """Return whether a worker with so many right answers to gold images is surely below.

        >>> [StopBelow(right=0.6).is_surely_below(right, 12) for right in (2, 7)]
        [True, False]
        """
        return gold >= self.gold and highest_accuracy(right, gold) < self.right

    def encode(self) -> str:
        """Return the bound as the value of a job's tag."""
        return f"{self.right:g}/{self.gold}"


def decode_stop_below(tag: str) -> StopBelow | None:
    """Return the bound in the value of a tag; None if it is none.

    >>> decode_stop_below("0.6/12")
    StopBelow(right=0.6, gold=12)
    """
    right, slash, gold = tag.partition("/")
    try:
        return StopBelow(right=float(right), gold=int(gold)) if slash else None
    except ValueError:
        return None


def highest_accuracy(right: int, answers: int) -> float:
    """Return the upper end of Wilson's interval of a worker's accuracy.

    >>> round(highest_accuracy(3, 12), 2), highest_accuracy(0, 0)
    (0.61, 1.0)
    """
    if not answers:
        return 1.0
    share = right / answers
    middle = share + Z * Z / (2 * answers)
    half = Z * sqrt(share * (1 - share) / answers + Z * Z / (4 * answers * answers))
    return min((middle + half) / (1 + Z * Z / answers), 1.0)


def stopped_workers(rule: StopBelow, workers: list[dict[str, Any]]) -> list[str]:
    """Return which workers of a report's figures are surely below the bound."""
    return [
        worker["worker"]
        for worker in workers
        if worker["gold_answers"]
        and rule.is_surely_below(
            round(worker["gold_accuracy"] * worker["gold_answers"]), worker["gold_answers"]
        )
    ]
