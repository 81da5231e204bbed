"""Find gold images, lines with a known label, and insert them into tasks to see how workers do."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import msgspec
import numpy as np

from tessera.tiling.csv_field import guard_formula
from tessera.tiling.grouping.limits import (
    COMMA_CHARACTERS,
    LIST_CHARACTERS,
    MAX_ATTRIBUTE_CHARACTERS,
    MAX_TASKS,
    RECORD_CHARACTERS,
    TaskLimits,
)
from tessera.tiling.grouping.task_file import INDEX, encode_index
from tessera.tiling.manifest.items import encode_item
from tessera.tiling.manifest.lines import BYTE_ORDER_MARK, Image, LineReader
from tessera.tiling.manifest.source_rule import ANY_SOURCE, SourceRule
from tessera.tiling.manifest.stream import line_blocks
from tessera.tiling.pseudo_random import pseudo_random
from tessera.tiling.run.run_files import CreateFile, ReadManifest
from tessera.tiling.settings import Settings
from tessera.tiling.workers.gold_uses import NO_GOLD, gold_uses_name, pack_gold_uses

MAX_GOLD_IMAGES = 100_000
"""Lines with `gold` that are kept as gold images; any beyond are asked like others. Their records
are kept in memory, some 20 MB."""
MAX_RECORD_CHARACTERS = 9_000
"""More than an image's record can have: 1,024 bytes of key and 256 characters of prelabel, each of
which JSON may escape with six. Kept free of gold images, so that any image has room in its task."""
SHUFFLE, POSITION, GUESS, PLACE = 1, 2, 3, 4
"""Salts that make independent series of pseudo-random numbers from one seed."""
MAX_CONFIDENCE_CHARACTERS = len('"prelabel-confidence":0.1234567890123456789e-10,')
"""Characters that a confidence of a neighbor may add to a gold image's record, at most."""
MAX_PLACES = 256
"""More than the images of a task, so that each place of each task has a number of its own."""
GUESS_START = b'\\",\\"prelabel'
GOLD_KEY = re.compile(rb'"gold"\s*:')
LABEL_START = b'\\"prelabel\\":\\"'


class GoldImages(msgspec.Struct, frozen=True):
    """Gold images of a run, and how many of them go into each task."""

    records: tuple[bytes, ...] = ()
    """Their records, as `task_file` writes them."""
    labels: dict[int, str] = {}
    """The known label by index, in manifest order."""
    max_characters: int = 0
    """The characters of the longest record, with a comma."""
    per_task: int = 0

    def to_csv(self) -> bytes:
        """Return the contents of gold.csv: the indexes and known labels."""
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(("index", "label"))
        rows.writerows((index, guard_formula(label)) for index, label in self.labels.items())
        return text.getvalue().encode()

    def remaining_limits(self, images_per_task: int) -> TaskLimits:
        """Return what the gold images leave of a task."""
        taken = self.per_task * self.max_characters
        return TaskLimits(
            images_per_task - self.per_task, MAX_ATTRIBUTE_CHARACTERS - LIST_CHARACTERS - taken
        )

    def inserter(self, settings: Settings, shard: int) -> GoldInserter | None:
        """Return what inserts gold images into the tasks of a shard; None if no task has any."""
        return GoldInserter(self, settings, shard) if self.per_task else None


class Record(NamedTuple):
    """Record of an image in a task, in parts: its source, its guess if it has one, its index."""

    source: bytes
    guess: bytes
    number: bytes

    @property
    def label(self) -> bytes:
        """Return the label that the guess names."""
        return self.guess.rpartition(LABEL_START)[2]


def split_record(record: bytes) -> Record:
    r"""Split a record into its parts.

    >>> split_record(b's3://b/k\\",\\"prelabel\\":\\"cat\\",\\"index\\":7').label
    b'cat'
    """
    item, _, index = record.rpartition(INDEX)
    source, start, guess = item.partition(GUESS_START)
    return Record(source, start + guess, index)


