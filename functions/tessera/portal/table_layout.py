"""Layout of the portal's table: every key and attribute of it is spelled here and nowhere else.

| partition | sort key | item |
|---|---|---|
| `open` | job | a job that is open, or whose executions were not resumed yet |
| `job#J` | `job` | the job |
| `job#J#task` | task | the task: its seats, answers, returns and exclusions |
| `job#J#stripe` | stripe | tasks dealt, which if out of order, answers counted and spared |
| `job#J#queue` | time, task | a task with a free seat that others had, and who they were |
| `job#J#lease` | end, task, worker | a lease |
| `job#J#place` | worker | the worker's cursor |
| `job#J#figures` | worker | the worker's statistics |
| `job#J#back#W` | task | a task that worker W gave back |
| `job#J#failed` | task | why a task's page could not be shown, and whether it was set aside |
| `job#J#flagged` | task, worker | what a worker flagged in a task, and their comment on it |
| `qualified#P` | worker | what a worker came to in the qualification of project P |
| `review` | run | a run whose pictures reviewers decide |
| `removed` | worker | the mark of a worker who was removed, or signed out everywhere |
| `session` | sign-in | the mark of a sign-in that its worker ended |
| `rate#W` | minute | the requests of worker W in that minute |

Why it is laid out so: docs/decisions/portal-claims-without-scans.md. Some names are not those of
the code; they stay, because deployed tables hold them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec.structs import replace

from tessera.portal.errors import UnknownJob
from tessera.portal.records import Job, Lease, Task, WorkerCursor, WorkerStats
from tessera.portal.store import ABSENT, Change, Item, Key, Table
from tessera.tiling.onboarding.qualification import Standing

STRIPES = 16
"""Counters of a job. Workers who claim at the same moment would collide on a single one
(docs/decisions/portal-claims-without-scans.md)."""

OPEN_JOBS = "open"
REVIEWS = "review"

Kind: TypeAlias = Literal[
    "task", "stripe", "queue", "lease", "place", "figures", "failed", "flagged"
]


# ── Keys ─────────────────────────────────────────────────────────────────────────────────────────


def partition(job: str, kind: Kind) -> str:
    """Return the partition of a job's items of one kind."""
    return f"job#{job}#{kind}"


def given_back_partition(job: str, worker: str) -> str:
    """Return the partition of the tasks that a worker gave back."""
    return f"job#{job}#back#{worker}"


def job_key(name: str) -> Key:
    """Return the key of a job."""
    return Key(f"job#{name}", "job")


def open_key(name: str) -> Key:
    """Return the key of a job's entry in the list of open jobs."""
    return Key(OPEN_JOBS, name)


def review_key(run: str) -> Key:
    """Return the key of a run's review."""
    return Key(REVIEWS, run)


def task_key(job: str, task: int) -> Key:
    """Return the key of a task."""
    # Six digits sort as numbers do, and Ground Truth takes no job of more than 100,000 tasks.
    return Key(partition(job, "task"), f"{task:06d}")


def cursor_key(job: str, worker: str) -> Key:
    """Return the key of a worker's cursor in a job."""
    return Key(partition(job, "place"), worker)


def stats_key(job: str, worker: str) -> Key:
    """Return the key of a worker's statistics in a job."""
    return Key(partition(job, "figures"), worker)


def stripe_key(job: Job, stripe: int) -> Key:
    """Return the key of a stripe's counters."""
    return Key(partition(job.name, "stripe"), f"{stripe:02d}")


def given_back_key(job: str, worker: str, task: int) -> Key:
    """Return the key of a task that a worker gave back."""
    return Key(given_back_partition(job, worker), f"{task:06d}")


def lease_key(job: str, task: int, worker: str, lease: Lease) -> Key:
    """Return the key of a lease, which sorts by the time at which it is looked at."""
    return Key(partition(job, "lease"), f"{time_key(lease.looked_at)}#{task:06d}#{worker}")


def failure_key(job: str, task: int) -> Key:
    """Return the key of the note about a task whose page could not be shown."""
    return Key(partition(job, "failed"), f"{task:06d}")


def remarks_key(job: str, task: int, worker: str) -> Key:
    """Return the key of what a worker flagged in a task."""
    return Key(partition(job, "flagged"), f"{task:06d}#{worker}")


def removed_key(worker: str) -> Key:
    """Return the key of the mark that ends all of a worker's sign-ins, whose tokens still hold."""
    return Key("removed", worker)


