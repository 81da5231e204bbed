"""Define the batch of images that a block of manifest lines becomes."""

from __future__ import annotations

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


def parts(text: bytes, form: Form) -> list[bytes]:
    """The items of a text in a form.

    >>> parts(b"a\\nb\\n", PLAIN)
    [b'a', b'b']
    """
    return text[len(form.head) : len(text) - len(form.tail)].split(form.between)
