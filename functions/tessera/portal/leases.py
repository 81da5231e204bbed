"""Keep and give up seats: renew a lease, give a task back, exclude workers, sweep lapsed leases."""

from __future__ import annotations

from tessera.portal import records
from tessera.portal.errors import Unknown
from tessera.portal.job_lifecycle import close_if_full, open_jobs
from tessera.portal.ports import Ports
from tessera.portal.records import Job, Lease, Task, WorkerCursor
from tessera.portal.store import Change
from tessera.portal.submissions import count_answer
from tessera.portal.table_layout import (
    count_dropped,
    put_given_back,
    read_cursor,
    read_lapsed,
    read_task,
    read_tasks,
    removed_key,
    task_changes,
)
from tessera.portal.task_updates import update_task

SWEPT = 2
"""Lapsed leases that a claim looks at. A claim makes one lease, so two keep up with any number that
lapse, and a claim's cost stays bounded (docs/decisions/portal-claims-without-scans.md)."""


def held_tasks(ports: Ports, job: Job, worker: str, cursor: WorkerCursor, now: float) -> list[Task]:
    """Return the tasks at which the worker's lease still runs."""
    tasks = read_tasks(ports.table, job.name, cursor.held)
    return [task for task in tasks if worker in task.leases and now < task.leases[worker].until]


def renew(ports: Ports, job: Job, worker: str, number: int) -> Lease:
    """Make the worker's lease last its full time again, and return it."""

    def renewed(task: Task, now: float) -> tuple[Task, list[Change]]:
        if worker not in task.leases:
            raise Unknown("This page has gone to somebody else.")
        return records.renew_lease(task, worker, now, job.seconds), []

    return update_task(ports, job, number, renewed).leases[worker]


def give_back(ports: Ports, job: Job, worker: str, number: int) -> None:
    """Let the worker's seat go to others first; nothing happens if they have none."""

    def freed(task: Task, now: float) -> tuple[Task, list[Change]]:
        if worker not in task.leases:
            return task, []
        return records.free_seat(task, worker), [put_given_back(job.name, worker, number)]

    update_task(ports, job, number, freed)


def exclude(ports: Ports, job: Job, worker: str, number: int) -> None:
    """Never offer a task to a worker again: they answered one of its images in an earlier round."""

    def excluded(task: Task, now: float) -> tuple[Task, list[Change]]:
        if worker in task.excluded:
            return task, []
        return records.exclude_worker(task, worker), []

    update_task(ports, job, number, excluded)


def drop_task(ports: Ports, job: Job, number: int) -> None:
    """Take a task out of the job: its pre-annotation Lambda wants no people for it.

    The answers that it now does not need count as done, so that the job can become full.
    """

    def dropped(task: Task, now: float) -> tuple[Task, list[Change]]:
        if task.dropped:
            return task, []
        spared = job.workers - len(task.answers)
        return records.drop(task), [count_dropped(job, number, spared)]

    update_task(ports, job, number, dropped)
    close_if_full(ports, job)


def block_worker(ports: Ports, worker: str) -> int:
    """Block a worker immediately, release their seats, and return how many; their answers stay."""
    # The mark first: a claim that comes between would take a seat again.
    ports.table.write(Change("put", removed_key(worker), {"since": ports.clock()}))
    released = 0
    for job in open_jobs(ports):
        cursor = read_cursor(ports.table, job.name, worker)
        for task in held_tasks(ports, job, worker, cursor, ports.clock()):
            give_back(ports, job, worker, task.number)
            released += 1
    return released


def sweep(ports: Ports, job: Job, now: float) -> None:
    """Free a few seats whose leases lapsed, so that claims keep the job tidy without a timer."""
    for entry in read_lapsed(ports.table, job.name, now, limit=SWEPT):
        task = read_task(ports.table, job.name, entry.task)
        lease = task.leases.get(entry.worker)
        if lease is None or lease.lapses > now:  # it was renewed or given up: the entry is stale
            ports.table.write(Change("delete", entry.key))
        # The index may not have heard of an answer, so S3 is asked before a seat is given away.
        elif ports.files.size(job.response(task.number, entry.worker)) is None:
            # Not repeated: if another request was faster, the lease may run again.
            freed = records.free_seat(task, entry.worker)
            noted = put_given_back(job.name, entry.worker, task.number)
            ports.table.write(*task_changes(job, task, freed, now), noted)
        else:
            # The answer was stored, and the function died before it was counted.
            count_answer(ports, job, entry.worker, task)
