"""Submissions: an answer is an object in S3 first, then counted in the index, then "saved".

The object's name is the task's and the worker's, and S3 refuses to write it a second time, so a
double click, a retry, two tabs and a lost response end in one answer: the first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

import msgspec

from portal import records
from portal.errors import Busy, Invalid, TooLarge, Unknown
from portal.index import (
    figures_key,
    figures_of,
    moved,
    read_counts,
    read_job,
    read_task,
    stripe_key,
    stripe_of,
)
from portal.jobs import finish
from portal.outside import Outside
from portal.records import FULL, OPEN, Job, Task
from portal.store import Change

Outcome: TypeAlias = Literal["saved", "surplus"]

LARGEST = 512 * 1024
"""Bytes of an answer: a hundred pictures with all that the page measures take a tenth of it."""

SAFE = 30.0
"""Seconds past its end that a lease still carries an answer; the object is written well before
the seat is given away (`records.GRACE`)."""

ATTEMPTS = 12


def read_answer(body: bytes, indexes: Collection[str] | None, choices: Collection[str]) -> Any:
    """The answer in a request's body.

    With the task's indexes given, it must have exactly one true choice for each and no other; with
    the job's choices given, only those. Raises `Invalid` with a sentence, `TooLarge` by its size.

    >>> read_answer(b'{"7":{"cat":true,"dog":false},"meta":"{}"}', {"7"}, ("cat", "dog"))["7"]
    {'cat': True, 'dog': False}
    """
    if len(body) > LARGEST:
        raise TooLarge(f"The answer is longer than {LARGEST // 1024} KiB.")
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("The answer is not JSON.") from error
    if isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]  # crowd-form puts a list around its one object
    if not isinstance(answer, dict):
        raise Invalid("The answer is not a JSON object.")
    if indexes is not None:
        _check(answer, indexes, choices)
    return answer


def _check(answer: dict[str, Any], indexes: Collection[str], choices: Collection[str]) -> None:
    if not isinstance(answer.get("meta", ""), str):
        raise Invalid("The answer's meta is not text.")
    if strange := sorted(answer.keys() - set(indexes) - {"meta"}):
        raise Invalid(f"Picture {strange[0][:40]} is not on this page.")
    if missing := sorted(set(indexes) - answer.keys(), key=lambda index: (len(index), index)):
        raise Invalid(f"{len(missing)} of {len(indexes)} pictures have no answer.")
    for index in indexes:
        values = answer[index]
        if not isinstance(values, dict) or not all(type(v) is bool for v in values.values()):
            raise Invalid(f"Picture {index} has no choice among its answers.")
        if choices and values.keys() - set(choices):
            raise Invalid(f"Picture {index} has a choice that this job does not know.")
        if sum(values.values()) != 1:
            raise Invalid(f"Picture {index} needs exactly one choice.")


def choices_in(answer: Mapping[str, Any]) -> dict[str, str]:
    """The one choice of each picture, where there is one.

    >>> choices_in({"7": {"cat": True, "dog": False}, "meta": "{}"})
    {'7': 'cat'}
    """
    chosen = {}
    for index, values in answer.items():
        if isinstance(values, dict):
            true = [name for name, value in values.items() if value is True]
            if len(true) == 1:
                chosen[index] = true[0]
    return chosen


def submit(
    outside: Outside, job: Job, worker: str, number: int, answer: Mapping[str, Any]
) -> Outcome:
    """`saved` when the answer is in S3 and counted; `surplus` when the task needs it no more."""
    task = read_task(outside.table, job.name, number)
    if worker in task.answers or _stored(outside, job, task, worker):
        take_in(outside, job, worker, number)
        return "saved"
    if not task.had(worker):
        raise Unknown("This page is not yours.")
    seated = _seat(outside, job, worker, number)
    if seated is None:
        return "surplus"
    figures = figures_of(outside.table.get(figures_key(job.name, worker))[0])
    response = write_response(outside, worker, seated.leases[worker].since, figures.last, answer)
    first = outside.files.create(job.response(number, worker), response)
    take_in(outside, job, worker, number, response if first else None)
    return "saved"


def _stored(outside: Outside, job: Job, task: Task, worker: str) -> bool:
    """Whether the answer is in S3 though the index knows of no seat: it lost its memory."""
    if worker in task.leases:
        return False  # the ordinary case: the write itself will say
    return outside.files.size(job.response(task.number, worker)) is not None


def _seat(outside: Outside, job: Job, worker: str, number: int) -> Task | None:
    """The task with a seat that is the worker's long enough to write; nothing if none is left."""
    for _ in range(ATTEMPTS):
        now = outside.clock()
        task = read_task(outside.table, job.name, number)
        if worker in task.answers:
            return task
        if worker in task.leases and now < task.leases[worker].until + SAFE:
            return task if job.status == OPEN and now < job.closes + SAFE else None
        if job.status != OPEN or now >= job.closes:
            return None
        if worker not in task.leases and not task.free(job.workers):
            return None
        if outside.table.write(*moved(job, task, records.leased(task, worker, now, SAFE), now)):
            return read_task(outside.table, job.name, number)
    raise Busy("Many workers are asking at once. Trying again.")


