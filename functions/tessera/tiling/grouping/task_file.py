r"""Write the files of a shard: its tasks, one a line, and where each line begins.

A line is the post's format, a JSON list in a string, because Ground Truth takes only strings there:

    {"source":"[{\"source-ref\":\"ITEM\",\"index\":7},{\"source-ref\":\"ITEM\",\"index\":8}]"}
    |-------- LINE_START --------|    |-- INDEX --| |--- SEPARATOR ----|    |-- INDEX --| |-|

    behind the last index: CLOSE_SOURCE, further keys if there are any, CLOSE_LINE

The record of an image is its item (see `manifest.items`) and its index. Two writers make the same
lines: `write_round_robin` reads the scratch file in order and holds little, `write_consecutive`
takes images in any order, with gold images inserted and further keys added.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import lru_cache
from itertools import pairwise
from types import TracebackType
from typing import Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from tessera.tiling.grouping.limits import count_digits
from tessera.tiling.grouping.orders import Consecutive, RoundRobin
from tessera.tiling.grouping.shard_buffer import Positions, ShardBuffer
from tessera.tiling.run.offsets import offsets_name, pack_offsets
from tessera.tiling.run.run_files import CreateFile

LINE_START = b'{"source":"[{\\"source-ref\\":\\"'
SEPARATOR = b'},{\\"source-ref\\":\\"'
INDEX = b'\\",\\"index\\":'
CLOSE_SOURCE = b'}]"'
CLOSE_LINE = b"}\n"
TASKS_AT_ONCE = 250
"""Tasks put together at a time: enough that slices and joins cost more than the loop around them,
few enough for the processor's cache (docs/decisions/grouping-constants.md)."""
PIECES_AT_ONCE = 4000
"""Pieces joined at a time, for the cache too, where pages have many images: joining takes 80 bytes
for each (same note)."""

InsertGold = Callable[[int, list[bytes]], list[bytes]]
"""Inserts gold images among the records of the task with this number."""
ExtraKeys = Callable[[Positions], bytes]
"""Returns what a task's line has behind `source`: `,"key":value` or nothing."""


class Shard(msgspec.Struct, frozen=True):
    """What one job will ask, counted."""

    tasks: int
    images: int


class TaskFile:
    """Tasks manifest of a shard, with its offsets beside it."""

    def __init__(self, name: str, create: CreateFile) -> None:
        """Create both files in the run's folder when the `with` block begins."""
        self._name = name
        self._create = create
        self._files = ExitStack()
        self._line_sizes: list[NDArray[np.int64]] = []

    def __enter__(self) -> Self:
        """Open the manifest."""
        self._file = self._files.enter_context(self._create(self._name))
        return self

    def write(self, text: bytes) -> None:
        """Add whole lines, or parts of them; `add_line_sizes` has to say how long each line is."""
        self._file.write(text)

    def add_line_sizes(self, sizes: NDArray[np.int64]) -> None:
        """Note the bytes of each line, written or about to be, in their order."""
        self._line_sizes.append(sizes)

    def write_tasks(self, bodies: Sequence[bytes], extras: Sequence[bytes] | None = None) -> None:
        """Add tasks: a body is what is between LINE_START and CLOSE_SOURCE, an extra is behind."""
        # Most tasks have nothing behind their source, and then one join makes all lines.
        if extras:
            pairs = zip(bodies, extras, strict=True)
            bodies = [body + CLOSE_SOURCE + extra for body, extra in pairs]
            end = CLOSE_LINE
        else:
            end = CLOSE_SOURCE + CLOSE_LINE
        self.write(b"".join((LINE_START, (end + LINE_START).join(bodies), end)))
        sizes = np.fromiter(map(len, bodies), np.int64, len(bodies))
        self.add_line_sizes(sizes + len(LINE_START + end))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the offsets of a whole file; leave nothing of one that failed."""
        self._files.__exit__(kind, error, trace)
        if kind is None:  # without offsets nothing takes the file for a whole one
            offsets = np.cumsum(np.concatenate([[0], *self._line_sizes]))
            with self._create(offsets_name(self._name)) as file:
                file.write(pack_offsets(offsets.tolist()))


def write_round_robin(file: TaskFile, buffer: ShardBuffer, plan: RoundRobin) -> None:
    """Write the tasks of a round-robin plan, reading the scratch file at several places at a time.

    The positions form a table whose columns are tasks. Some neighboring tasks are put together at
    once; what they need of a row are neighbors in the scratch file, so each row is read in order:

                      first…end
        row 0    0  1 | 2  3  4| 5  6   <- one read, split into items
        row 1    7  8 | 9 10 11|12 13
        row 2   14 15 |16 17 18|        <- `full` tasks are in the last row; no range crosses that

    All of a line's pieces have a fixed place, so that a row is filled in by slices with a step:

        pieces   LINE_START | item front back | item front back | …   one task
                 0            1    2     3      4    5     6          1 + 3 * rows of them

    Hot path: 0.4 s and 100 MiB less for a million images than `write_consecutive` takes for the
    same plan (docs/decisions/grouping-constants.md). No loop over tasks or images may come in: a
    slice with a step places all pieces of a row at once.
    """
    positions, tasks = plan.positions, plan.tasks
    rows = -(-len(positions) // tasks)
    full = len(positions) - (rows - 1) * tasks
    file.add_line_sizes(_line_sizes(buffer, plan))
    # Tasks with and without an image in the last row have lines of different depth.
    for first, end in _task_ranges(full, tasks):
        depth = rows if first < full else rows - 1
        step = 1 + 3 * depth
        pieces = [LINE_START] * (step * (end - first))
        for row in range(depth):
            images = positions[row * tasks + first : row * tasks + end]
            after = SEPARATOR if row < depth - 1 else CLOSE_SOURCE + CLOSE_LINE
            fronts, backs = _encode_rising_positions(buffer, images, after)
            place = 1 + 3 * row
            pieces[place::step] = _read_neighbors(buffer, images)
            pieces[place + 1 :: step], pieces[place + 2 :: step] = fronts, backs
        at_once = step * max(PIECES_AT_ONCE // step, 1)  # whole lines, at least one
        for start in range(0, len(pieces), at_once):
            file.write(b"".join(pieces[start : start + at_once]))


def _line_sizes(buffer: ShardBuffer, plan: RoundRobin) -> NDArray[np.int64]:
    """Return the bytes of each task's line, from numbers alone."""
    # The last image of a line is followed by its end instead of a separator.
    fixed = len(LINE_START + CLOSE_SOURCE + CLOSE_LINE) - len(SEPARATOR)
    sizes = np.full(plan.tasks, fixed, np.int64)
    for start in range(0, len(plan.positions), plan.tasks):
        row = plan.positions[start : start + plan.tasks]
        digits = count_digits(buffer.indexes(row))
        sizes[: len(row)] += buffer.item_bytes(row) + digits + len(INDEX + SEPARATOR)
    return sizes


