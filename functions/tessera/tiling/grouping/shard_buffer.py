"""Buffer one shard's images until its tasks are planned: text in a scratch file, numbers in memory.

`index % groups` needs the number of groups, so nothing can be written before all of a shard is
known. Its text waits in a file meanwhile, and memory holds some 20 bytes an image
(docs/decisions/grouping-in-bounded-memory.md).
"""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.manifest.batch import NO_PRELABEL, Batch, LineTemplate

Positions = NDArray[np.uint32]
"""Images of a shard, counted from zero in manifest order."""


class ShardBuffer:
    """Buffer of one shard's images in manifest order, known by their positions from zero."""

    def __init__(self, scratch: BinaryIO, capacity: int, template: LineTemplate) -> None:
        """Preallocate for `capacity` images; the OS commits pages only when they are written."""
        self.template = template
        self.capacity = capacity
        self._scratch = scratch
        # Narrow types: a shard's text ends below 4 GiB, indexes count from the shard's first, and
        # an item has no more characters than 1,024 bytes of key and 256 of label, all escaped.
        self._line_starts = np.empty(capacity + 1, np.uint32)
        self._index_offsets = np.empty(capacity, np.uint32)
        self._characters = np.empty(capacity, np.uint16)
        self._hashes = np.empty(capacity, np.uint64)
        self._checks = np.empty(capacity, np.uint32)
        self._prelabels: NDArray[np.uint8] | None = None
        self._confidences: NDArray[np.float32] | None = None
        self._rewind()

    def _rewind(self) -> None:
        self.count = 0
        self.text_bytes = 0
        self._first_index = 0
        self._scratch.seek(0)

    def clear(self) -> None:
        """Forget all images; the next shard takes the same memory and the same file."""
        self._prelabels = self._confidences = None
        self._rewind()

    def add(self, batch: Batch) -> None:
        """Append a batch, which must fit."""
        if self.count == 0 and len(batch):
            self._first_index = int(batch.indexes[0])
        rows = slice(self.count, self.count + len(batch))
        self._line_starts[rows] = batch.line_starts + self.text_bytes
        self._index_offsets[rows] = batch.indexes - self._first_index
        self._characters[rows] = batch.characters
        # None of the columns is cleared for the next shard: rows from `count` on are never read.
        if batch.fingerprints is not None:
            self._hashes[rows], self._checks[rows] = batch.fingerprints
        if batch.prelabels is not None and batch.confidences is not None:
            self._all_prelabels()[rows] = batch.prelabels
            self._all_confidences()[rows] = batch.confidences
        elif self._prelabels is not None and self._confidences is not None:
            self._prelabels[rows], self._confidences[rows] = NO_PRELABEL, np.inf
        self._scratch.write(batch.text)
        self.count += len(batch)
        self.text_bytes += len(batch.text)
        self._line_starts[self.count] = self.text_bytes

    def _all_prelabels(self) -> NDArray[np.uint8]:
        # Made when they are first asked for: most manifests have no prelabel at all.
        if self._prelabels is None:
            self._prelabels = np.empty(self.capacity, np.uint8)
            self._prelabels[: self.count] = NO_PRELABEL  # `add` fills the rows from there on
        return self._prelabels

    def _all_confidences(self) -> NDArray[np.float32]:
        if self._confidences is None:
            self._confidences = np.empty(self.capacity, np.float32)
            self._confidences[: self.count] = np.inf
        return self._confidences

    @property
    def hashes(self) -> NDArray[np.uint64]:
        """The 64-bit hash of each image's source."""
        return self._hashes[: self.count]

    @property
    def checks(self) -> NDArray[np.uint32]:
        """The 32 further bits of each image's fingerprint."""
        return self._checks[: self.count]

    @property
    def characters(self) -> NDArray[np.uint16]:
        """The characters of each item."""
        return self._characters[: self.count]

    @property
    def prelabels(self) -> NDArray[np.uint8]:
        """The number of each image's prelabel, NO_PRELABEL without one."""
        return self._all_prelabels()[: self.count]

    @property
    def confidences(self) -> NDArray[np.float32]:
        """The confidence of each image's prelabel, infinite without one."""
        return self._all_confidences()[: self.count]

    @property
    def last_index(self) -> int:
        """The index of the last image."""
        return self.index(self.count - 1)

    def index(self, position: int) -> int:
        """Return the index of one image: its line of the manifest, from zero."""
        return int(self._index_offsets[position]) + self._first_index

    def indexes(self, positions: NDArray[Any]) -> NDArray[np.int64]:
        """Return the index of each image."""
        indexes: NDArray[np.int64] = self._index_offsets[positions].astype(np.int64)
        indexes += self._first_index
        return indexes

    def index_offsets(self, positions: NDArray[Any]) -> NDArray[np.uint32]:
        """Return how far each image's index is from that of position 0, in half the bytes."""
        offsets: NDArray[np.uint32] = self._index_offsets[positions]
        return offsets

    def item_bytes(self, positions: NDArray[Any]) -> NDArray[np.int64]:
        """Return the number of bytes of each item."""
        line_bytes: NDArray[np.int64] = self._line_starts[1:][positions].astype(np.int64)
        line_bytes -= self._line_starts[positions]
        return line_bytes - len(self.template.head + self.template.tail)

    def read_items(self, first: int, end: int) -> list[bytes]:
        """Read the items of positions from `first` up to `end`, in one go."""
        start, stop = int(self._line_starts[first]), int(self._line_starts[end])
        self._scratch.seek(start)
        return self.template.split(self._scratch.read(stop - start))

    def read_between(self, first: int, end: int) -> ShardText:
        """Read the text of positions from `first` up to `end`, for an order that jumps about."""
        start, stop = self._line_starts[first], self._line_starts[end]
        self._scratch.seek(int(start))
        text = self._scratch.read(int(stop) - int(start))
        return ShardText(text, self._line_starts[: self.count + 1], self.template, start)


class ShardText:
    """Text of a shard in memory, from which items can be cut in any order."""

    def __init__(
        self, text: bytes, line_starts: NDArray[np.uint32], template: LineTemplate, start: np.uint32
    ) -> None:
        """Keep the text, its start in the shard, and where the shard's lines begin and end."""
        self._text, self._start = text, start
        self._line_starts = line_starts
        self._head, self._tail = len(template.head), len(template.tail)

    def items(self, positions: NDArray[Any]) -> list[bytes]:
        """Return the items of these positions, in their order."""
        # Slices of one bytes object are the fastest way to make many small ones.
        text = self._text
        starts = (self._line_starts[positions] - self._start + np.uint32(self._head)).tolist()
        ends = (self._line_starts[1:][positions] - self._start - np.uint32(self._tail)).tolist()
        return [text[start:end] for start, end in zip(starts, ends, strict=True)]
