"""Group the images whose labels are unsure anew, for one worker more each.

A worker must not be asked the same image twice. So images that the same workers have answered
share tasks, and each task names those workers: if tasks mixed images freely, soon there would be
no task left that anyone may take. Where images have several labels, those in doubt of the same
ones share tasks as well, and a task asks these alone (`doubts`).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import count, islice
from typing import BinaryIO

import msgspec
import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from tessera.tiling.grouping.doubts import begin_groups, shared_pages, worker_pools
from tessera.tiling.grouping.first_offers import write_first_offers
from tessera.tiling.grouping.limits import (
    MAX_ATTRIBUTE_CHARACTERS,
    MAX_SHARD_BYTES,
    MAX_SHARD_IMAGES,
    TaskLimits,
    max_tasks,
    record_lengths,
)
from tessera.tiling.grouping.orders import (
    ORDERS,
    Consecutive,
    RoundRobin,
    ShardImages,
    consecutive_sizes,
)
from tessera.tiling.grouping.shard_buffer import Positions, ShardBuffer
from tessera.tiling.grouping.similar import Embeddings, rank_similar
from tessera.tiling.grouping.task_file import (
    ExtraKeys,
    Shard,
    TaskFile,
    write_consecutive,
)
from tessera.tiling.manifest.batch import PLAIN
from tessera.tiling.manifest.items import batch_of_images
from tessera.tiling.manifest.lines import Image, LineReader
from tessera.tiling.manifest.source_rule import ANY_SOURCE, SourceRule
from tessera.tiling.manifest.stream import line_blocks
from tessera.tiling.page.page_choices import PAGE_CHOICES, encode_page_choices
from tessera.tiling.run.jobs import tasks_name
from tessera.tiling.run.run_files import CreateFile, OpenScratch, ReadManifest
from tessera.tiling.settings import Settings
from tessera.tiling.workers.exclusions import ANSWERED_BY, Exclusions
from tessera.tiling.workers.skills import Skills

IMAGES_AT_ONCE = 10_000
"""Images put into the buffer at a time, as many as a block of lines holds in the first round."""
MIN_AVAILABLE_WORKERS = 2
"""Known workers who must be allowed to take a task: two, because one of them may have left."""


class Unsure(msgspec.Struct, frozen=True):
    """Row of unsure.csv: an image to ask again, and who answered it, separated by spaces.

    `labels` are those to ask of several that it may have; none are named where all are asked.
    """

    index: int
    workers: str
    labels: tuple[str, ...] = ()


def group_later_round(
    unsure: Iterable[bytes],
    read: ReadManifest,
    settings: Settings,
    round_: int,
    create: CreateFile,
    scratch: OpenScratch,
    rule: SourceRule = ANY_SOURCE,
    embeddings: Embeddings | None = None,
    skills: Skills | None = None,
    *,
    by_label: bool = False,
) -> tuple[Shard, ...]:
    """Write the tasks of a later round for the images that the lines of unsure.csv name.

    With `embeddings` and the order `similar`, images of the same workers that look alike share one.
    With `skills`, which have a row of doubts for each line, tasks are offered to those first who
    are likely to be right about them. With `by_label` tasks ask only labels that the lines name.

    Raises ValueError if their indexes do not rise, or are not those of images of the manifest.
    """
    with ExitStack() as files:
        scratch_file = files.enter_context(scratch())
        grouping = LaterRound(
            settings, round_, create, scratch_file, embeddings, skills, by_label=by_label
        )
        images = _read_images(read_unsure(unsure), read, settings, rule)
        while pairs := list(islice(images, min(IMAGES_AT_ONCE, grouping.capacity))):
            grouping.add([image for image, _ in pairs], [row for _, row in pairs])
        return grouping.finish()


_decode_labels = msgspec.json.Decoder(tuple[str, ...]).decode


def read_unsure(lines: Iterable[bytes]) -> Iterator[Unsure]:
    """Yield the rows of unsure.csv, each with its workers' names in order.

    >>> list(read_unsure([b"index,workers", b"7,b a"]))
    [Unsure(index=7, workers='a b', labels=())]
    """
    rows = csv.reader(line.decode() for line in lines)
    next(rows, None)
    last = -1
    for index, workers, *labels in rows:
        if int(index) <= last:
            raise ValueError(f"unsure.csv: {index} after {last}, but indexes have to rise")
        last = int(index)
        names = _decode_labels(labels[0]) if labels else ()
        yield Unsure(last, " ".join(sorted(set(workers.split()))), names)


def _read_images(
    unsure: Iterator[Unsure], read: ReadManifest, settings: Settings, rule: SourceRule
) -> Iterator[tuple[Image, Unsure]]:
    """Yield the unsure images, each with its row; no other line is decoded."""
    # Both come in rising order, so one pass over the manifest meets all rows.
    reader, first = LineReader(settings, rule), 0
    row = next(unsure, None)
    for block in line_blocks(read()):
        if row is None:
            return
        end = first + block.count(b"\n")
        # Most blocks have no unsure line, and are only counted.
        lines = block.split(b"\n") if row.index < end else []
        while row is not None and row.index < end:
            image = reader.read(row.index, lines[row.index - first])
            if not isinstance(image, Image):
                raise ValueError(f"unsure.csv: line {row.index} of the manifest is no image")
            yield image, row
            row = next(unsure, None)
        first = end


class LaterRound:
    """Grouping of one later round: images are added, and each shard is written when it is full."""

    def __init__(
        self,
        settings: Settings,
        round_: int,
        create: CreateFile,
        scratch: BinaryIO,
        embeddings: Embeddings | None = None,
        skills: Skills | None = None,
        *,
        by_label: bool = False,
    ) -> None:
        """Begin the round with the number `round_`, which is 2 or more."""
        self._max_tasks = max_tasks(settings, answers_per_task=1)
        self.capacity = min(self._max_tasks * settings.images_per_task, MAX_SHARD_IMAGES)
        self._limits = TaskLimits(settings.images_per_task)  # only first rounds have gold images
        self._settings = settings
        self._round = round_
        self._create = create
        self._buffer = ShardBuffer(scratch, self.capacity, PLAIN)
        self._embeddings = embeddings if settings.order == "similar" else None
        self._workers: list[str] = []  # who answered the image at each position of the buffer
        self._skills = skills
        self._first = 0  # row of the skills' doubts of the image at the buffer's first position
        self._label_numbers = {name: number for number, name in enumerate(settings.choices)}
        self._by_label = by_label
        self._label_bits = {name: 1 << bit for bit, name in enumerate(settings.classes)}
        self._doubts: list[int] = []  # labels to ask of the image at each position, a bit for each
        self._shards: list[Shard] = []

    def add(self, images: list[Image], rows: list[Unsure]) -> None:
        """Add images and the row of each, after writing the shard if they do not fit."""
        buffer = self._buffer
        batch = batch_of_images(images, PLAIN, self._label_numbers, with_fingerprints=False)
        too_many = buffer.count + len(batch) > self.capacity
        too_long = buffer.text_bytes + len(batch.text) > MAX_SHARD_BYTES
        if buffer.count and (too_many or too_long):
            self._write_shard()
        buffer.add(batch)
        self._workers += [row.workers for row in rows]
        if self._by_label:
            self._doubts += [self._bits(row.labels) for row in rows]

    def _bits(self, labels: tuple[str, ...]) -> int:
        """Return labels to ask, a bit for each; all of them where none is named."""
        bits = self._label_bits
        return sum(bits[name] for name in set(labels or bits))

    def finish(self) -> tuple[Shard, ...]:
        """Write the last shard, and return what there is in each."""
        if self._buffer.count:
            self._write_shard()
        return tuple(self._shards)

    def _write_shard(self) -> None:
        """Write what is in the buffer, as several shards if a job does not take so many tasks."""
        plan = self._plan()
        for start in range(0, plan.tasks, self._max_tasks):
            sizes = plan.sizes[start : start + self._max_tasks]
            first = int(plan.sizes[:start].sum())
            part = Consecutive(plan.ranking[first : first + int(sizes.sum())], sizes)
            name = tasks_name(self._round, len(self._shards))
            exclusions = Exclusions()
            with TaskFile(name, self._create) as file:
                extra_keys = self._extra_keys(exclusions)
                write_consecutive(file, self._buffer, part, extra_keys=extra_keys)
            exclusions.write(name, self._create)
            self._write_first_offers(name, part, exclusions)
            self._shards.append(Shard(part.tasks, len(part.ranking)))
        self._first += len(self._workers)
        self._buffer.clear()
        self._workers.clear()
        self._doubts.clear()

    def _write_first_offers(self, name: str, part: Consecutive, exclusions: Exclusions) -> None:
        """Write beside the tasks whom each is offered to first; nothing without skills."""
        if self._skills is None or not self._settings.offer_share:
            return
        starts = np.cumsum(part.sizes) - part.sizes
        doubts = self._skills.doubts[self._first + part.ranking.astype(np.int64)]
        means = np.add.reduceat(doubts, starts) / part.sizes[:, None]
        write_first_offers(name, self._create, self._settings, self._skills, means, exclusions)

    def _plan(self) -> Consecutive:
        """Plan tasks of images that the same workers answered, in manifest order."""
        # Numbers sort faster than names, and in the same order.
        names = {name: number for number, name in enumerate(sorted(set(self._workers)))}
        keys = np.fromiter(map(names.__getitem__, self._workers), np.int64, len(self._workers))
        if self._by_label:
            return self._plan_by_doubts(keys)
        # Stable, so that images of the same workers stay in manifest order.
        ranking = np.argsort(keys, kind="stable").astype(np.uint32)
        if self._settings.guesses is not UNSET and "" in names:
            unasked = int((keys == names[""]).sum())  # no name is before the empty one
            ranking[:unasked] = self._in_order(ranking[:unasked])
        if self._embeddings is not None:
            ranking = self._rank_similar(ranking, keys[ranking], self._embeddings)
        lengths = record_lengths(self._buffer, ranking, self._limits)
        sizes = consecutive_sizes(len(ranking), lengths, self._limits)
        return Consecutive(ranking, split_for_available_workers(sizes, ranking, self._workers))

    def _plan_by_doubts(self, keys: NDArray[np.int64]) -> Consecutive:
        """Plan tasks of images in doubt of the same labels; `keys` number who answered each."""
        page, doubts = self._limits.images, np.array(self._doubts, np.int64)
        pools = worker_pools(self._workers, page, most_excluded(self._workers))
        # Stable, so that images of the same doubts and workers stay in manifest order.
        ranking = np.lexsort((keys, doubts, pools)).astype(np.uint32)
        if self._embeddings is not None:
            columns = np.stack((pools, doubts, keys))[:, ranking]
            differ = (np.diff(columns) != 0).any(axis=0)
            same = np.concatenate(([0], np.cumsum(differ)))
            ranking = self._rank_similar(ranking, same, self._embeddings)
        parts = list(shared_pages(pools[ranking], doubts[ranking], page))
        ranking = ranking[np.concatenate(parts)]
        lengths = record_lengths(self._buffer, ranking, self._limits)
        sizes, first = [], 0
        for part in map(len, parts):
            of_part = None if lengths is None else lengths[first : first + part]
            sizes.append(consecutive_sizes(part, of_part, self._limits))
            first += part
        together = np.concatenate(sizes)
        return Consecutive(ranking, split_for_available_workers(together, ranking, self._workers))

    def _rank_similar(
        self, ranking: Positions, keys: NDArray[np.int64], embeddings: Embeddings
    ) -> Positions:
        """Return the ranking with the images of the same workers in an order of likeness."""
        same = np.split(ranking, np.flatnonzero(np.diff(keys)) + 1)
        parts = [
            part[rank_similar(embeddings, self._buffer.indexes(part), self._limits.images)]
            for part in same
        ]
        return np.concatenate(parts)

    def _in_order(self, unasked: Positions) -> Positions:
        """Return images that nobody has had in the order of the settings, as a first round has."""
        images = ShardImages(
            buffer=self._buffer,
            positions=unasked,
            lengths=record_lengths(self._buffer, unasked, self._limits),
            limits=self._limits,
            shard=len(self._shards),
            seed=self._settings.seed,
        )
        plan = ORDERS[self._settings.order](images)
        return (plan.as_consecutive() if isinstance(plan, RoundRobin) else plan).ranking

    def _extra_keys(self, exclusions: Exclusions) -> ExtraKeys:
        """Return what names who answered any image of a task, and the labels that it asks.

        Whoever answered is noted as excluded.
        """
        tasks = count()

        def answered_by(positions: Positions) -> bytes:
            names = {name for place in positions.tolist() for name in self._workers[place].split()}
            exclusions.add(next(tasks), sorted(names))
            text = " ".join(sorted(names))
            choices = self._page_choices(positions)
            # A longer attribute would fail the job; the portal reads the exclusions instead.
            if not text or len(text) > MAX_ATTRIBUTE_CHARACTERS:
                return choices
            return b',"%b":%b%b' % (ANSWERED_BY.encode(), msgspec.json.encode(text), choices)

        return answered_by

    def _page_choices(self, positions: Positions) -> bytes:
        """Return what names the labels in doubt of a task's images; nothing where those are all."""
        if not self._by_label:
            return b""
        asked = 0
        for position in positions.tolist():
            asked |= self._doubts[position]
        names = [name for name, bit in self._label_bits.items() if asked & bit]
        if len(names) == len(self._label_bits):
            return b""
        text = encode_page_choices(names, self._settings.escape)
        return b',"%b":%b' % (PAGE_CHOICES.encode(), msgspec.json.encode(text))


