"""The files of a shard: one line a task, and where each line begins.

A line is the post's format, `{"source": "<JSON list of images>"}`; the list is a string because
Ground Truth takes only strings there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import pairwise
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tiling.deal import Positions
from tiling.shelf import Shelf

OPEN = b'{"source":"[{\\"source-ref\\":\\"'
NEXT = b'},{\\"source-ref\\":\\"'
CLOSE = b'}]"'
END = b"}\n"
NUMBER = b'\\",\\"index\\":'
TASKS_AT_ONCE = 500
"""Tasks put together at a time: enough to be fast, few enough to stay in the processor's cache."""

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

    def write(self, bodies: Sequence[bytes], extras: Sequence[bytes] | None = None) -> None:
        """Add tasks: each body is what stands between OPEN and CLOSE in its line."""
        if extras:
            bodies = [body + CLOSE + extra for body, extra in zip(bodies, extras, strict=True)]
            around = END + OPEN
        else:
            around = CLOSE + END + OPEN
        self._file.write(b"".join((OPEN, around.join(bodies), around[: -len(OPEN)])))
        sizes = np.fromiter(map(len, bodies), np.int64, len(bodies))
        self._sizes.append(sizes + len(around))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the offsets of a whole file; leave nothing of one that failed."""
        self._files.__exit__(kind, error, trace)
        if kind is None:
            offsets = np.cumsum(np.concatenate([[0], *self._sizes]), dtype="<u8")
            with self._create(self._name.removesuffix(".manifest") + ".offsets") as file:
                file.write(offsets.tobytes())


def write_column_wise(file: TaskFile, shelf: Shelf, positions: Positions, groups: int) -> None:
    """Deal positions round `groups` tasks, reading the shelf at several places side by side.

    Task k has the positions k, k + groups, k + 2 groups …: for neighboring tasks these are runs
    of neighbors, so the text is read in order and memory holds a few runs.
    """
    count = len(positions)
    rows = -(-count // groups)
    full = count - (rows - 1) * groups  # so many tasks have an image in the last row
    for first, end in _stretches(full, groups):
        pieces: list[list[bytes]] = []
        deep = rows if first < full else rows - 1
        for row in range(deep):
            there = positions[row * groups + first : row * groups + end]
            pieces.append(_neighbors(shelf, there))
            pieces.append(numbered(shelf.indexes(there), NEXT if row < deep - 1 else b""))
        file.write(list(map(b"".join, zip(*pieces, strict=True))))


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
        file.write([NEXT.join(task) for task in tasks], said)


def numbers_of(indexes: NDArray[np.int64]) -> list[bytes]:
    """What ends each record, for indexes in any order."""
    return [NUMBER + b"%d" % index for index in indexes.tolist()]


def numbered(indexes: NDArray[np.int64], after: bytes) -> list[bytes]:
    """What ends each record and leads on to the next, for rising indexes.

    All numbers of the same length are written into one table of bytes, four digits at a time.

    >>> numbered(np.array([9, 10]), b"}")
    [b'\\\\",\\\\"index\\\\":9}', b'\\\\",\\\\"index\\\\":10}']
    """
    done: list[bytes] = []
    bounds = np.searchsorted(indexes, 10 ** np.arange(1, 19, dtype=np.int64)).tolist()
    for digits, (start, end) in enumerate(pairwise([0, *bounds]), 1):
        if start < end:
            done += _table(indexes[start:end], digits, after)
    return done


def _table(indexes: NDArray[np.int64], digits: int, after: bytes) -> list[bytes]:
    words = -(-digits // 4)
    spelled = np.empty((len(indexes), words), "S4")
    rest = indexes
    for word in range(words - 1, -1, -1):
        spelled[:, word] = _FOUR_DIGITS[rest % 10_000]
        rest = rest // 10_000
    wide = spelled.view(np.uint8)[:, -digits:]
    width = len(NUMBER) + digits + len(after)
    table = np.empty((len(indexes), width), np.uint8)
    table[:, : len(NUMBER)] = np.frombuffer(NUMBER, np.uint8)
    table[:, len(NUMBER) : len(NUMBER) + digits] = wide
    table[:, len(NUMBER) + digits :] = np.frombuffer(after, np.uint8)
    made: list[bytes] = table.view(f"S{width}").ravel().tolist()
    return made


_FOUR_DIGITS = np.array([b"%04d" % number for number in range(10_000)])
