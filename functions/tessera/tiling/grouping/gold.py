"""Control images: lines with a known label, mixed into tasks to see how well workers answer."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable

import msgspec
import numpy as np

from tessera.tiling.grouping.orders import LONGEST_SOURCE, RECORD, Room, mix
from tessera.tiling.grouping.task_file import Mixer, numbers_of
from tessera.tiling.manifest.items import encode_item
from tessera.tiling.manifest.lines import Image, LineReader
from tessera.tiling.manifest.stream import line_blocks
from tessera.tiling.settings import Settings

MOST_CONTROLS = 100_000
"""Lines with `gold` that are kept for controls; any beyond are asked like other images."""
LONGEST_RECORD = 9_000
"""Characters that an image's record can have at most: the longest key with everything escaped."""
BRACKETS = 2


class Controls(msgspec.Struct, frozen=True):
    """The control images of a run, and how many go into each task."""

    records: tuple[bytes, ...] = ()
    known: dict[int, str] = {}
    longest: int = 0
    each: int = 0

    def table(self) -> bytes:
        """The lines of the control images with their known labels, as CSV."""
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(("index", "label"))
        rows.writerows(self.known.items())
        return text.getvalue().encode()

    def room(self, images_per_task: int) -> Room:
        """What the control images leave of a task."""
        taken = self.each * self.longest
        return Room(images_per_task - self.each, LONGEST_SOURCE - BRACKETS - taken)

    def mixer(self, seed: int, shard: int) -> Mixer | None:
        """What puts control images at places of a task that nobody can foretell.

        They are taken in turn from a shuffled row, so that each is in as few tasks as possible.
        """
        if not self.each:
            return None
        count, each = len(self.records), self.each
        keys = mix(np.arange(count, dtype=np.uint64), seed, 1)
        turn = np.argsort(keys, kind="stable").tolist()

        def mixed(task: int, records: list[bytes]) -> list[bytes]:
            serial = (shard * 100_000 + task) * each
            draws = mix(np.arange(serial, serial + each, dtype=np.uint64), seed, 2).tolist()
            for step, draw in enumerate(draws):
                place = draw % (len(records) + 1)
                records.insert(place, self.records[turn[(serial + step) % count]])
            return records

        return mixed


def find_controls(read: Callable[[], Iterable[bytes]], settings: Settings) -> Controls:
    """The control images, from a reading of their own: the first task may need the last line."""
    if not settings.gold_per_task:
        return Controls()
    reader, index = LineReader(settings), 0
    found: list[tuple[int, bytes, int]] = []
    known: dict[int, str] = {}
    for block in line_blocks(read()):
        count = block.count(b"\n")
        if b'"gold"' in block or b"\\u" in block:
            for number, line in enumerate(block[:-1].split(b"\n"), index):
                image = reader.read(number, line)
                if isinstance(image, Image) and image.gold is not None:
                    found.append((number, *encode_item(image)))
                    known[number] = image.gold
        index += count
        if len(found) >= MOST_CONTROLS:
            break
    found = found[:MOST_CONTROLS]
    known = {number: known[number] for number, _, _ in found}
    if not found:
        return Controls()
    numbers = np.fromiter((number for number, _, _ in found), np.int64, len(found))
    ends = numbers_of(numbers)
    longest = max(size + RECORD + len(str(number)) + 1 for number, _, size in found)
    fit = (LONGEST_SOURCE - BRACKETS - LONGEST_RECORD) // longest
    return Controls(
        records=tuple(text + end for (_, text, _), end in zip(found, ends, strict=True)),
        known=known,
        longest=longest,
        each=min(settings.gold_per_task, len(found), fit),
    )
