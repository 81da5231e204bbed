"""Correct answers: a worker goes back to a task they answered and sends it with other labels.

A correction is an object of its own beside the first answer, and counts instead of it; an answer
that is merely sent again is none. Both are kept. The index holds first answers alone, so the
statistics in the portal are of those. Why so: docs/decisions/portal-corrections.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any, Literal

from tessera.portal.answer_body import is_same_answer
from tessera.portal.errors import Unknown
from tessera.portal.ports import Files, Ports
from tessera.portal.records import OPEN, Job, Task, WorkerCursor
from tessera.portal.remarks import remarks_of
from tessera.portal.table_layout import (
    put_remarks,
    read_cursor,
    read_job,
    read_task,
    read_tasks,
)
from tessera.portal.task_updates import require_index
from tessera.portal.worker_response import decode_or_empty, encode_correction

MAX_RECENT = 100
"""Tasks that a worker can go back to: as many numbers as fit into the half kilobyte by which they
make the cursor longer, which each claim writes."""


def recent_answers(cursor: WorkerCursor, worker: str, had: Iterable[Task]) -> tuple[int, ...]:
    """Return the last tasks that the worker answered, the oldest first.

    `had` are the tasks that they held when the cursor was written.
    """
    answered = [task.number for task in had if worker in task.answers]
    new = [number for number in answered if number not in cursor.recent]
    return (*cursor.recent, *new)[-MAX_RECENT:]


def answered_tasks(ports: Ports, job: Job, worker: str) -> list[int]:
    """Return the last tasks that the worker answered in a job, the newest first."""
    cursor = read_cursor(ports.table, job.name, worker)
    had = read_tasks(ports.table, job.name, cursor.held)
    return list(reversed(recent_answers(cursor, worker, had)))


def read_own_answer(ports: Ports, job: Job, worker: str, number: int) -> dict[str, Any]:
    """Return what counts of a worker's answers to a task; raises `Unknown` if there is none."""
    if worker not in read_task(ports.table, job.name, number).answers:
        raise Unknown("You have not answered this page.")
    return decode_or_empty(ports.files.get(counting_response(ports.files, job, number, worker)))


def counting_response(files: Files, job: Job, number: int, worker: str) -> str:
    """Return the URI of what counts of a worker's answers to a task: a correction's, if any."""
    corrections = _own_corrections(files, job, number, worker)
    return corrections[-1] if corrections else job.response(number, worker)


def correct(
    ports: Ports, job: Job, worker: str, number: int, answer: Mapping[str, Any]
) -> Literal["saved", "surplus"]:
    """Save a worker's correction of their answer to a task.

    Returns `saved` when it counts, however often it was sent, and `surplus` when the job has ended.
    Raises `Unknown` if the worker has not answered the task.
    """
    require_index(job)
    former = read_own_answer(ports, job, worker, number)
    if is_same_answer(former["answerContent"], answer):
        return "saved"
    if not job.takes_answers(ports.clock()):
        return "surplus"
    response = encode_correction(ports, worker, former, answer)
    first = len(_own_corrections(ports.files, job, number, worker)) + 1
    uris = (job.correction(number, worker, place) for place in count(first))
    # The next free place: two tabs may correct at the same moment.
    next(uri for uri in uris if ports.files.put_if_absent(uri, response))
    decoded = decode_or_empty(response)
    ports.table.write(put_remarks(job.name, remarks_of(number, worker, decoded)))
    # Read after it was written: of a job that is open now, nobody has collected the answers yet.
    is_open = read_job(ports.table, job.name).status == OPEN
    return "saved" if is_open else "surplus"


def last_corrections(files: Files, job: Job) -> dict[tuple[int, str], str]:
    """Return the URI of the last correction of each answer that has one, by task and worker."""
    last = {}
    for uri in files.list_uris(job.corrections):  # in key order, so the last one stays
        task, _, name = uri.removeprefix(job.corrections).partition("/")
        worker, _, place = name.removesuffix(".json").rpartition("-")
        if task.isdigit() and place.isdigit():
            last[int(task), worker] = uri
    return last


def _own_corrections(files: Files, job: Job, number: int, worker: str) -> list[str]:
    """Return the URIs of a worker's corrections of one task, the oldest first."""
    return list(files.list_uris(f"{job.corrections}{number}/{worker}-"))
