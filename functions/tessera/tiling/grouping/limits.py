"""Know Ground Truth's limits on jobs and tasks, and how much of them images take."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from tessera.tiling.grouping.shard_buffer import Positions, ShardBuffer
from tessera.tiling.settings import Settings

MAX_TASKS = 100_000
"""Ground Truth's quota of data objects in a labeling job; a task is one."""
MAX_SUBMISSIONS = 40_000
"""Answers to tasks that a job of the portal may get. CloseJob reads each, at 4 ms of a processor at
worst, and may take 900 s: 160 s leave room for a slow day (docs/limits.md)."""
MAX_SHARD_IMAGES = 2_000_000
"""Images that are buffered before they are cut into jobs: what 100,000 tasks of 20 images hold.
Bounds memory, at 22 bytes an image."""
MAX_SHARD_BYTES = 384 * 1024 * 1024
"""Bytes of text in a shard. Bounds the scratch file, and memory in a function of 1 GiB, where an
order jumps about and all text is read (docs/decisions/grouping-in-bounded-memory.md)."""
MAX_ATTRIBUTE_CHARACTERS = 20_000
"""Ground Truth's limit for one attribute of a line. The `source` of a task is one, a JSON list in a
string; so is `answered-by`."""
LIST_CHARACTERS = len("[]")
RECORD_CHARACTERS = len('{"source-ref":"","index":}')
"""Characters of an image's record besides its item and its index."""
COMMA_CHARACTERS = 1
POWERS_OF_TEN = 10 ** np.arange(1, 19, dtype=np.int64)

Lengths = NDArray[np.int64]
"""Characters that each image's record takes in its task, with a comma."""


def max_tasks(settings: Settings, answers_per_task: int) -> int:
    """Return the most tasks that one job takes, each answered so often.

    >>> from tessera.tiling.settings import settings_from
    >>> max_tasks(settings_from({"labels": ["cat", "dog"]}), 3)
    13333
    """
    if not settings.on_portal:  # Ground Truth writes the output by itself
        return MAX_TASKS
    return min(MAX_TASKS, MAX_SUBMISSIONS // answers_per_task)


class TaskLimits(msgspec.Struct, frozen=True):
    """Limits of one task for images of its own: how many, and how many characters of JSON."""

    images: int
    characters: int = MAX_ATTRIBUTE_CHARACTERS - LIST_CHARACTERS


def record_lengths(buffer: ShardBuffer, positions: Positions, limits: TaskLimits) -> Lengths | None:
    """Return the characters of each position's record, or None if no task can be too long.

    None is the usual case, and saves looking at lengths ever after.
    """
    if any_images_fit(int(buffer.characters.max()), buffer.last_index, limits):
        return None
    # A comma is counted for every record, the last one's too; callers take one off for a task.
    items, indexes = buffer.characters[positions], buffer.indexes(positions)
    fixed = RECORD_CHARACTERS + COMMA_CHARACTERS
    return items.astype(np.int64) + count_digits(indexes) + fixed


def any_images_fit(longest_item: int, largest_index: int, limits: TaskLimits) -> bool:
    """Return whether a full task is short enough even if all its images are as long as the longest.

    >>> any_images_fit(900, 99, TaskLimits(20)), any_images_fit(1000, 99, TaskLimits(20))
    (True, False)
    """
    record = longest_item + RECORD_CHARACTERS + len(str(largest_index)) + COMMA_CHARACTERS
    return record * limits.images - COMMA_CHARACTERS <= limits.characters


def count_digits(indexes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the decimal digits of each index.

    >>> count_digits(np.array([0, 9, 10, 12345])).tolist()
    [1, 1, 2, 5]
    """
    return np.searchsorted(POWERS_OF_TEN, indexes, side="right") + 1
