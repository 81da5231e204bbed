"""A run from outside: drop its manifest, find its execution, follow it, fetch what came out."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tessera.cloud import Cloud

ENDED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


class RunError(click.ClickException):
    """A run did not start or ended badly; the message says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How an execution ended: its status, and its output or its error and cause."""

    status: str
    output: dict[str, Any]
    error: str = ""
    cause: str = ""


def drop(cloud: Cloud, manifest: bytes, *, project: str, name: str, settings: bytes) -> str:
    """Put the settings and then the manifest into the inbox; returns the manifest's key."""
    s3, inbox = cloud.client("s3"), bucket_of(cloud.outputs["Inbox"])
    key = f"{project}/{name}.manifest"
    s3.put_object(Bucket=inbox, Key=f"{project}/labeling.json", Body=settings)
    s3.put_object(Bucket=inbox, Key=key, Body=manifest)
    return key


def bucket_of(uri: str) -> str:
    """The bucket of an S3 URI.

    >>> bucket_of("s3://pets/runs")
    'pets'
    """
    return uri.removeprefix("s3://").partition("/")[0]


def execution_of(cloud: Cloud, key: str, *, seconds: float = 60) -> str:
    """The ARN of the execution that the drop of this key started."""
    workflows, machine = cloud.client("stepfunctions"), cloud.outputs["StateMachineArn"]
    seen: set[str] = set()
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


def follow(cloud: Cloud, execution: str, *, pause: float = 0.3) -> Iterator[str]:
    """The names of the states as the execution enters them, until it has ended."""
    workflows, shown = cloud.client("stepfunctions"), 0
    while True:
        status = workflows.describe_execution(executionArn=execution)["status"]
        entered = [
            event["stateEnteredEventDetails"]["name"]
            for page in workflows.get_paginator("get_execution_history").paginate(
                executionArn=execution
            )
            for event in page["events"]
            if event["type"].endswith("StateEntered")
        ]
        yield from entered[shown:]
        shown = len(entered)
        if status in ENDED:
            return
        time.sleep(pause)


def ending(cloud: Cloud, execution: str) -> Ending:
    """How the execution ended."""
    found = cloud.client("stepfunctions").describe_execution(executionArn=execution)
    return Ending(
        found["status"],
        json.loads(found.get("output") or "{}"),
        found.get("error", ""),
        found.get("cause", ""),
    )


def fetch(cloud: Cloud, home: str, names: tuple[str, ...], folder: Path) -> None:
    """Copy files of a run's folder in S3 into a folder here."""
    folder.mkdir(parents=True, exist_ok=True)
    s3, bucket = cloud.client("s3"), bucket_of(home)
    prefix = home.removeprefix(f"s3://{bucket}/")
    for name in names:
        s3.download_file(bucket, prefix + name, str(folder / name))
