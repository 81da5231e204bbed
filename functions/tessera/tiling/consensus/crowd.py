"""Answers as small integers, and the same answers stacked for computing.

A `Crowd` holds the columns as they arrived. A `Stack` holds the images that have equally many
answers: their answers then are a rectangle, on which numpy works without loops. Within a stack
images and answers are sorted by number, so nothing computed from it depends on who came first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer]
Floats = NDArray[np.floating]

BLOCK = 16_384
"""Images computed at a time: enough to outweigh a call's cost, few enough to stay in the cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """Who said what of which image, in order of arrival; a label of -1 means unreadable.

    Images, workers and classes are numbers from zero up to, not including, the counts given.
    """

    images: int
    workers: int
    classes: int
    image: Ints
    worker: Ints
    label: Ints

    def __len__(self) -> int:
        """How many answers there are."""
        return len(self.image)


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """The images with equally many readable answers.

    `cells[a]` holds answer `a` of every image as one number, worker x classes + label.
    """

    ids: NDArray[np.int32]
    cells: Ints

    @property
    def depth(self) -> int:
        """Answers an image."""
        return len(self.cells)

    def labels(self, classes: int) -> Ints:
        """The labels of `cells`; by the quotient, since numpy is slow to give a remainder."""
        return self.cells - self.cells // classes * classes

    def blocks(self, size: int = BLOCK) -> Iterator[Stack]:
        """The same stack in pieces, its cells as wide as numpy wants them for indexing."""
        for start in range(0, len(self.ids), size):
            piece = slice(start, start + size)
            yield Stack(self.ids[piece], self.cells[:, piece].astype(np.intp))

    def every(self, step: int) -> Stack:
        """Every so many-th image of the stack."""
        return self if step == 1 else Stack(self.ids[::step], self.cells[:, ::step].copy())


def stack(crowd: Crowd) -> list[Stack]:
    """The readable answers, stacked; images without any are in no stack."""
    image, worker, label = crowd.image, crowd.worker, crowd.label
    readable = label >= 0
    if not readable.all():
        image, worker, label = image[readable], worker[readable], label[readable]
    depths = np.bincount(image, minlength=crowd.images)
    bits = (crowd.workers * crowd.classes).bit_length()
    keys = image.astype(np.int64)
    keys <<= bits
    cells = np.multiply(worker, crowd.classes, dtype=np.int32)
    cells += label
    keys += cells
    keys.sort()
    cells = keys.astype(np.int32)  # its upper half is cut off
    cells &= (1 << bits) - 1
    del keys
    starts = np.cumsum(depths) - depths
    stacks = []
    for depth in np.flatnonzero(np.bincount(depths)[1:]) + 1:
        ids = np.flatnonzero(depths == depth)
        rows = np.empty((depth, len(ids)), np.int32)
        if rows.size == len(cells):  # all images have as many answers: nothing to look for
            rows[:] = cells.reshape(-1, depth).T
        else:
            first = starts[ids]
            for answer in range(depth):
                rows[answer] = cells[first + answer]
        stacks.append(Stack(ids.astype(np.int32), rows))
    return stacks


def highest(rows: Floats) -> Floats:
    """The maximum down each column: several times faster than numpy's own along this axis."""
    top: Floats = rows[0].copy()
    for row in rows[1:]:
        np.maximum(top, row, out=top)
    return top


def votes(block: Stack, classes: int) -> Floats:
    """Answers a class (down) and image (across)."""
    count = np.zeros((classes, len(block.ids)))
    across = np.arange(len(block.ids))
    for said in block.labels(classes):
        count[said, across] += 1
    return count
