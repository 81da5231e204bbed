"""Name and encode the file that tells which tasks of a job each worker may not have.

It lies beside the tasks manifest of a later round: whoever answered one of a task's images before
may not have the task. Neighboring tasks have mostly the same workers, so ranges are kept:

    {"private.us-east-1.ann": [0, 3000, 3007, 3008]}     ann may have neither 0 to 2,999 nor 3,007
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import msgspec

from tessera.tiling.run.offsets import name_beside
from tessera.tiling.run.run_files import CreateFile

ANSWERED_BY = "answered-by"
"""Key of a task's line that names the workers who answered one of its images in earlier rounds."""

Ranges = dict[str, list[int]]
"""Where each range of tasks begins and ends, one after another, by worker."""


def exclusions_name(manifest: str) -> str:
    """Return the name of a tasks manifest's exclusions, beside it.

    >>> exclusions_name("round-2/tasks-000.manifest")
    'round-2/tasks-000.exclusions.json'
    """
    return name_beside(manifest, ".exclusions.json")


class Exclusions:
    """Workers who may not have a task, noted task after task."""

    def __init__(self) -> None:
        """Start with every task open to everybody."""
        self._ranges: Ranges = {}

    def add(self, task: int, workers: Iterable[str]) -> None:
        """Note the workers who may not have a task; tasks have to rise."""
        for worker in workers:
            ranges = self._ranges.setdefault(worker, [])
            if ranges and ranges[-1] == task:
                ranges[-1] = task + 1
            else:
                ranges += (task, task + 1)

    @property
    def ranges(self) -> Ranges:
        """Return the ranges of tasks by worker."""
        return self._ranges

    def write(self, manifest: str, create: CreateFile) -> None:
        """Write the file beside the tasks manifest; none if nobody is excluded."""
        if self._ranges:
            with create(exclusions_name(manifest)) as file:
                file.write(msgspec.json.encode(self._ranges))


def read_exclusions(data: bytes, tasks: int) -> Ranges:
    """Decode the file of a job of so many tasks; raises ValueError if it is not whole.

    >>> read_exclusions(b'{"ann": [0, 3]}', 3)
    {'ann': [0, 3]}
    """
    exclusions = msgspec.json.decode(data, type=Ranges)
    for worker, ranges in exclusions.items():
        is_rising = all(low < high for low, high in pairwise([-1, *ranges, tasks + 1]))
        if len(ranges) % 2 or not is_rising:
            raise ValueError(f"The tasks that {worker} may not have are no ranges up to {tasks}.")
    return exclusions
