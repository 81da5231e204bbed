"""The images of one shard on their way to tasks: text in a scratch file, numbers in memory.

A shard is dealt only when all of it is known (`index % groups` needs the number of groups), so
its text has to wait somewhere. It waits in a file: memory holds some 20 bytes an image.
"""

from __future__ import annotations

from typing import Any, BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

UNKNOWN = 255
"""The prelabel number of an image without one."""


class Form(msgspec.Struct, frozen=True):
    """How items stand in a text: what is before the first, between two, and after the last."""

    head: bytes
    between: bytes
    tail: bytes

    def around(self, items: list[bytes]) -> bytes:
        """The text of these items."""
        return self.head + self.between.join(items) + self.tail if items else b""

    def starts(self, items: list[bytes]) -> NDArray[np.int64]:
        """Where each item's line begins in that text."""
        steps = np.fromiter(map(len, items), np.int64, len(items)) + len(self.between)
        starts: NDArray[np.int64] = np.cumsum(steps) - steps
        return starts


PLAIN = Form(b"", b"\n", b"\n")


class Batch(msgspec.Struct, frozen=True):
    """Some images: their items' text in a form, and a row of numbers for each."""

    text: bytes
    starts: NDArray[np.int64]
    """Where each item's line begins in the text."""
    characters: NDArray[np.uint16]
    indexes: NDArray[np.int64]
    marks: tuple[NDArray[np.uint64], NDArray[np.uint32]] | None = None
    """96 bits that two images share if, and only if, they are the same."""
    prelabels: NDArray[np.uint8] | None = None
    confidences: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        """How many images."""
        return len(self.indexes)

    def cut(self, count: int) -> tuple[Batch, Batch]:
        """The first so many images, and the others."""
        if count >= len(self):
            return self, NOTHING
        where = int(self.starts[count])
        return (
            self._part(slice(None, count), self.text[:where]),
            self._part(slice(count, None), self.text[where:]),
        )

    def _part(self, rows: slice, text: bytes) -> Batch:
        starts = self.starts[rows]
        return Batch(
            text=text,
            starts=starts - starts[0],
            characters=self.characters[rows],
            indexes=self.indexes[rows],
            marks=None if self.marks is None else (self.marks[0][rows], self.marks[1][rows]),
            prelabels=None if self.prelabels is None else self.prelabels[rows],
            confidences=None if self.confidences is None else self.confidences[rows],
        )


_NONE = np.empty(0, np.int64)
NOTHING = Batch(b"", _NONE, _NONE.astype(np.uint16), _NONE)


class Shelf:
    """A shard's images in manifest order; `positions` count them from zero."""

    def __init__(self, scratch: BinaryIO, capacity: int, form: Form) -> None:
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
        self._starts[here] = batch.starts + self.size
        self._indexes[here] = batch.indexes - self._base
        self._characters[here] = batch.characters
        if batch.marks is not None:
            self._mark[here], self._check[here] = batch.marks
        if batch.prelabels is not None and batch.confidences is not None:
            self._with_prelabels()[here] = batch.prelabels
            self._with_confidences()[here] = batch.confidences
        self._scratch.write(batch.text)
        self.count += len(batch)
        self.size += len(batch.text)
        self._starts[self.count] = self.size

    def _with_prelabels(self) -> NDArray[np.uint8]:
        if self._prelabels is None:
            self._prelabels = np.full(self.capacity, UNKNOWN, np.uint8)
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
        """The number of every image's prelabel, UNKNOWN without one."""
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
        return parts(self._scratch.read(stop - start), self.form)

    def everything(self) -> Items:
        """All items in memory, for an order that jumps about."""
        self._scratch.seek(0)
        return Items(self._scratch.read(self.size), self._starts[: self.count + 1], self.form)


class Items:
    """The items of one text, cut out when asked for."""

    def __init__(self, text: bytes, starts: NDArray[np.uint32], form: Form) -> None:
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


def parts(text: bytes, form: Form) -> list[bytes]:
    """The items of a text in a form.

    >>> parts(b"a\\nb\\n", PLAIN)
    [b'a', b'b']
    """
    return text[len(form.head) : len(text) - len(form.tail)].split(form.between)
