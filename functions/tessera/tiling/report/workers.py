"""What the answers say of the workers, and which of their pages are worth a look.

Quick pages are not among those: measured crowds are right as often on them, or more often.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Consensus, Crowd
from tessera.tiling.consensus.crowd import Floats, Ints

SLOW = 4.0
"""A page is slow that takes so many times as long an image as the crowd's median page."""
DISAGREEING = 3.0
"""A page disagrees that is so many standard deviations below its crowd's agreement."""
SHOWN_PAGES = 50
Z = 1.96
"""Standard deviations to either side of an interval that holds 95 in 100."""


def worker_figures(
    crowd: Crowd,
    consensus: Consensus,
    names: Sequence[str],
    *,
    seconds: NDArray[np.float32],
    known: NDArray[np.int16],
) -> list[dict[str, Any]]:
    """One record a worker, most answers first; what nobody could measure is None.

    `seconds` has a row an answer of the crowd, `known` the class of each gold image, else -1.
    """
    answers = _sums(crowd.worker, None, crowd.workers)
    readable = crowd.label >= 0
    compared = readable & (consensus.label[crowd.image] >= 0)
    agreeing = compared & (crowd.label == consensus.label[crowd.image])
    agreement = _shares(crowd, agreeing, compared)
    gold = readable & (known[crowd.image] >= 0)
    on_gold = _shares(crowd, gold & (crowd.label == known[crowd.image]), gold)
    asked_gold = _sums(crowd.worker, gold, crowd.workers)
    unreadable = _sums(crowd.worker, ~readable, crowd.workers)
    pace = _medians(crowd.worker, seconds, crowd.workers)
    accuracy = agreement if consensus.accuracy is None else consensus.accuracy
    records = []
    for worker in sorted(
        range(crowd.workers), key=lambda worker: (-answers[worker], names[worker])
    ):
        low, high = interval(float(accuracy[worker]), float(answers[worker] - unreadable[worker]))
        records.append(
            {
                "worker": names[worker],
                "answers": int(answers[worker]),
                "unreadable": int(unreadable[worker]),
                "accuracy": _rounded(accuracy[worker]),
                "accuracy_low": _rounded(low),
                "accuracy_high": _rounded(high),
                "gold_answers": int(asked_gold[worker]),
                "gold_accuracy": _rounded(on_gold[worker]),
                "agreement": _rounded(agreement[worker]),
                "seconds_per_image": _rounded(pace[worker]),
            }
        )
    return records


def pages_to_look_at(
    crowd: Crowd,
    consensus: Consensus,
    names: Sequence[str],
    *,
    page: Ints,
    seconds: NDArray[np.float32],
) -> list[dict[str, Any]]:
    """The pages that took far longer than others or agree far less, the oddest first.

    `page` numbers the submission that each answer of the crowd came in.
    """
    if not len(crowd):
        return []
    pages = int(page.max()) + 1
    compared = (crowd.label >= 0) & (consensus.label[crowd.image] >= 0)
    agreeing = compared & (crowd.label == consensus.label[crowd.image])
    of = _sums(page, compared, pages)
    agreed = _sums(page, agreeing, pages)
    usual = agreed.sum() / max(of.sum(), 1)
    deviation = np.sqrt(np.maximum(of * usual * (1 - usual), 1e-9))
    below = np.where(of > 0, (of * usual - agreed) / deviation, 0)
    timed = ~np.isnan(seconds)
    with np.errstate(invalid="ignore"):
        pace = _sums(page, np.where(timed, seconds, 0), pages) / _sums(page, timed, pages)
    median = float(np.nanmedian(pace)) if timed.any() else np.inf
    slow = np.where(np.isnan(pace), 0, pace / max(median, 1e-9))
    first = np.full(pages, -1, np.int64)
    first[page[::-1]] = np.arange(len(page))[::-1]
    odd = np.flatnonzero((first >= 0) & ((slow > SLOW) | (below > DISAGREEING)))
    odd = odd[np.argsort(-np.maximum(slow[odd] / SLOW, below[odd] / DISAGREEING), kind="stable")]
    return [
        {
            "worker": names[crowd.worker[first[number]]],
            "first_image": int(crowd.image[first[number]]),
            "images": int(of[number]),
            "agreement": _rounded(agreed[number] / max(of[number], 1)),
            "seconds_per_image": _rounded(pace[number]),
            "why": [
                why
                for why, said in (
                    ("slow", slow[number] > SLOW),
                    ("disagrees", below[number] > DISAGREEING),
                )
                if said
            ],
        }
        for number in odd[:SHOWN_PAGES].tolist()
    ]


def interval(share: float, of: float) -> tuple[float, float]:
    """Wilson's interval, which holds the true share 95 times in 100.

    >>> [round(end, 2) for end in interval(0.9, 20)]
    [0.7, 0.97]
    """
    if of <= 0 or isnan(share):
        return 0.0, 1.0
    middle = (share + Z * Z / (2 * of)) / (1 + Z * Z / of)
    half = Z * sqrt(share * (1 - share) / of + Z * Z / (4 * of * of)) / (1 + Z * Z / of)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _sums(group: Ints, values: NDArray[Any] | None, groups: int) -> Floats:
    sums: Floats = np.bincount(group, values, groups).astype(np.float64)
    return sums


def _shares(crowd: Crowd, part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> Floats:
    with np.errstate(invalid="ignore"):
        shares: Floats = _sums(crowd.worker, part, crowd.workers) / _sums(
            crowd.worker, whole, crowd.workers
        )
    return shares


def _medians(group: Ints, values: NDArray[np.float32], groups: int) -> Floats:
    """The median of each group's values, by one sort: a positive float's bits sort like itself."""
    there = values >= 0
    keys = group[there].astype(np.uint64) << np.uint64(32)
    keys |= values[there].astype(np.float32).view(np.uint32)
    keys.sort()
    counts = np.bincount(group[there], minlength=groups)
    starts = np.cumsum(counts) - counts
    found = np.full(groups, np.nan)
    some = np.flatnonzero(counts)
    middle = keys[starts[some] + counts[some] // 2]
    found[some] = (middle & np.uint64(0xFFFFFFFF)).astype(np.uint32).view(np.float32)
    return found


def _rounded(value: Any) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)


TOO_FAST = 0.2
"""An answer is too fast that took less than this share of the crowd's median time."""


def too_fast(crowd: Crowd, seconds: NDArray[np.float32]) -> list[float | None]:
    """The share of each worker's timed answers that came too fast to have looked."""
    timed = seconds >= 0
    if not timed.any():
        return [None] * crowd.workers
    fast = timed & (seconds < TOO_FAST * float(np.median(seconds[timed])))
    of = np.bincount(crowd.worker[timed], minlength=crowd.workers)
    count = np.bincount(crowd.worker[fast], minlength=crowd.workers)
    return [
        round(int(part) / int(whole), 4) if whole else None
        for part, whole in zip(count, of, strict=True)
    ]
