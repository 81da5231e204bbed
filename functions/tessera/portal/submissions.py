"""Submissions: an answer is an object in S3 first, then counted in the index, then "saved".

The object's name is the task's and the worker's, and S3 refuses to write it a second time, so a
double click, a retry, two tabs and a lost response end in one answer: the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from tessera.portal import records
from tessera.portal.answer_body import choices_in, credit, read_gold, timestamp
from tessera.portal.errors import Busy, Unknown
from tessera.portal.job_lifecycle import close_if_full
from tessera.portal.ports import Ports, worker_id
from tessera.portal.records import OPEN, REPAIRING, AnswerStats, Job, Task
from tessera.portal.store import Change
from tessera.portal.table_layout import (
    read_task,
    stats_key,
    stats_of,
    stripe_key,
    stripe_of,
    task_changes,
    task_key,
    task_of,
)

Outcome: TypeAlias = Literal["saved", "surplus"]

ANSWER_GRACE = 30.0
"""Seconds past its end that a lease still carries an answer; the object is written well before
the seat is given away (`records.GRACE`)."""

ATTEMPTS = 12


def submit(ports: Ports, job: Job, worker: str, number: int, answer: Mapping[str, Any]) -> Outcome:
    """`saved` when the answer is in S3 and counted; `surplus` when the task needs it no more."""
    if job.status == REPAIRING:
        raise Busy("This job is being put in order. Trying again.")
    items = ports.table.get(task_key(job.name, number), stats_key(job.name, worker))
    task, figures = task_of(items[0], number), stats_of(items[1])
    if worker in task.answers or _stored(ports, job, task, worker):
        count_answer(ports, job, worker, task)
        return "saved"
    if not task.had(worker) or worker in task.barred:
        raise Unknown("This page is not yours.")
    seated = _seat(ports, job, worker, task)
    if seated is None:
        return "surplus"
    response = write_response(ports, worker, seated.leases[worker].since, figures.last, answer)
    first = ports.files.put_if_absent(job.response(number, worker), response)
    count_answer(ports, job, worker, seated, response if first else None)
    return "saved"


def _stored(ports: Ports, job: Job, task: Task, worker: str) -> bool:
    """Whether the answer is in S3 though the index knows of no seat: it lost its memory."""
    if worker in task.leases:
        return False  # the ordinary case: the write itself will say
    return ports.files.size(job.response(task.number, worker)) is not None


def _seat(ports: Ports, job: Job, worker: str, task: Task) -> Task | None:
    """The task with a seat that is the worker's long enough to write; nothing if none is left."""
    for _ in range(ATTEMPTS):
        now = ports.clock()
        if worker in task.answers:
            return task
        if worker in task.leases and now < task.leases[worker].until + ANSWER_GRACE:
            return task if job.status == OPEN and now < job.closes + ANSWER_GRACE else None
        if job.status != OPEN or now >= job.closes:
            return None
        if worker not in task.leases and not task.seats_left(job.workers):
            return None
        taken = ports.table.write(
            *task_changes(job, task, records.leased(task, worker, now, ANSWER_GRACE), now)
        )
        task = read_task(ports.table, job.name, task.number)
        if taken:
            return task
    raise Busy("Many workers are asking at once. Trying again.")


def write_response(
    ports: Ports, worker: str, since: float, last: float, answer: Mapping[str, Any]
) -> bytes:
    """The answer in Ground Truth's worker-response layout.

    A page that was fetched ahead is accepted when the worker has sent the one before.
    """
    now = ports.clock()
    began = min(max(since, last), now)
    response = {
        "acceptanceTime": timestamp(began),
        "submissionTime": timestamp(now),
        "timeSpentInSeconds": round(now - began, 3),
        "answerContent": answer,
        "workerId": worker_id(ports, worker),
        "workerMetadata": {
            "identityData": {"identityProviderType": "Cognito", "sub": worker},
        },
    }
    return msgspec.json.encode({"answers": [response]})


def count_answer(
    ports: Ports,
    job: Job,
    worker: str,
    task: Task,
    stored: bytes | None = None,
) -> None:
    """Count the worker's stored answer in the index, once, and close the job with the last one."""
    stored = stored or ports.files.get(job.response(task.number, worker))
    response = msgspec.json.decode(stored)["answers"][0]
    gold = read_gold(ports.files, job)
    for _ in range(ATTEMPTS):
        now = ports.clock()
        if worker in task.answers:
            break
        after = records.answered(task, worker, choices_in(response["answerContent"]))
        if ports.table.write(
            *task_changes(job, task, after, now),
            *stats_changes(job, credit(task, worker, response, gold), now),
            Change("add", stripe_key(job, stripe_of(job, task.number)), {"answered": 1}),
        ):
            break
        task = read_task(ports.table, job.name, task.number)
    else:
        raise Busy("Many workers are asking at once. Trying again.")
    close_if_full(ports, job)


def stats_changes(job: Job, credits: Mapping[str, AnswerStats], now: float) -> list[Change]:
    """The additions to the workers' figures; the one who answered is at work now."""
    return [
        Change(
            "add",
            stats_key(job.name, worker),
            msgspec.structs.asdict(credit),
            sets={"last": now} if credit.answers else {},
        )
        for worker, credit in credits.items()
    ]