def write_response(
    outside: Outside, worker: str, since: float, last: float, answer: Mapping[str, Any]
) -> bytes:
    """The answer in Ground Truth's worker-response layout.

    A page that was fetched ahead is accepted when the worker has sent the one before.
    """
    now = outside.clock()
    began = min(max(since, last), now)
    response = {
        "acceptanceTime": timestamp(began),
        "submissionTime": timestamp(now),
        "timeSpentInSeconds": round(now - began, 3),
        "answerContent": answer,
        "workerId": f"private.{outside.region}.{worker}",
        "workerMetadata": {
            "identityData": {"identityProviderType": "Cognito", "sub": worker},
        },
    }
    return msgspec.json.encode({"answers": [response]})


def timestamp(when: float) -> str:
    """A moment as Ground Truth writes it.

    >>> timestamp(1700000000.25)
    '2023-11-14T22:13:20.250Z'
    """
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def take_in(
    outside: Outside,
    job: Job,
    worker: str,
    number: int,
    stored: bytes | None = None,
) -> None:
    """Count the worker's stored answer in the index, once, and close the job with the last one."""
    stored = stored or outside.files.read(job.response(number, worker))
    response = msgspec.json.decode(stored)["answers"][0]
    for _ in range(ATTEMPTS):
        now = outside.clock()
        task = read_task(outside.table, job.name, number)
        if worker in task.answers:
            break
        after = records.answered(task, worker, choices_in(response["answerContent"]))
        if outside.table.write(
            *moved(job, task, after, now), *_figures(job, task, worker, response, now)
        ):
            break
    else:
        raise Busy("Many workers are asking at once. Trying again.")
    close_if_full(outside, job)


def close_if_full(outside: Outside, job: Job) -> None:
    """Close the job if no seat is left to answer."""
    counts = read_counts(outside.table, job)
    if job.status == OPEN and counts.complete(job):
        finish(outside, read_job(outside.table, job.name), FULL)


def _figures(
    job: Job, task: Task, worker: str, response: Mapping[str, Any], now: float
) -> list[Change]:
    """What an accepted answer adds to the job's counter and to the workers' figures."""
    mine = choices_in(response["answerContent"])
    changes = []
    compared = agreed = 0
    for other, theirs in task.answers.items():
        both = mine.keys() & theirs.keys()
        same = sum(mine[index] == theirs[index] for index in both)
        compared, agreed = compared + len(both), agreed + same
        if both:
            added = {"compared": len(both), "agreed": same}
            changes.append(Change("add", figures_key(job.name, other), added))
    added_by_me = {
        "answers": 1,
        "images": len(mine),
        "seconds": float(response.get("timeSpentInSeconds", 0.0)),
        "compared": compared,
        "agreed": agreed,
    }
    return [
        *changes,
        Change("add", figures_key(job.name, worker), added_by_me, sets={"last": now}),
        Change("add", stripe_key(job, stripe_of(job, task.number)), {"answered": 1}),
    ]
