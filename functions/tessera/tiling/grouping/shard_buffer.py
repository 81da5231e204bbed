"""The images of one shard on their way to tasks: text in a scratch file, numbers in memory.

A shard is dealt only when all of it is known (`index % groups` needs the number of groups), so
its text has to wait somewhere. It waits in a file: memory holds some 20 bytes an image.
"""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.manifest.batch import NO_PRELABEL, Batch, LineTemplate


class Shelf:
    """A shard's images in manifest order; `positions` count them from zero."""

    def __init__(self, scratch: BinaryIO, capacity: int, form: LineTemplate) -> None:
        """Set aside numbers for `capacity` images; untouched rows cost address space alone."""
        self._scratch = scratch
        self.form = form
        self.capacity = capacity
        self._starts = np.empty(capacity + 1, np.uint32)
        self._indexes = np.empty(capacity, np.uint32)
        self._characters = np.empty(capacity, np.uint16)
        self._mark = np.empty(capacity, np.uint64)
        self._check = np.empty(capacity, np.uint32)
        self._prelabels: NDArray[np.uint8] | None = None
        self._confidences: NDArray[np.float32] | None = None
        self._reset()

    def _reset(self) -> None:
        self.count = 0
        self.size = 0
        self._base = 0
        self._scratch.seek(0)

    def clear(self) -> None:
        """Begin the next shard in the same place."""
        self._prelabels = self._confidences = None
        self._reset()

    def add(self, batch: Batch) -> None:
        """Put a batch behind the images that are here."""
        if self.count == 0 and len(batch):
            self._base = int(batch.indexes[0])
        here = slice(self.count, self.count + len(batch))
        self._starts[here] = batch.line_starts + self.size
        self._indexes[here] = batch.indexes - self._base
        self._characters[here] = batch.characters
        if batch.fingerprints is not None:
            self._mark[here], self._check[here] = batch.fingerprints
        if batch.prelabels is not None and batch.confidences is not None:
            self._with_prelabels()[here] = batch.prelabels
            self._with_confidences()[here] = batch.confidences
        self._scratch.write(batch.text)
        self.count += len(batch)
        self.size += len(batch.text)
        self._starts[self.count] = self.size

    def _with_prelabels(self) -> NDArray[np.uint8]:
        if self._prelabels is None:
            self._prelabels = np.full(self.capacity, NO_PRELABEL, np.uint8)
        return self._prelabels

    def _with_confidences(self) -> NDArray[np.float32]:
        if self._confidences is None:
            self._confidences = np.full(self.capacity, np.inf, np.float32)
        return self._confidences

    @property
    def marks(self) -> NDArray[np.uint64]:
        """64 bits of every image's name."""
        return self._mark[: self.count]

    @property
    def checks(self) -> NDArray[np.uint32]:
        """32 bits more of every image's name."""
        return self._check[: self.count]

    @property
    def characters(self) -> NDArray[np.uint16]:
        """How many characters every item has."""
        return self._characters[: self.count]

    @property
    def prelabels(self) -> NDArray[np.uint8]:
        """The number of every image's prelabel, NO_PRELABEL without one."""
        return self._with_prelabels()[: self.count]

    @property
    def confidences(self) -> NDArray[np.float32]:
        """The confidence of every image's prelabel, infinite without one."""
        return self._with_confidences()[: self.count]

    @property
    def last_index(self) -> int:
        """The manifest line of the last image."""
        return int(self._indexes[self.count - 1]) + self._base

    def indexes(self, positions: NDArray[Any]) -> NDArray[np.int64]:
        """The manifest line of each position."""
        found: NDArray[np.int64] = self._indexes[positions].astype(np.int64)
        found += self._base
        return found

    def index(self, position: int) -> int:
        """The manifest line of one position."""
        return int(self._indexes[position]) + self._base

    def lines_on(self, positions: NDArray[Any]) -> NDArray[np.uint32]:
        """How many manifest lines each position is after the first one here."""
        steps: NDArray[np.uint32] = self._indexes[positions]
        return steps

    def sizes(self, positions: NDArray[Any]) -> NDArray[np.int64]:
        """The bytes of each position's item."""
        sizes: NDArray[np.int64] = self._starts[1:][positions].astype(np.int64)
        sizes -= self._starts[positions]
        return sizes - len(self.form.head + self.form.tail)

    def run(self, first: int, end: int) -> list[bytes]:
        """The items of neighbouring positions, read in one go."""
        start, stop = int(self._starts[first]), int(self._starts[end])
        self._scratch.seek(start)
        return self.form.split(self._scratch.read(stop - start))

    def everything(self) -> Items:
        """All items in memory, for an order that jumps about."""
        self._scratch.seek(0)
        return Items(self._scratch.read(self.size), self._starts[: self.count + 1], self.form)


class Items:
    """The items of one text, cut out when asked for."""

    def __init__(self, text: bytes, starts: NDArray[np.uint32], form: LineTemplate) -> None:
        """Know where each line of the text begins, and what it has around its item."""
        self._text = text
        self._starts = starts
        self._head, self._tail = len(form.head), len(form.tail)

    def pick(self, positions: NDArray[Any]) -> list[bytes]:
        """The items of these positions, in this order."""
        text = self._text
        starts = (self._starts[positions] + np.uint32(self._head)).tolist()
        ends = (self._starts[1:][positions] - np.uint32(self._tail)).tolist()
        return [text[start:end] for start, end in zip(starts, ends, strict=True)]
