"""How a run stands: its state, its round, what is answered, by whom, how fast, what is left."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tessera.archive import RunFolder
from tessera.portal.ports import Ports
from tessera.portal.progress import add_up
from tessera.portal.table_layout import read_jobs
from tessera.stack.cloud import Cloud
from tessera.tiling.errors import TesseraError
from tessera.tiling.job_names import job_name
from tessera.tiling.jobs import run_id
from tessera.tiling.settings import LONGEST_SETTINGS, read_settings

WITHIN = {
    "ChooseService", "OpenJob", "CloseJob", "JobNotClosed", "CreateLabelingJob",
    "DescribeLabelingJob", "JobOutcome", "WaitForJob", "JobCompleted", "JobIncomplete",
    "JobNotOpened",
}  # fmt: skip
"""The states of one shard: a person is told of LabelShards around them."""


@dataclass(frozen=True, slots=True)
class Asking:
    """One round's jobs together: what is answered, by whom, how fast."""

    tasks: int = 0
    answers: int = 0
    needed: int = 0
    workers: int = 0
    images_an_hour: float = 0.0
    hours_left: float | None = None
    agreement: float | None = None
    jobs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """A run as it is now; `confidence` is that of the labels after the last round."""

    run: str
    status: str
    state: str
    round: int = 0
    images: int = 0
    asking: Asking = field(default_factory=Asking)
    confidence: float | None = None


@dataclass
class Observer:
    """Looks at one execution again and again; what cannot change is asked once."""

    cloud: Cloud
    execution: str
    folder: RunFolder | None = None

    def __post_init__(self) -> None:
        """Make the clients once."""
        self._workflows = self.cloud.client("stepfunctions")

    def look(self) -> Standing:
        """The run as it is now."""
        described = self._workflows.describe_execution(executionArn=self.execution)
        status, state = described["status"], self._state()
        if self.folder is None and state not in ("", "GroupImages"):
            self.folder = folder_of(self.cloud, described)
        if self.folder is None:
            return Standing("", status, state)
        rounds = self._rounds()
        now = rounds[-1] if rounds else {"round": 0, "images": 0, "shards": 0}
        labeling = state == "LabelShards" and status == "RUNNING"
        return Standing(
            self.folder.name,
            status,
            state,
            now["round"],
            now["images"],
            self._asking(now) if labeling else Asking(),
            None if labeling and now["round"] < 2 else self._confidence(),
        )

    def _state(self) -> str:
        """The state that was entered last, be it around the one that it is in."""
        events = self._workflows.get_execution_history(
            executionArn=self.execution, reverseOrder=True, maxResults=100
        )["events"]
        entered = (
            event["stateEnteredEventDetails"]["name"]
            for event in events
            if event["type"].endswith("StateEntered")
        )
        return next(("LabelShards" if name in WITHIN else name for name in entered), "")

    def _rounds(self) -> list[dict[str, Any]]:
        assert self.folder is not None
        self.folder.__dict__.pop("record", None)  # a round later there is more in it
        rounds: list[dict[str, Any]] = self.folder.record.get("rounds") or []
        return rounds

    def _confidence(self) -> float | None:
        assert self.folder is not None
        if not self.folder.has("report.json"):
            return None
        mean: float | None = json.loads(self.folder.read("report.json"))["confidence"].get("mean")
        return mean

    def _asking(self, now: dict[str, Any]) -> Asking:
        assert self.folder is not None
        jobs = jobs_in(self.folder, now)
        if self.folder.settings.workforce == "portal":
            return portal_asking(self.cloud.ports, jobs)
        return service_asking(self.cloud.client("sagemaker"), jobs)


def portal_asking(ports: Ports, names: Iterable[str]) -> Asking:
    """Return the jobs' figures from the portal's counters; jobs not opened yet count nothing."""
    jobs = read_jobs(ports.table, names)
    totals = add_up(ports, jobs)
    return Asking(
        totals.tasks,
        totals.done,
        totals.needed,
        len(totals.active),
        totals.images_an_hour,
        totals.hours_left,
        totals.quality["agreement"],
        tuple(job.name for job in jobs),
    )


def service_asking(sagemaker: Any, jobs: Iterable[str]) -> Asking:
    """The jobs' figures as Ground Truth counts them: pages labeled, not answers."""
    done = total = 0
    names = []
    for name in jobs:
        try:
            job = sagemaker.describe_labeling_job(LabelingJobName=name)
        except sagemaker.exceptions.ResourceNotFound:
            continue  # not opened yet: only so many jobs run at the same time
        counters = job["LabelCounters"]
        names.append(name)
        done += counters["TotalLabeled"] + counters["FailedNonRetryableError"]
        total += counters["TotalLabeled"] + counters["Unlabeled"]
    return Asking(total, done, total, jobs=tuple(names))


def jobs_in(folder: RunFolder, asked: dict[str, Any]) -> list[str]:
    """The names of a round's jobs."""
    return [job_name(folder.name, asked["round"], shard) for shard in range(asked["shards"])]


def jobs_of(folder: RunFolder) -> list[str]:
    """The names of the jobs of a run's latest round."""
    rounds = folder.record.get("rounds") or []
    return jobs_in(folder, rounds[-1]) if rounds else []


def folder_of(cloud: Cloud, described: dict[str, Any]) -> RunFolder | None:
    """The folder of an execution's run: by its result, else by its manifest and settings."""
    output = json.loads(described.get("output") or "{}")
    if output.get("home"):
        return RunFolder(cloud, output["home"])
    run = run_of(cloud, described)
    if run is None:
        return None
    folder = RunFolder(cloud, f"{cloud.outputs['Labels'].rstrip('/')}/{run}/")
    return folder if folder.has("run.json") else None


def run_of(cloud: Cloud, described: dict[str, Any]) -> str | None:
    """The name of an execution's run, by its manifest and settings, even before it is there."""
    detail = json.loads(described["input"]).get("detail", {})
    if "object" not in detail:
        return None
    manifest = {"bucket": detail["bucket"]["name"]} | {
        name: detail["object"].get(name, "") for name in ("key", "etag", "version-id")
    }
    project = manifest["key"].rpartition("/")[0]
    settings = settings_there(cloud, f"s3://{manifest['bucket']}", project)
    try:
        return run_id(manifest, read_settings(settings))
    except TesseraError:  # such a manifest is refused, and has no run
        return None


def settings_there(cloud: Cloud, inbox: str, project: str) -> bytes:
    """Return the settings in a project's folder of the inbox, else the stack's own or nothing."""
    uri = f"{inbox}/{project}/labeling.json" if project else f"{inbox}/labeling.json"
    document = cloud.storage.get_up_to(uri, LONGEST_SETTINGS + 1)
    return cloud.default_settings if document is None else document


def manifest_in(described: dict[str, Any]) -> str:
    """The key of the manifest that an execution was started for."""
    detail = json.loads(described["input"]).get("detail", {})
    key: str = detail.get("object", {}).get("key", "")
    return key
