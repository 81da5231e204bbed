"""The same image on two lines: found over the whole manifest, in memory that does not grow.

A shard is compared with itself by sorting 64-bit marks, and with the shards before it through a
bitmap of a fixed size: what the bitmap has not seen is new for certain; what it may have seen is
looked up in the sorted marks of each earlier shard, which wait in scratch files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.grouping.shard_buffer import Shelf
from tessera.tiling.manifest.fingerprints import Hashes as Marks

BITMAP_BITS = 28
"""The bitmap has 2^28 bits, 32 MiB: of 100 million images, a third are looked up in vain."""


Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


class Seen:
    """What the shards so far have held."""

    def __init__(self, scratch: Callable[[], BinaryIO]) -> None:
        """Keep earlier shards' marks in files that `scratch` makes."""
        self._scratch = scratch
        self._bitmap: NDArray[np.uint8] | None = None
        self._runs: list[Run] = []

    def settle(self, shelf: Shelf, last: bool) -> Pairs:
        """The positions of a shard's repeats, in order, and the line each is a repeat of.

        Of the `last` shard nothing is kept: there is none to compare with it.
        """
        if self._bitmap is None and last:
            return _within(shelf, np.sort(shelf.marks))
        positions = np.argsort(shelf.marks)
        rising = shelf.marks[positions]
        repeats, firsts = _within(shelf, rising)
        if len(repeats):
            new = ~np.isin(positions, repeats)
            positions, rising = positions[new], rising[new]
        again, earlier = self._seen(shelf, positions, rising)
        if not last:
            if len(again):
                new = ~np.isin(positions, again)
                positions, rising = positions[new], rising[new]
            self._keep(shelf, positions, rising)
        # A line within the shard may repeat one that itself repeats an earlier shard's.
        moved = dict(zip(shelf.indexes(again).tolist(), earlier.tolist(), strict=True))
        firsts = np.fromiter((moved.get(x, x) for x in firsts.tolist()), np.int64, len(firsts))
        both, lines = np.concatenate([repeats, again]), np.concatenate([firsts, earlier])
        order = np.argsort(both)
        return both[order], lines[order]

    def _seen(self, shelf: Shelf, positions: NDArray[np.int64], rising: Marks) -> Pairs:
        """Which of the positions, of rising marks, an earlier shard holds, and on which line."""
        if self._bitmap is None:
            return _NOBODY, _NOBODY
        byte, bit = _places(rising)
        known = np.flatnonzero(self._bitmap[byte] & bit)
        maybe, marks = positions[known], rising[known]
        again, lines = [_NOBODY], [_NOBODY]
        for run in self._runs:
            hits, where = run.look_up(marks, shelf.checks[maybe])
            again.append(maybe[hits])
            lines.append(where)
        return np.concatenate(again), np.concatenate(lines)

    def _keep(self, shelf: Shelf, positions: NDArray[np.int64], rising: Marks) -> None:
        if self._bitmap is None:
            self._bitmap = np.zeros(1 << (BITMAP_BITS - 3), np.uint8)
        byte, bit = _places(rising)  # equal bytes are neighbors
        first = np.flatnonzero(np.diff(byte, prepend=-1))
        if len(first):
            self._bitmap[byte[first]] |= np.bitwise_or.reduceat(bit, first)
        self._runs.append(Run(self._scratch(), shelf, positions, rising))


class Run:
    """One shard's marks in rising order, with the line of each, in a file."""

    def __init__(
        self, file: BinaryIO, shelf: Shelf, positions: NDArray[np.int64], rising: Marks
    ) -> None:
        """Write the marks of these positions, which are in the order of their marks."""
        self._file = file
        self._count = len(positions)
        file.write(rising.data)
        file.write(shelf.checks[positions].data)
        self._first = shelf.index(0)
        file.write(shelf.lines_on(positions).data)

    def look_up(self, marks: NDArray[np.uint64], checks: NDArray[np.uint32]) -> Pairs:
        """Which of the marks are here, as places among those asked for, and on which lines."""
        self._file.seek(0)
        mine = np.frombuffer(self._file.read(8 * self._count), np.uint64)
        places = np.minimum(np.searchsorted(mine, marks), self._count - 1)
        hits = np.flatnonzero(mine[places] == marks) if self._count else _NOBODY
        if not len(hits):
            return _NOBODY, _NOBODY
        del mine
        places = places[hits]
        own_checks = np.frombuffer(self._file.read(4 * self._count), np.uint32)[places]
        lines = np.frombuffer(self._file.read(4 * self._count), np.uint32)[places]
        same = own_checks == checks[hits]
        return hits[same], lines[same].astype(np.int64) + self._first


_ONE = np.uint8(1)


_NOBODY = np.empty(0, np.int64)


def _within(shelf: Shelf, rising: Marks) -> Pairs:
    """The shard's own repeats, for which its marks in rising order say at once if there are any."""
    if not np.any(rising[1:] == rising[:-1]):
        return _NOBODY, _NOBODY
    order = np.argsort(shelf.marks, kind="stable")
    marks, checks = shelf.marks[order], shelf.checks[order]
    same = np.zeros(len(order), bool)
    same[1:] = (marks[1:] == marks[:-1]) & (checks[1:] == checks[:-1])
    heads = np.flatnonzero(~same)
    first = order[heads[np.cumsum(~same) - 1]]
    repeats, firsts = order[same], first[same]
    rank = np.argsort(repeats)
    return repeats[rank], shelf.indexes(firsts[rank])


def _places(marks: Marks) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """The byte of the bitmap for each mark, and the bit in it; rising marks, rising bytes."""
    places = (marks >> np.uint64(64 - BITMAP_BITS)).astype(np.int32)
    return places >> 3, np.left_shift(_ONE, (places & 7).astype(np.uint8))


def rows(pairs: Pairs, shelf: Shelf) -> Iterator[bytes]:
    """The rows of repeats.csv for a shard's repeats."""
    lines = shelf.indexes(pairs[0]).tolist()
    for start in range(0, len(lines), 10_000):
        both = zip(lines[start : start + 10_000], pairs[1][start : start + 10_000], strict=True)
        yield b"".join(b"%d,%d\n" % pair for pair in both)
