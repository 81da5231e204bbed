"""Status of a run: its state and round, and how far its workers are."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from shlex import quote
from typing import Any

from botocore.exceptions import ClientError

from tessera.portal.ports import Ports
from tessera.portal.progress import add_up, qualification_progress
from tessera.portal.records import OPEN
from tessera.portal.remarks import count_flags
from tessera.portal.staffing import pages_without_workers
from tessera.portal.table_layout import read_jobs
from tessera.runs.executions import RunError, dropped_object
from tessera.runs.folder import RunFolder
from tessera.stack.cloud import Cloud
from tessera.tiling.errors import TesseraError
from tessera.tiling.run.job_names import job_name
from tessera.tiling.run.jobs import name_prefix, run_id
from tessera.tiling.run.run_record import find_settings, project_of
from tessera.tiling.settings import LONGEST_SETTINGS

ROWS_PREFIX = "embedding/rows-"
"""Beginning of the names of blocks' rows in a run's folder: tessera.tiling.guesses.embedding_blocks
has it too, with linear algebra that is not loaded here."""
STAFFING_SECONDS = 60.0
"""Seconds between two looks at the accounts, of which Cognito lists sixty in an answer."""

MINUTE = 60.0

MAX_REASONS = 3
"""Reasons of flags that a line of progress names; the portal and flagged.csv have all."""

SHARD_STATES = {
    "ChooseService", "OpenJob", "CloseJob", "JobNotClosed", "CreateLabelingJob",
    "DescribeLabelingJob", "JobOutcome", "WaitForJob", "JobCompleted", "JobIncomplete",
    "JobNotOpened", "EmbedBlocks", "JoinEmbeddings", "PicturesEmbedded",
}  # fmt: skip
"""States of one shard, and of the embedding of pictures beside them. A run in one of them is in
LabelShards, which has all shards in it."""


BLOCK_STATES = {"EmbedImages", "BlockFailed"}
"""States of one block of pictures, beside the shards."""


@dataclass(frozen=True, slots=True)
class RoundProgress:
    """Progress of a round's jobs together: pages answered and needed, by whom, how fast.

    `short` counts pages that need more people than there are, and `remedy` is what to do then.
    `blocks` counts those of the pictures that the run embeds itself, of which so many are
    `embedded`. `tried` counts workers who tried to qualify for the project, of whom so many are
    `qualified`. `flagged` counts the pictures that workers flagged, for these `reasons`.
    `for_anyone_at` is the time, as seconds since 1970, from which on anyone gets pages that go
    first to the workers who are likeliest to be right; None where none waits for them.
    """

    tasks: int = 0
    answers: int = 0
    needed: int = 0
    workers: int = 0
    images_an_hour: float = 0.0
    hours_left: float | None = None
    agreement: float | None = None
    jobs: tuple[str, ...] = ()
    short: int = 0
    remedy: str = ""
    blocks: int = 0
    embedded: int = 0
    tried: int = 0
    qualified: int = 0
    flagged: int = 0
    reasons: tuple[str, ...] = ()
    for_anyone_at: float | None = None


@dataclass(frozen=True, slots=True)
class RunStatus:
    """Status of a run now; `confidence` is the mean of its labels after the last round."""

    run: str
    status: str
    state: str
    round: int = 0
    images: int = 0
    progress: RoundProgress = field(default_factory=RoundProgress)
    confidence: float | None = None
    trouble: str = ""
    """Reason why its stack saves nothing, with what to do; empty if it saves."""

    def facts(self) -> dict[str, Any]:
        """Return it as `--json` prints it; programs know the progress as `asking`."""
        facts = asdict(self)
        facts["asking"] = facts.pop("progress")
        return facts


@dataclass
class RunObserver:
    """Observer of one execution, which is read again and again; its run is looked up once."""

    cloud: Cloud
    execution: str
    folder: RunFolder | None = None
    counts_people: bool = True
    """Whether pages that nobody is left for are of interest; not where one person or a simulated
    crew labels, for neither needs an account."""

    def __post_init__(self) -> None:
        """Make the client once."""
        self._staffed_until, self._short = 0.0, 0
        self._workflows = self.cloud.client("stepfunctions")

    def read(self) -> RunStatus:
        """Read the run's status now; its name is empty until the run has a folder."""
        try:
            described = self._workflows.describe_execution(executionArn=self.execution)
        except self._workflows.exceptions.ExecutionDoesNotExist as error:
            raise RunError(
                f"{self.folder.name if self.folder else 'The run'} was cut off: nothing works on "
                f"it any more. Go on with it: {self.cloud.command('up')}"
            ) from error
        status, state = described["status"], self._state()
        if self.folder is None and state not in ("", "GroupImages"):
            self.folder = run_folder_of(self.cloud, described)
        if self.folder is None:
            return RunStatus("", status, state, trouble=self.cloud.trouble)
        rounds = _read_rounds(self.folder)
        latest = rounds[-1] if rounds else {"round": 0, "images": 0, "shards": 0}
        labeling = state == "LabelShards" and status == "RUNNING"
        return RunStatus(
            self.folder.name,
            status,
            state,
            latest["round"],
            latest["images"],
            self._progress(latest) if labeling else RoundProgress(),
            # in the first round there is no report yet, or an earlier execution's
            None if labeling and latest["round"] < 2 else _read_confidence(self.folder),
            self.cloud.trouble,
        )

    def _progress(self, latest: dict[str, Any]) -> RoundProgress:
        """Return the round's progress; where nobody is at work, with the pages nobody can do."""
        assert self.folder is not None
        progress = _with_blocks(_read_progress(self.folder, latest), self.folder, latest["round"])
        on_portal = self.folder.settings.on_portal
        if (
            not (on_portal and self.counts_people)
            or progress.workers
            or progress.answers >= progress.needed
        ):
            return progress
        if time.monotonic() > self._staffed_until:  # accounts are not listed at every look
            self._staffed_until = time.monotonic() + STAFFING_SECONDS
            with suppress(ClientError):  # whoever may watch a run need not be allowed to see them
                self._short = pages_without_workers(
                    self.cloud.ports, self.cloud.users.emails, progress.jobs
                )
        if not self._short:
            return progress
        return replace(progress, short=self._short, remedy=staffing_remedy(self.folder, progress))

    def _state(self) -> str:
        """Return the state that was entered last, LabelShards for those of a shard."""
        events = self._workflows.get_execution_history(
            executionArn=self.execution, reverseOrder=True, maxResults=100
        )["events"]
        entered = (
            event["stateEnteredEventDetails"]["name"]
            for event in events
            if event["type"].endswith("StateEntered")
        )
        inside = SHARD_STATES | BLOCK_STATES
        return next(("LabelShards" if name in inside else name for name in entered), "")


