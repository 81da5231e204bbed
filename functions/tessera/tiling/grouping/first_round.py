"""Group a manifest's images into the tasks of the first round, shard by shard.

    block of lines → BlockParser → Batch → ShardBuffer ─ full or last ─→ find duplicates
                                                                         plan tasks (an order)
                                                                         write tasks, next shard

Memory is bounded by one shard's numbers, not by the manifest: a shard's text waits in a scratch
file, and tasks are written as they are put together.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import BinaryIO

import msgspec
import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from tessera.tiling.errors import NoUsableLine, SettingsInvalid, TooManyBadLines
from tessera.tiling.grouping.duplicates import DuplicateFinder, Duplicates, csv_rows
from tessera.tiling.grouping.gold import find_gold_images, has_gold
from tessera.tiling.grouping.limits import (
    MAX_SHARD_BYTES,
    MAX_SHARD_IMAGES,
    max_tasks,
    record_lengths,
)
from tessera.tiling.grouping.near_duplicates import NearDuplicateFinder, NearDuplicates
from tessera.tiling.grouping.orders import ORDERS, RoundRobin, ShardImages
from tessera.tiling.grouping.shard_buffer import Positions, ShardBuffer
from tessera.tiling.grouping.similar import Embeddings
from tessera.tiling.grouping.task_file import (
    Shard,
    TaskFile,
    write_consecutive,
    write_round_robin,
)
from tessera.tiling.manifest.batch import NO_PRELABEL
from tessera.tiling.manifest.blocks import BlockParser, InputCounts
from tessera.tiling.manifest.lines import Rejected
from tessera.tiling.manifest.source_rule import ANY_SOURCE, SourceRule
from tessera.tiling.manifest.stream import line_blocks
from tessera.tiling.pseudo_random import pseudo_random
from tessera.tiling.run.jobs import GOLD_NAME, tasks_name
from tessera.tiling.run.run_files import CreateFile, LazyFile, OpenScratch, ReadManifest
from tessera.tiling.settings import MIN_SEED_IMAGES, SHOWN_AND_WEIGHED, Settings

# A few kilobytes of gzip unpack to millions of empty lines, and each is listed with its reason.
ENOUGH_UNUSABLE = 100_000
"""Lines after which a manifest that has had no usable one is read no further."""
ENOUGH_REJECTED = 1_000_000
"""Bad lines after which a manifest is read no further while they are more than the settings allow:
as many as a manifest of ten million may have by default, and 60 to 1,100 MB of rejected.jsonl."""
SEED_SALT = 0x5EED
"""Salt of the hash that chooses the seed, so that it is none of those that the orders follow."""
REJECTED_STEP = 10_000
"""Bad lines between two looks at whether to go on: a look at each would cost as much as reading."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a manifest: every line is in exactly one of the five counts after `lines`."""

    shards: tuple[Shard, ...]
    lines: int
    images: int
    gold: int
    repeats: int
    labeled: int
    rejected: int
    gold_left_out: int
    """Places of gold images in tasks that stay empty, because none has a guess as others have."""
    prelabeled: int = 0
    """Images that are asked, or repeat one that is, and have a guess."""
    gold_unused: bool = False
    """Whether lines have known labels in spite of settings that insert no gold images."""

    @property
    def counts(self) -> dict[str, int]:
        """The counts of lines, in the order in which run.json has them."""
        names = ("lines", "images", "labeled", "rejected", "gold", "repeats")
        return {name: getattr(self, name) for name in names}


def group_manifest(
    read: ReadManifest,
    settings: Settings,
    create: CreateFile,
    scratch: OpenScratch,
    rule: SourceRule = ANY_SOURCE,
    embeddings: Embeddings | None = None,
) -> Summary:
    """Write the first round's tasks, and return counts of what became of the manifest's lines.

    `rule` tells which pictures the manifest may name; `embeddings` are those of its lines.

    Raises NoUsableLine or TooManyBadLines, with rejected.jsonl written, if too little of it can be
    used; ManifestUnreadable if it cannot be read to its end.
    """
    with ExitStack() as files:
        grouping = FirstRound(read, settings, create, scratch, files, rule, embeddings)
        try:
            for block in line_blocks(read()):
                grouping.add(block)
            counts, reason = grouping.parser.counts, grouping.first_reason
            refusal = find_refusal(counts, settings.bad_lines, reason)
        except (NoUsableLine, TooManyBadLines) as early:
            refusal = early
        # A manifest that is refused after some shards are full has their tasks, but no job.
        if refusal is None:
            grouping.finish()
    if refusal is not None:  # raised only here, so that rejected.jsonl is complete
        raise refusal
    return grouping.summary()


def find_refusal(
    counts: InputCounts, allowed_share: float, first_reason: str = ""
) -> NoUsableLine | TooManyBadLines | None:
    """Return why no image of this manifest is asked, or None if it can be used."""
    because = f"; the first: {first_reason}" if first_reason else ""
    if counts.rejected == counts.lines:
        return NoUsableLine(f"none of the {counts.lines:,} lines can be used{because}")
    if counts.rejected > allowed_share * counts.lines:
        return TooManyBadLines(
            f"{counts.rejected:,} of {counts.lines:,} lines cannot be used, "
            f"more than the {allowed_share:.0%} that the settings allow{because}"
        )
    return None


