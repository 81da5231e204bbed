"""Describe what workers flagged: how many pictures, for which reasons, and the first of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from tessera.tiling.answers.flags import read_rows

LISTED = 24
"""Pictures listed at most, as of those that did not load; `flagged.csv` has all."""
MAX_REASONS = 10
"""Reasons counted one by one: the page offers two, and the rest are people's own words."""


def flag_figures(lines: Iterable[bytes], label_of: Callable[[int], str]) -> dict[str, Any]:
    """Describe the flags in the lines of a `flagged.csv`; nothing of a file without any.

    `label_of` gives the label that an image has by all answers, by its line.
    """
    images: set[int] = set()
    reasons: Counter[str] = Counter()
    pictures: list[dict[str, Any]] = []
    for flag in read_rows(lines):
        images.add(flag.image)
        reasons[flag.reason] += 1
        if len(pictures) < LISTED:
            pictures.append(
                {
                    "index": flag.image,
                    "source": flag.source,
                    "reason": flag.reason,
                    "worker": flag.worker,
                    "label": label_of(flag.image),
                }
            )
    if not images:
        return {}
    return {
        "images": len(images),
        "flags": reasons.total(),
        "reasons": dict(reasons.most_common(MAX_REASONS)),
        "pictures": pictures,
    }
