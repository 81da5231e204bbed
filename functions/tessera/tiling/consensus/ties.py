"""Choose labels by score, with every tie decided in the open.

Scores within `TIE_TOLERANCE` of the best are tied. Among tied classes the one with more votes wins,
then the one of higher rank, then the one that was answered first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus.crowd import Crowd, Floats

TIE_TOLERANCE = 1e-5
"""Equal evidence, added up in another order in 32 bits, differs by some 1e-6
(docs/decisions/consensus-half-width.md)."""


def best_labels(
    scores: Floats, votes: Floats, rank: Floats
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Return the best class of each image, and the classes that remain tied (classes x images).

    `scores` and `votes` are classes x images, `rank` (classes) prefers one class to another. Where
    an image's label is decided, none of its classes remains tied.
    """
    label = scores.argmax(axis=0).astype(np.int16)
    tied = scores >= scores.max(axis=0) - TIE_TOLERANCE
    columns = np.flatnonzero(tied.sum(axis=0) > 1)
    remaining = np.zeros_like(tied)
    if len(columns):
        kept = tied[:, columns]
        for criterion in (votes[:, columns], np.broadcast_to(rank[:, None], kept.shape)):
            of_kept = np.where(kept, criterion, -np.inf)
            kept = kept & (of_kept >= of_kept.max(axis=0) - TIE_TOLERANCE)
        label[columns] = kept.argmax(axis=0)
        remaining[:, columns] = kept & (kept.sum(axis=0) > 1)
    return label, remaining


def break_ties_by_arrival(
    crowd: Crowd, label: NDArray[np.int16], tied: dict[int, NDArray[np.bool_]]
) -> None:
    """Give each tied image, in place, the earliest of its answers that is among its tied classes.

    `tied` has the tied classes (classes) by image.
    """
    if not tied:
        return
    answers = np.flatnonzero(np.isin(crowd.image, np.fromiter(tied, np.int64, len(tied))))
    for answer in answers[::-1].tolist():  # backwards, so that the first to come writes last
        candidate = int(crowd.label[answer])
        if candidate >= 0 and tied[int(crowd.image[answer])][candidate]:
            label[crowd.image[answer]] = candidate
