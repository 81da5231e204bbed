"""Which image goes to which task: the orders, and the caps of Ground Truth that bound a task.

Nothing here knows an image: positions and character counts go in, positions come out.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

MOST_TASKS = 100_000
"""Data objects that one Ground Truth job takes."""
LONGEST_SOURCE = 20_000
"""Characters in the `source` of a task, which is a JSON list in a string."""
BRACKETS = 2
RECORD = len('{"source-ref":"","index":}')
"""Characters of an image's record besides its item and its number."""

Positions = NDArray[np.uint32]
Indexes = NDArray[np.int64]
Lengths = NDArray[np.int64]


class Room(msgspec.Struct, frozen=True):
    """How much of one task is for its own images: so many, and so many characters."""

    images: int
    characters: int = LONGEST_SOURCE - BRACKETS


def fits_anyhow(longest: int, largest: int, room: Room) -> bool:
    """Whether a full task has room even where every image is as long as the longest.

    The usual case: then no image's own length matters.
    """
    return (longest + RECORD + 1 + len(str(largest))) * room.images - 1 <= room.characters


def record_characters(items: NDArray[np.uint16], indexes: Indexes) -> Lengths:
    """Characters that each image's record takes in its task, the comma included."""
    digits = np.searchsorted(POWERS, indexes, side="right") + 1
    return items.astype(np.int64) + digits + (RECORD + 1)


POWERS = 10 ** np.arange(1, 19, dtype=np.int64)


def spread(count: int, lengths: Lengths | None, room: Room) -> int:
    """The number of groups for dealing image after image round the table, as few as fit.

    One group more moves every image but the first few, so a deal with a group that is too long
    is tried again with 1, 3, 7, 15 … groups more: the sizes stay even, and images with long names
    stay apart.

    >>> spread(41, None, Room(20))
    3
    """
    fewest = -(-count // room.images)
    if lengths is None:
        return fewest
    groups, more = fewest, 1
    while groups < count and _longest_group(lengths, groups) > room.characters:
        groups, more = min(fewest + more, count), more * 2 + 1
    return groups


def _longest_group(lengths: Lengths, groups: int) -> int:
    rows = -(-len(lengths) // groups)
    padded = np.zeros(rows * groups, np.int64)
    padded[: len(lengths)] = lengths
    return int(padded.reshape(rows, groups).sum(axis=0).max(initial=1)) - 1


def in_a_row(count: int, lengths: Lengths | None, room: Room) -> NDArray[np.int64]:
    """The sizes of groups that take neighbors, as few as fit and as even as characters allow.

    >>> in_a_row(41, None, Room(20)).tolist()
    [14, 14, 13]
    """
    sizes = _even(count, -(-count // room.images))
    while lengths is not None:
        starts = np.cumsum(sizes) - sizes
        totals = np.add.reduceat(lengths, starts) - 1
        over = np.flatnonzero((totals > room.characters) & (sizes > 1))
        if not len(over):
            break
        pieces: list[NDArray[np.int64]] = []
        done = 0
        for group in over.tolist():  # few: only groups of very long names come here
            wanted = -(-int(totals[group]) // room.characters)
            pieces += [sizes[done:group], _even(int(sizes[group]), max(wanted, 2))]
            done = group + 1
        sizes = np.concatenate([*pieces, sizes[done:]])
    return sizes


def _even(count: int, groups: int) -> NDArray[np.int64]:
    """So many parts of a count that differ by one at most, the larger ones first."""
    groups = min(groups, count)
    sizes = np.full(groups, count // groups if groups else 0, np.int64)
    sizes[: count - int(sizes.sum())] += 1
    return sizes


def shuffled(count: int, seed: int, shard: int) -> Positions:
    """The positions 0 to count-1 in an order that the seed and the shard decide.

    Not numpy's own shuffle, whose stream may change with its version: the same manifest and seed
    are the same tasks for good.
    """
    keys = mix(np.arange(count, dtype=np.uint64), seed, shard)
    return np.argsort(keys, kind="stable").astype(np.uint32)


def by_prelabel(prelabels: NDArray[np.uint8], confidences: NDArray[np.float32]) -> Positions:
    """The positions with equal prelabels together, the least confident first."""
    return np.lexsort((confidences, prelabels)).astype(np.uint32)


def mix(numbers: NDArray[np.uint64], *salts: int) -> NDArray[np.uint64]:
    """Numbers that look random and are the same on every machine (splitmix64's last step)."""
    mixed = numbers.astype(np.uint64)
    for salt in (*salts, 0):
        mixed = mixed + np.uint64(0x9E3779B97F4A7C15 * (salt + 1) & (2**64 - 1))
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return mixed


def halves(positions: Positions) -> Iterator[Positions]:
    """The two halves of a shard that needs more tasks than a job takes."""
    middle = len(positions) // 2
    yield positions[:middle]
    yield positions[middle:]
