"""Plan which images share a task: one function for each order of the settings.

An order gets a shard's images and the limits of a task, and returns a plan of one of two kinds:

    RoundRobin (spread)     Consecutive (as-given, shuffle, by-prelabel, similar)
    task 0: 0 3 6           task 0: 4 1 6
    task 1: 1 4 7           task 1: 0 7 2
    task 2: 2 5             task 2: 3 5

Tasks are as few as the limits allow, and their sizes as even as they can be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from tessera.tiling.grouping.limits import COMMA_CHARACTERS, Lengths, TaskLimits
from tessera.tiling.grouping.shard_buffer import Positions, ShardBuffer
from tessera.tiling.grouping.similar import Embeddings, rank_similar
from tessera.tiling.pseudo_random import pseudo_random
from tessera.tiling.settings import Order


class ShardImages(msgspec.Struct, frozen=True):
    """Images of one shard that are to be asked: what an order may look at."""

    buffer: ShardBuffer
    positions: Positions
    """Which of the buffer's images they are, rising; duplicates are not among them."""
    lengths: Lengths | None
    """Characters of each record, or None if no task can be too long."""
    limits: TaskLimits
    shard: int
    seed: int
    embeddings: Embeddings | None = None
    """Rows by the images' indexes, if there are any."""

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.positions)


class Consecutive(msgspec.Struct, frozen=True):
    """Plan in which neighbors of a ranking share a task."""

    ranking: Positions
    """Positions task after task."""
    sizes: NDArray[np.int64]
    """How many of them each task takes."""

    @property
    def tasks(self) -> int:
        """The number of tasks."""
        return len(self.sizes)


class RoundRobin(msgspec.Struct, frozen=True):
    """Plan in which image after image goes to the next task: image i to task `i % tasks`.

    It is a kind of its own because it can be written without reading all text into memory.
    """

    positions: Positions
    tasks: int

    def as_consecutive(self) -> Consecutive:
        """Return the same tasks as a plan of the other kind."""
        task = np.arange(len(self.positions)) % self.tasks
        ranking = self.positions[np.argsort(task, kind="stable")]
        return Consecutive(ranking, np.bincount(task, minlength=self.tasks))


Plan = RoundRobin | Consecutive


def spread(images: ShardImages) -> Plan:
    """Plan tasks of images from all over the shard: neighbors in a manifest are often alike."""
    return RoundRobin(
        images.positions, round_robin_tasks(len(images), images.lengths, images.limits)
    )


def as_given(images: ShardImages) -> Plan:
    """Plan tasks of neighbors in the manifest."""
    return _in_ranking(images, np.arange(len(images), dtype=np.uint32))


def shuffle(images: ShardImages) -> Plan:
    """Plan tasks of images in an order that the seed and the shard decide."""
    keys = pseudo_random(np.arange(len(images), dtype=np.uint64), images.seed, images.shard)
    return _in_ranking(images, np.argsort(keys, kind="stable").astype(np.uint32))


def by_prelabel(images: ShardImages) -> Plan:
    """Plan tasks of images with the same prelabel, the least confident first."""
    prelabels = images.buffer.prelabels[images.positions]
    confidences = images.buffer.confidences[images.positions]
    # Missing ones have the largest values (NO_PRELABEL, infinity), so they come last.
    return _in_ranking(images, np.lexsort((confidences, prelabels)).astype(np.uint32))


def similar(images: ShardImages) -> Plan:
    """Plan tasks of images that look alike, by their embeddings; without any, as given."""
    if images.embeddings is None:  # lines are only counted
        return as_given(images)
    indexes = images.buffer.indexes(images.positions)
    return _in_ranking(images, rank_similar(images.embeddings, indexes, images.limits.images))


ORDERS: Final[dict[Order, Callable[[ShardImages], Plan]]] = {
    "spread": spread,
    "as-given": as_given,
    "shuffle": shuffle,
    "by-prelabel": by_prelabel,
    "similar": similar,
}
"""The function of each order that the settings can name."""


def _in_ranking(images: ShardImages, ranking: NDArray[np.uint32]) -> Consecutive:
    """Return the plan for a ranking of the images, which are counted from zero here."""
    lengths = None if images.lengths is None else images.lengths[ranking]
    sizes = consecutive_sizes(len(images), lengths, images.limits)
    return Consecutive(images.positions[ranking], sizes)


def round_robin_tasks(images: int, lengths: Lengths | None, limits: TaskLimits) -> int:
    """Return the number of tasks for a round-robin assignment, as few as fit or nearly so.

    One task more moves every image but the first few to another task, so where a task is too long
    1, 3, 7, 15 … tasks more are tried: sizes stay even, and images with long names stay apart.

    >>> round_robin_tasks(41, None, TaskLimits(20))
    3
    """
    fewest = -(-images // limits.images)
    if lengths is None:
        return fewest
    # Trying every number would take a pass over all lengths for each; doubling takes a few.
    tasks, more = fewest, 1
    while tasks < images and _longest_task(lengths, tasks) > limits.characters:
        tasks, more = min(fewest + more, images), more * 2 + 1
    return tasks


def _longest_task(lengths: Lengths, tasks: int) -> int:
    """Return the characters of the longest task of a round-robin assignment."""
    # As a table with a column for each task, the way that images are assigned to them.
    rows = -(-len(lengths) // tasks)
    padded = np.zeros(rows * tasks, np.int64)
    padded[: len(lengths)] = lengths
    longest = int(padded.reshape(rows, tasks).sum(axis=0).max(initial=COMMA_CHARACTERS))
    return longest - COMMA_CHARACTERS


def consecutive_sizes(
    images: int, lengths: Lengths | None, limits: TaskLimits
) -> NDArray[np.int64]:
    """Return the sizes of tasks that take neighbors, as few as fit and as even as lengths allow.

    `lengths` are in the order of the ranking. A task that is too long is cut into even parts until
    all fit, so that long names cost no task but those that they are in.

    >>> consecutive_sizes(41, None, TaskLimits(20)).tolist()
    [14, 14, 13]
    """
    sizes = even_sizes(images, -(-images // limits.images))
    while lengths is not None:
        starts = np.cumsum(sizes) - sizes
        totals = np.add.reduceat(lengths, starts) - COMMA_CHARACTERS
        # A single image is never too long: the longest key, all escaped, is within the limit.
        too_long = np.flatnonzero((totals > limits.characters) & (sizes > 1))
        if not len(too_long):
            break
        parts: list[NDArray[np.int64]] = []
        done = 0
        for task in too_long.tolist():  # few: only tasks of very long names come here
            wanted = -(-int(totals[task]) // limits.characters)
            parts += [sizes[done:task], even_sizes(int(sizes[task]), max(wanted, 2))]
            done = task + 1
        sizes = np.concatenate([*parts, sizes[done:]])
    return sizes


def even_sizes(images: int, tasks: int) -> NDArray[np.int64]:
    """Return the sizes of so many tasks that differ by one at most, the larger ones first.

    >>> even_sizes(7, 3).tolist()
    [3, 2, 2]
    """
    tasks = min(tasks, images)
    sizes = np.full(tasks, images // tasks if tasks else 0, np.int64)
    sizes[: images - int(sizes.sum())] += 1
    return sizes
