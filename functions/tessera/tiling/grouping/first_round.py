"""Images into groups: a manifest of any size in, the tasks of a run out, shard by shard.

Memory is bounded by one shard's numbers, not by the manifest: a shard's text waits in a scratch
file, and the tasks are written as they are dealt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from typing import Any, BinaryIO, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from tessera.tiling.errors import NoUsableLine, TooManyBadLines
from tessera.tiling.grouping.duplicates import Pairs, Seen, rows
from tessera.tiling.grouping.gold import find_controls
from tessera.tiling.grouping.orders import (
    MOST_TASKS,
    Positions,
    by_prelabel,
    fits_anyhow,
    halves,
    in_a_row,
    record_characters,
    shuffled,
    spread,
)
from tessera.tiling.grouping.shard_buffer import Shelf
from tessera.tiling.grouping.task_file import TaskFile, write_column_wise, write_in_order
from tessera.tiling.jobs import GOLD_NAME, tasks_name
from tessera.tiling.manifest.blocks import BlockParser, InputCounts
from tessera.tiling.manifest.lines import Rejected
from tessera.tiling.manifest.stream import line_blocks
from tessera.tiling.settings import Settings

MOST_IMAGES = 2_000_000
"""Images in a shard: what 100,000 tasks of 20 hold, and what bounds memory."""
MOST_TEXT = 384 * 1024 * 1024
"""Bytes of text in a shard: what bounds the scratch file, and memory where an order jumps about."""


class Writable(Protocol):
    """Something that bytes can be added to."""

    def write(self, data: bytes, /) -> Any:
        """Add bytes to the end."""


Create = Callable[[str], AbstractContextManager[Writable]]
"""Opens a new file of the run, by its name in the run's folder."""
Read = Callable[[], Iterable[bytes]]
"""Starts reading the manifest from its beginning, in pieces of any size."""
Scratch = Callable[[], BinaryIO]
"""Opens an empty file for as long as the grouping takes."""


class Shard(msgspec.Struct, frozen=True):
    """What one job will ask."""

    tasks: int
    images: int


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a manifest: every line is in exactly one of the five counts after `lines`."""

    shards: tuple[Shard, ...]
    lines: int
    images: int
    gold: int
    repeats: int
    labeled: int
    rejected: int


def group_manifest(read: Read, settings: Settings, create: Create, scratch: Scratch) -> Summary:
    """Write the first round's tasks and say what became of every line of the manifest.

    Raises, with the rejected lines written, if too little of the manifest can be used.
    """
    with ExitStack() as files:
        grouping = Grouping(read, settings, create, scratch, files)
        for block in line_blocks(read()):
            grouping.take(block)
        counts = grouping.intake.counts
        if counts.lines and not refusal(counts, settings.bad_lines):
            grouping.finish()
    if why := refusal(counts, settings.bad_lines, grouping.first_reason):
        raise why
    return grouping.summary()


def _spread_order(count: int, groups: int) -> tuple[Positions, NDArray[np.int64]]:
    """The positions task by task, and the tasks' sizes, of a deal round the table."""
    group = np.arange(count) % groups
    order = np.argsort(group, kind="stable").astype(np.uint32)
    return order, np.bincount(group, minlength=groups)


def refusal(
    counts: InputCounts, share: float, reason: str = ""
) -> NoUsableLine | TooManyBadLines | None:
    """Why nothing of this manifest is asked, if so."""
    because = f"; the first: {reason}" if reason else ""
    if counts.rejected == counts.lines:
        return NoUsableLine(f"none of the {counts.lines:,} lines can be used{because}")
    if counts.rejected > share * counts.lines:
        return TooManyBadLines(
            f"{counts.rejected:,} of {counts.lines:,} lines cannot be used, "
            f"more than the {share:.0%} that the settings allow{because}"
        )
    return None


class Late:
    """A file that is there only if something is written to it."""

    def __init__(self, name: str, create: Create, files: ExitStack, head: bytes = b"") -> None:
        """Create `name`, beginning with `head`, at the first write."""
        self._open: Callable[[], Writable] = lambda: files.enter_context(create(name))
        self._file: Writable | None = None
        self._head = head

    def write(self, data: bytes) -> None:
        """Add bytes to the end."""
        if self._file is None:
            self._file = self._open()
            self._file.write(self._head)
        self._file.write(data)