def most_excluded(workers: list[str]) -> int:
    """Return how many of those named may have had images of a task, so that enough may take it."""
    return len({name for text in set(workers) for name in text.split()}) - MIN_AVAILABLE_WORKERS


def split_for_available_workers(
    sizes: NDArray[np.int64], ranking: Positions, workers: list[str]
) -> NDArray[np.int64]:
    """Return the sizes of tasks, with those cut that too few workers would be allowed to take.

    Who answered one image of a task may not take it, so a task of images that different workers
    answered would wait for somebody who is not there. Only workers named in `workers`, a string
    for each position, are known to exist.

    >>> answered = ["a b", "a b", "c d"]
    >>> split_for_available_workers(np.array([3]), np.array([0, 1, 2]), answered).tolist()
    [2, 1]
    """
    names = {text: frozenset(text.split()) for text in set(workers)}
    most = most_excluded(workers)
    # Even if all images of a task were answered by different workers, enough would be left.
    if int(sizes.max(initial=0)) * max(map(len, names.values()), default=0) <= most:
        return sizes
    result: list[int] = []
    start = 0
    for size in sizes.tolist():
        result.append(0)
        positions = ranking[start : start + size].tolist()
        for begins in begin_groups((names[workers[place]] for place in positions), most):
            if begins:
                result.append(0)
            result[-1] += 1
        start += size
    return np.array(result, np.int64)
