"""Tell whom a picture did not load for: a failure is no answer, and is counted by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus.crowd import Crowd


@dataclass(frozen=True, slots=True, eq=False)
class Unloaded:
    """Images that did not load, with a row for each worker who could not answer them for that.

    `image` and `worker` are numbered as the crowd's. A pair that has an answer too, of another
    page, is left out: the worker has seen the image.
    """

    image: NDArray[np.int32]
    worker: NDArray[np.int32]

    def __len__(self) -> int:
        """Return how often an image did not load."""
        return len(self.image)

    def workers_by_image(self, images: int) -> NDArray[np.int64]:
        """Return for each image how many workers it did not load for."""
        counts: NDArray[np.int64] = np.bincount(self.image, minlength=images)
        return counts


def unloaded_pairs(
    image: NDArray[np.int32], worker: NDArray[np.int32], crowd: Crowd, workers: int
) -> Unloaded:
    """Return the pairs of image and worker without an answer in the crowd, each once, in order."""
    if not len(image):  # nearly always
        return Unloaded(image, worker)
    width = max(workers, 1)
    pairs = np.unique(image.astype(np.int64) * width + worker)
    answered = crowd.image.astype(np.int64) * width + crowd.worker
    pairs = pairs[~np.isin(pairs, answered)]
    return Unloaded((pairs // width).astype(np.int32), (pairs % width).astype(np.int32))