class Grouping:
    """One manifest on its way: lines go in, shards come out whenever one is full."""

    def __init__(
        self, read: Read, settings: Settings, create: Create, scratch: Scratch, files: ExitStack
    ) -> None:
        """Look for control images first if the settings mix any into the tasks."""
        self._settings = settings
        self._create = create
        self._files = files
        self._controls = find_controls(read, settings)
        self._rejects = Late("rejected.jsonl", create, files)
        self._repeats = Late("repeats.csv", create, files, b"index,first\n")
        self.first_reason = ""
        self.intake = BlockParser(settings, frozenset(self._controls.known), self._reject)
        self._room = self._controls.room(settings.images_per_task)
        self._open_scratch = scratch
        self._shelf: Shelf | None = None
        self._seen = Seen(self._scratch)
        self._repeated = 0
        self._shards: list[Shard] = []

    def _scratch(self) -> BinaryIO:
        return self._files.enter_context(self._open_scratch())

    def _reject(self, bad: Rejected) -> None:
        self.first_reason = self.first_reason or f"line {bad.index + 1}, {bad.reason}"
        self._rejects.write(rejected_line(bad))

    def take(self, block: bytes) -> None:
        """Put a block's images on the shelf, and deal the shelf whenever it is full."""
        batch = self.intake.parse(block)
        if self._shelf is None:  # its form is known only now
            capacity = min(MOST_TASKS * self._room.images, MOST_IMAGES)
            self._shelf = Shelf(self._scratch(), capacity, self.intake.template)
        while batch:
            shelf = self._shelf
            fits = shelf.capacity - shelf.count
            if fits == 0 or (shelf.count and shelf.size + len(batch.text) > MOST_TEXT):
                self._close(last=False)
                continue
            here, batch = batch.split_at(fits)
            shelf.add(here)

    def finish(self) -> None:
        """Deal what is left, and note what is known of the control images."""
        self._close(last=True)
        if self._controls.known:
            with self._create(GOLD_NAME) as file:
                file.write(self._controls.table())

    def _close(self, *, last: bool) -> None:
        shelf = self._shelf
        assert shelf is not None
        positions = np.arange(shelf.count, dtype=np.uint32)
        if self._settings.repeats == "once" and shelf.count:
            repeats = self._seen.settle(shelf, last)
            if len(repeats[0]):
                positions = np.delete(positions, repeats[0])
                self._note(repeats, shelf)
        if len(positions):
            self._deal(positions, shelf)
        shelf.clear()

    def _note(self, repeats: Pairs, shelf: Shelf) -> None:
        self._repeated += len(repeats[0])
        for some in rows(repeats, shelf):
            self._repeats.write(some)

    def _deal(self, positions: Positions, shelf: Shelf) -> None:
        """Write the tasks of a shard, or of two if one job does not take so many."""
        shard, count, lengths = len(self._shards), len(positions), None
        mixed = self._controls.mixer(self._settings.seed, shard)
        if not fits_anyhow(int(shelf.characters.max()), shelf.last_index, self._room):
            lengths = record_characters(shelf.characters[positions], shelf.indexes(positions))
        if self._settings.order == "spread":
            groups = spread(count, lengths, self._room)
            plan = _spread_order(count, groups) if mixed else None
        else:
            rank = self._rank(positions, shelf, shard)
            sizes = in_a_row(count, lengths if lengths is None else lengths[rank], self._room)
            groups, plan = len(sizes), (rank, sizes)
        if groups > MOST_TASKS:
            for half in halves(positions):
                self._deal(half, shelf)
            return
        with TaskFile(tasks_name(1, shard), self._create) as file:
            if plan is None:
                write_column_wise(file, shelf, positions, groups)
            else:
                write_in_order(file, shelf, positions[plan[0]], plan[1], mixed)
        self._shards.append(Shard(groups, count))

    def _rank(self, positions: Positions, shelf: Shelf, shard: int) -> Positions:
        """The order in which an order other than spread goes through the positions."""
        match self._settings.order:
            case "shuffle":
                return shuffled(len(positions), self._settings.seed, shard)
            case "by-prelabel":
                return by_prelabel(shelf.prelabels[positions], shelf.confidences[positions])
        return np.arange(len(positions), dtype=np.uint32)

    def summary(self) -> Summary:
        """The counts, which add up or are no counts."""
        counts = self.intake.counts
        summary = Summary(
            shards=tuple(self._shards),
            lines=counts.lines,
            images=sum(shard.images for shard in self._shards),
            gold=counts.gold,
            repeats=self._repeated,
            labeled=counts.labeled,
            rejected=counts.rejected,
        )
        parts = summary.images + summary.gold + summary.repeats + summary.labeled
        assert parts + summary.rejected == summary.lines, summary
        return summary


def rejected_line(bad: Rejected) -> bytes:
    """One line of rejected.jsonl; `line` is the number an editor shows, counted from one."""
    said = {"line": bad.index + 1, "reason": bad.reason, "content": bad.content}
    return msgspec.json.encode(said) + b"\n"
