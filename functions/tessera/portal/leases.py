"""Keep and give up seats: renew a lease, give a task back, exclude workers, sweep lapsed leases."""

from __future__ import annotations

from collections.abc import Iterable
from weakref import WeakKeyDictionary

import msgspec

from tessera.portal import records
from tessera.portal.errors import Closed, Declined, Unknown
from tessera.portal.job_lifecycle import close_if_full, open_jobs
from tessera.portal.ports import Ports
from tessera.portal.records import LEASE_GRACE, OPEN, REPAIRING, Job, Lease, Task
from tessera.portal.store import Change, Table
from tessera.portal.submissions import count_answer
from tessera.portal.table_layout import (
    LeaseEntry,
    PageFailure,
    count_dropped,
    lease_key,
    put_failure,
    put_given_back,
    read_cursor,
    read_given_back,
    read_lapsed,
    read_stats,
    read_tasks,
    removed_key,
    task_changes,
)
from tessera.portal.task_updates import update_task

SWEPT = 2
"""Lapsed leases that a claim looks at. A claim makes one lease, so two keep up with any number that
lapse, and a claim's cost stays bounded (docs/decisions/portal-claims-without-scans.md)."""

FREE_SKIPS = 10
"""Pages of a job that a worker may skip before they have labeled one, for pictures that do not load
or a language that they cannot read: a page in twenty at most, so ten are far from it."""

LOOK_AHEAD = LEASE_GRACE
"""Seconds for which a look at the leases counts: a lease made later lapses later still."""

_next_sweeps: WeakKeyDictionary[Table, dict[str, float]] = WeakKeyDictionary()
"""Time at which the first of a job's leases may lapse, as far as this process knows."""


def running(tasks: Iterable[Task], worker: str, now: float) -> list[Task]:
    """Return the tasks at which the worker's lease still runs."""
    return [task for task in tasks if worker in task.leases and now < task.leases[worker].until]


def renew(ports: Ports, job: Job, worker: str, number: int) -> Lease:
    """Make the worker's lease last its full time again, and return it.

    Raises `Closed` where the job has ended, and `Unknown` where somebody else has the seat.
    """
    if job.status not in {OPEN, REPAIRING}:
        raise Closed("This job takes no more answers.")

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


def skip(ports: Ports, job: Job, worker: str, number: int) -> None:
    """Give a task back for the worker, who may do so a few times more often than they answer.

    Raises `Declined` when that is used up: else one person could look at all pages and pick.
    """
    allowed = FREE_SKIPS + read_stats(ports.table, job.name, worker).answers
    # What they let lapse, or got back and gave back again, counts like what they skipped.
    skipped = read_given_back(ports.table, job.name, worker, limit=allowed)
    if len(skipped) >= allowed and number not in skipped:
        raise Declined(
            f"You have skipped {len(skipped)} pages. Please label this one; after each page that "
            "you label you may skip one more."
        )
    give_back(ports, job, worker, number)


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


def note_failure(ports: Ports, job: Job, worker: str, number: int, reason: str) -> None:
    """Free the worker's seat at a task whose page cannot be shown, and note why for requesters.

    A task that fails too often is set aside: the answers that it lacks count as done, so that it
    keeps nobody from the others and the job can become full.
    """

    def failed(task: Task, now: float) -> tuple[Task, list[Change]]:
        if task.dropped:
            return task, []
        after = records.fail_page(task, worker, now)
        aside = records.is_unusable(after)
        changes = [put_failure(job.name, PageFailure(number, reason, now, aside))]
        if aside:
            spared = max(0, job.workers - len(task.answers))
            return records.drop(after), [*changes, count_dropped(job, number, spared)]
        if worker in task.leases:
            changes.append(put_given_back(job.name, worker, number))
        return after, changes

    task = update_task(ports, job, number, failed)
    if task.dropped and task.failures >= records.MAX_FAILURES:
        # In S3 too, where labels are made: its images come out with this reason.
        document = msgspec.json.encode({"task": number, "reason": reason})
        ports.files.put(job.set_aside(number), document)
    close_if_full(ports, job)


def block_worker(ports: Ports, worker: str) -> int:
    """Block a worker immediately, release their seats, and return how many; their answers stay."""
    # The mark first: a claim that comes between would take a seat again.
    ports.table.write(Change("put", removed_key(worker), {"since": ports.clock()}))
    released = 0
    for job in open_jobs(ports):
        try:
            released += _release_seats(ports, job, worker)
        except Exception as error:  # the seats of one job end by themselves, the others are freed
            ports.report(job.name, error)
    return released


def _release_seats(ports: Ports, job: Job, worker: str) -> int:
    """Give back what the worker holds of the job, and return how many tasks that are."""
    cursor = read_cursor(ports.table, job.name, worker)
    held = running(read_tasks(ports.table, job.name, cursor.held), worker, ports.clock())
    for task in held:
        give_back(ports, job, worker, task.number)
    return len(held)


def sweep(ports: Ports, job: Job, now: float) -> None:
    """Free a few seats whose leases lapsed, so that claims keep the job tidy without a timer.

    Until the first of the leases may lapse, nothing is read.
    """
    due = _next_sweeps.setdefault(ports.table, {})
    if now < due.get(job.name, 0.0) <= now + LOOK_AHEAD:  # else the clock was set back
        return
    entries = read_lapsed(ports.table, job.name, now + LOOK_AHEAD, limit=SWEPT + 1)
    lapsed = [entry for entry in entries[:SWEPT] if entry.lapses < now]
    later = entries[len(lapsed) :]
    tasks = read_tasks(ports.table, job.name, tuple({entry.task for entry in lapsed}))
    by_number = {task.number: task for task in tasks}
    for entry in lapsed:
        _sweep_lease(ports, job, entry, by_number[entry.task], now)
    # Last: a sweep that failed is repeated by the next claim, and so is one that had work to do.
    due[job.name] = now if lapsed else later[0].lapses if later else now + LOOK_AHEAD


def _sweep_lease(ports: Ports, job: Job, entry: LeaseEntry, task: Task, now: float) -> None:
    """Free the seat of a lease that lapsed, or count the answer that its worker had stored."""
    lease = task.leases.get(entry.worker)
    # It was given up, or made anew: the entry is stale.
    if lease is None or lease_key(job.name, task.number, entry.worker, lease) != entry.key:
        ports.table.write(Change("delete", entry.key))
    elif lease.lapses > now:  # it was renewed, and is looked at again at its new end
        relisted = records.relist_lease(task, entry.worker)
        ports.table.write(*task_changes(job, task, relisted, now))
    # The index may not have heard of an answer, so S3 is asked before a seat is given away.
    elif ports.files.size(job.response(task.number, entry.worker)) is None:
        # Not repeated: if another request was faster, the lease may run again.
        freed = records.free_seat(task, entry.worker)
        noted = put_given_back(job.name, entry.worker, task.number)
        ports.table.write(*task_changes(job, task, freed, now), noted)
    else:
        # The answer was stored, and the function died before it was counted.
        count_answer(ports, job, entry.worker, task)