def session_key(session: str) -> Key:
    """Return the key of the mark that ends one sign-in; `-` for a token that names none."""
    return Key("session", session or "-")


def rate_key(worker: str, minute: int) -> Key:
    """Return the key of the number of a worker's requests in a minute."""
    return Key(f"rate#{worker}", str(minute))


def standing_key(records: str, worker: str) -> Key:
    """Return the key of a worker's standing in the project whose records lie there."""
    return Key(f"qualified#{records}", worker)


def time_key(seconds: float) -> str:
    """Return a time as text that sorts as the time does.

    >>> time_key(1700000000.25)
    '01700000000.250'
    """
    return f"{seconds:015.3f}"


# ── Records and items ────────────────────────────────────────────────────────────────────────────


def item_of(record: Any) -> Item:
    """Return a record as the table keeps it."""
    item: Item = msgspec.to_builtins(record)
    return item


def job_of(item: Item | None) -> Job:
    """Return the job in an item; raises `UnknownJob` if there is none."""
    if item is None:
        raise UnknownJob("There is no such job.")
    return msgspec.convert(item, Job)


def task_of(item: Item | None, number: int) -> Task:
    """Return the task in an item; a fresh one if there is none."""
    return Task(number) if item is None else msgspec.convert(item, Task, strict=False)


def cursor_of(item: Item | None) -> WorkerCursor:
    """Return the cursor in an item; one at the start if there is none."""
    return WorkerCursor() if item is None else msgspec.convert(item, WorkerCursor)


def stats_of(item: Item | None) -> WorkerStats:
    """Return the statistics in an item; zeros if there are none."""
    return WorkerStats() if item is None else msgspec.convert(item, WorkerStats, strict=False)


# ── Reads ────────────────────────────────────────────────────────────────────────────────────────


def read_job(table: Table, name: str) -> Job:
    """Return the job of this name; raises `UnknownJob` if there is none."""
    return job_of(table.get(job_key(name))[0])


def read_jobs(table: Table, names: Iterable[str]) -> list[Job]:
    """Return the jobs of these names, without those that the table does not know."""
    return [job_of(item) for item in table.get(*map(job_key, names)) if item]


def read_listed_items(table: Table) -> list[tuple[str, Item | None]]:
    """Return name and item of the jobs that are open, or whose executions were not resumed yet.

    Whoever reads the items sees to it that one which cannot be read keeps no other from it.
    """
    names = [name for name, _ in table.query(OPEN_JOBS)]
    return list(zip(names, table.get(*map(job_key, names)), strict=True))


def read_task(table: Table, job: str, number: int) -> Task:
    """Return the task of this number, as it is now."""
    return task_of(table.get(task_key(job, number))[0], number)


def read_tasks(table: Table, job: str, numbers: tuple[int, ...]) -> list[Task]:
    """Return the tasks of these numbers, read together."""
    items = table.get(*(task_key(job, number) for number in numbers)) if numbers else []
    return [task_of(item, number) for item, number in zip(items, numbers, strict=True)]


def all_tasks(table: Table, job: str) -> Iterator[Task]:
    """Yield every task that the table has an item of: those that somebody had."""
    for sort, item in table.query(partition(job, "task")):
        yield task_of(item, int(sort))


def read_cursor(table: Table, job: str, worker: str) -> WorkerCursor:
    """Return a worker's cursor in a job."""
    return cursor_of(table.get(cursor_key(job, worker))[0])


def all_cursors(table: Table, job: str) -> dict[str, WorkerCursor]:
    """Return the cursors of all workers who ever asked the job for a task."""
    return {worker: cursor_of(item) for worker, item in table.query(partition(job, "place"))}


def read_stats(table: Table, job: str, worker: str) -> WorkerStats:
    """Return a worker's statistics in a job."""
    return stats_of(table.get(stats_key(job, worker))[0])


def all_stats(table: Table, job: str) -> dict[str, WorkerStats]:
    """Return the statistics of all workers who answered in the job."""
    return {worker: stats_of(item) for worker, item in table.query(partition(job, "figures"))}


def read_worker_items(
    table: Table, jobs: Sequence[Job], worker: str
) -> list[tuple[list[Item | None], Item | None]]:
    """Return the items of jobs' counters and of a worker's statistics in each, read together."""
    keys = [[*stripe_keys(job), stats_key(job.name, worker)] for job in jobs]
    items = iter(table.get(*chain(*keys)) if jobs else [])
    rows = [list(islice(items, len(of_job))) for of_job in keys]
    return [(counters, stats) for *counters, stats in rows]