def find_early_refusal(
    counts: InputCounts, allowed_share: float, first_reason: str
) -> NoUsableLine | TooManyBadLines | None:
    """Return why the rest of a manifest need not be read, of which `counts.lines` were read."""
    enough = ENOUGH_UNUSABLE if counts.rejected == counts.lines else ENOUGH_REJECTED
    if counts.rejected < enough:
        return None
    refusal = find_refusal(counts, allowed_share, first_reason)
    return type(refusal)(f"{refusal}; no more lines were read") if refusal else None


class FirstRound:
    """Grouping of one manifest: blocks are added, and each shard is written when it is full."""

    def __init__(
        self,
        read: ReadManifest,
        settings: Settings,
        create: CreateFile,
        scratch: OpenScratch,
        files: ExitStack,
        rule: SourceRule,
        embeddings: Embeddings | None,
    ) -> None:
        """Find the gold images first, if the settings insert any; `files` closes what is opened."""
        self._settings = settings
        self._rule = rule
        self._create = create
        self._files = files
        self._open_scratch = scratch
        self._embeddings = embeddings
        self._gold = find_gold_images(read, settings, rule)
        self._limits = self._gold.remaining_limits(settings.images_per_task)
        self._max_tasks = max_tasks(settings, settings.answers_per_image)
        job_images = self._max_tasks * self._limits.images
        # Several whole jobs at a time: duplicates are looked up once a buffer, not once a job.
        self._capacity = MAX_SHARD_IMAGES // job_images * job_images or MAX_SHARD_IMAGES
        self._rejected_file = LazyFile("rejected.jsonl", create, files)
        self._near: NearDuplicateFinder | None = None
        if embeddings is not None and settings.near_repeats is not UNSET:
            self._near = NearDuplicateFinder(embeddings, settings.near_repeats)
        header = b"index,first,similarity\n" if self._near else b"index,first\n"
        self._duplicates_file = LazyFile("repeats.csv", create, files, header)
        self.first_reason = ""  # of a rejected line, for the message if the manifest is refused
        gold = frozenset(self._gold.labels)
        self.parser = BlockParser(settings, gold, self._reject, rule=rule)
        self._buffer: ShardBuffer | None = None
        self._duplicate_finder = DuplicateFinder(self._scratch)
        self._duplicates = 0
        self._gold_left_out = 0
        self._prelabeled = 0
        self._gold_unused = False
        self._in_seed = self._left_for_later = 0
        self._shards: list[Shard] = []

    def _scratch(self) -> BinaryIO:
        return self._files.enter_context(self._open_scratch())

    def _reject(self, line: Rejected) -> None:
        number = line.line or line.index + 1
        self.first_reason = self.first_reason or f"line {number}, {line.reason}"
        self._rejected_file.write(rejected_row(line))
        # Asked within a block, too: one of empty lines has a million.
        rejected = self.parser.counts.rejected
        if rejected >= ENOUGH_UNUSABLE and rejected % REJECTED_STEP == 0:
            counts = InputCounts(lines=line.index + 1, rejected=rejected)
            share = self._settings.bad_lines
            if refusal := find_early_refusal(counts, share, self.first_reason):
                raise refusal

    def add(self, block: bytes) -> None:
        """Add the images of a block of lines, and write the shard whenever it is full."""
        batch = self.parser.parse(block)
        if batch.prelabels is not None:
            self._prelabeled += int(np.count_nonzero(batch.prelabels != NO_PRELABEL))
        # Lines with the first one's keys have no gold, and to search for it is a tenth of the time.
        if not (self._settings.gold_per_task or self._gold_unused or self.parser.are_alike):
            self._gold_unused = has_gold(block, self._settings, self._rule)
        if batch.prelabels is not None and self._settings.guesses is not UNSET:
            raise SettingsInvalid([f"guesses: the manifest has prelabels. {SHOWN_AND_WEIGHED}"])
        if self._buffer is None:  # the lines' template is known from the first block on
            self._buffer = ShardBuffer(self._scratch(), self._capacity, self.parser.template)
        buffer = self._buffer
        while batch:
            free = buffer.capacity - buffer.count
            too_long = buffer.text_bytes + len(batch.text) > MAX_SHARD_BYTES
            # A batch that is too long for an empty buffer goes in all the same: it is one block.
            if free == 0 or (buffer.count and too_long):
                self._write_shard(buffer, is_last=False)
                continue
            fitting, batch = batch.split_at(free)
            buffer.add(fitting)

    def finish(self) -> None:
        """Write the last shard, and the known labels of the gold images."""
        if self._buffer is not None:
            self._write_shard(self._buffer, is_last=True)
        if self._gold.labels:
            with self._create(GOLD_NAME) as file:
                file.write(self._gold.to_csv())

    def _write_shard(self, buffer: ShardBuffer, *, is_last: bool) -> None:
        """Write what is in the buffer, without duplicates, and empty it."""
        positions = np.arange(buffer.count, dtype=np.uint32)
        if self._settings.repeats == "once" and buffer.count:
            duplicates = self._duplicate_finder.find(buffer, is_last=is_last)
            if len(duplicates.positions):
                positions = np.delete(positions, duplicates.positions)
                self._write_duplicates(duplicates, buffer)
        if self._near and len(positions):
            near = self._near.find(buffer.indexes(positions))
            self._write_near_duplicates(near, buffer.indexes(positions))
            positions = np.delete(positions, near.positions)
        if self._settings.guesses is not UNSET:
            positions = self._choose_seed(positions, buffer, self._settings.guesses.seed)
        jobs = -(-len(positions) // (self._max_tasks * self._limits.images))
        for part in np.array_split(positions, jobs) if jobs else ():
            self._write_tasks(part, buffer)
        buffer.clear()

    def _choose_seed(self, positions: Positions, buffer: ShardBuffer, share: float) -> Positions:
        """Return the images that the first round asks, the others being left for later rounds."""
        least = max(MIN_SEED_IMAGES - self._in_seed, 0)
        seed = choose_seed(buffer.indexes(positions), share, least)
        self._in_seed += len(seed)
        self._left_for_later += len(positions) - len(seed)
        return positions[seed]

    def _write_duplicates(self, duplicates: Duplicates, buffer: ShardBuffer) -> None:
        self._duplicates += len(duplicates.positions)
        for rows in csv_rows(duplicates, buffer):
            self._duplicates_file.write(rows.replace(b"\n", b",1.0000\n") if self._near else rows)

    def _write_near_duplicates(self, near: NearDuplicates, indexes: NDArray[np.int64]) -> None:
        self._duplicates += len(near.positions)
        columns = (indexes[near.positions], near.first_indexes, near.similarities)
        for row in zip(*(column.tolist() for column in columns), strict=True):
            self._duplicates_file.write(b"%d,%d,%.4f\n" % row)

    def _write_tasks(self, positions: Positions, buffer: ShardBuffer) -> None:
        """Write the tasks of a shard, or of two if they are more than one job takes."""
        # What is asked of an image is its position from here on; its text is not looked at again.
        images = ShardImages(
            buffer=buffer,
            positions=positions,
            lengths=record_lengths(buffer, positions, self._limits),
            limits=self._limits,
            shard=len(self._shards),
            seed=self._settings.seed,
            embeddings=self._embeddings,
        )
        plan = ORDERS[self._settings.order](images)
        if plan.tasks > self._max_tasks:
            # Only long names get here: a shard has no more images than that many full tasks.
            middle = len(positions) // 2
            self._write_tasks(positions[:middle], buffer)
            self._write_tasks(positions[middle:], buffer)
            return
        insert_gold = self._gold.inserter(self._settings, images.shard)
        with TaskFile(tasks_name(1, images.shard), self._create) as file:
            # Gold images go anywhere in a task, so its records have to be in memory together.
            if isinstance(plan, RoundRobin) and insert_gold is None:
                write_round_robin(file, buffer, plan)
            else:
                plan = plan.as_consecutive() if isinstance(plan, RoundRobin) else plan
                write_consecutive(file, buffer, plan, insert_gold)
        if insert_gold is not None:
            insert_gold.write(tasks_name(1, images.shard), self._create)
            wanted = plan.tasks * insert_gold.per_task
            self._gold_left_out += wanted - sum(map(len, insert_gold.used))
        self._shards.append(Shard(plan.tasks, len(images)))

    def summary(self) -> Summary:
        """Return the counts, which add up to the number of lines."""
        counts = self.parser.counts
        summary = Summary(
            shards=tuple(self._shards),
            lines=counts.lines,
            images=sum(shard.images for shard in self._shards) + self._left_for_later,
            gold=counts.gold,
            repeats=self._duplicates,
            labeled=counts.labeled,
            rejected=counts.rejected,
            gold_left_out=self._gold_left_out,
            prelabeled=self._prelabeled,
            gold_unused=self._gold_unused,
        )
        # If they ever do not, a line was lost or is asked twice: better no run than a wrong one.
        usable = summary.images + summary.gold + summary.repeats + summary.labeled
        assert usable + summary.rejected == summary.lines, summary
        return summary


def choose_seed(indexes: NDArray[np.int64], share: float, least: int) -> NDArray[np.int64]:
    """Return the places of a share of the images, rising, and of so many at least if there are.

    A hash of an image's index decides, so that the seed is spread over the manifest.

    >>> choose_seed(np.arange(10), 0.2, 3).tolist()
    [1, 3, 5]
    """
    count = min(max(math.ceil(share * len(indexes)), least), len(indexes))
    order = np.argsort(pseudo_random(indexes.astype(np.uint64), SEED_SALT), kind="stable")
    return np.sort(order[:count])


def rejected_row(line: Rejected) -> bytes:
    """Return a line of rejected.jsonl; `line` is the number an editor shows, counted from one."""
    row = {"line": line.line or line.index + 1, "reason": line.reason, "content": line.content}
    return msgspec.json.encode(row) + b"\n"
