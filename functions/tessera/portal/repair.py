"""Rebuild a job's index from S3, where the answers are.

Why the table may be lost and the answers not: docs/decisions/portal-answers-are-objects.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any, NamedTuple

from msgspec.structs import replace

from tessera.portal.answer_body import choices_in
from tessera.portal.corrections import last_corrections
from tessera.portal.errors import Busy
from tessera.portal.ports import PARALLEL_READS, Files, Ports
from tessera.portal.records import OPEN, REPAIRING, Job, Task, WorkerStats
from tessera.portal.remarks import remarks_of
from tessera.portal.store import ABSENT, MAX_CHANGES, Change, erase
from tessera.portal.table_layout import (
    all_tasks,
    index_keys,
    item_of,
    open_key,
    place_bits,
    put_given_back,
    put_job,
    put_remarks,
    put_stripe,
    stats_key,
    stripe_of,
    stripes,
    task_changes,
)
from tessera.portal.worker_response import decode_or_empty, seconds_of
from tessera.portal.worker_stats import read_gold, stats_of_answer

READ_BATCH = 400
"""Answers read at the same time and held in memory together: a few MB."""


REBUILDS = 5
"""Times that an index is rebuilt before giving up: only requests that began before the repair can
disturb it, and they last 30 seconds at most."""


class IndexChanged(Exception):
    """Item that was written while its index was being rebuilt."""


class Repaired(NamedTuple):
    """Numbers of answers and leases that the index holds after a repair."""

    answers: int
    leases: int


def repair(ports: Ports, job: Job) -> Repaired:
    """Rebuild what the index holds of the job: every answer of S3, and the seats that were leased.

    Claims and answers are asked to come again meanwhile. What a request that began before writes
    into the index makes the rebuild begin anew, with its answer. Done twice, or after a repair that
    was broken off, it comes to the same. Raises `Busy` if the job is changed meanwhile, by another
    repair of it perhaps.
    """
    paused = _pause(ports, job)
    kept: dict[int, Task] = {}
    for _ in range(REBUILDS):
        # Before anything is erased: the table alone knows these.
        kept |= {t.number: t for t in all_tasks(ports.table, job.name) if _worth_keeping(t, kept)}
        while keys := index_keys(ports.table, job.name):  # a claim may end meanwhile and add some
            erase(ports.table, keys)
        try:
            answers = _Rebuild(ports, job).run(kept)
        except IndexChanged:
            continue
        # Last: until here claims and answers are asked to come again.
        if not ports.table.write(*_resume(paused)):
            raise Busy(f"{job.name} is being changed by others")
        return Repaired(answers, sum(len(task.leases) for task in kept.values()))
    raise Busy(f"Answers come in faster than {job.name} can be put in order. Repair it again.")


def _pause(ports: Ports, job: Job) -> Job:
    """Write the job as one that is being repaired, on the list, and return it."""
    after = job.repaired_as if job.status == REPAIRING else job.status
    now = ports.clock()
    # Leases are kept by this process alone while it repairs: if it dies, they are lost.
    paused = replace(
        job,
        status=REPAIRING,
        repairing=now,
        repaired_as=after,
        rebuilt=now,
        version=job.version + 1,
    )
    entry = Change("put", open_key(job.name), {"team": job.team})
    if not ports.table.write(put_job(paused, job), entry):
        raise Busy(f"{job.name} is being changed by others")
    return paused


def _resume(paused: Job) -> list[Change]:
    """Return the changes that give a job the status it had before its repair."""
    job = replace(paused, status=paused.repaired_as, repairing=0.0, version=paused.version + 1)
    ended = job.status != OPEN and job.announced
    return [put_job(job, paused), *([Change("delete", open_key(job.name))] if ended else [])]


def _worth_keeping(task: Task, kept: Mapping[int, Task]) -> bool:
    """Return whether the index holds of a task what neither S3 nor `kept` knows."""
    return task.number not in kept and bool(task.leases or task.given_back or task.excluded)


@dataclass
class _Rebuild:
    """Index in the making: changes to write, and sums that are written at the end."""

    ports: Ports
    job: Job
    changes: list[Change] = field(default_factory=list)
    stats: dict[str, WorkerStats] = field(default_factory=lambda: defaultdict(WorkerStats))
    answered: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    count: int = 0

    def __post_init__(self) -> None:
        """Read the gold labels, and start with no task touched."""
        self.now = self.ports.clock()
        self.gold = read_gold(self.ports.files, self.job)
        self.touched = bytearray(self.job.tasks)
        self.corrections = last_corrections(self.ports.files, self.job)

    def run(self, kept: dict[int, Task]) -> int:
        """Write the items of all tasks that somebody had; return the number of their answers."""
        rest = dict(kept)
        for number, answers in _answers(self.ports.files, self.job):
            self._put_task(_joined(self._answered_task(number, answers), rest.pop(number, None)))
        for number, task in rest.items():
            self._put_task(_joined(Task(number), task))
        for stripe in stripes(self.job):
            self._put_stripe(stripe)
        for worker, stats in self.stats.items():
            key = stats_key(self.job.name, worker)
            self._put(Change("put", key, item_of(stats), ABSENT))
        _write(self.ports, self.changes)
        return self.count

    def _answered_task(self, number: int, answers: list[tuple[str, dict[str, Any]]]) -> Task:
        """Return a task with its answers, in the order they came, and add them to the sums."""
        task = Task(number)
        # In the order they came, as they were counted: each is compared with those before it.
        for worker, response in answers:
            sets = self.job.is_multi
            added_by = stats_of_answer(task, worker, response, self.gold, sets=sets)
            for name, added in added_by.items():
                last = seconds_of(response["submissionTime"]) if name == worker else 0.0
                self.stats[name] = self.stats[name].plus(added, last)
            choices = choices_in(response["answerContent"], sets=sets)
            task = replace(task, answers=task.answers | {worker: choices})
            self._put_remarks(number, worker, response)
        self.count += len(answers)
        # What is more than was asked fills no seat, as when it is counted one by one.
        self.answered[stripe_of(self.job, number)] += min(len(answers), self.job.workers)
        return task

    def _put_remarks(self, number: int, worker: str, response: dict[str, Any]) -> None:
        """Put what a worker remarked, in their correction if there is one; nothing for nothing."""
        if uri := self.corrections.get((number, worker)):
            response = decode_or_empty(self.ports.files.get(uri))
        remarks = remarks_of(number, worker, response)
        if not remarks.is_empty:
            self._put(put_remarks(self.job.name, remarks))

    def _put_task(self, task: Task) -> None:
        """Put a task that the index does not know, with all that follows from it."""
        self.touched[task.number] = 1
        self._put(
            *task_changes(self.job, Task(task.number), task, self.now),
            *(put_given_back(self.job.name, worker, task.number) for worker in task.given_back),
        )

    def _put_stripe(self, stripe: int) -> None:
        """Put a stripe's counters: those of its tasks that were touched count as dealt.

        A task that nobody has was perhaps dealt once; it is dealt again like a fresh one.
        """
        own = self.touched[stripe :: len(stripes(self.job))]
        dealt_bits = place_bits(own)
        answered = self.answered[stripe]
        self._put(put_stripe(self.job, stripe, dealt_bits=dealt_bits, answered=answered))

    def _put(self, *changes: Change) -> None:
        # All changes of one task in one write, as always.
        if len(self.changes) + len(changes) > MAX_CHANGES:
            _write(self.ports, self.changes)
            self.changes = []
        self.changes += changes


def _write(ports: Ports, changes: list[Change]) -> None:
    """Write changes of items that do not exist; raises `IndexChanged` if one of them does."""
    if changes and not ports.table.write(*changes):
        raise IndexChanged


def _joined(task: Task, kept: Task | None) -> Task:
    """Return a task's answers from S3 with the seats and returns that only the index knew."""
    if kept is None:
        return task
    return replace(
        task,
        leases={worker: seat for worker, seat in kept.leases.items() if worker not in task.answers},
        given_back={
            worker: when for worker, when in kept.given_back.items() if worker not in task.answers
        },
        excluded=kept.excluded,
    )


def _answers(files: Files, job: Job) -> Iterator[tuple[int, list[tuple[str, dict[str, Any]]]]]:
    """Yield each task that has answers, with workers and answers in the order they came."""

    def read(uri: str) -> tuple[int, str, dict[str, Any]]:
        task, _, name = uri.removeprefix(job.responses).partition("/")
        return int(task), name.removesuffix(".json"), decode_or_empty(files.get(uri))

    def read_all() -> Iterator[tuple[int, str, dict[str, Any]]]:
        uris = files.list_uris(job.responses)
        with ThreadPoolExecutor(PARALLEL_READS) as readers:
            while batch := list(islice(uris, READ_BATCH)):
                yield from readers.map(read, batch)

    for number, group in groupby(read_all(), key=lambda answer: answer[0]):
        if number < job.tasks:  # else somebody put it there by hand
            by_time = sorted(group, key=lambda answer: (answer[2]["submissionTime"], answer[1]))
            yield number, [(worker, answer) for _, worker, answer in by_time]
