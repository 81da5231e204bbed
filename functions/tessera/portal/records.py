"""The portal's nouns: a job as Ground Truth describes it, and a task with its seats.

A task has as many seats as the job asks workers for. A seat is free, leased to a worker, or
answered; each change of a seat is a function from a task to the task after it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from tessera.portal.errors import Invalid

GRACE = 60.0
"""Seconds a lease outlives its end before the seat goes to another: an answer that was sent in
time is written in them, whatever the clocks of two servers say."""

MAX_LEASE = 8 * 3600.0
"""Seconds after which a lease is renewed no more: Ground Truth's longest task."""

OPEN, FULL, STOPPED, EXPIRED, REPAIRING = "Open", "Full", "Stopped", "Expired", "Repairing"

DAY = 86_400.0


class Job(msgspec.Struct, frozen=True):
    """One labeling job: what CreateLabelingJob's request says of it, and how it stands."""

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

    @property
    def closes(self) -> float:
        """When the job's time is up."""
        return self.opened + self.lifetime

    @property
    def answers(self) -> int:
        """The answers that make the job full."""
        return self.tasks * self.workers

    @property
    def offsets(self) -> str:
        """The file of line starts beside the manifest."""
        return re.sub(r"\.[^./]*$", "", self.manifest) + ".offsets"

    @property
    def record(self) -> str:
        """The file with the job's request and the tokens of those who wait for its end."""
        return f"{self.output}/job.json"

    @property
    def responses(self) -> str:
        """The folder of the answers."""
        return f"{self.output}/annotations/worker-response/iteration-1/"

    def response(self, task: int, worker: str) -> str:
        """The object of one worker's answer to one task."""
        return f"{self.responses}{task}/{worker}.json"


def read_job(request: Mapping[str, Any]) -> Job:
    """The job that a CreateLabelingJob request describes.

    Raises `Invalid` with the name of the field that is missing or cannot be used.
    """
    human = _field(request, "HumanTaskConfig")
    name = _field(request, "LabelingJobName")
    tags = {tag.get("Key"): tag.get("Value", "") for tag in request.get("Tags") or ()}
    consolidation = human.get("AnnotationConsolidationConfig") or {}
    workers = _field(human, "NumberOfHumanWorkersPerDataObject")
    seconds = _field(human, "TaskTimeLimitInSeconds")
    if not re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", str(name)):
        raise Invalid(f"LabelingJobName: {name!r} is not 1 to 63 letters, digits and inner hyphens")
    if not isinstance(workers, int) or not 1 <= workers <= 9:
        raise Invalid(f"NumberOfHumanWorkersPerDataObject: {workers!r} is not 1 to 9")
    if not isinstance(seconds, int) or not 30 <= seconds <= MAX_LEASE:
        raise Invalid(f"TaskTimeLimitInSeconds: {seconds!r} is not 30 to {MAX_LEASE:.0f}")
    return Job(
        name=name,
        manifest=_field(request, "InputConfig", "DataSource", "S3DataSource", "ManifestS3Uri"),
        output=_field(request, "OutputConfig", "S3OutputPath").rstrip("/") + f"/{name}",
        page=_field(human, "UiConfig", "UiTemplateS3Uri"),
        attribute=_field(request, "LabelAttributeName"),
        title=_field(human, "TaskTitle"),
        question=_field(human, "TaskDescription"),
        workers=workers,
        seconds=float(seconds),
        lifetime=float(human.get("TaskAvailabilityLifetimeInSeconds") or 30 * DAY),
        prepare=human.get("PreHumanTaskLambdaArn") or "",
        collect=consolidation.get("AnnotationConsolidationLambdaArn") or "",
        categories=request.get("LabelCategoryConfigS3Uri") or "",
        team=tags.get("team", ""),
    )


def _field(record: Mapping[str, Any], *path: str) -> Any:
    found: Any = record
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    if found in (None, ""):
        raise Invalid(f"the job request has no {'.'.join(path)}")
    return found


class Lease(msgspec.Struct, frozen=True):
    """A worker's seat at a task, from when and until when."""

    since: float
    until: float

    @property
    def lapses(self) -> float:
        """When the seat may go to another worker."""
        return self.until + GRACE


class Task(msgspec.Struct, frozen=True, omit_defaults=True):
    """One task: who has a seat, who answered what, who gave it back."""

    number: int
    version: int = 0
    leases: dict[str, Lease] = {}
    answers: dict[str, dict[str, str]] = {}
    given_back: dict[str, float] = {}
    barred: tuple[str, ...] = ()
    queued: str = ""
    excused: bool = False

    def seats_left(self, workers: int) -> int:
        """The seats that nobody has.

        >>> Task(0, leases={"ann": Lease(0, 60)}).seats_left(2)
        1
        """
        return 0 if self.excused else max(0, workers - len(self.leases) - len(self.answers))

    def had(self, worker: str) -> bool:
        """Whether the worker has been given this task before."""
        return worker in {*self.leases, *self.answers, *self.given_back, *self.barred}


def leased(task: Task, worker: str, now: float, seconds: float) -> Task:
    """The task with a seat for the worker; one who had it before keeps the time he began."""
    since = task.given_back.get(worker, now)
    rest = {name: when for name, when in task.given_back.items() if name != worker}
    seat = Lease(since, now + seconds)
    return replace(task, leases=task.leases | {worker: seat}, given_back=rest)


def renewed(task: Task, worker: str, now: float, seconds: float) -> Task:
    """The task with the worker's lease lasting the full time again, within the longest."""
    seat = task.leases[worker]
    until = max(seat.until, min(now + seconds, seat.since + MAX_LEASE))
    return replace(task, leases=task.leases | {worker: Lease(seat.since, until)})


def returned(task: Task, worker: str) -> Task:
    """The task with the worker's seat free again, whether he skipped it or his time ran out."""
    seat = task.leases[worker]
    rest = {name: lease for name, lease in task.leases.items() if name != worker}
    back = task.given_back | {worker: seat.since}
    return replace(task, leases=rest, given_back=back)


def barred(task: Task, worker: str) -> Task:
    """The task with the worker's seat free again, and he never to have it."""
    rest = {name: lease for name, lease in task.leases.items() if name != worker}
    return replace(task, leases=rest, barred=(*task.barred, worker))


def answered(task: Task, worker: str, choices: dict[str, str]) -> Task:
    """The task with the worker's seat answered."""
    leases = {name: lease for name, lease in task.leases.items() if name != worker}
    back = {name: when for name, when in task.given_back.items() if name != worker}
    return replace(task, leases=leases, given_back=back, answers=task.answers | {worker: choices})


class WorkerCursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a worker stands in a job: the tasks he may hold, and how far he is in the queue."""

    version: int = 0
    held: tuple[int, ...] = ()
    cursor: str = ""
    name: str = ""


class AnswerStats(msgspec.Struct, frozen=True):
    """What one answer adds to a worker's figures; every number only grows."""

    answers: int = 0
    images: int = 0
    seconds: float = 0.0
    compared: int = 0
    agreed: int = 0
    gold: int = 0
    gold_right: int = 0


class WorkerStats(AnswerStats, frozen=True):
    """What a worker did in a job, and when last."""

    last: float = 0.0
