"""Update a task by optimistic locking: read it, change it, write it if nobody else was faster.

There is no lock that a function could die with. Every write of a task expects the version that was
read; of two requests one writes, and the other reads again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from tessera.portal.errors import Busy
from tessera.portal.ports import Ports
from tessera.portal.records import REPAIRING, Job, Task
from tessera.portal.store import Change
from tessera.portal.table_layout import next_version, read_task, task_changes

ATTEMPTS = 12
"""Times that a write is tried before the browser is asked to come again. Of a hundred workers who
claimed from one job at the same moment, in memory, none needed more than four."""

CONTENDED = "Many workers are asking at once. Trying again."


def require_index(job: Job) -> None:
    """Ask the browser to come again while the job's index is being rebuilt.

    What is counted meanwhile would be erased with the old index.
    """
    if job.status == REPAIRING:
        raise Busy("This job is being put in order. Trying again.")


TaskChange: TypeAlias = Callable[[Task, float], tuple[Task, Iterable[Change]]]


def attempts(ports: Ports) -> Iterator[int]:
    """Yield the numbers of `ATTEMPTS`, and wait a random time before each but the first.

    Requests that met would meet again if all of them came back at once.
    """
    for attempt in range(ATTEMPTS):
        if attempt:
            ports.back_off(attempt)
        yield attempt


def update_task(
    ports: Ports, job: Job, number: int, change: TaskChange, *, known: Task | None = None
) -> Task:
    """Change a task, with what else must change in the same transaction; return it as it is then.

    `change` gets the task and the time, and returns the task after and the other changes. It may be
    called several times, so it does nothing but compute. A task that it returns as it was is not
    written. `known` is the task if it was just read. Raises `Busy` if other requests were faster
    each time.
    """
    for _ in attempts(ports):
        task = known or read_task(ports.table, job.name, number)
        known = None  # the next attempt must read what the faster request wrote
        now = ports.clock()
        after, changes = change(task, now)
        if after == task:
            return task
        if ports.table.write(*task_changes(job, task, after, now), *changes):
            return next_version(job, task, after, now)
    raise Busy(CONTENDED)
