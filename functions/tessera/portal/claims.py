"""Claim a task: decide which one a worker gets next, and lease a seat at it.

The cost of a claim does not grow with the job. Tasks that others have started lie in a queue by
time; each worker has a cursor in it that passes what they had already. Else a counter deals a fresh
task. Last comes what the worker gave back. A seat is taken by one transaction on the task's version
and the worker's cursor, so two claims never get the same seat, and a worker never gets more tasks
at once than they may hold. Why so: docs/decisions/portal-claims-without-scans.md.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple
from zlib import crc32

from msgspec.structs import replace

from tessera.portal import records
from tessera.portal.corrections import recent_answers
from tessera.portal.errors import Busy, Closed
from tessera.portal.exclusions import excluded_tasks
from tessera.portal.first_offers import either, reserved_tasks
from tessera.portal.gold_uses import NO_GOLD_IMAGES, gold_of_tasks, gold_seen, note_gold
from tessera.portal.leases import running, sweep
from tessera.portal.ports import Ports
from tessera.portal.records import Job, Lease, Task, WorkerCursor
from tessera.portal.store import Change
from tessera.portal.table_layout import (
    Counts,
    QueueEntry,
    count_dealt,
    given_back_key,
    place_bits,
    put_cursor,
    read_counts,
    read_cursor,
    read_given_back,
    read_held,
    read_queue,
    read_task,
    read_tasks,
    stripe_size,
    stripes,
    task_at,
    task_changes,
    time_key,
)
from tessera.portal.task_updates import ATTEMPTS, CONTENDED, attempts, require_index

MAX_HELD = 4
"""Tasks a worker holds at a time: the one on their screen and the one fetched ahead, in two tabs. A
third tab gets none, so nobody keeps many seats from others."""

MAX_LEAD = 8
"""Tasks that a counter deals before those that are behind must follow: what is dealt at the same
time lies close together in the manifest, so that one read of it serves many
(docs/decisions/portal-manifest-in-blocks.md)."""

QUEUE_READS = (24, 500, 10_000)
"""Queue entries looked at in the reads of one claim; a cursor that passed so many goes on there
next time. Each has some 150 bytes: the usual first read costs one unit of DynamoDB, which is 4 KB,
and the rare last one passes what a worker did in days
(docs/decisions/portal-claims-without-scans.md)."""

CANDIDATES = 4
"""Tasks of the queue that are read together: others may have taken the first ones meanwhile."""

MAX_SEEN_PASSED = 64
"""Tasks of a counter that are passed because the worker has seen their gold images: with sixteen
counters a thousand tasks, in which every gold image of a run comes up that has as many."""

GIVEN_BACK_READ = 24
"""Tasks that a worker gave back, looked at in one claim: 4 KB of them, too."""

CURSOR_LAG = 5.0
"""Seconds before now that a cursor does not pass: an entry may become visible a little late, for
the servers that write the times of the queue have clocks of their own."""

CONTESTED = 3
"""Attempts after which a fresh task is tried before the queue, where others were faster so far: the
sixteen counters are asked by few at a time, the queue's first entries by all."""


class Claim(NamedTuple):
    """Seat of a worker at a task."""

    job: Job
    task: int
    lease: Lease


class Candidate(NamedTuple):
    """Task that the worker can have, with what else changes when they take it."""

    task: Task
    changes: tuple[Change, ...] = ()


def claim(
    ports: Ports,
    job: Job,
    worker: str,
    showing: Collection[int] = (),
    name: str = "",
    cursor: WorkerCursor | None = None,
    avoid: Collection[int] = (),
) -> Claim | None:
    """Lease a task to the worker besides those their page shows.

    That is one they hold already, or the next; None if there is none for them now. `name` is what
    requesters see of the worker; `cursor` is theirs, if it was just read; `avoid` are tasks that
    they gave back just now. Raises `Closed` or, if others were faster each time, `Busy`.
    """
    excluded = excluded_tasks(ports, job, worker)
    reserved, reserved_until = reserved_tasks(ports, job, worker)
    for attempt in attempts(ports):
        now = ports.clock()
        require_index(job)
        if not job.takes_answers(now):
            raise Closed("This job takes no more answers.")
        sweep(ports, job, now)  # first, so that a seat which lapsed is free for this very claim
        cursor = cursor or read_cursor(ports.table, job.name, worker)
        tasks, counts = read_held(ports.table, job, cursor.held)
        held = running(tasks, worker, now)
        # A page that was reloaded, or whose response got lost, asks again for what it holds.
        for task in held:
            if task.number not in showing:
                return Claim(job, task.number, task.leases[worker])
        if len(held) >= MAX_HELD:
            return None
        tasks_gold = gold_of_tasks(ports, job)
        search = Search(
            ports=ports,
            job=job,
            worker=worker,
            excluded=excluded,
            avoid=avoid,
            tasks_gold=tasks_gold,
            seen=gold_seen(cursor),
            counts=counts,
            now=now,
            attempt=attempt,
            reserved=reserved,
            reserved_until=reserved_until,
        )
        position, candidate = search.next_task(cursor.position)
        moved = replace(
            cursor,
            name=name or cursor.name,
            position=position,
            held=tuple(task.number for task in held),
            recent=recent_answers(cursor, worker, tasks),
        )
        if candidate is None:
            if position != cursor.position:  # what was passed is not looked at again next time
                ports.table.write(put_cursor(job.name, worker, moved))
            return None
        if tasks_gold:
            moved = note_gold(moved, tasks_gold[candidate.task.number])
        if lease := _lease(ports, job, worker, moved, candidate, now):
            return Claim(job, candidate.task.number, lease)
        cursor = None  # the next attempt must read what the faster request wrote
    raise Busy(CONTENDED)


