"""What runs left in the labels bucket: find a run by its name, read its files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from tessera.exits import NotFound
from tessera.stack.cloud import Cloud
from tessera.tiling.settings import Settings, settings_from


def place(uri: str) -> tuple[str, str]:
    """The bucket and the key of an S3 URI.

    >>> place("s3://pets/runs/may/")
    ('pets', 'runs/may/')
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run in S3; `home` ends with a slash."""

    cloud: Cloud
    home: str

    @property
    def name(self) -> str:
        """The run's name."""
        return self.home.rstrip("/").rpartition("/")[2]

    @cached_property
    def _s3(self) -> Any:
        return self.cloud.client("s3")

    def uri(self, file: str) -> str:
        """Where a file of the run is."""
        return self.home + file

    def read(self, file: str) -> bytes:
        """One file of the run, whole; NotFound says what is missing."""
        bucket, key = place(self.uri(file))
        try:
            content: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except self._s3.exceptions.NoSuchKey as error:
            raise NotFound(
                f"There is no {self.uri(file)}. "
                f"The run may not have come so far: tessera watch {self.name}"
            ) from error
        return content

    def has(self, file: str) -> bool:
        """Whether the run has a file of this name."""
        bucket, key = place(self.uri(file))
        found = self._s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
        return any(entry["Key"] == key for entry in found.get("Contents", []))

    def lines(self, file: str) -> Iterator[bytes]:
        """A file's lines without their line ends, a piece at a time."""
        bucket, key = place(self.uri(file))
        try:
            body = self._s3.get_object(Bucket=bucket, Key=key)["Body"]
        except self._s3.exceptions.NoSuchKey as error:
            raise NotFound(
                f"There is no {self.uri(file)}. "
                f"The run may not have come so far: tessera watch {self.name}"
            ) from error
        rest = b""
        for piece in body.iter_chunks(1024 * 1024):
            *whole, rest = (rest + piece).split(b"\n")
            yield from whole
        if rest:
            yield rest

    def write(self, file: str, content: bytes, kind: str) -> None:
        """Put one file of the run."""
        bucket, key = place(self.uri(file))
        self._s3.put_object(Bucket=bucket, Key=key, Body=content, ContentType=kind)

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


def runs(cloud: Cloud) -> list[tuple[RunFolder, datetime]]:
    """Every run that has a folder, with the time it began or was taken over, newest first."""
    bucket, prefix = place(cloud.outputs["Labels"].rstrip("/") + "/")
    s3 = cloud.client("s3")
    found = []
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, Delimiter="/"
    )
    for page in pages:
        for folder in page.get("CommonPrefixes", []):
            home = f"s3://{bucket}/{folder['Prefix']}"
            begun = s3.list_objects_v2(Bucket=bucket, Prefix=folder["Prefix"] + "run.json")
            for entry in begun.get("Contents", [])[:1]:
                found.append((RunFolder(cloud, home), entry["LastModified"]))
    return sorted(found, key=lambda run: run[1], reverse=True)


def find_run(cloud: Cloud, name: str | None) -> RunFolder:
    """The run of this name, or whose name begins so; the newest one if none is named."""
    if name and name.startswith("s3://"):
        return RunFolder(cloud, name.rstrip("/") + "/")
    if name:
        exact = RunFolder(cloud, f"{cloud.outputs['Labels'].rstrip('/')}/{name}/")
        if exact.has("run.json"):
            return exact
    everyone = [folder for folder, _ in runs(cloud)]
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
