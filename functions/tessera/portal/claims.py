"""Claims: which task a worker gets next, and how long the seat is kept.

The cost of a claim does not grow with the job. Tasks that others have started lie in a queue by
time; each worker has a cursor in it that passes what he already had. Else a counter deals a fresh
task. Last comes what the worker himself gave back. A seat is taken by one transaction on the
task's version and the worker's place, so two claims never get the same seat, and a worker never
gets more tasks at once than he may hold.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Literal, NamedTuple
from zlib import crc32

from msgspec.structs import replace

from tessera.portal import records
from tessera.portal.errors import Busy, Closed, Unknown
from tessera.portal.job_lifecycle import close_if_full, open_jobs
from tessera.portal.ports import Ports
from tessera.portal.records import OPEN, REPAIRING, Job, Lease, Task, WorkerCursor
from tessera.portal.store import Change, Item, Key
from tessera.portal.submissions import count_answer
from tessera.portal.table_layout import (
    cursor_key,
    cursor_of,
    given_back_key,
    job_key,
    job_of,
    moment,
    read_counts,
    read_task,
    removed_key,
    stripe_key,
    stripe_of,
    stripe_size,
    task_changes,
    task_key,
    task_of,
    versioned,
)

MAX_HELD = 2
"""Tasks a worker holds at a time: the one in front of him and the one fetched ahead."""

ATTEMPTS = 12
"""Times a claim is tried anew when others were faster."""

MAX_LEAD = 8
"""Tasks that a counter deals before those that are behind must follow: what is dealt at the same
time lies close together in the manifest, so that one read of it serves many."""

PAGE = 24
"""Queue entries looked at in one read."""

MAX_READS = 4
"""Reads of the queue in one claim; a cursor that passed so many goes on there next time."""

CURSOR_LAG = 5.0
"""Seconds before now that a cursor does not pass: an entry may become visible a little late."""


class Claim(NamedTuple):
    """A worker's seat at a task."""

    job: Job
    task: int
    lease: Lease


class Candidate(NamedTuple):
    """A task that the worker can have, with what else changes when he takes it."""

    task: Task
    changes: tuple[Change, ...] = ()


def job_for(ports: Ports, name: str, worker: str, groups: Collection[str]) -> Job:
    """The job, if this worker may see it."""
    job_item, removed = ports.table.get(job_key(name), removed_key(worker))
    job = job_of(job_item)
    if removed is not None or (job.team and job.team not in groups):
        raise Unknown("There is no such job.")
    return job


def require_active(ports: Ports, worker: str) -> None:
    """Refuse a worker who was removed; his token holds for a while yet."""
    if ports.table.get(removed_key(worker))[0] is not None:
        raise Unknown("You are no longer on this portal.")


def claim(
    ports: Ports, job: Job, worker: str, showing: Collection[int] = (), name: str = ""
) -> Claim | None:
    """A task for the worker besides those his page shows: one he holds, or the next; or none."""
    for attempt in range(ATTEMPTS):
        now = ports.clock()
        if job.status == REPAIRING:
            raise Busy("This job is being put in order. Trying again.")
        if job.status != OPEN or now >= job.closes:
            raise Closed("This job takes no more answers.")
        sweep(ports, job, now)
        place = cursor_of(ports.table.get(cursor_key(job.name, worker))[0])
        place = replace(place, name=name or place.name)
        held = _living(ports, job, worker, place, now)
        for task in held:
            if task.number not in showing:
                return Claim(job, task.number, task.leases[worker])
        if len(held) >= MAX_HELD:
            return None
        taken = _take(ports, job, worker, place, held, now, attempt)
        if taken is not False:
            return taken
    raise Busy("Many workers are asking at once. Trying again.")


