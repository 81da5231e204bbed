"""Tell which gold images a task has, and which of them a worker has seen in the job.

An image that a worker is shown a second time can only be a gold image. So as long as there are
tasks with others, they get those: docs/decisions/gold-cannot-be-told.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from msgspec.structs import replace

from tessera.portal.ports import Ports
from tessera.portal.records import Job, WorkerCursor
from tessera.tiling.workers.gold_uses import read_gold_uses

MAX_SEEN = 1000
"""Gold images that are remembered of a worker in a job, the last ones: 8 KB of their cursor, which
is written with each claim. Who was shown so many has done hundreds of pages."""

NO_GOLD_IMAGES: frozenset[int] = frozenset()


def gold_of_tasks(ports: Ports, job: Job) -> list[frozenset[int]]:
    """Return the gold images of each task; empty if no two tasks share one."""
    return _gold_of_tasks(ports.files.get, job.gold_uses, job.tasks) if job.gold_uses else []


@lru_cache(maxsize=4)  # it never changes while a job is open; 20 MB for one of 100,000 tasks
def _gold_of_tasks(get: Callable[[str], bytes], uri: str, tasks: int) -> list[frozenset[int]]:
    return read_gold_uses(get(uri), tasks)


def gold_seen(cursor: WorkerCursor) -> frozenset[int]:
    """Return the gold images that the worker was shown in the job."""
    return frozenset(map(int, cursor.gold_seen.split())) if cursor.gold_seen else NO_GOLD_IMAGES


def note_gold(cursor: WorkerCursor, gold: frozenset[int]) -> WorkerCursor:
    """Return the cursor of a worker who is shown these gold images, too."""
    before = cursor.gold_seen.split()
    new = [str(index) for index in sorted(gold) if str(index) not in before]
    return replace(cursor, gold_seen=" ".join([*before, *new][-MAX_SEEN:])) if new else cursor
