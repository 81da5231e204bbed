"""Save submissions: an answer is an object in S3 first, then counted in the index, then "saved".

The object's name is the task's and the worker's, and S3 refuses to write it a second time, so a
double click, a retry, two tabs and a lost response end in one answer: the first. Of another answer
to the same task the worker is told that it is not what was saved. Why in this order:
docs/decisions/portal-answers-are-objects.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from tessera.portal import records
from tessera.portal.answer_body import choices_in, is_same_answer
from tessera.portal.errors import Unknown
from tessera.portal.exclusions import excluded_tasks
from tessera.portal.job_lifecycle import close_if_full
from tessera.portal.picture_record import record_pictures
from tessera.portal.ports import Ports
from tessera.portal.records import MAX_LEASE, Job, Task
from tessera.portal.remarks import remarks_of
from tessera.portal.store import Change, Item, Key
from tessera.portal.table_layout import (
    count_answered,
    forget_failure,
    put_remarks,
    stats_key,
    stats_of,
    task_key,
    task_of,
)
from tessera.portal.task_updates import require_index, update_task
from tessera.portal.worker_response import decode_or_empty, encode_response
from tessera.portal.worker_stats import read_gold, stats_changes, stats_of_answer

Outcome: TypeAlias = Literal["saved", "surplus", "different"]

ANSWER_GRACE = 30.0
"""Seconds past its end that a lease still carries an answer: half of `records.LEASE_GRACE`, so that
the object is written well before the seat is given away, even by servers whose clocks differ."""


class Surplus(Exception):
    """Task that needs no more answers, or whose job takes none."""


def submission_keys(job: str, worker: str, number: int) -> tuple[Key, Key]:
    """Return the keys of the items that `submit` needs, for whoever reads them with others."""
    return task_key(job, number), stats_key(job, worker)


def submit(
    ports: Ports,
    job: Job,
    worker: str,
    number: int,
    answer: Mapping[str, Any],
    items: Sequence[Item | None] = (),
) -> Outcome:
    """Save a worker's answer to a task.

    Returns `saved` when it is in S3 and counted, however often it was sent, `surplus` when the
    task needs it no more, and `different` when the worker's answer in S3 has other choices. Raises
    `Unknown` if the worker never had the task. `items` are those at `submission_keys`, if they were
    just read.
    """
    require_index(job)
    items = items or ports.table.get(*submission_keys(job.name, worker, number))
    task, stats = task_of(items[0], number), stats_of(items[1])
    if worker in task.answers or _is_stored(ports, job, task, worker):
        return _compare(count_answer(ports, job, worker, task), answer)
    if not (worker in task.known_to or _leases_were_lost(ports, job)) or _is_excluded(
        ports, job, worker, task
    ):
        raise Unknown("This page is not yours.")
    try:
        seated = _with_seat(ports, job, worker, task)
    except Surplus:
        return "surplus"
    if worker in seated.answers:  # sent from two tabs, and the other one was counted meanwhile
        return _compare(count_answer(ports, job, worker, seated), answer)
    # Work on a page that was fetched ahead began when the page before it was sent.
    began = max(seated.leases[worker].since, stats.last)
    response = encode_response(ports, worker, began, answer)
    if not seated.answers:
        # Before it is stored: a sweep or a repair may count it, which do not look at pictures.
        record_pictures(ports, job, seated)
    is_first = ports.files.put_if_absent(job.response(number, worker), response)
    # What counts is what S3 holds: of two tabs' answers the first, whichever this one is.
    stored = count_answer(ports, job, worker, seated, response if is_first else None)
    return _compare(stored, answer)


def _compare(stored: Mapping[str, Any], answer: Mapping[str, Any]) -> Outcome:
    return "saved" if is_same_answer(stored["answerContent"], answer) else "different"


def _is_stored(ports: Ports, job: Job, task: Task, worker: str) -> bool:
    """Return whether the answer is in S3 though the index knows of no seat: the index was lost."""
    if worker in task.leases:
        return False  # the ordinary case: the write itself will tell
    return ports.files.size(job.response(task.number, worker)) is not None


def _is_excluded(ports: Ports, job: Job, worker: str, task: Task) -> bool:
    """Return whether the worker answered one of the task's images in an earlier round."""
    excluded = excluded_tasks(ports, job, worker)
    return worker in task.excluded or (bool(excluded) and bool(excluded[task.number]))


def _leases_were_lost(ports: Ports, job: Job) -> bool:
    """Return whether the worker may have had a seat that an index rebuilt from S3 knows not of.

    Then the answer is taken if a seat is free: the work on it is done.
    """
    return bool(job.rebuilt) and ports.clock() < job.rebuilt + MAX_LEASE


def _with_seat(ports: Ports, job: Job, worker: str, task: Task) -> Task:
    """Return the task with a seat that is the worker's long enough to write the answer.

    Whoever is late gets a seat again if one is free; raises `Surplus` if none is.
    """

    def take_seat(task: Task, now: float) -> tuple[Task, list[Change]]:
        if worker in task.answers:
            return task, []
        if worker in task.leases and now < task.leases[worker].until + ANSWER_GRACE:
            if not job.takes_answers(now - ANSWER_GRACE):
                raise Surplus
            return task, []
        is_seated = worker in task.leases or task.free_seats(job.workers)
        if not (is_seated and job.takes_answers(now)):  # no new seat after the end
            raise Surplus
        return records.lease_seat(task, worker, now, ANSWER_GRACE), []

    return update_task(ports, job, task.number, take_seat, known=task)


def count_answer(
    ports: Ports, job: Job, worker: str, task: Task, stored: bytes | None = None
) -> dict[str, Any]:
    """Count a worker's stored answer in the index, once, and return it.

    `stored` is the answer's object, if it was just written. The last answer closes the job.
    """
    response = decode_or_empty(stored or ports.files.get(job.response(task.number, worker)))
    gold = read_gold(ports.files, job)

    def count(task: Task, now: float) -> tuple[Task, list[Change]]:
        if worker in task.answers:
            return task, []
        added = stats_of_answer(task, worker, response, gold, sets=job.is_multi)
        choices = choices_in(response["answerContent"], sets=job.is_multi)
        after = records.add_answer(task, worker, choices)
        changes = stats_changes(job, added, now)
        # One more than was asked fills no seat: it must not pay for a task that lacks one.
        if len(task.answers) < job.workers:
            changes = [*changes, count_answered(job, task.number)]
        # Most answers have none: nothing is written for them.
        remarks = remarks_of(task.number, worker, response)
        if not remarks.is_empty:
            changes = [*changes, put_remarks(job.name, remarks)]
        if task.failures and not task.dropped:
            changes = [*changes, forget_failure(job.name, task.number)]
        return after, changes

    update_task(ports, job, task.number, count, known=task)
    close_if_full(ports, job)
    return response