def staffing_remedy(folder: RunFolder, progress: RoundProgress) -> str:
    """Return what to do where pages need more people than there are, as commands."""
    command = folder.cloud.command
    remedy = command("workers add EMAIL")
    if progress.qualified < progress.tried:
        project = quote(project_of(folder.record["manifest"]))
        anew = command(f"workers requalify EMAIL --project {project}")
        remedy += f", or let who did not qualify begin anew: {anew}"
    return f"{remedy}, or end the run: {command(f'stop {folder.name}')}"


def _read_rounds(folder: RunFolder) -> list[dict[str, Any]]:
    folder.__dict__.pop("record", None)  # run.json grows by every round, so it is read again
    rounds: list[dict[str, Any]] = folder.record.get("rounds") or []
    return rounds


def _read_confidence(folder: RunFolder) -> float | None:
    if not folder.has("report.json"):
        return None
    mean: float | None = json.loads(folder.read("report.json"))["confidence"].get("mean")
    return mean


def _with_blocks(progress: RoundProgress, folder: RunFolder, round_: int) -> RoundProgress:
    """Return the progress with the blocks of pictures that are embedded beside the first round."""
    blocks = int(folder.record.get("embedding-blocks", 0)) if round_ == 1 else 0
    if not blocks:
        return progress
    rows = folder.cloud.storage.list_uris(folder.uri(ROWS_PREFIX))
    return replace(progress, blocks=blocks, embedded=sum(1 for _ in rows))


def _read_progress(folder: RunFolder, latest: dict[str, Any]) -> RoundProgress:
    jobs = round_jobs(folder, latest)
    if folder.settings.on_portal:
        offer_seconds = folder.settings.offer_minutes * MINUTE
        return portal_progress(folder.cloud.ports, jobs, offer_seconds)
    return ground_truth_progress(folder.cloud.client("sagemaker"), jobs)


