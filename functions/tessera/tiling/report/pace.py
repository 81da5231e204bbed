"""Say whether slow answers are worse: how often each quarter of seconds is right on gold."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Crowd
from tessera.tiling.consensus.pace import quantiles
from tessera.tiling.report.figures import mean_figure

MIN_ANSWERS = 40
"""Timed answers to gold images below which nothing is told: ten in each quarter."""
SURE = 2.0
"""Standard errors by which the slowest quarter has to be below the fastest, before seconds are
advised to be weighed (docs/decisions/consensus-seconds.md)."""


def pace_figures(
    crowd: Crowd, seconds: NDArray[np.float32], known: NDArray[np.int16]
) -> dict[str, Any]:
    """Return how often answers to gold images are right, by quarter of their worker's seconds.

    `known` has the class of each gold image, else -1. Nothing is returned of too few of them. That
    `slow_is_worse` is said where it can hardly be chance.
    """
    q = quantiles(crowd.worker, seconds)
    truth = known[crowd.image]
    rows = np.flatnonzero((truth >= 0) & (crowd.label >= 0) & ~np.isnan(q))
    if len(rows) < MIN_ANSWERS:
        return {}
    quarter = np.minimum((q[rows] * 4).astype(np.int64), 3)
    right = crowd.label[rows] == truth[rows]
    answers = np.bincount(quarter, minlength=4)
    shares = [float(right[quarter == one].mean()) if answers[one] else None for one in range(4)]
    return {
        "pace": {
            "quarters": [
                {"answers": int(count), "right": mean_figure(right[quarter == one])}
                for one, count in enumerate(answers)
            ],
            "slow_is_worse": _is_below(shares[3], shares[0], int(answers[3]), int(answers[0])),
        }
    }


def _is_below(slow: float | None, fast: float | None, slow_count: int, fast_count: int) -> bool:
    """Return whether the share of the slow is surely below that of the fast."""
    if slow is None or fast is None:
        return False
    both = (slow * slow_count + fast * fast_count) / (slow_count + fast_count)
    error = sqrt(both * (1 - both) * (1 / slow_count + 1 / fast_count))
    return fast - slow > SURE * error