class GoldInserter:
    """Inserter of a shard's gold images, so that workers cannot tell them apart.

    They are taken in turn from a shuffled row, so that each is in as few tasks as possible, and
    have guesses as their neighbors do: docs/decisions/gold-cannot-be-told.md.
    """

    def __init__(self, images: GoldImages, settings: Settings, shard: int) -> None:
        """Shuffle the row of gold images, and those with a guess by label."""
        self._seed, self._first = settings.seed, shard * MAX_TASKS
        self._by_prelabel = settings.order == "by-prelabel"
        # Where neighbors of a manifest share a task, their order is what was asked for.
        self._shuffles = settings.order != "as-given"
        self.per_task = images.per_task
        count = len(images.records)
        keys = pseudo_random(np.arange(count, dtype=np.uint64), settings.seed, SHUFFLE)
        self._all = [split_record(images.records[i]) for i in np.argsort(keys, kind="stable")]
        self._with_guess = [record for record in self._all if record.guess]
        self._by_label: dict[bytes, list[Record]] = {}
        for record in self._with_guess:
            self._by_label.setdefault(record.label, []).append(record)
        self.used: list[list[int]] = []
        """Return the indexes of the gold images in each task so far."""

    def __call__(self, task: int, records: list[bytes]) -> list[bytes]:
        """Return a task's records with gold images among them."""
        # A number for each gold image of each task of the run, so that shards go on in turn.
        first = (self._first + task) * self.per_task
        numbers = np.arange(first, first + self.per_task, dtype=np.uint64)
        own = len(records)
        guesses = [parts for parts in map(split_record, records) if parts.guess]
        # The draw's bias towards low positions is 100 in 2^64.
        positions = pseudo_random(numbers, self._seed, POSITION).tolist()
        draws = pseudo_random(numbers, self._seed, GUESS).tolist()
        indexes: list[int] = []
        for step, (position, draw) in enumerate(zip(positions, draws, strict=True)):
            neighbors = guesses if draw % own < len(guesses) else []
            gold = self._choose(first + step, neighbors, indexes)
            if gold is not None:
                indexes.append(int(gold.number))
                record = self._disguise(gold, neighbors, draw)
                records.insert(position % (len(records) + 1), record)
        self.used.append(indexes)
        return self._shuffle(task, records) if self._shuffles else records

    def _choose(self, number: int, neighbors: list[Record], taken: list[int]) -> Record | None:
        """Return the next gold image that can have a guess as these neighbors do, or needs none."""
        row = self._all
        if neighbors:
            row = self._with_guess
            if self._by_prelabel:  # the neighbors have one label in common
                row = self._by_label.get(neighbors[0].label, [])
        for offset in range(len(row)):
            gold = row[(number + offset) % len(row)]
            if int(gold.number) not in taken:
                return gold
        return None

    def _disguise(self, gold: Record, neighbors: list[Record], draw: int) -> bytes:
        """Return the record of a gold image: with its own guess, but as sure as a neighbor's."""
        guess = b""
        if neighbors:
            alike = [one for one in neighbors if one.label == gold.label] or neighbors
            start, label, _ = alike[draw // 101 % len(alike)].guess.rpartition(LABEL_START)
            guess = start + label + gold.label
        return gold.source + guess + INDEX + gold.number

    def _shuffle(self, task: int, records: list[bytes]) -> list[bytes]:
        """Return the records in a pseudo-random order: manifests rise, but for gold images."""
        first = (self._first + task) * MAX_PLACES
        places = np.arange(first, first + len(records), dtype=np.uint64)
        keys = pseudo_random(places, self._seed, PLACE)
        return [records[place] for place in np.argsort(keys, kind="stable")]

    def write(self, manifest: str, create: CreateFile) -> None:
        """Write which gold images each task has beside the tasks, if any is in two of them.

        The portal gives a worker tasks with others than they had, as long as there are such.
        """
        indexes = np.full((len(self.used), self.per_task), NO_GOLD, np.uint32)
        for task, used in enumerate(self.used):
            indexes[task, : len(used)] = used
        all_used = indexes[indexes != NO_GOLD]
        if len(np.unique(all_used)) < len(all_used):
            with create(gold_uses_name(manifest)) as file:
                file.write(pack_gold_uses(indexes.tolist()))


def find_gold_images(
    read: ReadManifest, settings: Settings, rule: SourceRule = ANY_SOURCE
) -> GoldImages:
    """Read the manifest for its gold images, if the settings insert any.

    It is a reading of its own, because the first task may need the manifest's last line.
    """
    if not settings.gold_per_task:
        return GoldImages()
    lines = islice(_gold_lines(read, settings, rule), MAX_GOLD_IMAGES)
    images = [(line.index, line.gold, *encode_item(line)) for line in lines]
    if not images:
        return GoldImages()
    longest = max(
        characters + RECORD_CHARACTERS + len(str(index)) + COMMA_CHARACTERS
        for index, _, _, characters in images
    )
    if any(GUESS_START in item for _, _, item, _ in images):
        longest += MAX_CONFIDENCE_CHARACTERS
    # However many the settings want, a task keeps room for one image of its own.
    fit = (MAX_ATTRIBUTE_CHARACTERS - LIST_CHARACTERS - MAX_RECORD_CHARACTERS) // longest
    return GoldImages(
        records=tuple(item + encode_index(index) for index, _, item, _ in images),
        labels={index: label for index, label, _, _ in images if label is not None},
        max_characters=longest,
        per_task=min(settings.gold_per_task, len(images), fit),
    )


def has_gold(block: bytes, settings: Settings, rule: SourceRule = ANY_SOURCE) -> bool:
    """Return whether a block of lines has one with a known label.

    Only lines that have the key in plain letters are read, so that most blocks cost one search.
    """
    if b'"gold"' not in block:
        return False
    reader = LineReader(settings, rule)
    texts = (text for text in block.split(b"\n") if GOLD_KEY.search(text))
    lines = (reader.read(0, text.removeprefix(BYTE_ORDER_MARK)) for text in texts)
    return any(isinstance(line, Image) and line.gold is not None for line in lines)


def _gold_lines(read: ReadManifest, settings: Settings, rule: SourceRule) -> Iterator[Image]:
    """Yield the images with a known label; only blocks that may have one are read line by line."""
    reader, index = LineReader(settings, rule), 0
    for block in line_blocks(read()):
        if b'"gold"' in block or b"\\u" in block:  # JSON may spell the key with escapes
            for number, text in enumerate(block[:-1].split(b"\n"), index):
                line = reader.read(number, text)
                if isinstance(line, Image) and line.gold is not None:
                    yield line
        index += block.count(b"\n")