def _take(
    ports: Ports,
    job: Job,
    worker: str,
    place: WorkerCursor,
    held: list[Task],
    now: float,
    attempt: int,
) -> Claim | Literal[False] | None:
    """The claim; false when somebody else was faster, nothing when there is no task."""
    cursor, found = _look(ports, job, worker, place, now, attempt)
    standing = versioned(
        cursor_key(job.name, worker),
        replace(
            place,
            cursor=cursor,
            held=(*(task.number for task in held), *([found.task.number] if found else [])),
        ),
    )
    if found is None:
        if cursor != place.cursor:
            ports.table.write(standing)
        return None
    task = records.leased(found.task, worker, now, job.seconds)
    changes = task_changes(job, found.task, task, now)
    if ports.table.write(standing, *changes, *found.changes):
        return Claim(job, task.number, task.leases[worker])
    return False


def _living(ports: Ports, job: Job, worker: str, place: WorkerCursor, now: float) -> list[Task]:
    """The tasks whose seat the worker still has."""
    if not place.held:
        return []
    items = ports.table.get(*(task_key(job.name, number) for number in place.held))
    tasks = [task_of(item, number) for item, number in zip(items, place.held, strict=True)]
    return [task for task in tasks if worker in task.leases and now < task.leases[worker].until]


def _look(
    ports: Ports, job: Job, worker: str, place: WorkerCursor, now: float, attempt: int
) -> tuple[str, Candidate | None]:
    """The worker's cursor and the task to try for.

    A worker who found the queue contested three times looks for a fresh task first.
    """
    fresh = _fresh(ports, job, worker, attempt) if attempt >= 3 else None
    if fresh:
        return place.cursor, fresh
    cursor, found = _started(ports, job, worker, place, now, attempt)
    return cursor, found or _fresh(ports, job, worker, attempt) or _again(ports, job, worker)


def _started(
    ports: Ports, job: Job, worker: str, place: WorkerCursor, now: float, attempt: int
) -> tuple[str, Candidate | None]:
    """A task that others have started and that still has a free seat."""
    cursor, safe = place.cursor, moment(now - CURSOR_LAG)
    looked = cursor
    for _ in range(MAX_READS):
        page = ports.table.query(f"job#{job.name}#queue", after=looked, limit=PAGE)
        can = [entry for _, entry in page if worker not in entry["had"]]
        for sort, entry in page:
            if worker not in entry["had"] or sort > safe:
                break
            cursor = sort
        # Workers spread over the first entries, so that they do not all ask for the same one.
        first = (crc32(worker.encode()) + attempt) % len(can) if can else 0
        for entry in can[first:] + can[:first]:
            task = read_task(ports.table, job.name, int(entry["task"]))
            if task.seats_left(job.workers) and not task.had(worker):
                return cursor, Candidate(task)
        if can or len(page) < PAGE:
            break
        looked = page[-1][0]
    return cursor, None


def _fresh(ports: Ports, job: Job, worker: str, attempt: int) -> Candidate | None:
    """A task that nobody had yet, dealt by one of the job's counters that are not ahead."""
    dealt = read_counts(ports.table, job).dealt
    open_stripes = [stripe for stripe in dealt if dealt[stripe] < stripe_size(job, stripe)]
    if not open_stripes:
        return None
    furthest = min(dealt[stripe] for stripe in open_stripes) + MAX_LEAD
    near = [stripe for stripe in open_stripes if dealt[stripe] < furthest]
    seed = f"{worker} {sum(dealt.values())}"  # another counter each time, or some would lag behind
    stripe = near[(crc32(seed.encode()) + attempt) % len(near)]
    count = dealt[stripe]
    task = read_task(ports.table, job.name, stripe + count * len(dealt))
    deal = Change("add", stripe_key(job, stripe), {"dealt": 1}, {"dealt": count})
    return Candidate(task, (deal,))


def _again(ports: Ports, job: Job, worker: str) -> Candidate | None:
    """A task that the worker gave back and that still has a free seat."""
    for _, item in ports.table.query(f"job#{job.name}#back#{worker}", limit=PAGE):
        task = read_task(ports.table, job.name, int(item["task"]))
        gone = Change("delete", given_back_key(job.name, worker, task.number))
        if worker not in task.given_back:
            ports.table.write(gone)
        elif task.seats_left(job.workers):
            return Candidate(task, (gone,))
    return None


