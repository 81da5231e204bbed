"""The label of an image by its scores, with every tie decided in the open.

Scores within a hair of the best are tied. Among the tied the one with more votes wins, then the
class that is more common, then the answer that came first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus.crowd import Crowd, Floats, highest

HAIR = 1e-5


def best(
    scores: Floats, votes: Floats, common: Floats
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """The best class of each image (across), and which classes are still tied where that is open.

    The second is empty in columns that are decided.
    """
    label = scores.argmax(axis=0).astype(np.int16)
    tied = scores >= highest(scores) - HAIR
    doubtful = np.flatnonzero(tied.sum(axis=0) > 1)
    still = np.zeros_like(tied)
    if len(doubtful):
        kept = tied[:, doubtful]
        for rank in (votes[:, doubtful], np.broadcast_to(common[:, None], kept.shape)):
            among = np.where(kept, rank, -np.inf)
            kept = kept & (among >= among.max(axis=0) - HAIR)
        label[doubtful] = kept.argmax(axis=0)
        still[:, doubtful] = kept & (kept.sum(axis=0) > 1)
    return label, still


def first_come(crowd: Crowd, label: NDArray[np.int16], tied: dict[int, NDArray[np.bool_]]) -> None:
    """Give each tied image the earliest of its answers that is among the tied classes."""
    if not tied:
        return
    concerned = np.flatnonzero(np.isin(crowd.image, np.fromiter(tied, np.int64, len(tied))))
    for answer in concerned[::-1].tolist():  # backwards, so that the first to come writes last
        said = int(crowd.label[answer])
        if said >= 0 and tied[int(crowd.image[answer])][said]:
            label[crowd.image[answer]] = said
