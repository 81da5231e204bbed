"""Find gold images, lines with a known label, and insert them into tasks to see how workers do."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice

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
from tessera.tiling.grouping.pseudo_random import pseudo_random
from tessera.tiling.grouping.task_file import InsertGold, encode_index
from tessera.tiling.manifest.items import encode_item
from tessera.tiling.manifest.lines import Image, LineReader
from tessera.tiling.manifest.stream import line_blocks
from tessera.tiling.run_files import ReadManifest
from tessera.tiling.settings import Settings

MAX_GOLD_IMAGES = 100_000
"""Lines with `gold` that are kept as gold images; any beyond are asked like others. Their records
are kept in memory, some 20 MB."""
MAX_RECORD_CHARACTERS = 9_000
"""More than an image's record can have: 1,024 bytes of key and 256 characters of prelabel, each of
which JSON may escape with six. Kept free of gold images, so that any image has room in its task."""
SHUFFLE, POSITION = 1, 2
"""Salts that make two independent series of pseudo-random numbers from one seed."""


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

    def inserter(self, seed: int, shard: int) -> InsertGold | None:
        """Return a function that inserts gold images at pseudo-random positions of a task.

        Workers cannot tell them apart. They are taken in turn from a shuffled row, so that each
        is in as few tasks as possible. None if no task has any.
        """
        if not self.per_task:
            return None
        count, per_task = len(self.records), self.per_task
        keys = pseudo_random(np.arange(count, dtype=np.uint64), seed, SHUFFLE)
        shuffled = np.argsort(keys, kind="stable").tolist()

        def insert(task: int, records: list[bytes]) -> list[bytes]:
            # A number for each gold image of each task of the run, so that shards go on in turn.
            first = (shard * MAX_TASKS + task) * per_task
            numbers = np.arange(first, first + per_task, dtype=np.uint64)
            # The draw's bias towards low positions is 100 in 2^64.
            for step, draw in enumerate(pseudo_random(numbers, seed, POSITION).tolist()):
                record = self.records[shuffled[(first + step) % count]]
                records.insert(draw % (len(records) + 1), record)
            return records

        return insert


def find_gold_images(read: ReadManifest, settings: Settings) -> GoldImages:
    """Read the manifest for its gold images, if the settings insert any.

    It is a reading of its own, because the first task may need the manifest's last line.
    """
    if not settings.gold_per_task:
        return GoldImages()
    lines = islice(_gold_lines(read, settings), MAX_GOLD_IMAGES)
    images = [(line.index, line.gold, *encode_item(line)) for line in lines]
    if not images:
        return GoldImages()
    longest = max(
        characters + RECORD_CHARACTERS + len(str(index)) + COMMA_CHARACTERS
        for index, _, _, characters in images
    )
    # However many the settings want, a task keeps room for one image of its own.
    fit = (MAX_ATTRIBUTE_CHARACTERS - LIST_CHARACTERS - MAX_RECORD_CHARACTERS) // longest
    return GoldImages(
        records=tuple(item + encode_index(index) for index, _, item, _ in images),
        labels={index: label for index, label, _, _ in images if label is not None},
        max_characters=longest,
        per_task=min(settings.gold_per_task, len(images), fit),
    )


def _gold_lines(read: ReadManifest, settings: Settings) -> Iterator[Image]:
    """Yield the images with a known label; only blocks that may have one are read line by line."""
    reader, index = LineReader(settings), 0
    for block in line_blocks(read()):
        if b'"gold"' in block or b"\\u" in block:  # JSON may spell the key with escapes
            for number, text in enumerate(block[:-1].split(b"\n"), index):
                line = reader.read(number, text)
                if isinstance(line, Image) and line.gold is not None:
                    yield line
        index += block.count(b"\n")
