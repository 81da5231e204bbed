"""Executions of the state machine from outside: started by a drop, followed, read at the end."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tessera.stack.cloud import Cloud
from tessera.tiling.run.run_record import manifest_uri

ENDED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
"""Statuses of executions that change no more."""

CUT_OFF = "States.ServiceRestart"
"""Error of an execution that ran when the embedded AWS ended."""


class RunError(click.ClickException):
    """Run that did not start or ended badly; the message says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Status of an execution that has ended, with its output or its error and cause.

    `manifest` is the URI of what was dropped, and `etag` its content's.
    """

    status: str
    output: dict[str, Any]
    error: str = ""
    cause: str = ""
    manifest: str = ""
    etag: str = ""

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Ending:
        """Read it from how Step Functions describes the execution."""
        dropped = dropped_object(described)
        return cls(
            described["status"],
            json.loads(described.get("output") or "{}"),
            described.get("error") or "",
            described.get("cause") or "",
            manifest_uri(dropped) if dropped else "",
            dropped.get("etag", ""),
        )


def dropped_object(described: Mapping[str, Any]) -> dict[str, str]:
    """Return the object that an execution was started for, or nothing if it was for none.

    It has `bucket`, `key`, `etag` and `version-id`, as the run's record has them.
    """
    detail = json.loads(described.get("input") or "{}").get("detail") or {}
    if "object" not in detail:
        return {}
    names = ("key", "etag", "version-id")
    dropped = {name: detail["object"].get(name) or "" for name in names}
    return {"bucket": detail["bucket"]["name"]} | dropped


def drop(cloud: Cloud, manifest: bytes, *, project: str, name: str, settings: bytes | None) -> str:
    """Put the settings, if any, and then the manifest into the inbox; return the manifest's key."""
    inbox, key = cloud.outputs["Inbox"], f"{project}/{name}.manifest"
    if settings is not None:  # first, as the manifest starts a run that reads them
        cloud.storage.put(f"{inbox}/{project}/labeling.json", settings)
    cloud.storage.put(f"{inbox}/{key}", manifest)
    return key


def wait_for_execution(
    cloud: Cloud, key: str, *, seconds: float = 60, besides: Collection[str] = ()
) -> str:
    """Return the ARN of the execution that the drop of this key started, none of `besides`.

    RunError if none starts within `seconds`.
    """
    workflows, machine = cloud.client("stepfunctions"), cloud.outputs["StateMachineArn"]
    seen: set[str] = set(besides)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        newest = workflows.list_executions(stateMachineArn=machine, maxResults=100)["executions"]
        for arn in (execution["executionArn"] for execution in newest):
            if arn in seen:
                continue
            seen.add(arn)
            started_with = json.loads(workflows.describe_execution(executionArn=arn)["input"])
            if started_with.get("detail", {}).get("object", {}).get("key") == key:
                return str(arn)
        time.sleep(0.1)
    raise RunError(
        f"No execution started for {key} within {seconds:.0f} seconds. "
        "Look at the rule of the state machine, and at the queue of undelivered drops."
    )


def read_ending(cloud: Cloud, execution: str) -> Ending:
    """Return the execution's status, with its output or error so far."""
    return Ending.of(cloud.client("stepfunctions").describe_execution(executionArn=execution))


def download(cloud: Cloud, home: str, names: tuple[str, ...], folder: Path) -> None:
    """Copy files of a run's folder in S3 into a folder here."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        cloud.storage.download(home + name, folder / name)


def list_executions(cloud: Cloud, count: int) -> list[dict[str, Any]]:
    """Return the newest executions, newest first."""
    executions: list[dict[str, Any]] = cloud.client("stepfunctions").list_executions(
        stateMachineArn=cloud.outputs["StateMachineArn"], maxResults=count
    )["executions"]
    return executions
