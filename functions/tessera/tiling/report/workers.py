"""Estimate workers' accuracy and pace from their answers, and find pages that are worth a look.

Quick pages are not among those: measured crowds are right more often on them. Why the thresholds
are what they are: docs/decisions/report-thresholds.md.
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
"""Multiple of the median page's seconds an image from which a page is slow: nine in ten pages take
less than 1.2 times the median in a laboratory."""
DISAGREEING = 3.0
"""Standard deviations below the crowd's agreement from which a page disagrees: by chance alone, one
page of 20 in 400 where workers agree on 90 %."""
SHOWN_PAGES = 50
"""Pages listed at most: who has looked at fifty knows what is wrong."""
TOO_FAST = 0.2
"""Fraction of the crowd's median time below which an answer is too fast to have looked."""
BALANCE_SHRINKAGE = 2.0
"""Answers of the average worker that are added to each worker's about each label: two of a rare
label's images tell little, and ten must tell that somebody never gives it."""
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
    columns = _worker_columns(crowd, consensus, seconds, known)
    answers = columns["answers"]
    # equals by name, so that the report does not depend on who answered first
    order = sorted(range(crowd.workers), key=lambda worker: (-answers[worker], names[worker]))
    return [
        {
            "worker": names[worker],
            **{
                key: int(column[worker]) if key in _COUNTS else round_figure(column[worker])
                for key, column in columns.items()
            },
        }
        for worker in order
    ]


_COUNTS = {"answers", "unreadable", "gold_answers"}
"""Figures of a worker that are whole numbers."""


def _worker_columns(
    crowd: Crowd,
    consensus: Consensus,
    seconds: NDArray[np.float32],
    known: NDArray[np.int16],
) -> dict[str, Floats]:
    """Return each figure as a column with a row for each worker, in the order of the report."""
    answers = _sums(crowd.worker, None, crowd.workers)
    readable = crowd.label >= 0
    unreadable = _sums(crowd.worker, ~readable, crowd.workers)
    compared, agreeing = _compared(crowd, consensus)
    agreement = _ratios(crowd, agreeing, compared)
    gold = readable & (known[crowd.image] >= 0)
    # a method that does not estimate workers leaves their agreement as the best guess
    accuracy = agreement if consensus.accuracy is None else consensus.accuracy
    # an answer that says "unreadable" tells nothing of how well the worker tells classes apart
    intervals = [
        wilson_interval(*row)
        for row in zip(accuracy.tolist(), (answers - unreadable).tolist(), strict=True)
    ]
    low, high = np.array(intervals).reshape(-1, 2).T
    balanced, evenly = _balanced_accuracy(crowd, consensus)
    of_balanced = [wilson_interval(*row) for row in zip(balanced, evenly, strict=True)]
    balanced_low, balanced_high = np.array(of_balanced).reshape(-1, 2).T
    return {
        "answers": answers,
        "unreadable": unreadable,
        "accuracy": accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
        "balanced_accuracy": balanced,
        "balanced_low": balanced_low,
        "balanced_high": balanced_high,
        "gold_answers": _sums(crowd.worker, gold, crowd.workers),
        "gold_accuracy": _ratios(crowd, gold & (crowd.label == known[crowd.image]), gold),
        "agreement": agreement,
        "seconds_per_image": _medians(crowd.worker, seconds, crowd.workers),
        "too_fast": _too_fast(crowd, seconds),
    }


def _balanced_accuracy(crowd: Crowd, consensus: Consensus) -> tuple[Floats, Floats]:
    """Return how often each worker is right if all labels were as common, and on how many answers.

    It is the mean over the labels that images have of the worker's share of right answers about
    each: whoever gives the common label to every image is right about that one alone. Where they
    have few answers about a label, that of all workers stands in. The number of answers is that of
    as many about each label as tell the mean as closely.
    """
    compared, agreeing = _compared(crowd, consensus)
    cells = crowd.worker.astype(np.int64) * crowd.classes + consensus.label[crowd.image]
    size = crowd.workers, crowd.classes  # both, since of no workers neither tells the other
    about, right = (
        np.bincount(cells[rows], minlength=crowd.workers * crowd.classes).reshape(size)
        for rows in (compared, agreeing)
    )
    occurs = about.sum(axis=0) > 0
    about, right = about[:, occurs], right[:, occurs]
    everyone = right.sum(axis=0) / about.sum(axis=0)
    recall = (right + BALANCE_SHRINKAGE * everyone) / (about + BALANCE_SHRINKAGE)
    answered = about.any(axis=1)
    balanced: Floats = np.full(crowd.workers, np.nan)
    balanced[answered] = recall[answered].sum(axis=1) / max(occurs.sum(), 1)
    evenly: Floats = np.zeros(crowd.workers)
    evenly[answered] = occurs.sum() ** 2 / (1 / np.maximum(about[answered], 1)).sum(axis=1)
    return balanced, evenly


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
    if not len(crowd):  # max() of nothing raises
        return []
    pages = int(submission.max()) + 1
    compared, agreeing = _compared(crowd, consensus)
    images, agreed = _sums(submission, compared, pages), _sums(submission, agreeing, pages)
    pace = _paces(submission, seconds, pages)
    slow, below = _slowness(pace), _disagreement(images, agreed)
    # each page's first answer, by writing the rows backwards; -1 where none of its answers counts
    first = np.full(pages, -1, np.int64)
    first[submission[::-1]] = np.arange(len(submission))[::-1]
    # by how far beyond its threshold a page is, so that seconds and agreement can be compared
    odd = np.flatnonzero((first >= 0) & ((slow > SLOW) | (below > DISAGREEING)))
    odd = odd[np.argsort(-np.maximum(slow[odd] / SLOW, below[odd] / DISAGREEING), kind="stable")]
    return [
        {
            "worker": names[crowd.worker[first[page]]],
            "first_image": int(crowd.image[first[page]]),
            "images": int(images[page]),
            "agreement": round_figure(agreed[page] / max(images[page], 1)),
            "seconds_per_image": round_figure(pace[page]),
            "why": [
                reason
                for reason, applies in (
                    ("slow", slow[page] > SLOW),
                    ("disagrees", below[page] > DISAGREEING),
                )
                if applies
            ],
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
    # the crowd's own median: how long an image takes is the images' matter, and the question's
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
    timed = seconds >= 0  # false for what is not a number
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
    make one integer. Three million answers of 2,000 workers take 0.1 s; splitting them by worker
    first takes 0.5 s.
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
