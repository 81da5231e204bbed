"""Estimate each worker's matrix from that worker's answers alone, as published in 1979.

Here for comparison: with few answers a worker it is overconfident, and its labels suffer.
tests/tiling/consensus/test_oracle.py holds it against crowd-kit's.

A. P. Dawid, A. M. Skene: Maximum likelihood estimation of observer error-rates using the EM
algorithm. Applied Statistics 28(1), 1979. https://doi.org/10.2307/2346806
"""

from __future__ import annotations

import numpy as np

from tessera.tiling.consensus.em import EPSILON, ExpectedCounts, Model, by_code
from tessera.tiling.consensus.hierarchical import pooled_confusion

TOLERANCE = 1e-7
"""Rise of the log likelihood per answer below which EM has converged: small enough that
probabilities equal crowd-kit's to four digits, which test_oracle.py asks for."""
MAX_ITERATIONS = 200
"""EM iterations at most, enough to reach that tolerance: the crowd of test_oracle.py takes 26."""


def m_step(counts: ExpectedCounts) -> Model:
    """Return the model under which the counted answers are most likely.

    With `N[k, j, l]` for the expected answers `l` of worker `j` to images of class `k`:

        confusion[k, j, l] = N[k, j, l] / sum_l N[k, j, l]
        prior[k] = mean over images of p[k]
    """
    confusion = np.maximum(counts.answers, EPSILON)  # so that every logarithm exists
    confusion /= confusion.sum(axis=2, keepdims=True)
    prior = np.maximum(counts.class_means, EPSILON)
    pooled = pooled_confusion(counts.answers.sum(axis=1))  # for the expected gain only
    return Model(np.log(prior), by_code(np.log(confusion)), pooled, counts)
