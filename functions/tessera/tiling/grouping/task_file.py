"""The files of a shard: one line a task, and where each line begins.

A line is the post's format, `{"source": "<JSON list of images>"}`; the list is a string because
Ground Truth takes only strings there.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import lru_cache
from itertools import pairwise
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.grouping.orders import POWERS, Positions
from tessera.tiling.grouping.shard_buffer import Shelf
from tessera.tiling.offsets import offsets_name, pack_offsets

OPEN = b'{"source":"[{\\"source-ref\\":\\"'
NEXT = b'},{\\"source-ref\\":\\"'
CLOSE = b'}]"'
END = b"}\n"
NUMBER = b'\\",\\"index\\":'
TASKS_AT_ONCE = 250
"""Tasks put together at a time: enough to be fast, few enough to stay in the processor's cache.

Also few enough that a row of theirs is seldom 30,000 bytes: beyond that CPython's split searches
for each separator in another way, which costs more to set up.
"""
PIECES_AT_ONCE = 4000
"""Pieces that are joined at a time, for the cache too: joining takes 80 bytes for each."""

Mixer = Callable[[int, list[bytes]], list[bytes]]
"""Adds control images to the records of the task with this number."""


class TaskFile:
    """A shard's tasks manifest with its offsets beside it."""

    def __init__(self, name: str, create: Callable[[str], AbstractContextManager[Any]]) -> None:
        """Create both files in the run's folder when the `with` block begins."""
        self._name = name
        self._create = create
        self._files = ExitStack()
        self._sizes: list[NDArray[np.int64]] = []

    def __enter__(self) -> Self:
        """The file, open."""
        self._file = self._files.enter_context(self._create(self._name))
        return self

    def write(self, text: bytes) -> None:
        """Add whole lines, or parts of them; `sized` has to tell how long each line is."""
        self._file.write(text)

    def sized(self, sizes: NDArray[np.int64]) -> None:
        """Note the bytes of each line, written or about to be, in their order."""
        self._sizes.append(sizes)

    def write_tasks(self, bodies: Sequence[bytes], extras: Sequence[bytes] | None = None) -> None:
        """Add tasks: each body is what stands between OPEN and CLOSE in its line."""
        if extras:
            bodies = [body + CLOSE + extra for body, extra in zip(bodies, extras, strict=True)]
            around = END + OPEN
        else:
            around = CLOSE + END + OPEN
        self.write(b"".join((OPEN, around.join(bodies), around[: -len(OPEN)])))
        self.sized(np.fromiter(map(len, bodies), np.int64, len(bodies)) + len(around))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the offsets of a whole file; leave nothing of one that failed."""
        self._files.__exit__(kind, error, trace)
        if kind is None:
            offsets = np.cumsum(np.concatenate([[0], *self._sizes]))
            with self._create(offsets_name(self._name)) as file:
                file.write(pack_offsets(offsets.tolist()))


def write_column_wise(file: TaskFile, shelf: Shelf, positions: Positions, groups: int) -> None:
    """Deal positions round `groups` tasks, reading the shelf at several places side by side.

    Task k has the positions k, k + groups, k + 2 groups …: for neighboring tasks these are runs
    of neighbors, so the text is read in order and memory holds a few runs.
    """
    count = len(positions)
    rows = -(-count // groups)
    full = count - (rows - 1) * groups  # so many tasks have an image in the last row
    file.sized(_sizes(shelf, positions, groups))
    for first, end in _stretches(full, groups):
        deep = rows if first < full else rows - 1
        step = 1 + 3 * deep  # pieces of a task
        pieces = [OPEN] * (step * (end - first))
        for row in range(deep):
            there = positions[row * groups + first : row * groups + end]
            after = NEXT if row < deep - 1 else CLOSE + END
            place = 1 + 3 * row
            pieces[place::step] = _neighbors(shelf, there)
            pieces[place + 1 :: step], pieces[place + 2 :: step] = _numbers(shelf, there, after)
        handful = step * max(PIECES_AT_ONCE // step, 1)
        for start in range(0, len(pieces), handful):
            file.write(b"".join(pieces[start : start + handful]))


def _sizes(shelf: Shelf, positions: Positions, groups: int) -> NDArray[np.int64]:
    """The bytes of each task's line in a deal round the table."""
    sizes = np.full(groups, len(OPEN + CLOSE + END) - len(NEXT), np.int64)
    for start in range(0, len(positions), groups):
        there = positions[start : start + groups]
        digits = np.searchsorted(POWERS, shelf.indexes(there), side="right") + 1
        sizes[: len(there)] += shelf.sizes(there) + digits + len(NUMBER + NEXT)
    return sizes


