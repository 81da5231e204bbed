"""What runs left in the labels bucket: find a run by its name, read its files."""

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

from botocore.exceptions import ClientError

from tessera.aws.storage import is_missing
from tessera.exits import NotFound
from tessera.stack.cloud import Cloud
from tessera.tiling.settings import Settings, settings_from


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run in S3; `home` ends with a slash."""

    cloud: Cloud
    home: str

    @property
    def name(self) -> str:
        """The run's name."""
        return self.home.rstrip("/").rpartition("/")[2]

    def uri(self, file: str) -> str:
        """Where a file of the run is."""
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
            raise NotFound(
                f"There is no {self.uri(file)}. "
                f"The run may not have come so far: tessera watch {self.name}"
            ) from error

    def has(self, file: str) -> bool:
        """Return whether the run has a file of this name."""
        return self.cloud.storage.exists(self.uri(file))

    def write(self, file: str, content: bytes, content_type: str) -> None:
        """Put one file of the run."""
        self.cloud.storage.put(self.uri(file), content, content_type=content_type)

    @cached_property
    def record(self) -> dict[str, Any]:
        """`run.json`: who owns the run, its manifest, its settings, its counts."""
        record: dict[str, Any] = json.loads(self.read("run.json"))
        return record

    @cached_property
    def settings(self) -> Settings:
        """The settings that the run was made under."""
        return settings_from(self.record["settings"])

    @cached_property
    def report(self) -> dict[str, Any]:
        """`report.json`: the run's figures."""
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
    """The run of this name, or whose name begins so; the newest one if none is named."""
    if name and name.startswith("s3://"):
        return RunFolder(cloud, name.rstrip("/") + "/")
    if name:
        exact = RunFolder(cloud, f"{cloud.outputs['Labels'].rstrip('/')}/{name}/")
        if exact.has("run.json"):
            return exact
    everyone = [folder for folder, _ in list_runs(cloud)]
    if not everyone:
        raise NotFound(
            f"There are no runs in {cloud.outputs['Labels']} yet. Drop one: tessera drop MANIFEST"
        )
    if name is None:
        return everyone[0]
    fitting = [folder for folder in everyone if folder.name.startswith(name)]
    if len(fitting) == 1:
        return fitting[0]
    names = [folder.name for folder in everyone]
    if fitting:
        shown = ", ".join(folder.name for folder in fitting[:5])
        raise NotFound(f"{name} may be any of {len(fitting)} runs: {shown}. Say more of the name.")
    near = get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f"Did you mean {near[0]}?" if near else f"The newest is {names[0]}."
    raise NotFound(f"There is no run {name!r}. {hint} All of them: tessera runs")