def renew(ports: Ports, job: Job, worker: str, number: int) -> Lease:
    """The worker's lease, made to last its full time again."""
    for _ in range(ATTEMPTS):
        now = ports.clock()
        task = read_task(ports.table, job.name, number)
        if worker not in task.leases:
            raise Unknown("This page has gone to somebody else.")
        after = records.renewed(task, worker, now, job.seconds)
        if after == task or ports.table.write(*task_changes(job, task, after, now)):
            return after.leases[worker]
    raise Busy("Many workers are asking at once. Trying again.")


def give_back(ports: Ports, job: Job, worker: str, number: int) -> None:
    """Let the worker's seat go to another; nothing happens if he has none."""
    for _ in range(ATTEMPTS):
        now = ports.clock()
        task = read_task(ports.table, job.name, number)
        if worker not in task.leases or release(ports, job, task, worker, now):
            return
    raise Busy("Many workers are asking at once. Trying again.")


def release(ports: Ports, job: Job, task: Task, worker: str, now: float) -> bool:
    """Whether the worker's seat was freed, with the task noted as one he may get again."""
    after = records.returned(task, worker)
    noted = Change("put", given_back_key(job.name, worker, task.number), {"task": task.number})
    return ports.table.write(*task_changes(job, task, after, now), noted)


def block_worker(ports: Ports, worker: str) -> int:
    """Shut a worker out at once; the seats he had, counted, go to others, and his answers stay."""
    ports.table.write(Change("put", removed_key(worker), {"since": ports.clock()}))
    freed = 0
    for job in open_jobs(ports):
        place = cursor_of(ports.table.get(cursor_key(job.name, worker))[0])
        for task in _living(ports, job, worker, place, ports.clock()):
            give_back(ports, job, worker, task.number)
            freed += 1
    return freed


def exclude(ports: Ports, job: Job, worker: str, number: int) -> None:
    """Keep the worker from a task: he has answered one of its images in an earlier round."""
    for _ in range(ATTEMPTS):
        task = read_task(ports.table, job.name, number)
        after = records.barred(task, worker)
        if worker in task.barred or ports.table.write(
            *task_changes(job, task, after, ports.clock())
        ):
            return
    raise Busy("Many workers are asking at once. Trying again.")


def drop_task(ports: Ports, job: Job, number: int) -> None:
    """Take a task out of the job: its pre-annotation function keeps it from people."""
    for _ in range(ATTEMPTS):
        task = read_task(ports.table, job.name, number)
        if task.excused:
            return
        after = replace(task, excused=True, leases={})
        spared = job.workers - len(task.answers)
        counted = Change("add", stripe_key(job, stripe_of(job, number)), {"excused": spared})
        if ports.table.write(*task_changes(job, task, after, ports.clock()), counted):
            return close_if_full(ports, job)
    raise Busy("Many workers are asking at once. Trying again.")


def sweep(ports: Ports, job: Job, now: float) -> None:
    """Free a few seats whose time is long over, so that every claim also tidies."""
    for sort, entry in _over(ports, job, now):
        worker, number = str(entry["worker"]), int(entry["task"])
        task = read_task(ports.table, job.name, number)
        if worker not in task.leases or task.leases[worker].lapses > now:
            ports.table.write(Change("delete", Key(f"job#{job.name}#lease", sort)))
        elif ports.files.size(job.response(number, worker)) is None:
            release(ports, job, task, worker, now)
        else:
            count_answer(ports, job, worker, task)  # he answered, and the index never heard of it


def _over(ports: Ports, job: Job, now: float) -> Iterator[tuple[str, Item]]:
    yield from ports.table.query(f"job#{job.name}#lease", before=moment(now), limit=2)
