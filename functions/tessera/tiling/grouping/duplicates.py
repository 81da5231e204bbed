"""Find images that an earlier line of the manifest has, in memory that does not grow.

A duplicate within a shard has a neighbor of the same hash once the hashes are sorted. Earlier
shards are asked in two steps:

    hash ──> bitmap of fixed size ── bit not set ──> new for certain
                    │ bit set: perhaps seen
                    └──> binary search in the sorted file of each earlier shard ──> line, or new

The sorted files are scratch files, 16 bytes an image; only one is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.grouping.shard_buffer import ShardBuffer
from tessera.tiling.manifest.fingerprints import Hashes

BITMAP_BITS = 28
"""The bitmap has 2^28 bits, 32 MiB. With 100 million images behind it, a third of its bits are set,
and a third of new images is looked up in vain (docs/decisions/grouping-in-bounded-memory.md)."""
ROWS_AT_ONCE = 10_000
"""Rows of repeats.csv that are formatted together: a few hundred KB."""

_NONE = np.empty(0, np.int64)


class Duplicates(NamedTuple):
    """Columns of a shard's duplicates."""

    positions: NDArray[np.int64]
    """Their positions in the shard."""
    first_indexes: NDArray[np.int64]
    """The manifest line where each one's image is first."""


NO_DUPLICATES = Duplicates(_NONE, _NONE)


class SortedHashes(NamedTuple):
    """Columns of a shard's hashes in rising order, and the position that each belongs to."""

    hashes: Hashes
    positions: NDArray[np.int64]

    def without(self, positions: NDArray[np.int64]) -> SortedHashes:
        """Return the rows of all but these positions."""
        if not len(positions):
            return self
        kept = ~np.isin(self.positions, positions)
        return SortedHashes(self.hashes[kept], self.positions[kept])


class DuplicateFinder:
    """Finder of a manifest's duplicates, which takes its shards in order."""

    def __init__(self, open_scratch: Callable[[], BinaryIO]) -> None:
        """Keep earlier shards' fingerprints in files that `open_scratch` opens."""
        self._open_scratch = open_scratch
        self._bitmap: NDArray[np.uint8] | None = None  # none as long as there is no earlier shard
        self._sorted_files: list[SortedFile] = []

    def find(self, buffer: ShardBuffer, *, is_last: bool) -> Duplicates:
        """Return the shard's duplicates, by rising position.

        The last shard is not remembered, since nothing is compared with it.
        """
        if self._bitmap is None and is_last:  # most manifests: one shard, and no need of positions
            return _duplicates_within(buffer, np.sort(buffer.hashes))
        order = np.argsort(buffer.hashes)
        images = SortedHashes(buffer.hashes[order], order)
        within = _duplicates_within(buffer, images.hashes)
        images = images.without(within.positions)
        across = self._duplicates_of_earlier(buffer, images)
        if not is_last:
            self._remember(buffer, images.without(across.positions))
        return _merge(within, across, buffer)

    def _duplicates_of_earlier(self, buffer: ShardBuffer, images: SortedHashes) -> Duplicates:
        """Return which of the images an earlier shard has, in no order."""
        if self._bitmap is None:
            return NO_DUPLICATES
        byte, bit = _bitmap_places(images.hashes)
        perhaps = np.flatnonzero(self._bitmap[byte] & bit)
        hashes, positions = images.hashes[perhaps], images.positions[perhaps]
        checks = buffer.checks[positions]
        matches = [file.look_up(hashes, checks) for file in self._sorted_files]
        return Duplicates(
            np.concatenate([_NONE, *(positions[rows] for rows, _ in matches)]),
            np.concatenate([_NONE, *(indexes for _, indexes in matches)]),
        )

    def _remember(self, buffer: ShardBuffer, images: SortedHashes) -> None:
        """Set the images' bits in the bitmap, and write them to a sorted file."""
        if self._bitmap is None:
            self._bitmap = np.zeros(1 << (BITMAP_BITS - 3), np.uint8)
        byte, bit = _bitmap_places(images.hashes)
        # Hashes rise, so those of one byte are neighbors: each byte is read and written once.
        starts = np.flatnonzero(np.diff(byte, prepend=-1))
        if len(starts):
            self._bitmap[byte[starts]] |= np.bitwise_or.reduceat(bit, starts)
        self._sorted_files.append(SortedFile(self._open_scratch(), buffer, images))


