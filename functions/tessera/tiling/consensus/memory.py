"""Count what a crowd's answers tell of its workers, for their next crowd.

For each worker `j`, class `k` and label `l`,

    counts[k, j, l] = sum of p_i[k] over the answers l of worker j to images i

with the tempered probabilities `p` that confidences are made of: EM's own are too sure of
themselves, and a worker would be remembered as better than they are. Measured in
docs/decisions/consensus-memory.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus.crowd import Crowd, Floats
from tessera.tiling.consensus.em import accumulate
from tessera.tiling.consensus.result import Consensus


def count_answers(
    crowd: Crowd, consensus: Consensus, known: NDArray[np.int16] | None = None
) -> Floats:
    """Return the answers by class, worker and label (classes x workers x labels).

    The consensus has to have probabilities; `known` has the class of each gold image, else -1.
    """
    assert consensus.probabilities is not None
    readable = np.flatnonzero(crowd.label >= 0)
    image = crowd.image[readable]
    codes = crowd.worker[readable].astype(np.int64) * crowd.classes + crowd.label[readable]
    p = consensus.probabilities[image].T.astype(np.float64)
    if known is not None:
        columns = np.flatnonzero(known[image] >= 0)
        p[:, columns] = 0
        p[known[image[columns]], columns] = 1
    counts = np.zeros((crowd.classes, crowd.workers * crowd.classes))
    accumulate(counts, p, codes)
    return counts.reshape(crowd.classes, crowd.workers, crowd.classes)