def portal_progress(
    ports: Ports, names: Iterable[str], offer_seconds: float = 0.0
) -> RoundProgress:
    """Add up the jobs' progress from the portal's counters; unopened jobs count nothing.

    For `offer_seconds` pages go to some workers first, where a job has such pages.
    """
    jobs = read_jobs(ports.table, names)
    totals = add_up(ports, jobs)
    # by the setting, not by each job's file of offers, which may have megabytes
    ends = [job.opened + offer_seconds for job in jobs if job.offers and job.status == OPEN]
    held_back = totals.left > 0 and max(ends, default=0.0) > totals.now
    # The jobs of a round have the same project, and the same share to reach.
    qualified = qualification_progress(ports, jobs[0]).get("qualification", {}) if jobs else {}
    flagged, reasons = count_flags(ports, [job.name for job in jobs])
    return RoundProgress(
        totals.tasks,
        totals.done,
        totals.needed,
        len(totals.active),
        totals.images_an_hour,
        totals.hours_left,
        totals.quality["agreement"],
        tuple(job.name for job in jobs),
        tried=qualified.get("tried", 0),
        qualified=qualified.get("passed", 0),
        flagged=flagged,
        reasons=tuple(reasons[:MAX_REASONS]),
        for_anyone_at=max(ends) if held_back else None,
    )


def ground_truth_progress(sagemaker: Any, jobs: Iterable[str]) -> RoundProgress:
    """Add up the jobs' progress as Ground Truth counts it: pages labeled, not answers."""
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
    return RoundProgress(total, done, total, jobs=tuple(names))


def round_jobs(folder: RunFolder, entry: dict[str, Any]) -> list[str]:
    """Return the names of a round's jobs; `entry` is the round's in run.json."""
    return [job_name(folder.name, entry["round"], shard) for shard in range(entry["shards"])]


def latest_jobs(folder: RunFolder) -> list[str]:
    """Return the names of the jobs of a run's latest round."""
    rounds = folder.record.get("rounds") or []
    return round_jobs(folder, rounds[-1]) if rounds else []


def run_folder_of(cloud: Cloud, described: dict[str, Any]) -> RunFolder | None:
    """Return the folder of an execution's run, or None while it has none.

    It is named in the execution's output, and before the end by the run.json that names the
    execution. It is not derived from the settings in the inbox, which may be others by now.
    """
    output = json.loads(described.get("output") or "{}")
    if output.get("home"):
        return RunFolder(cloud, output["home"])
    key, execution = manifest_key(described), described["executionArn"]
    if not key:
        return None
    # A run's name begins with its manifest's, so that only few records are read.
    prefix = f"{cloud.outputs['Labels'].rstrip('/')}/{name_prefix(key)}"
    for home in cloud.storage.list_folders(prefix):
        folder = RunFolder(cloud, home)
        if folder.has("run.json") and execution in executions_of(folder.record):
            return folder
    return None


def executions_of(record: dict[str, Any]) -> tuple[str, ...]:
    """Return the executions that a run.json names: its owner, then those that it was taken from."""
    return (record.get("execution", ""), *record.get("taken-from", ()))


def run_name_of(cloud: Cloud, described: dict[str, Any]) -> str | None:
    """Work out the name of an execution's run from its manifest and settings.

    The run need not have begun. None if the manifest is one that a run refuses.
    """
    manifest = dropped_object(described)
    if not manifest:
        return None
    try:
        # As the run itself finds them, with instructions and examples beside the manifest.
        default = cloud.default_settings.decode()
        return run_id(manifest, find_settings(cloud.storage, manifest, default))
    except TesseraError:
        return None


def settings_in_force(cloud: Cloud, inbox: str, project: str) -> bytes:
    """Return the settings in a project's folder of the inbox, else the stack's own or nothing."""
    uri = f"{inbox}/{project}/labeling.json" if project else f"{inbox}/labeling.json"
    document = cloud.storage.get_up_to(uri, LONGEST_SETTINGS + 1)
    return cloud.default_settings if document is None else document


def manifest_key(described: dict[str, Any]) -> str:
    """Return the key of the manifest that an execution was started for."""
    return dropped_object(described).get("key", "")