class SortedFile:
    """File of one shard's fingerprints in the order of their hashes, with the lines they are on.

        hashes, 8 bytes each | checks, 4 bytes each | lines after the shard's first, 4 bytes each

    The three columns lie one after the other, so that the hashes can be read alone.
    """

    def __init__(self, file: BinaryIO, buffer: ShardBuffer, images: SortedHashes) -> None:
        """Write the images' fingerprints and lines."""
        self._file = file
        self._count = len(images.positions)
        self._first_index = buffer.index(0)
        file.write(images.hashes.data)
        file.write(buffer.checks[images.positions].data)
        file.write(buffer.index_offsets(images.positions).data)

    def look_up(
        self, hashes: Hashes, checks: NDArray[np.uint32]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return which rows of the given fingerprints are here, and the manifest line of each."""
        if not self._count:
            return _NONE, _NONE
        self._file.seek(0)
        here = np.frombuffer(self._file.read(8 * self._count), np.uint64)
        places = np.minimum(np.searchsorted(here, hashes), self._count - 1)
        rows = np.flatnonzero(here[places] == hashes)
        if not len(rows):
            return _NONE, _NONE
        del here  # 16 MB of a full shard, not needed beside the other columns
        places = places[rows]
        checks_here = np.frombuffer(self._file.read(4 * self._count), np.uint32)[places]
        offsets = np.frombuffer(self._file.read(4 * self._count), np.uint32)[places]
        same = checks_here == checks[rows]
        return rows[same], offsets[same].astype(np.int64) + self._first_index


def _duplicates_within(buffer: ShardBuffer, sorted_hashes: Hashes) -> Duplicates:
    """Return the duplicates of images of the same shard."""
    if not np.any(sorted_hashes[1:] == sorted_hashes[:-1]):
        return NO_DUPLICATES
    # Stable, so that of several lines with one image the first comes first.
    order = np.argsort(buffer.hashes, kind="stable")
    hashes, checks = buffer.hashes[order], buffer.checks[order]
    is_duplicate = np.zeros(len(order), bool)
    is_duplicate[1:] = (hashes[1:] == hashes[:-1]) & (checks[1:] == checks[:-1])
    firsts = np.flatnonzero(~is_duplicate)
    first_of_each = order[firsts[np.cumsum(~is_duplicate) - 1]]
    positions, first_positions = order[is_duplicate], first_of_each[is_duplicate]
    rising = np.argsort(positions)
    return Duplicates(positions[rising], buffer.indexes(first_positions[rising]))


def _merge(within: Duplicates, across: Duplicates, buffer: ShardBuffer) -> Duplicates:
    """Return both kinds of duplicates, by rising position.

    The first of several equal lines of a shard may itself be a duplicate of an earlier shard's
    line; the others are then duplicates of that line, too.
    """
    indexes = buffer.indexes(across.positions).tolist()
    earlier = dict(zip(indexes, across.first_indexes.tolist(), strict=True))
    firsts = [earlier.get(index, index) for index in within.first_indexes.tolist()]
    positions = np.concatenate([within.positions, across.positions])
    first_indexes = np.concatenate([np.array(firsts, np.int64), across.first_indexes])
    rising = np.argsort(positions)
    return Duplicates(positions[rising], first_indexes[rising])


def _bitmap_places(hashes: Hashes) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Return each hash's byte of the bitmap, and its bit in it, as a mask.

    A hash's highest bits say which, so bytes rise with hashes.
    """
    bits = (hashes >> np.uint64(64 - BITMAP_BITS)).astype(np.int32)
    return bits >> 3, np.left_shift(np.uint8(1), (bits & 7).astype(np.uint8))


def csv_rows(duplicates: Duplicates, buffer: ShardBuffer) -> Iterator[bytes]:
    """Yield a shard's rows of repeats.csv, many at a time: `index,first`."""
    indexes = buffer.indexes(duplicates.positions).tolist()
    for start in range(0, len(indexes), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        pairs = zip(indexes[rows], duplicates.first_indexes[rows].tolist(), strict=True)
        yield b"".join(b"%d,%d\n" % pair for pair in pairs)
