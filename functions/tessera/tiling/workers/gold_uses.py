"""Name and encode the file that tells which gold images each task of a shard has.

It lies beside the tasks manifest where some gold image is in several tasks: for each task, in turn,
the indexes of its gold images as numbers of four bytes, equally many a task.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from tessera.tiling.run.offsets import name_beside

NO_GOLD = 0xFFFF_FFFF
"""Stands where a task has fewer gold images than others."""


def gold_uses_name(manifest: str) -> str:
    """Return the name of the file of a tasks manifest's gold images, beside it.

    >>> gold_uses_name("round-1/tasks-000.manifest")
    'round-1/tasks-000.gold'
    """
    return name_beside(manifest, ".gold")


def pack_gold_uses(tasks: Sequence[Sequence[int]]) -> bytes:
    """Encode the gold images of tasks, equally many each, as the file's bytes.

    >>> read_gold_uses(pack_gold_uses([[7, 9], [8, NO_GOLD]]), 2)
    [frozenset({9, 7}), frozenset({8})]
    """
    numbers = [index for task in tasks for index in task]
    return struct.pack(f"<{len(numbers)}I", *numbers)


def read_gold_uses(data: bytes, tasks: int) -> list[frozenset[int]]:
    """Decode the gold images of so many tasks.

    Raises struct.error if the bytes are not equally many numbers for each.
    """
    per_task = len(data) // 4 // tasks
    rows = struct.iter_unpack(f"<{per_task}I", data)
    return [frozenset(row) - {NO_GOLD} for row in rows]