def _lease(
    ports: Ports, job: Job, worker: str, cursor: WorkerCursor, candidate: Candidate, now: float
) -> Lease | None:
    """Lease the candidate to the worker in one transaction; None if another request was faster."""
    task = records.lease_seat(candidate.task, worker, now, job.seconds)
    holding = replace(cursor, held=(*cursor.held, task.number))
    changes = task_changes(job, candidate.task, task, now)
    written = ports.table.write(put_cursor(job.name, worker, holding), *changes, *candidate.changes)
    return task.leases[worker] if written else None


@dataclass(frozen=True, kw_only=True)
class Search:
    """Search for a worker's next task, at one moment, in one attempt at it.

    `excluded` has a byte for each task, 1 for one that the worker may not have; `tasks_gold` has
    the gold images of each task if tasks share some, `seen` are those that the worker has seen.
    `reserved` has a byte for each task, 1 for one that others are offered first, until
    `reserved_until`.
    """

    ports: Ports
    job: Job
    worker: str
    excluded: bytes
    avoid: Collection[int]
    tasks_gold: Sequence[frozenset[int]]
    seen: frozenset[int]
    counts: Counts
    now: float
    attempt: int
    reserved: bytes = b""
    reserved_until: float = 0.0

    def next_task(self, position: str) -> tuple[str, Candidate | None]:
        """Return the cursor's new position in the queue, and the task to try for.

        Tasks with gold images that the worker has seen come after all others. A worker who found
        the queue contested several times looks for a fresh task first.
        """
        passes = self._passes()
        fresh = self._first_of(search._fresh for search in passes) if self._is_contested else None
        if fresh:
            return position, fresh
        position, entries = self._queued(position)
        candidate = self._first_of(partial(search._among, entries) for search in passes)
        return position, candidate or self._given_back()

    @property
    def _is_contested(self) -> bool:
        """Return whether others were faster at the queue's tasks so far."""
        return self.attempt >= CONTESTED

    def _passes(self) -> list[Search]:
        """Return the searches to make: for what is offered to the worker first, then for all.

        As long as others wait for the rest, that is not looked for.
        """
        if not self.reserved:
            return [self]
        own = dataclasses.replace(self, excluded=either(self.excluded, self.reserved))
        return [own, self] if self.now >= self.reserved_until else [own]

    @staticmethod
    def _first_of(searches: Iterable[Callable[[], Candidate | None]]) -> Candidate | None:
        """Return what the first search that has a candidate comes to."""
        return next((candidate for search in searches if (candidate := search())), None)

    def _among(self, entries: list[QueueEntry]) -> Candidate | None:
        """Return one of the queue's entries or a fresh task; last, with gold images seen before."""
        new = [entry for entry in entries if self._is_new(entry)]
        unseen = [entry for entry in new if not self._was_seen(entry.task)]
        candidate = self._started(unseen) or self._fresh()
        if candidate is None and self.seen:
            rest = [entry for entry in new if self._was_seen(entry.task)]
            candidate = (
                self._started(rest) or dataclasses.replace(self, seen=NO_GOLD_IMAGES)._fresh()
            )
        return candidate

    def _was_seen(self, task: int) -> bool:
        """Return whether the worker has seen a gold image of the task."""
        return bool(self.seen) and not self.seen.isdisjoint(self.tasks_gold[task])

    def _queued(self, position: str) -> tuple[str, list[QueueEntry]]:
        """Return the cursor's new position, and tasks that others have started, with free seats."""
        table, latest = self.ports.table, time_key(self.now - CURSOR_LAG)
        after = position
        new: list[QueueEntry] = []
        for limit in QUEUE_READS:
            entries = read_queue(table, self.job.name, after=after, limit=limit)
            new = [entry for entry in entries if self._is_new(entry)]
            first_new = new[0].sort if new else None
            for entry in entries:
                if entry.sort == first_new or entry.sort > latest:
                    break
                position = entry.sort
            if new or len(entries) < limit:
                break
            after = entries[-1].sort
        return position, new

    def _started(self, entries: list[QueueEntry]) -> Candidate | None:
        """Return one of the tasks that others have started, if it still has a free seat."""
        # Workers spread over the first entries, so that they do not all ask for the same one.
        first = self._spread(self.worker, min(len(entries), QUEUE_READS[0]))
        nearest = (entries[first:] + entries[:first])[:CANDIDATES]
        # Other workers may have taken the seat since the entry was read.
        numbers = tuple(entry.task for entry in nearest)
        for task in read_tasks(self.ports.table, self.job.name, numbers):
            if task.free_seats(self.job.workers) and self.worker not in task.known_to:
                return Candidate(task)
        return None

    def _is_new(self, entry: QueueEntry) -> bool:
        """Return whether the worker may have the task of an entry, and never had."""
        is_excluded = bool(self.excluded) and bool(self.excluded[entry.task])
        return self.worker not in entry.known_to and not is_excluded

    def _fresh(self) -> Candidate | None:
        """Return a task that nobody had yet, dealt by one of the counters that are not ahead.

        A counter passes tasks that were answered before it came to them, by workers whose seats
        were lost with the index: those that have a free seat wait in the queue.
        """
        counts = self.counts
        for _ in range(ATTEMPTS):
            number, change = self._deal(counts)
            if change is None:
                return None
            # The first attempt trusts the counter: the lease fails if somebody has the task.
            if not self.attempt:
                return Candidate(Task(number), (change,))
            task = read_task(self.ports.table, self.job.name, number)
            if not task.version:
                return Candidate(task, (change,))
            self.ports.table.write(change)
            counts = read_counts(self.ports.table, self.job)
        return None

    def _deal(self, counts: Counts) -> tuple[int, Change | None]:
        """Return the next task of a counter and the change that deals it; None if all are dealt."""
        places = {stripe: self._next_place(counts, stripe) for stripe in counts.dealt}
        unfinished = [stripe for stripe, place in places.items() if place is not None]
        if not unfinished:
            return 0, None
        furthest = min(counts.dealt[stripe] for stripe in unfinished) + MAX_LEAD
        near = [stripe for stripe in unfinished if counts.dealt[stripe] < furthest]
        # Another counter each time, or some would lag behind.
        stripe = near[self._spread(f"{self.worker} {sum(counts.dealt.values())}", len(near))]
        # Whoever read the same count gets the same number; `count_dealt` lets one of them have it.
        place = places[stripe] or 0
        return task_at(self.job, stripe, place), count_dealt(self.job, stripe, counts, place)

    def _next_place(self, counts: Counts, stripe: int) -> int | None:
        """Return the first place of a stripe that was not dealt and that the worker may have."""
        size = stripe_size(self.job, stripe)
        if not self.excluded and not self.seen and stripe not in counts.ahead:
            return counts.dealt[stripe] if counts.dealt[stripe] < size else None
        taken = counts.dealt_bits(stripe)
        if self.excluded:
            taken |= place_bits(self.excluded[stripe :: len(stripes(self.job))])
        for _ in range(MAX_SEEN_PASSED):
            place = (~taken & taken + 1).bit_length() - 1  # the lowest bit that is not set
            if place >= size:
                return None
            if not self._was_seen(task_at(self.job, stripe, place)):
                return place
            taken |= 1 << place
        return None

    def _given_back(self) -> Candidate | None:
        """Return a task that the worker gave back and that still has a free seat."""
        table, job = self.ports.table, self.job.name
        numbers = read_given_back(table, job, self.worker, limit=GIVEN_BACK_READ)
        numbers = [number for number in numbers if number not in self.avoid]
        for task in read_tasks(table, job, tuple(numbers)):
            forget = Change("delete", given_back_key(job, self.worker, task.number))
            if self.worker not in task.given_back:
                table.write(forget)  # it was answered meanwhile
            elif task.free_seats(self.job.workers):
                return Candidate(task, (forget,))
        return None

    def _spread(self, seed: str, count: int) -> int:
        """Return a number below `count`, another for each worker and attempt; 0 if it is 0."""
        return (crc32(seed.encode()) + self.attempt) % count if count else 0
