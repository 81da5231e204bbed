"""The index written anew from S3, where the answers are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from tessera.portal.answer_body import choices_in, credit, read_gold, seconds_of
from tessera.portal.errors import Busy
from tessera.portal.ports import Files, Ports
from tessera.portal.records import OPEN, REPAIRING, AnswerStats, Job, Task, WorkerStats
from tessera.portal.store import Change, Key, erase
from tessera.portal.table_layout import (
    given_back_key,
    item_of,
    job_key,
    stats_key,
    stripe_key,
    stripe_of,
    stripes,
    task_changes,
    task_of,
)

READ_BATCH = 400
"""Answers read at the same time and held in memory together."""

READERS = 32

WRITE_BATCH = 80
"""Changes of one write; the table takes 100."""


class Repaired(NamedTuple):
    """What the index holds now."""

    answers: int
    leases: int


def repair(ports: Ports, job: Job) -> Repaired:
    """What the index holds of the job now: every answer of S3, and the seats that were leased.

    Claims and answers are asked to come again meanwhile. Done twice, or after a repair that was
    broken off, it comes to the same.
    """
    paused = replace(job, status=REPAIRING, version=job.version + 1)
    if not ports.table.write(
        Change("put", job_key(job.name), item_of(paused), {"version": job.version})
    ):
        raise Busy(f"{job.name} is being changed by others")
    kept = _kept(ports, job)
    _erase(ports, job)
    answers = _rebuild(ports, job, dict(kept))
    back = OPEN if job.status == REPAIRING else job.status
    repaired = replace(job, status=back, version=paused.version + 1)
    _write(
        ports, [Change("put", job_key(job.name), item_of(repaired), {"version": paused.version})]
    )
    return Repaired(answers, sum(len(task.leases) for task in kept.values()))


def _kept(ports: Ports, job: Job) -> dict[int, Task]:
    """What S3 does not know: the tasks that workers have a seat at, gave back or may not have."""
    kept = {}
    for sort, item in ports.table.query(f"job#{job.name}#task"):
        task = task_of(item, int(sort))
        if task.leases or task.given_back or task.barred:
            kept[task.number] = task
    return kept


def _erase(ports: Ports, job: Job) -> None:
    """Remove all that the index holds of the job but the job itself and its workers' names."""
    workers = [worker for worker, _ in ports.table.query(f"job#{job.name}#place")]
    partitions = ["task", "figures", "lease", "queue", "stripe"]
    for partition in (*partitions, *(f"back#{worker}" for worker in workers)):
        name = f"job#{job.name}#{partition}"
        erase(ports.table, [Key(name, sort) for sort, _ in ports.table.query(name)])


def _rebuild(ports: Ports, job: Job, kept: dict[int, Task]) -> int:
    now = ports.clock()
    gold = read_gold(ports.files, job)
    figures: dict[str, WorkerStats] = defaultdict(WorkerStats)
    touched = bytearray(job.tasks)
    answered = dict.fromkeys(stripes(job), 0)
    total = 0
    changes: list[Change] = []
    for number, found in _answers(ports.files, job):
        task = Task(number)
        for worker, response in found:
            for name, added in credit(task, worker, response, gold).items():
                figures[name] = _sum(figures[name], added, response if name == worker else None)
            chosen = choices_in(response["answerContent"])
            task = replace(task, answers=task.answers | {worker: chosen})
        changes += _placed(job, _joined(task, kept.pop(number, task)), now)
        touched[number] = 1
        answered[stripe_of(job, number)] += len(found)
        total += len(found)
        if len(changes) > WRITE_BATCH:
            _write(ports, changes)
            changes = []
    for number, task in kept.items():
        changes += _placed(job, _joined(Task(number), task), now)
        touched[number] = 1
    for stripe in stripes(job):
        own = touched[stripe :: len(stripes(job))]
        dealt = own.rfind(1) + 1
        for place in range(dealt):  # dealt once, and nobody has it: it waits in the queue
            if not own[place]:
                changes += _placed(job, Task(stripe + place * len(stripes(job))), now)
        counts = {"dealt": dealt, "answered": answered[stripe], "excused": 0}
        changes.append(Change("put", stripe_key(job, stripe), counts))
    for worker, figure in figures.items():
        changes.append(Change("put", stats_key(job.name, worker), item_of(figure)))
    for start in range(0, len(changes), WRITE_BATCH):
        _write(ports, changes[start : start + WRITE_BATCH])
    return total


def _write(ports: Ports, changes: list[Change]) -> None:
    if changes and not ports.table.write(*changes):
        raise Busy("The index changed during the repair: an answer came in. Repair it again.")


def _joined(task: Task, kept: Task) -> Task:
    """A task's answers from S3 with the seats and returns that only the index knew."""
    return replace(
        task,
        leases={worker: seat for worker, seat in kept.leases.items() if worker not in task.answers},
        given_back={
            worker: when for worker, when in kept.given_back.items() if worker not in task.answers
        },
        barred=kept.barred,
    )


def _placed(job: Job, task: Task, now: float) -> list[Change]:
    """The items of a task that the index did not know."""
    backs = [
        Change("put", given_back_key(job.name, worker, task.number), {"task": task.number})
        for worker in task.given_back
    ]
    return [*task_changes(job, Task(task.number), task, now), *backs]


def _sum(figures: WorkerStats, added: AnswerStats, response: Any) -> WorkerStats:
    numbers = {
        name: getattr(figures, name) + number
        for name, number in msgspec.structs.asdict(added).items()
    }
    last = max(figures.last, seconds_of(response["submissionTime"])) if response else figures.last
    return WorkerStats(**numbers, last=last)


def _answers(files: Files, job: Job) -> Iterator[tuple[int, list[tuple[str, dict[str, Any]]]]]:
    """Each task that has answers, with them in the order they came."""

    def read(uri: str) -> tuple[int, str, dict[str, Any]]:
        task, _, name = uri.removeprefix(job.responses).partition("/")
        answer: dict[str, Any] = msgspec.json.decode(files.get(uri))["answers"][0]
        return int(task), name.removesuffix(".json"), answer

    def each() -> Iterator[tuple[int, str, dict[str, Any]]]:
        with ThreadPoolExecutor(READERS) as readers:
            uris = files.list_uris(job.responses)
            while stretch := list(islice(uris, READ_BATCH)):
                yield from readers.map(read, stretch)

    for number, found in groupby(each(), key=lambda answer: answer[0]):
        if number < job.tasks:
            by_time = sorted(found, key=lambda answer: (answer[2]["submissionTime"], answer[1]))
            yield number, [(worker, answer) for _, worker, answer in by_time]
