"""Records of the portal: jobs, tasks with their seats, and what is known of each worker in a job.

A task has as many seats as its job asks workers for. A seat is free, leased to a worker, or
answered. Each change of a seat is a function here, from a task to the task after it; how a change
reaches the table is told in `task_updates`.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec.structs import replace

from tessera.tiling.kinds.task_kinds import KINDS, Kind
from tessera.tiling.run.offsets import offsets_name
from tessera.tiling.settings import OfKind, TaskKind

Value = TypeVar("Value")

LEASE_GRACE = 60.0
"""Seconds from a lease's end until its seat may go to another worker. An answer counts as in time
for half of that (`submissions.ANSWER_GRACE`), so that a slow write or clocks that differ never make
one answer too many (docs/decisions/portal-answers-are-objects.md)."""

MAX_LEASE = 8 * 3600.0
"""Seconds after which a lease is renewed no more: Ground Truth's longest task."""

MAX_FAILURES = 3
"""Times that a page fails before its task is set aside (docs/decisions/portal-set-aside.md)."""

FAILURE_SECONDS = 60.0
"""Seconds within which failures count as one: what fails for a moment sets no task aside."""

OPEN, FULL, STOPPED, EXPIRED, REPAIRING = "Open", "Full", "Stopped", "Expired", "Repairing"
"""Statuses of a job; docs/portal.md tells what leads to each."""


class Job(msgspec.Struct, OfKind, frozen=True):
    """Labeling job: what the request says of it (`job_request`), and how it stands.

    `seconds` is how long a lease lasts, `lifetime` how long the job stays open; `workers` is the
    number of seats of each task; `prepare` and `collect` are the ARNs of the pre- and
    post-annotation Lambdas; `tokens` belong to the executions that wait for the job's end, and
    `announced` says that they were told. `repairing` is the time at which the repair under way
    began and `repaired_as` the status after it; `rebuilt` is the time at which the index last lost
    the job's leases. `exclusions` is the URI of the file that tells who may not have which task,
    `gold_uses` that of the one that tells which gold images each task has, if some have the same,
    `offers` that of the one that tells to whom each task is offered first,
    `practice` that of the one with the pictures to practice on; `role` is the role that a
    post-annotation Lambda may take on to read the answers. `task` is the name of the kind of its
    tasks; `sources` is the rule, in JSON, of what a page of the project's own may show;
    `stop_below` is the bound on accuracy below which a worker gets no more pages; `qualify` is the
    share of the pictures in the file `qualification` that a worker must label right before, 0.0
    where nobody is tested.
    Each write raises `version`, and expects the one before.
    """

    name: str
    manifest: str
    output: str
    page: str
    attribute: str
    title: str
    question: str
    workers: int
    seconds: float
    lifetime: float
    prepare: str = ""
    collect: str = ""
    categories: str = ""
    team: str = ""
    tasks: int = 0
    opened: float = 0.0
    choices: tuple[str, ...] = ()
    gold: str = ""
    tokens: tuple[str, ...] = ()
    status: str = OPEN
    announced: bool = False
    version: int = 1
    repairing: float = 0.0
    repaired_as: str = OPEN
    rebuilt: float = 0.0
    project: str = ""
    exclusions: str = ""
    gold_uses: str = ""
    practice: str = ""
    role: str = ""
    task: TaskKind = "tiles"
    sources: str = ""
    stop_below: str = ""
    offers: str = ""
    qualify: float = 0.0
    qualification: str = ""

    @property
    def kind(self) -> Kind:
        """Kind of the job's tasks."""
        return KINDS[self.task]

    @property
    def closes(self) -> float:
        """Time at which the job expires."""
        return self.opened + self.lifetime

    def takes_answers(self, now: float) -> bool:
        """Return whether the job is open and its time is not up."""
        return self.status == OPEN and now < self.closes

    @property
    def answers(self) -> int:
        """Number of answers that make the job full."""
        return self.tasks * self.workers

    @property
    def offsets(self) -> str:
        """URI of the file of line starts beside the manifest."""
        return offsets_name(self.manifest)

    @property
    def record(self) -> str:
        """URI of the file with the job's request and the tokens of those who wait for its end."""
        return f"{self.output}/job.json"

    @property
    def responses(self) -> str:
        """Prefix of the answers' URIs."""
        return f"{self.output}/annotations/worker-response/iteration-1/"

    def set_aside(self, task: int) -> str:
        """Return the URI of the record of why a task was set aside."""
        return f"{self.output}/set-aside/{task}.json"

    def pictures(self, task: int) -> str:
        """Return the URI of the record of what a task's pictures were."""
        return f"{self.output}/pictures/{task}.json"

    @property
    def corrections(self) -> str:
        """Prefix of the URIs of corrected answers, which count instead of the first ones."""
        return f"{self.output}/annotations/worker-response/iteration-2/"

    def response(self, task: int, worker: str) -> str:
        """Return the URI of one worker's answer to one task."""
        return f"{self.responses}{task}/{worker}.json"

    def correction(self, task: int, worker: str, number: int) -> str:
        """Return the URI of a worker's correction of their answer to one task, from number 1."""
        return f"{self.corrections}{task}/{worker}-{number:03d}.json"


class Lease(msgspec.Struct, frozen=True):
    """Seat of a worker at a task, from when and until when.

    `listed` is the end by which the list of leases has it, if that is an earlier one: a renewal
    leaves the entry where it is, and who sweeps the list moves it.
    """

    since: float
    until: float
    listed: float = 0.0

    @property
    def lapses(self) -> float:
        """Time at which the seat may go to another worker."""
        return self.until + LEASE_GRACE

    @property
    def looked_at(self) -> float:
        """Time from which on whoever sweeps the list of leases looks at this one."""
        return (self.listed or self.until) + LEASE_GRACE


