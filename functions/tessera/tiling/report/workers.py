"""Estimate workers' accuracy and pace from their answers, and find pages that are worth a look.

Quick pages are not among those: measured crowds are right as often on them, or more often
(docs/decisions/report-thresholds.md, as are the thresholds here).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Consensus, Crowd
from tessera.tiling.consensus.crowd import Floats, Ints
from tessera.tiling.report.figures import round_figure

SLOW = 4.0
"""Multiple of the median page's seconds an image from which a page is slow."""
DISAGREEING = 3.0
"""Standard deviations below the crowd's agreement from which a page disagrees: by chance alone, one
page in 700 does."""
SHOWN_PAGES = 50
"""Pages listed at most: who looks at fifty has seen what is wrong."""
TOO_FAST = 0.2
"""Fraction of the crowd's median time below which an answer is too fast."""
Z = 1.96
"""Standard normal quantile of a two-sided 95 % interval."""


def worker_figures(
    crowd: Crowd,
    consensus: Consensus,
    names: Sequence[str],
    *,
    seconds: NDArray[np.float32],
    known: NDArray[np.int16],
) -> list[dict[str, Any]]:
    """Describe each worker, most answers first; what nobody could measure is None.

    `seconds` has a row for each answer of the crowd, `known` the class of each gold image, else -1.
    """
    answers = _sums(crowd.worker, None, crowd.workers)
    readable = crowd.label >= 0
    compared, agreeing = _compared(crowd, consensus)
    agreement = _ratios(crowd, agreeing, compared)
    gold = readable & (known[crowd.image] >= 0)
    gold_accuracy = _ratios(crowd, gold & (crowd.label == known[crowd.image]), gold)
    gold_answers = _sums(crowd.worker, gold, crowd.workers)
    unreadable = _sums(crowd.worker, ~readable, crowd.workers)
    pace = _medians(crowd.worker, seconds, crowd.workers)
    too_fast = _too_fast(crowd, seconds)
    # a method that does not estimate workers leaves their agreement as the best guess
    accuracy = agreement if consensus.accuracy is None else consensus.accuracy
    figures = []
    for worker in sorted(
        range(crowd.workers), key=lambda worker: (-answers[worker], names[worker])
    ):
        low, high = wilson_interval(
            float(accuracy[worker]), float(answers[worker] - unreadable[worker])
        )
        figures.append(
            {
                "worker": names[worker],
                "answers": int(answers[worker]),
                "unreadable": int(unreadable[worker]),
                "accuracy": round_figure(accuracy[worker]),
                "accuracy_low": round_figure(low),
                "accuracy_high": round_figure(high),
                "gold_answers": int(gold_answers[worker]),
                "gold_accuracy": round_figure(gold_accuracy[worker]),
                "agreement": round_figure(agreement[worker]),
                "seconds_per_image": round_figure(pace[worker]),
                "too_fast": round_figure(too_fast[worker]),
            }
        )
    return figures


def page_figures(
    crowd: Crowd,
    consensus: Consensus,
    names: Sequence[str],
    *,
    submission: Ints,
    seconds: NDArray[np.float32],
) -> list[dict[str, Any]]:
    """Describe the pages that took far longer than others or agree far less, the oddest first.

    `submission` numbers the submission that each answer of the crowd came in, `seconds` has a row
    for each answer.
    """
    if not len(crowd):
        return []
    pages = int(submission.max()) + 1
    compared, agreeing = _compared(crowd, consensus)
    images, agreed = _sums(submission, compared, pages), _sums(submission, agreeing, pages)
    pace = _paces(submission, seconds, pages)
    slow, below = _slowness(pace), _disagreement(images, agreed)
    first = np.full(pages, -1, np.int64)  # each page's first answer; -1: none of its answers counts
    first[submission[::-1]] = np.arange(len(submission))[::-1]
    odd = np.flatnonzero((first >= 0) & ((slow > SLOW) | (below > DISAGREEING)))
    odd = odd[np.argsort(-np.maximum(slow[odd] / SLOW, below[odd] / DISAGREEING), kind="stable")]
    return [
        {
            "worker": names[crowd.worker[first[page]]],
            "first_image": int(crowd.image[first[page]]),
            "images": int(images[page]),
            "agreement": round_figure(agreed[page] / max(images[page], 1)),
            "seconds_per_image": round_figure(pace[page]),
            "why": ["slow"] * bool(slow[page] > SLOW)
            + ["disagrees"] * bool(below[page] > DISAGREEING),
        }
        for page in odd[:SHOWN_PAGES].tolist()
    ]


