"""Define the batch of images that a block of manifest lines becomes."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from tessera.tiling.manifest.fingerprints import Fingerprints

NO_PRELABEL = 255
"""Stands for a missing prelabel. Numbers of labels stay below: settings allow 50 of them."""


class LineTemplate(msgspec.Struct, frozen=True):
    r"""Bytes around the items of a text of uniform lines; `separator` is always `tail + head`.

        {"source-ref": "s3://pets/1.jpg"}\n{"source-ref": "s3://pets/2.jpg"}\n
        |---- head ----||--- item ----||--- separator ----||--- item ----|tail

    The items can be cut out with one split, and put in again with one join.
    """

    head: bytes
    separator: bytes
    tail: bytes

    def join(self, items: list[bytes]) -> bytes:
        """Return the text of these items."""
        return self.head + self.separator.join(items) + self.tail if items else b""

    def join_text(self, items: list[str]) -> bytes:
        """Return the text of these items, which are encoded all at once."""
        separator = self.separator.decode("latin-1")  # ASCII, as the template's pattern has it
        return self.head + separator.join(items).encode() + self.tail if items else b""

    def split(self, text: bytes) -> list[bytes]:
        """Return the items of a text.

        >>> PLAIN.split(b"a\\nb\\n")
        [b'a', b'b']
        """
        return text[len(self.head) : len(text) - len(self.tail)].split(self.separator)

    def line_starts(self, items: list[bytes]) -> NDArray[np.int64]:
        """Return where each item's line begins in the text that `join` makes."""
        # A line is as long as its item and a separator, which is the line's tail and its head.
        sizes = np.fromiter(map(len, items), np.int64, len(items)) + len(self.separator)
        starts: NDArray[np.int64] = np.cumsum(sizes) - sizes
        return starts


PLAIN = LineTemplate(b"", b"\n", b"\n")
"""Items alone, each on a line."""
ESCAPED = LineTemplate(b'{\\"source-ref\\":\\"', b'\\"}\n{\\"source-ref\\":\\"', b'\\"}\n')
"""Items between what is before and behind them inside a task's source."""


class Batch(msgspec.Struct, frozen=True):
    """Batch of images in manifest order: their items as one text, and a row of each array.

    `text` is kept as one piece, because most batches go to the scratch file as they are.
    """

    text: bytes
    line_starts: NDArray[np.int64]
    """Where each item's line begins in the text."""
    characters: NDArray[np.uint16]
    """Characters of each item, as they count for the service's limit (see `items`)."""
    indexes: NDArray[np.int64]
    """Each image's line of the manifest, from zero."""
    fingerprints: Fingerprints | None = None
    """Hashes of the sources; None where duplicates are not looked for."""
    prelabels: NDArray[np.uint8] | None = None
    """The number of each image's prelabel, or NO_PRELABEL; None if no image has one."""
    confidences: NDArray[np.float64] | None = None
    """The prelabels' confidences, infinite without one; None where `prelabels` is."""

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.indexes)

    def split_at(self, count: int) -> tuple[Batch, Batch]:
        """Return the first `count` images, and the others."""
        if count >= len(self):
            return self, EMPTY_BATCH
        end = int(self.line_starts[count])
        return (
            self._part(slice(None, count), self.text[:end]),
            self._part(slice(count, None), self.text[end:]),
        )

    def _part(self, rows: slice, text: bytes) -> Batch:
        # Views of the arrays, not copies; only the starts have to count from the part's own text.
        starts = self.line_starts[rows]
        return Batch(
            text=text,
            line_starts=starts - starts[0],
            characters=self.characters[rows],
            indexes=self.indexes[rows],
            fingerprints=None if self.fingerprints is None else self.fingerprints.rows(rows),
            prelabels=None if self.prelabels is None else self.prelabels[rows],
            confidences=None if self.confidences is None else self.confidences[rows],
        )


EMPTY_BATCH = Batch(b"", np.empty(0, np.int64), np.empty(0, np.uint16), np.empty(0, np.int64))
