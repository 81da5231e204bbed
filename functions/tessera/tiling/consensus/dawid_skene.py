"""Dawid-Skene as it was published in 1979: each worker's matrix from that worker's answers alone.

Here for comparison. With few answers a worker it believes too much, and its labels suffer.
"""

from __future__ import annotations

import numpy as np

from tessera.tiling.consensus.em import Counted, Model, by_cell
from tessera.tiling.consensus.hierarchical import NOTHING, pool


def learn(counted: Counted) -> Model:
    """The matrices and the prior under which the counted answers are most likely."""
    table = np.maximum(counted.answers, NOTHING)  # so that every logarithm exists
    table /= table.sum(axis=2, keepdims=True)
    prior = np.maximum(counted.mean, NOTHING)
    pooled = pool(counted.answers.sum(axis=1))  # for the expected gain only
    return Model(np.log(prior), by_cell(np.log(table)), pooled, counted)
