"""Folders of runs in the labels bucket: found by a run's name, read file by file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from functools import cached_property
from itertools import islice
from typing import Any

import click
from botocore.exceptions import ClientError

from tessera.aws.storage import is_missing
from tessera.exits import NotFound
from tessera.stack.cloud import Cloud
from tessera.tiling.decisions import FOLDER
from tessera.tiling.run.job_names import parse_job_name
from tessera.tiling.settings import Settings, settings_from


@dataclass(frozen=True)
class RunFolder:
    """Folder of one run in S3; `home` is its URI and ends with a slash."""

    cloud: Cloud
    home: str

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.home.rstrip("/").rpartition("/")[2]

    def uri(self, file: str) -> str:
        """Return the URI of a file of the run."""
        return self.home + file

    def read(self, file: str) -> bytes:
        """Return one file of the run, whole; NotFound if the run has none of this name."""
        with self._named_if_missing(file):
            return self.cloud.storage.get(self.uri(file))

    def lines(self, file: str) -> Iterator[bytes]:
        """Iterate over a file's lines without their ends; NotFound as in `read`."""
        with self._named_if_missing(file):
            yield from self.cloud.storage.iter_lines(self.uri(file))

    @contextmanager
    def _named_if_missing(self, file: str) -> Iterator[None]:
        """Turn S3's error for a missing file into one that says what to do."""
        try:
            yield
        except ClientError as error:
            if not is_missing(error):
                raise
            watch = self.cloud.command(f"watch {self.name}")
            raise NotFound(
                f"There is no {self.uri(file)}. Perhaps the run has not got so far yet: {watch}"
            ) from error

    def modified(self, file: str) -> datetime:
        """Return when a file of the run was written; NotFound as in `read`."""
        for entry in islice(self.cloud.storage.list_objects(self.uri(file)), 1):
            return entry.modified
        raise NotFound(f"There is no {self.uri(file)}.")

    @cached_property
    def training(self) -> str:
        """Name of the training manifest that counts: the reviewed one, if that is the newer."""
        reviewed = f"{FOLDER}training.manifest"
        # Labels that were made after a review have its decisions in them.
        if self.has(reviewed) and self.modified(reviewed) >= self.modified("training.manifest"):
            return reviewed
        return "training.manifest"

    def has(self, file: str) -> bool:
        """Return whether the run has a file of this name."""
        return self.cloud.storage.exists(self.uri(file))

    def write(self, file: str, content: bytes, content_type: str) -> None:
        """Put one file of the run."""
        self.cloud.storage.put(self.uri(file), content, content_type=content_type)

    @cached_property
    def record(self) -> dict[str, Any]:
        """Content of `run.json`: owner, manifest, settings and rounds of the run."""
        record: dict[str, Any] = json.loads(self.read("run.json"))
        return record

    @property
    def notices(self) -> list[str]:
        """Sentences on the manifest's first pictures and on settings without effect on it."""
        return list(self.record.get("notices") or ())

    @cached_property
    def settings(self) -> Settings:
        """Settings that the run was made with."""
        return settings_from(self.record["settings"])

    @cached_property
    def report(self) -> dict[str, Any]:
        """Content of `report.json`: the run's figures."""
        report: dict[str, Any] = json.loads(self.read("report.json"))
        return report


def list_runs(cloud: Cloud) -> list[tuple[RunFolder, datetime]]:
    """Return every run that has begun, with when it began or was taken over, newest first."""
    storage, runs = cloud.storage, []
    for home in storage.list_folders(cloud.outputs["Labels"].rstrip("/") + "/"):
        for record in islice(storage.list_objects(home + "run.json"), 1):
            runs.append((RunFolder(cloud, home), record.modified))
    return sorted(runs, key=lambda run: run[1], reverse=True)


def find_run(cloud: Cloud, name: str | None) -> RunFolder:
    """Find the run of this name or whose name begins so, or the newest one without a name.

    A name may also be the URI of a run's folder. NotFound names runs that may be meant.
    """
    if name and name.startswith("s3://"):
        return RunFolder(cloud, name.rstrip("/") + "/")
    if name:
        exact = RunFolder(cloud, f"{cloud.outputs['Labels'].rstrip('/')}/{name}/")
        if exact.has("run.json"):  # one request, where a list of all runs is many
            return exact
    runs = [folder for folder, _ in list_runs(cloud)]
    if not runs:
        raise NotFound(
            f"There are no runs in {cloud.outputs['Labels']} yet. "
            f"Start one: {cloud.command('drop MANIFEST')}"
        )
    if name is None:
        return runs[0]
    matches = [folder for folder in runs if folder.name.startswith(name)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        several = ", ".join(folder.name for folder in matches[:5])
        raise NotFound(f"{name} may be any of {len(matches)} runs: {several}. Give more of it.")
    names = [folder.name for folder in runs]
    similar = get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f"Did you mean {similar[0]}?" if similar else f"The newest is {names[0]}."
    raise NotFound(f"There is no run {name!r}. {hint} List them all: {cloud.command('runs')}")


def record_of(labels: str, job: str) -> str:
    """Return where S3 keeps a job's record, by the run and the round in the job's name.

    >>> record_of("s3://labels/runs", "pets-may-2f9a-r1-000")
    's3://labels/runs/pets-may-2f9a/round-1/jobs/pets-may-2f9a-r1-000/job.json'
    """
    name = parse_job_name(job)
    if name is None:
        raise click.UsageError(f"{job!r} is not the name of a job, such as pets-2f9a-r1-000.")
    return f"{labels}/{name.run}/round-{name.round}/jobs/{job}/job.json"