def _stretches(*ends: int) -> Iterator[tuple[int, int]]:
    """Stretches of tasks of a handy size that do not cross any of these ends."""
    start = 0
    for end in ends:
        for first in range(start, end, TASKS_AT_ONCE):
            yield first, min(first + TASKS_AT_ONCE, end)
        start = end


def _neighbors(shelf: Shelf, positions: Positions) -> list[bytes]:
    """The items of rising positions, with few others between them."""
    first, end = int(positions[0]), int(positions[-1]) + 1
    items = shelf.run(first, end)
    if end - first == len(positions):
        return items
    return [items[position - first] for position in positions.tolist()]


def write_in_order(
    file: TaskFile,
    shelf: Shelf,
    positions: Positions,
    sizes: NDArray[np.int64],
    mixer: Mixer | None = None,
    extras: Callable[[Positions], bytes] | None = None,
) -> None:
    """Write tasks of these sizes from positions in any order, with what `mixer` adds to each."""
    items = shelf.everything()
    ends = np.cumsum(sizes)
    for first in range(0, len(sizes), TASKS_AT_ONCE):
        cuts = [0, *ends[first : first + TASKS_AT_ONCE].tolist()]
        cuts[0] = int(ends[first] - sizes[first])
        there = positions[cuts[0] : cuts[-1]]
        records = [
            text + number
            for text, number in zip(
                items.pick(there), numbers_of(shelf.indexes(there)), strict=True
            )
        ]
        base = cuts[0]
        tasks = [records[a - base : b - base] for a, b in pairwise(cuts)]
        if mixer is not None:
            tasks = [mixer(number, task) for number, task in enumerate(tasks, first)]
        said = None
        if extras is not None:
            said = [extras(positions[a:b]) for a, b in pairwise(cuts)]
        file.write_tasks([NEXT.join(task) for task in tasks], said)


def numbers_of(indexes: NDArray[np.int64]) -> list[bytes]:
    """What ends each record, for indexes in any order."""
    return [NUMBER + b"%d" % index for index in indexes.tolist()]


def _numbers(shelf: Shelf, positions: Positions, after: bytes) -> tuple[list[bytes], list[bytes]]:
    """What ends the records of rising positions and leads on, in two pieces each."""
    first, last = shelf.index(positions[0]), shelf.index(positions[-1])
    if last - first == len(positions) - 1:
        return numbered(range(first, last + 1), after)
    return numbered(shelf.indexes(positions).tolist(), after)


def numbered(indexes: Sequence[int], after: bytes) -> tuple[list[bytes], list[bytes]]:
    """What ends each record and leads on to the next, for rising indexes, in two pieces each.

    The pieces are the same objects over and over: what is before the last three digits, and
    those with what is `after` them.

    >>> fronts, backs = numbered([9, 1010], b"}")
    >>> fronts == [NUMBER, NUMBER + b"1"], backs
    (True, [b'9}', b'010}'])
    """
    fronts: list[bytes] = []
    backs: list[bytes] = []
    done = 0
    while done < len(indexes):
        thousand = indexes[done] // 1000
        some = indexes[done : bisect_left(indexes, 1000 * thousand + 1000, done)]
        front = NUMBER + b"%d" % thousand if thousand else NUMBER
        fronts += [front] * len(some)
        endings = _endings(after, padded=thousand > 0)
        if isinstance(some, range):
            backs += endings[some[0] - 1000 * thousand : some[-1] + 1 - 1000 * thousand]
        else:
            backs += [endings[index % 1000] for index in some]
        done += len(some)
    return fronts, backs


@lru_cache(maxsize=8)
def _endings(after: bytes, *, padded: bool) -> list[bytes]:
    """Every number of up to three digits with what is after it."""
    return [(b"%03d" if padded else b"%d") % number + after for number in range(1000)]