def _compared(crowd: Crowd, consensus: Consensus) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which answers can be compared with their image's label, and which agree with it."""
    label = consensus.label[crowd.image]
    compared = (crowd.label >= 0) & (label >= 0)
    return compared, compared & (crowd.label == label)


def _paces(submission: Ints, seconds: NDArray[np.float32], pages: int) -> Floats:
    """Return the mean seconds an image of each page; not a number where nobody measured."""
    timed = ~np.isnan(seconds)
    with np.errstate(invalid="ignore"):  # 0 / 0 is the not-a-number that is wanted
        paces: Floats = _sums(submission, np.where(timed, seconds, 0), pages) / _sums(
            submission, timed, pages
        )
    return paces


def _slowness(pace: Floats) -> Floats:
    """Return how many times as slow as the median page each page is; 0 where nobody measured."""
    measured = ~np.isnan(pace)
    median = float(np.median(pace[measured])) if measured.any() else np.inf
    return np.where(measured, pace / max(median, 1e-9), 0)


def _disagreement(images: Floats, agreed: Floats) -> Floats:
    """Return how many standard deviations each page's agreement is below the crowd's."""
    usual = agreed.sum() / max(images.sum(), 1)
    # binomial; the floor keeps a crowd that always agrees from a division by zero
    deviation = np.sqrt(np.maximum(images * usual * (1 - usual), 1e-9))
    return np.where(images > 0, (images * usual - agreed) / deviation, 0)


def wilson_interval(share: float, answers: float) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share of so many answers.

    Unlike the usual interval it stays inside 0 to 1, and is wide where there are few answers.
    Source: Wilson (1927), Probable Inference, the Law of Succession, and Statistical Inference.

    >>> [round(end, 2) for end in wilson_interval(0.9, 20)]
    [0.7, 0.97]
    """
    if answers <= 0 or isnan(share):
        return 0.0, 1.0
    scale = 1 + Z * Z / answers
    middle = (share + Z * Z / (2 * answers)) / scale
    half = Z * sqrt(share * (1 - share) / answers + Z * Z / (4 * answers * answers)) / scale
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _too_fast(crowd: Crowd, seconds: NDArray[np.float32]) -> Floats:
    """Return the share of each worker's timed answers that came too fast to have looked."""
    timed = seconds >= 0
    if not timed.any():
        return np.full(crowd.workers, np.nan)
    fast = timed & (seconds < TOO_FAST * float(np.median(seconds[timed])))
    return _ratios(crowd, fast, timed)


def _sums(group: Ints, values: NDArray[Any] | None, groups: int) -> Floats:
    """Sum the values of each group, or count them if there are none given."""
    sums: Floats = np.bincount(group, values, groups).astype(np.float64)
    return sums


def _ratios(crowd: Crowd, part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> Floats:
    """Return each worker's share of the `whole` answers that are in `part`, too."""
    with np.errstate(invalid="ignore"):  # 0 / 0 is the not-a-number that is wanted
        ratios: Floats = _sums(crowd.worker, part, crowd.workers) / _sums(
            crowd.worker, whole, crowd.workers
        )
    return ratios


def _medians(group: Ints, values: NDArray[np.float32], groups: int) -> Floats:
    """Return the (upper) median of each group's values; values below zero do not count.

    One sort for all groups: the bits of positive floats sort like the floats, so group and value
    make one integer. A million answers of 2,000 workers take 0.1 s, a median each 2 s.
    """
    measured = values >= 0
    keys = group[measured].astype(np.uint64) << np.uint64(32)
    keys |= values[measured].astype(np.float32).view(np.uint32)
    keys.sort()
    counts = np.bincount(group[measured], minlength=groups)
    starts = np.cumsum(counts) - counts
    medians = np.full(groups, np.nan)
    nonempty = np.flatnonzero(counts)
    middle = keys[starts[nonempty] + counts[nonempty] // 2]
    bits = (middle & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    medians[nonempty] = bits.view(np.float32)
    return medians