def read_standing(table: Table, records: str, worker: str) -> Standing | None:
    """Return a worker's standing in a project, or None if the table has none."""
    item = table.get(standing_key(records, worker))[0]
    return msgspec.convert(item, Standing, strict=False) if item else None


def all_standings(table: Table, records: str) -> dict[str, Standing]:
    """Return the standings of all workers who ever tried in a project."""
    items = table.query(standing_key(records, "").partition)
    return {worker: msgspec.convert(item, Standing, strict=False) for worker, item in items}


class QueueEntry(NamedTuple):
    """Task in the queue of those that others had and that have a free seat."""

    sort: str
    task: int
    known_to: tuple[str, ...]


def read_queue(table: Table, job: str, *, after: str, limit: int) -> list[QueueEntry]:
    """Return the queue's next entries after a sort key, the oldest first."""
    entries = table.query(partition(job, "queue"), after=after, limit=limit)
    return [QueueEntry(sort, int(item["task"]), tuple(item["had"])) for sort, item in entries]


class LeaseEntry(NamedTuple):
    """Lease in the list that is sorted by their ends."""

    key: Key
    task: int
    worker: str

    @property
    def lapses(self) -> float:
        """Time at which the lease lapses, unless it was renewed."""
        return float(self.key.sort.partition("#")[0])


def read_lapsed(table: Table, job: str, now: float, *, limit: int) -> list[LeaseEntry]:
    """Return the leases whose seats may go to other workers, the oldest first."""
    name = partition(job, "lease")
    lapsed = table.query(name, before=time_key(now), limit=limit)
    return [
        LeaseEntry(Key(name, sort), int(item["task"]), str(item["worker"])) for sort, item in lapsed
    ]


def read_given_back(table: Table, job: str, worker: str, *, limit: int) -> list[int]:
    """Return the tasks that a worker gave back, or whose lease they let lapse."""
    entries = table.query(given_back_partition(job, worker), limit=limit)
    return [int(item["task"]) for _, item in entries]


class PageFailure(NamedTuple):
    """Task whose page could not be shown, why, when last, and whether it was set aside."""

    task: int
    reason: str
    last: float
    set_aside: bool


def read_failures(table: Table, job: str, *, limit: int) -> list[PageFailure]:
    """Return the tasks whose pages could not be shown, by number."""
    entries = table.query(partition(job, "failed"), limit=limit)
    return [
        PageFailure(int(sort), str(item["reason"]), float(item["last"]), bool(item["aside"]))
        for sort, item in entries
    ]


class Remarks(NamedTuple):
    """Remarks of a worker on a task: reasons by flagged image, and a comment on the page."""

    task: int
    worker: str
    flags: Mapping[str, str]
    comment: str

    @property
    def is_empty(self) -> bool:
        """Return whether the worker remarked nothing, as with most answers."""
        return not (self.flags or self.comment)


def read_remarks(table: Table, job: str, *, limit: int) -> list[Remarks]:
    """Return what workers remarked, by task and worker."""
    remarks = []
    for sort, item in table.query(partition(job, "flagged"), limit=limit):
        task, _, worker = sort.partition("#")
        remarks.append(Remarks(int(task), worker, dict(item["flags"]), str(item["comment"])))
    return remarks


def index_keys(table: Table, job: str) -> list[Key]:
    """Return the keys of all items of a job but the job itself and its workers' cursors."""
    kinds: tuple[Kind, ...] = ("task", "figures", "lease", "queue", "stripe", "failed", "flagged")
    names = [partition(job, kind) for kind in kinds]
    names += [given_back_partition(job, worker) for worker in all_cursors(table, job)]
    return [Key(name, sort) for name in names for sort, _ in table.query(name)]


# ── Counters ─────────────────────────────────────────────────────────────────────────────────────


def stripes(job: Job) -> range:
    """Return the job's stripes; a small job has no more of them than tasks."""
    return range(min(STRIPES, job.tasks))


def stripe_of(job: Job, task: int) -> int:
    """Return the stripe that a task belongs to."""
    return task % len(stripes(job))


def task_at(job: Job, stripe: int, place: int) -> int:
    """Return the number of the task at a place of a stripe."""
    return stripe + place * len(stripes(job))


BITS = bytes.maketrans(b"\0\1", b"01")
"""Spells bytes of 0 and 1 as digits, which `int` reads at once."""


