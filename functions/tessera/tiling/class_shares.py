"""Read the classes' shares of all images, as the owner of the images states them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

FROM_GOLD = "gold"
"""Word in the place of shares which says that gold images were drawn at random, and tell them."""
MIN_RANDOM_GOLD = 50
"""Gold images drawn at random from which on they tell the classes' shares
(docs/decisions/consensus-class-shares.md)."""
ROUNDING = 0.01
"""Tolerance of the sum of shares: above one, or, if all labels are named, below it."""


def share_problems(shares: Mapping[str, float], classes: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with stated shares of these classes."""
    for name, share in shares.items():
        if name not in classes:
            near = get_close_matches(name, classes, n=1)
            yield f"{name!r} is none of the labels" + (f"; is {near[0]!r} meant?" if near else "")
        if not 0 <= share <= 1:
            yield f"{share:g} of {name!r} is no share between 0 and 1"
    total = sum(shares.values())
    if total > 1 + ROUNDING:
        yield f"they add up to {total:g}, which is more than 1"
    elif set(shares) >= set(classes) and total < 1 - ROUNDING:
        yield f"they are those of all labels and add up to {total:g}; write 1 in all"


def fill_shares(shares: Mapping[str, float], classes: Sequence[str]) -> list[float]:
    """Return the share of each class; those that are not named share the rest evenly.

    >>> fill_shares({"ok": 0.9}, ["ok", "scratch", "dent"])
    [0.9, 0.05, 0.05]
    """
    unnamed = sum(name not in shares for name in classes)
    rest = round(max(1 - sum(shares.values()), 0.0), 9) / max(unnamed, 1)
    return [shares.get(name, rest) for name in classes]