def _task_ranges(*ends: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of up to TASKS_AT_ONCE tasks; no range crosses any of these ends."""
    start = 0
    for end in ends:
        for first in range(start, end, TASKS_AT_ONCE):
            yield first, min(first + TASKS_AT_ONCE, end)
        start = end


def _read_neighbors(buffer: ShardBuffer, positions: Positions) -> list[bytes]:
    """Return the items of rising positions, between which only a few duplicates are missing."""
    first, end = int(positions[0]), int(positions[-1]) + 1
    items = buffer.read_items(first, end)
    if end - first == len(positions):
        return items
    return [items[position - first] for position in positions.tolist()]


def _encode_rising_positions(
    buffer: ShardBuffer, positions: Positions, after: bytes
) -> tuple[list[bytes], list[bytes]]:
    """Return what follows the items of rising positions, in two pieces each."""
    first, last = buffer.index(positions[0]), buffer.index(positions[-1])
    if last - first == len(positions) - 1:  # nothing between them: no list of numbers is needed
        return encode_rising_indexes(range(first, last + 1), after)
    return encode_rising_indexes(buffer.indexes(positions).tolist(), after)


def encode_rising_indexes(indexes: Sequence[int], after: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the ends of records with rising indexes, and what is `after` them, in two pieces each.

    Hot path: 0.2 s less for a million than formatting each index (same note as above). The same
    pieces come over and over, a front for each thousand and a back for each of its numbers:

        index 41,007:   ,"index":41  |  007},{"source-ref":"
                        front           back, one of a list of 1,000 that is made once

    >>> fronts, backs = encode_rising_indexes([9, 1010], b"}")
    >>> fronts == [INDEX, INDEX + b"1"], backs
    (True, [b'9}', b'010}'])
    """
    fronts: list[bytes] = []
    backs: list[bytes] = []
    done = 0
    while done < len(indexes):  # once for each thousand of numbers
        thousand = indexes[done] // 1000
        base = 1000 * thousand
        same = indexes[done : bisect_left(indexes, base + 1000, done)]
        fronts += [INDEX + b"%d" % thousand if thousand else INDEX] * len(same)
        all_backs = _thousand_backs(after, padded=thousand > 0)
        if isinstance(same, range):
            backs += all_backs[same[0] - base : same[-1] + 1 - base]
        else:
            backs += [all_backs[index - base] for index in same]
        done += len(same)
    return fronts, backs


@lru_cache(maxsize=8)
def _thousand_backs(after: bytes, *, padded: bool) -> list[bytes]:
    """Return the numbers 0 to 999, each with what is after it; `padded` to three digits or not."""
    return [(b"%03d" if padded else b"%d") % number + after for number in range(1000)]


def encode_index(index: int) -> bytes:
    """Return what ends the record of one image."""
    return INDEX + b"%d" % index


def write_consecutive(
    file: TaskFile,
    buffer: ShardBuffer,
    plan: Consecutive,
    insert_gold: InsertGold | None = None,
    extra_keys: ExtraKeys | None = None,
) -> None:
    """Write the tasks of a consecutive plan, whose images may be anywhere in the shard."""
    # Of a buffer that is cut into several jobs, each reads its own part.
    text = buffer.read_between(int(plan.ranking.min()), int(plan.ranking.max()) + 1)
    ends = np.cumsum(plan.sizes)
    for first in range(0, plan.tasks, TASKS_AT_ONCE):
        start = int(ends[first] - plan.sizes[first])
        cuts = [start, *ends[first : first + TASKS_AT_ONCE].tolist()]
        images = plan.ranking[start : cuts[-1]]
        pairs = zip(text.items(images), buffer.indexes(images).tolist(), strict=True)
        records = [item + INDEX + b"%d" % index for item, index in pairs]
        tasks = [records[a - start : b - start] for a, b in pairwise(cuts)]
        if insert_gold is not None:
            tasks = [insert_gold(number, task) for number, task in enumerate(tasks, first)]
        extras = None
        if extra_keys is not None:
            extras = [extra_keys(plan.ranking[a:b]) for a, b in pairwise(cuts)]
        file.write_tasks([SEPARATOR.join(task) for task in tasks], extras)