class Task(msgspec.Struct, frozen=True, omit_defaults=True):
    """Task: who has a seat, who answered what, who gave it back, and who may not have it.

    `answers` maps workers to their choices by image index; `given_back` maps workers to the time
    at which they had got the task; `queued` is the task's sort key in the queue. `failures` counts
    the times that its page could not be shown, `failed` is the last of them. Where the table calls
    an attribute otherwise, its name is given: tables outlive their code.
    """

    number: int
    version: int = 0
    leases: dict[str, Lease] = {}
    answers: dict[str, dict[str, str]] = {}
    given_back: dict[str, float] = {}
    excluded: tuple[str, ...] = msgspec.field(default=(), name="barred")
    queued: str = ""
    failures: int = 0
    failed: float = 0.0
    dropped: bool = msgspec.field(default=False, name="excused")

    def free_seats(self, workers: int) -> int:
        """Return the number of seats that nobody has.

        >>> Task(0, leases={"ann": Lease(0, 60)}).free_seats(2)
        1
        """
        return 0 if self.dropped else max(0, workers - len(self.leases) - len(self.answers))

    @property
    def known_to(self) -> set[str]:
        """Workers who have been given this task, or must not be: it is not offered to them."""
        return {*self.leases, *self.answers, *self.given_back, *self.excluded}


def lease_seat(task: Task, worker: str, now: float, seconds: float) -> Task:
    """Return the task with a seat for the worker; their time goes on if they had it before."""
    # The time they spent on the page before counts as time on the task.
    since = task.given_back.get(worker, now)
    lease = Lease(since, now + seconds)
    return replace(
        task,
        leases=task.leases | {worker: lease},
        given_back=_without(task.given_back, worker),
    )


def renew_lease(task: Task, worker: str, now: float, seconds: float) -> Task:
    """Return the task with the worker's lease lasting its full time again, up to `MAX_LEASE`."""
    lease = task.leases[worker]
    # Never earlier than it was: near the longest time a renewal must not take time away.
    until = max(lease.until, min(now + seconds, lease.since + MAX_LEASE))
    renewed = Lease(lease.since, until, lease.listed or lease.until)
    return replace(task, leases=task.leases | {worker: renewed})


def relist_lease(task: Task, worker: str) -> Task:
    """Return the task with the worker's lease in the list of leases by its end as it is now."""
    lease = task.leases[worker]
    return replace(task, leases=task.leases | {worker: replace(lease, listed=0.0)})


def free_seat(task: Task, worker: str) -> Task:
    """Return the task with the worker's seat free again: they skipped it, or their time is up."""
    return replace(
        task,
        leases=_without(task.leases, worker),
        given_back=task.given_back | {worker: task.leases[worker].since},
    )


def exclude_worker(task: Task, worker: str) -> Task:
    """Return the task with the worker's seat free again, never to be offered to them."""
    return replace(task, leases=_without(task.leases, worker), excluded=(*task.excluded, worker))


def drop(task: Task) -> Task:
    """Return the task as one that needs no more people."""
    return replace(task, dropped=True, leases={})


def fail_page(task: Task, worker: str, now: float) -> Task:
    """Return the task with the worker's seat free again, because its page could not be shown."""
    freed = free_seat(task, worker) if worker in task.leases else task
    if now < task.failed + FAILURE_SECONDS:
        return freed
    return replace(freed, failures=task.failures + 1, failed=now)


def is_unusable(task: Task) -> bool:
    """Return whether a task is to be set aside: its page failed too often, and nobody has it."""
    return task.failures >= MAX_FAILURES and not task.leases


def add_answer(task: Task, worker: str, choices: dict[str, str]) -> Task:
    """Return the task with the worker's seat answered."""
    return replace(
        task,
        leases=_without(task.leases, worker),
        given_back=_without(task.given_back, worker),
        answers=task.answers | {worker: choices},
    )


def _without(by_worker: dict[str, Value], worker: str) -> dict[str, Value]:
    return {name: value for name, value in by_worker.items() if name != worker}


class WorkerCursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """Worker's position in a job: the tasks they may hold, and how far they are in the queue.

    `gold_seen` has the indexes of the gold images in their last tasks, with a space between;
    `recent` are the last tasks that they answered, which they can go back to, the oldest first.
    """

    version: int = 0
    held: tuple[int, ...] = ()
    position: str = msgspec.field(default="", name="cursor")
    name: str = ""
    gold_seen: str = ""
    recent: tuple[int, ...] = ()


class AnswerStats(msgspec.Struct, frozen=True):
    """Numbers that one answer adds to a worker's statistics; every one of them only grows.

    `compared` counts the choices of others on the same images, `agreed` those that were equal;
    `gold` counts gold images, `gold_right` those labeled as known.
    """

    answers: int = 0
    images: int = 0
    seconds: float = 0.0
    compared: int = 0
    agreed: int = 0
    gold: int = 0
    gold_right: int = 0


class WorkerStats(AnswerStats, frozen=True):
    """Sum of a worker's answers in a job, and the time of the last one."""

    last: float = 0.0

    def plus(self, added: AnswerStats, last: float = 0.0) -> WorkerStats:
        """Return the sum of these and of `added`, the last of whose answers came at `last`."""
        names = AnswerStats.__struct_fields__
        sums = {name: getattr(self, name) + getattr(added, name) for name in names}
        return WorkerStats(**sums, last=max(self.last, last))
