"""A later round: the images whose label is still unsure, grouped anew for one worker more.

A worker must not be asked the same image twice, so images that the same workers have answered
share their tasks, and each task says who they are: a crowd that mixes images freely would soon
have no task left that anyone may take.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice

import msgspec
import numpy as np
from numpy.typing import NDArray

from tessera.tiling.grouping.first_round import MOST_IMAGES, MOST_TEXT, Create, Read, Scratch, Shard
from tessera.tiling.grouping.orders import (
    MOST_TASKS,
    Positions,
    Room,
    fits_anyhow,
    in_a_row,
    record_characters,
)
from tessera.tiling.grouping.shard_buffer import Shelf
from tessera.tiling.grouping.task_file import TaskFile, write_in_order
from tessera.tiling.jobs import tasks_name
from tessera.tiling.manifest.batch import PLAIN, Batch
from tessera.tiling.manifest.items import batch_of_images
from tessera.tiling.manifest.lines import Image, LineReader
from tessera.tiling.manifest.stream import line_blocks
from tessera.tiling.settings import Settings

ANSWERED_BY = "answered-by"
"""The key of a task's line that names the workers who have answered any of its images."""
LONGEST_CROWD = 20_000
"""Characters that Ground Truth allows in one attribute of a line."""
AT_ONCE = 10_000
LEFT_OVER = 2
"""Workers who must be left to take a task: one of them may be gone."""


class Unsure(msgspec.Struct, frozen=True):
    """An image to ask again, and the workers who have answered it, separated by spaces."""

    index: int
    workers: str


def group_again(
    unsure: Iterable[bytes],
    read: Read,
    settings: Settings,
    round_: int,
    create: Create,
    scratch: Scratch,
) -> tuple[Shard, ...]:
    """Write the tasks of a later round for the images that the lines of `unsure.csv` name."""
    shards: list[Shard] = []
    with ExitStack() as files:
        capacity = min(MOST_TASKS * settings.images_per_task, MOST_IMAGES)
        shelf = Shelf(files.enter_context(scratch()), capacity, PLAIN)
        crowds: list[str] = []
        images = _wanted(unsure_images(unsure), read, settings)
        prelabels = {name: number for number, name in enumerate(settings.choices)}
        while some := list(islice(images, min(AT_ONCE, capacity))):
            batch = batch_of_images(
                [image for image, _ in some], PLAIN, prelabels, with_fingerprints=False
            )
            if _is_full(shelf, batch):
                shards += _write(shelf, crowds, settings, round_, len(shards), create)
                shelf.clear()
                crowds.clear()
            shelf.add(batch)
            crowds += [crowd for _, crowd in some]
        if shelf.count:
            shards += _write(shelf, crowds, settings, round_, len(shards), create)
    return tuple(shards)


def unsure_images(lines: Iterable[bytes]) -> Iterator[Unsure]:
    """The rows of `unsure.csv`, whose indexes rise.

    >>> list(unsure_images([b"index,workers", b"7,b a"]))
    [Unsure(index=7, workers='a b')]
    """
    rows = csv.reader(line.decode() for line in lines)
    next(rows, None)
    last = -1
    for index, workers in rows:
        if int(index) <= last:
            raise ValueError(f"unsure.csv: {index} after {last}, but indexes have to rise")
        last = int(index)
        yield Unsure(last, " ".join(sorted(set(workers.split()))))


def _wanted(
    unsure: Iterator[Unsure], read: Read, settings: Settings
) -> Iterator[tuple[Image, str]]:
    """The images of the wanted lines, each with its crowd; no other line is decoded."""
    reader, first = LineReader(settings), 0
    wanted = next(unsure, None)
    for block in line_blocks(read()):
        if wanted is None:
            return
        end = first + block.count(b"\n")
        lines = block.split(b"\n") if wanted.index < end else []
        while wanted is not None and wanted.index < end:
            image = reader.read(wanted.index, lines[wanted.index - first])
            if not isinstance(image, Image):
                raise ValueError(f"unsure.csv: line {wanted.index} of the manifest is no image")
            yield image, wanted.workers
            wanted = next(unsure, None)
        first = end


def _is_full(shelf: Shelf, batch: Batch) -> bool:
    full = shelf.count + len(batch) > shelf.capacity
    return shelf.count > 0 and (full or shelf.size + len(batch.text) > MOST_TEXT)


def leaving_someone(
    sizes: NDArray[np.int64], order: Positions, crowds: list[str]
) -> NDArray[np.int64]:
    """The tasks' sizes, with tasks cut that everyone, or all but one, would be kept from.

    Whoever answered one image of a task may not take it, so a task of images from many crowds
    would wait for a worker who is not there. Only workers named in `crowds` are known.

    >>> leaving_someone(np.array([3]), np.array([0, 1, 2]), ["a b", "a b", "c d"]).tolist()
    [2, 1]
    """
    apart = {crowd: frozenset(crowd.split()) for crowd in set(crowds)}
    most = len(frozenset().union(*apart.values())) - LEFT_OVER
    if int(sizes.max(initial=0)) * max(map(len, apart.values()), default=0) <= most:
        return sizes
    cut: list[int] = []
    start = 0
    for size in sizes.tolist():
        answered: frozenset[str] = frozenset()
        cut.append(0)
        for position in order[start : start + size].tolist():
            grown = answered | apart[crowds[position]]
            if cut[-1] and len(grown) > max(most, len(answered)):
                cut.append(0)
                grown = apart[crowds[position]]
            answered = grown
            cut[-1] += 1
        start += size
    return np.array(cut, np.int64)


def _write(
    shelf: Shelf,
    crowds: list[str],
    settings: Settings,
    round_: int,
    shard: int,
    create: Create,
) -> list[Shard]:
    """The shard written, or more than one where long names need more tasks than a job takes."""
    names = sorted(set(crowds))
    numbers = {name: number for number, name in enumerate(names)}
    ranks = np.fromiter((numbers[crowd] for crowd in crowds), np.int64, len(crowds))
    order = np.argsort(ranks, kind="stable").astype(np.uint32)
    room = Room(settings.images_per_task)
    lengths = None
    if not fits_anyhow(int(shelf.characters.max()), shelf.last_index, room):
        lengths = record_characters(shelf.characters[order], shelf.indexes(order))
    sizes = leaving_someone(in_a_row(len(order), lengths, room), order, crowds)

    def who(positions: Positions) -> bytes:
        answered = {name for position in positions.tolist() for name in crowds[position].split()}
        text = " ".join(sorted(answered))
        if not text or len(text) > LONGEST_CROWD:
            return b""
        return b',"%b":%b' % (ANSWERED_BY.encode(), msgspec.json.encode(text))

    written: list[Shard] = []
    for start in range(0, len(sizes), MOST_TASKS):
        some = sizes[start : start + MOST_TASKS]
        first, end = int(sizes[:start].sum()), int(sizes[: start + MOST_TASKS].sum())
        with TaskFile(tasks_name(round_, shard + len(written)), create) as file:
            write_in_order(file, shelf, order[first:end], some, extras=who)
        written.append(Shard(len(some), end - first))
    return written