def place_bits(marks: bytes | bytearray) -> int:
    """Return a number with a bit for each place of a stripe that has a 1.

    >>> bin(place_bits(b"\\1\\0\\1\\1"))
    '0b1101'
    """
    return int(marks[::-1].translate(BITS) or b"0", 2)


def stripe_size(job: Job, stripe: int) -> int:
    """Return the number of a stripe's tasks: every sixteenth, starting with its own number.

    >>> job = Job("pets-r1-000", *[""] * 6, workers=2, seconds=600, lifetime=60, tasks=35)
    >>> [stripe_size(job, stripe) for stripe in (0, 2, 3)]
    [3, 3, 2]
    """
    return -(-(job.tasks - stripe) // len(stripes(job)))


class Counts(NamedTuple):
    """Counters of a job, its stripes added up; `dealt` and `ahead` by stripe.

    A stripe deals its tasks in order, unless the worker may not have the next one. Then `ahead`
    has a bit for each place of the stripe that was dealt; without, its first ones were.
    """

    dealt: dict[int, int]
    answered: int
    dropped: int
    ahead: Mapping[int, int] = MappingProxyType({})

    def dealt_bits(self, stripe: int) -> int:
        """Return a number with a bit for each place of a stripe that was dealt.

        >>> bin(Counts({0: 3}, 0, 0).dealt_bits(0))
        '0b111'
        """
        return self.ahead.get(stripe) or (1 << self.dealt[stripe]) - 1

    @property
    def done(self) -> int:
        """Number of answers that are there, or that nobody needs to give."""
        return self.answered + self.dropped

    def complete(self, job: Job) -> bool:
        """Return whether every seat of every task is answered, or needs no answer."""
        return self.done >= job.answers


def read_counts(table: Table, job: Job) -> Counts:
    """Return the job's counters, read together."""
    return counts_of(job, table.get(*stripe_keys(job)) if job.tasks else [])


def read_held(table: Table, job: Job, numbers: Sequence[int]) -> tuple[list[Task], Counts]:
    """Return the tasks of these numbers and the job's counters, read together."""
    items = table.get(*(task_key(job.name, n) for n in numbers), *stripe_keys(job))
    tasks = [task_of(item, number) for item, number in zip(items, numbers, strict=False)]
    return tasks, counts_of(job, items[len(numbers) :])


def stripe_keys(job: Job) -> list[Key]:
    """Return the keys of a job's counters, for whoever reads them together with other items."""
    return [stripe_key(job, stripe) for stripe in stripes(job)]


def counts_of(job: Job, items: Sequence[Item | None]) -> Counts:
    """Return the counters in the items at a job's `stripe_keys`."""
    present = {stripe: item for stripe, item in zip(stripes(job), items, strict=True) if item}
    return Counts(
        # An answer that was counted while the index was rebuilt may have made the item too soon.
        dealt={stripe: int(item.get("dealt", 0)) for stripe, item in present.items()},
        answered=sum(int(item.get("answered", 0)) for item in present.values()),
        dropped=sum(int(item.get("excused", 0)) for item in present.values()),
        ahead={s: int(item["ahead"], 16) for s, item in present.items() if item.get("ahead")},
    )


def put_stripe(job: Job, stripe: int, *, dealt_bits: int = 0, answered: int = 0) -> Change:
    """Return the change that sets the counters of a stripe that has none."""
    dealt = {"dealt": dealt_bits.bit_count(), **_ahead(dealt_bits)}
    return Change(
        "put", stripe_key(job, stripe), {**dealt, "answered": answered, "excused": 0}, ABSENT
    )


def count_dealt(job: Job, stripe: int, counts: Counts, place: int) -> Change:
    """Return the change that deals a place of a stripe, if nobody was dealt one since `counts`."""
    sets: dict[str, str] = {}
    if stripe in counts.ahead or place != counts.dealt[stripe]:
        # In order again, a stripe needs no bits any more.
        sets = {"ahead": "", **_ahead(counts.dealt_bits(stripe) | 1 << place)}
    expected = {"dealt": counts.dealt[stripe]}
    return Change("add", stripe_key(job, stripe), {"dealt": 1}, expected, sets)


def _ahead(dealt_bits: int) -> dict[str, str]:
    """Return the attribute for places dealt out of order; none if they are the first ones."""
    # 1,563 hexadecimal digits at most: a sixteenth of a job's 100,000 tasks.
    return {"ahead": f"{dealt_bits:x}"} if dealt_bits & dealt_bits + 1 else {}


def count_answered(job: Job, task: int) -> Change:
    """Return the change that counts one answer to a task."""
    return Change("add", stripe_key(job, stripe_of(job, task)), {"answered": 1})


def count_dropped(job: Job, task: int, answers: int) -> Change:
    """Return the change that counts the answers that a dropped task does not need."""
    return Change("add", stripe_key(job, stripe_of(job, task)), {"excused": answers})


# ── Changes ──────────────────────────────────────────────────────────────────────────────────────


def put_job(job: Job, before: Job | None) -> Change:
    """Return the change that puts a job in the place of the version that was read."""
    expect = {"version": before.version} if before else ABSENT
    return Change("put", job_key(job.name), item_of(job), expect)


def put_cursor(job: str, worker: str, cursor: WorkerCursor) -> Change:
    """Return the change that puts a cursor's next version, if no other request was faster."""
    after = replace(cursor, version=cursor.version + 1)
    return Change("put", cursor_key(job, worker), item_of(after), _expect(cursor))


def put_failure(job: str, failure: PageFailure) -> Change:
    """Return the change that notes why a task's page could not be shown."""
    item = {"reason": failure.reason, "last": failure.last, "aside": failure.set_aside}
    return Change("put", failure_key(job, failure.task), item)


def forget_failure(job: str, task: int) -> Change:
    """Return the change that forgets a failure: the page was shown and answered since."""
    return Change("delete", failure_key(job, task))


def put_remarks(job: str, remarks: Remarks) -> Change:
    """Return the change that keeps what a worker remarked on a task, or forgets it if it is none.

    An answer that is corrected has the remarks of its correction.
    """
    key = remarks_key(job, remarks.task, remarks.worker)
    if remarks.is_empty:
        return Change("delete", key)
    return Change("put", key, {"flags": dict(remarks.flags), "comment": remarks.comment})


def put_standing(records: str, worker: str, standing: Standing, before: Standing | None) -> Change:
    """Return the change that puts a standing in the place of the one that was read."""
    expect = ABSENT if before is None else {"records": before.records}
    values = msgspec.structs.asdict(standing)  # with every count, for it is what is expected next
    return Change("put", standing_key(records, worker), values, expect)


def put_given_back(job: str, worker: str, task: int) -> Change:
    """Return the change that notes a task as one that its worker may get again at last."""
    return Change("put", given_back_key(job, worker, task), {"task": task})


def next_version(job: Job, old: Task, new: Task, now: float) -> Task:
    """Return `new` as the table keeps it after `old`: its version and its place in the queue.

    A task with a free seat waits in the queue. It goes to the end when it comes into the queue and
    when it is given back, for the cursors of workers may have passed the place where it was.
    """
    if not new.free_seats(job.workers):
        queued = ""
    elif not old.queued or len(new.given_back) > len(old.given_back):
        queued = f"{time_key(now)}#{old.number:06d}"
    else:
        queued = old.queued
    return replace(new, version=old.version + 1, queued=queued)


def task_changes(job: Job, old: Task, new: Task, now: float) -> list[Change]:
    """Return the changes that make `new` of `old`: the task, its leases, its place in the queue.

    What the queue and the list of leases hold follows from the two tasks alone, so they cannot
    come apart from the task as long as all changes are made together.
    """
    new = next_version(job, old, new, now)
    task = Change("put", task_key(job.name, old.number), item_of(new), _expect(old))
    return [task, *_lease_changes(job, old, new), *_queue_changes(job, old, new)]


def _lease_changes(job: Job, old: Task, new: Task) -> Iterator[Change]:
    for worker in old.leases.keys() | new.leases.keys():
        before, after = (
            task.leases.get(worker) and lease_key(job.name, old.number, worker, task.leases[worker])
            for task in (old, new)
        )
        # A renewed lease keeps its entry: half of a page's writes of leases were to move it.
        if before == after:  # and deleting and putting one key is refused in a transaction
            continue
        if before:
            yield Change("delete", before)
        if after:
            yield Change("put", after, {"task": old.number, "worker": worker})


def _queue_changes(job: Job, old: Task, new: Task) -> Iterator[Change]:
    name = partition(job.name, "queue")
    if new.queued and (new.queued != old.queued or new.known_to != old.known_to):
        entry = {"task": old.number, "had": sorted(new.known_to)}
        yield Change("put", Key(name, new.queued), entry)
    if old.queued and old.queued != new.queued:
        yield Change("delete", Key(name, old.queued))


def _expect(record: WorkerCursor | Task) -> Mapping[str, Any]:
    return {"version": record.version} if record.version else ABSENT
