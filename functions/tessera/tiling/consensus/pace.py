"""Weigh answers by how long their workers took, each compared with their own other answers.

An answer that took somebody longer than they usually take is wrong more often. With `q` for the
quantile of its seconds within its worker's, its log likelihood counts

    1.25 - 0.5 q

times, one on average; an answer whose seconds nobody measured counts once. Quick people are not
thereby believed more than slow ones. Measured in docs/decisions/consensus-seconds.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus.crowd import Floats, Ints

FASTEST_WEIGHT, WEIGHT_RANGE = 1.25, 0.5
"""Weight of a worker's fastest answer, and how much less their slowest has: twice the range is as
good in accuracy and worse in ECE (docs/decisions/consensus-seconds.md)."""
MIN_TIMED = 8
"""Timed answers of a worker below which their quantiles tell nothing: eighths of the range."""


def quantiles(worker: Ints, seconds: Floats) -> NDArray[np.float64]:
    """Return the quantile of each answer's seconds within its worker's, not a number if unknown.

    Equal seconds have equal quantiles, so the order of answers does not matter.

    >>> quantiles(np.zeros(8, int), np.array([1.0, 1, 1, 1, 2, 2, 3, 4])).tolist()
    [0.25, 0.25, 0.25, 0.25, 0.625, 0.625, 0.8125, 0.9375]
    """
    result = np.full(len(seconds), np.nan)
    timed = np.flatnonzero(seconds >= 0)
    order = timed[np.lexsort((seconds[timed], worker[timed]))]
    by_worker, sorted_ = worker[order], seconds[order]
    starts = np.searchsorted(by_worker, by_worker)
    counts = np.searchsorted(by_worker, by_worker, side="right") - starts
    # ranks from first and last of those with equal seconds, so that ties share their mean
    new = np.ones(len(order), np.bool_)
    new[1:] = (sorted_[1:] != sorted_[:-1]) | (by_worker[1:] != by_worker[:-1])
    group = np.cumsum(new) - 1
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(order))
    rank = (first[group] + last[group]) / 2 - starts
    result[order] = np.where(counts >= MIN_TIMED, rank / np.maximum(counts, 1), np.nan)
    return result


def answer_weights(worker: Ints, seconds: Floats) -> NDArray[np.float32]:
    """Return the weight of each answer's log likelihood."""
    q = quantiles(worker, seconds)
    weights = np.where(np.isnan(q), 1.0, FASTEST_WEIGHT - WEIGHT_RANGE * q)
    return np.asarray(weights, np.float32)


def slow_answers(worker: Ints, seconds: Floats, share: float) -> NDArray[np.bool_]:
    """Return which answers are among the slowest of their worker, so many of them."""
    return np.asarray(quantiles(worker, seconds) > 1 - share)
