"""Hold answers as columns of integers, and as rectangles that numpy computes on without loops.

A `Crowd` has the columns as they arrived. An `EqualDepth` has the images with the same number of
answers, so that their answers are a rectangle. Within it images and answers are sorted by number:
nothing that is computed from it depends on who came first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer]
Floats = NDArray[np.floating]

BLOCK_SIZE = 16_384
"""Images computed at a time, which bounds temporary arrays; a quarter and four times as many take
as long (docs/decisions/consensus-constants.md)."""


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """Answers of several workers to the same images, in order of arrival.

    `image`, `worker` and `label` have one row an answer. Images, workers and classes are numbers
    from zero up to, not including, `images`, `workers` and `classes`. A label of -1 says that the
    worker could not judge the image. `weight` is by how much an answer's log likelihood counts, 1
    for each where there is none (`pace`).
    """

    images: int
    workers: int
    classes: int
    image: Ints
    worker: Ints
    label: Ints
    weight: NDArray[np.float32] | None = field(default=None, kw_only=True)

    def answers(self, rows: NDArray[np.bool_] | Ints) -> Crowd:
        """Return the crowd with these answers alone."""
        weight = None if self.weight is None else self.weight[rows]
        return replace(
            self,
            image=self.image[rows],
            worker=self.worker[rows],
            label=self.label[rows],
            weight=weight,
        )

    def __len__(self) -> int:
        """Count the answers."""
        return len(self.image)


@dataclass(frozen=True, slots=True, eq=False)
class EqualDepth:
    """Images that have equally many readable answers.

    `ids` (images) are their numbers. `codes` (answers x images) hold who gave which label as one
    number, `worker * classes + label`: a row of a table that has one for each worker and label.
    `weights` (answers x images) are there if the crowd has any.
    """

    ids: NDArray[np.int32]
    codes: Ints
    weights: NDArray[np.float32] | None = None

    def columns(self, images: Ints | slice | NDArray[np.bool_]) -> EqualDepth:
        """Return these of the images."""
        weights = None if self.weights is None else self.weights[:, images]
        return EqualDepth(self.ids[images], self.codes[:, images], weights)

    @property
    def depth(self) -> int:
        """Count the answers an image."""
        return len(self.codes)

    def labels(self, classes: int) -> Ints:
        """Return the labels (answers x images) of the codes."""
        # the remainder by way of the quotient: numpy's `%` takes up to three times as long
        return self.codes - self.codes // classes * classes

    def blocks(self, size: int = BLOCK_SIZE) -> Iterator[EqualDepth]:
        """Yield the images `size` at a time, codes as wide as numpy wants them for indexing."""
        for start in range(0, len(self.ids), size):
            block = self.columns(slice(start, start + size))
            yield replace(block, codes=block.codes.astype(np.intp))

    def every(self, step: int) -> EqualDepth:
        """Return each `step`-th of the images: an even sample that needs no random numbers."""
        if step == 1:
            return self
        sample = self.columns(slice(None, None, step))
        return replace(sample, codes=sample.codes.copy())


def split_by_depth(crowd: Crowd) -> list[EqualDepth]:
    """Sort the readable answers into rectangles; images without any are in none of them."""
    readable = crowd.label >= 0
    if not readable.all():
        crowd = crowd.answers(readable)
    image, worker, label, weight = crowd.image, crowd.worker, crowd.label, crowd.weight
    depths = np.bincount(image, minlength=crowd.images)
    # Image and code in one 64-bit key: sorting numbers is much faster than sorting an index.
    bits = (crowd.workers * crowd.classes).bit_length()
    keys = image.astype(np.int64)
    keys <<= bits
    codes = np.multiply(worker, crowd.classes, dtype=np.int32)
    codes += label
    keys += codes
    if weight is not None:
        # by weight, too: somebody's two equal answers to an image may differ in it
        weight = weight[np.lexsort((weight, keys))]
    keys.sort()
    codes = keys.astype(np.int32)  # this cuts off the upper half, with most of the image
    codes &= (1 << bits) - 1
    del keys
    starts = np.cumsum(depths) - depths
    by_depth = []
    for depth in np.flatnonzero(np.bincount(depths)[1:]) + 1:
        ids = np.flatnonzero(depths == depth)
        rows = np.empty((depth, len(ids)), np.int32)
        if rows.size == len(codes):  # all images have as many answers: nothing to look up
            rows[:] = codes.reshape(-1, depth).T
        else:
            first = starts[ids]
            for answer in range(depth):
                rows[answer] = codes[first + answer]
        weights = None if weight is None else weight[starts[ids] + np.arange(depth)[:, None]]
        by_depth.append(EqualDepth(ids.astype(np.int32), rows, weights))
    return by_depth


def vote_counts(block: EqualDepth, classes: int) -> Floats:
    """Count the answers for each class (classes x images)."""
    counts = np.zeros((classes, len(block.ids)))
    columns = np.arange(len(block.ids))
    for labels in block.labels(classes):
        counts[labels, columns] += 1
    return counts
