"""Where each noun lies in the table, and which items change when a task does."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from tessera.portal.errors import Unknown
from tessera.portal.records import Job, Task, WorkerCursor, WorkerStats
from tessera.portal.store import ABSENT, Change, Item, Key, Table

STRIPES = 16
"""Counters of a job. Many workers claim at the same time; on one counter they would all collide."""

OPEN_JOBS = "open"


def job_key(name: str) -> Key:
    """The job's record."""
    return Key(f"job#{name}", "job")


def open_key(name: str) -> Key:
    """The job's entry in the list of open jobs."""
    return Key(OPEN_JOBS, name)


def task_key(job: str, task: int) -> Key:
    """A task's record."""
    return Key(f"job#{job}#task", f"{task:06d}")


def cursor_key(job: str, worker: str) -> Key:
    """Where a worker stands in a job."""
    return Key(f"job#{job}#place", worker)


def stats_key(job: str, worker: str) -> Key:
    """What a worker did in a job."""
    return Key(f"job#{job}#figures", worker)


def given_back_key(job: str, worker: str, task: int) -> Key:
    """A task that the worker gave back and may get again when nothing else is left."""
    return Key(f"job#{job}#back#{worker}", f"{task:06d}")


def removed_key(worker: str) -> Key:
    """The mark of a worker who was removed while his token still holds."""
    return Key("removed", worker)


def moment(when: float) -> str:
    """A time as a sort key.

    >>> moment(1700000000.25)
    '01700000000.250'
    """
    return f"{when:015.3f}"


def stripes(job: Job) -> range:
    """The job's counters; a small job has no more of them than tasks."""
    return range(min(STRIPES, job.tasks))


def stripe_of(job: Job, task: int) -> int:
    """The counter that a task belongs to."""
    return task % len(stripes(job))


def stripe_size(job: Job, stripe: int) -> int:
    """The tasks of a stripe: every sixteenth, starting with its own number.

    >>> job = Job("pets-r1-000", *[""] * 6, workers=2, seconds=600, lifetime=60, tasks=35)
    >>> [stripe_size(job, stripe) for stripe in (0, 2, 3)]
    [3, 3, 2]
    """
    return -(-(job.tasks - stripe) // len(stripes(job)))


def stripe_key(job: Job, stripe: int) -> Key:
    """A counter: tasks dealt for the first time, and answers accepted."""
    return Key(f"job#{job.name}#stripe", f"{stripe:02d}")


def item_of(record: Any) -> Item:
    """A record as the table keeps it."""
    item: Item = msgspec.to_builtins(record)
    return item


def job_of(item: Item | None) -> Job:
    """The job in an item; `Unknown` if there is none."""
    if item is None:
        raise Unknown("There is no such job.")
    return msgspec.convert(item, Job)


def read_job(table: Table, name: str) -> Job:
    """The job of this name; `Unknown` if there is none."""
    return job_of(table.get(job_key(name))[0])


def task_of(item: Item | None, number: int) -> Task:
    """The task in an item; a fresh one if there is none."""
    return Task(number) if item is None else msgspec.convert(item, Task, strict=False)


def read_task(table: Table, job: str, number: int) -> Task:
    """The task of this number, as it stands."""
    return task_of(table.get(task_key(job, number))[0], number)


def cursor_of(item: Item | None) -> WorkerCursor:
    """The place in an item; the start if there is none."""
    return WorkerCursor() if item is None else msgspec.convert(item, WorkerCursor)


def stats_of(item: Item | None) -> WorkerStats:
    """The figures in an item; zeros if there are none."""
    return WorkerStats() if item is None else msgspec.convert(item, WorkerStats, strict=False)


class Counts(NamedTuple):
    """A job's stripes added up."""

    dealt: dict[int, int]
    answered: int
    excused: int

    def complete(self, job: Job) -> bool:
        """Whether every seat of every task is answered, or needs no answer."""
        return self.answered + self.excused >= job.answers


def read_counts(table: Table, job: Job) -> Counts:
    """The job's stripes, read together."""
    found = {int(sort): item for sort, item in table.query(f"job#{job.name}#stripe")}
    return Counts(
        dealt={stripe: int(item["dealt"]) for stripe, item in found.items()},
        answered=sum(int(item["answered"]) for item in found.values()),
        excused=sum(int(item["excused"]) for item in found.values()),
    )


def versioned(key: Key, record: WorkerCursor | Task) -> Change:
    """The record put in the place of the version before it, if nobody else was faster."""
    before = {"version": record.version} if record.version else ABSENT
    return Change("put", key, item_of(replace(record, version=record.version + 1)), before)


def task_changes(job: Job, old: Task, new: Task, now: float) -> list[Change]:
    """The changes that make `new` of `old`: the task, its leases by end, its place in the queue."""
    leases, queue = f"job#{job.name}#lease", f"job#{job.name}#queue"
    changes = []
    for worker in old.leases.keys() | new.leases.keys():
        before, after = old.leases.get(worker), new.leases.get(worker)
        if before == after:
            continue
        if before:
            end = f"{moment(before.lapses)}#{old.number:06d}#{worker}"
            changes.append(Change("delete", Key(leases, end)))
        if after:
            end = f"{moment(after.lapses)}#{old.number:06d}#{worker}"
            entry = {"task": old.number, "worker": worker}
            changes.append(Change("put", Key(leases, end), entry))
    if new.seats_left(job.workers):
        fresh = not old.queued or len(new.given_back) > len(old.given_back)
        place = f"{moment(now)}#{old.number:06d}" if fresh else old.queued
        had = sorted({*new.leases, *new.answers, *new.given_back, *new.barred})
        changes.append(Change("put", Key(queue, place), {"task": old.number, "had": had}))
    else:
        place = ""
    if old.queued and old.queued != place:
        changes.append(Change("delete", Key(queue, old.queued)))
    return [versioned(task_key(job.name, old.number), replace(new, queued=place)), *changes]
