"""Smoke test of a deployment: twenty pictures dropped, labeled through the portal, and checked.

It deploys nothing and deletes nothing; `remove` does, for the throw-away stack that it is run on.
"""

from __future__ import annotations

import hashlib
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from rich.console import Console

from tessera.runs.executions import RunError
from tessera.simulation.example import EXAMPLE, Example, drop_and_finish, make_workers
from tessera.simulation.workers import PageReader, SimulatedWorker
from tessera.stack.cloud import Cloud

IMAGES, WORKERS = 20, 3
SETTINGS = {"images_per_task": 10, "answers_per_image": 2, "max_answers": 2}
"""Two pages for each of two workers: little to pay for, and more than one of everything."""
MANAGED_STACK = "aws-sam-cli-managed-default"
"""Stack of the SAM CLI itself, whose bucket has what it uploads."""
LOG_GROUPS = ("/aws/lambda/", "/aws/vendedlogs/states/", "/aws/vendedlogs/apis/")


@dataclass
class LookingWorker(SimulatedWorker):
    """Simulated worker who also fetches each picture of a page, as a browser does."""

    pictures: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the pictures that loaded, by file name."""

    def label_page(self, page: str) -> dict[str, Any]:
        """Fetch the page's pictures at their signed addresses, and label them."""
        reader = PageReader()
        reader.feed(page)
        for address in reader.pictures.values():
            with urllib.request.urlopen(address, timeout=30) as response:
                name = address.partition("?")[0].rpartition("/")[2]
                self.pictures[name] = hashlib.sha256(response.read()).hexdigest()
        return super().label_page(page)


def label_twenty(cloud: Cloud, console: Console) -> None:
    """Have simulated workers label twenty pictures, and check all that a user would look at.

    RunError says what is not as it must be.
    """
    example = Example(EXAMPLE)
    crew: list[SimulatedWorker] = [
        LookingWorker(**vars(worker))
        for worker in make_workers(cloud, example, workers=WORKERS, error_rate=0.0, seed=1)
    ]
    settings = example.settings | SETTINGS
    with tempfile.TemporaryDirectory() as folder:
        result = drop_and_finish(cloud, example, settings, IMAGES, crew, Path(folder), console)
    if result["labeled"] != IMAGES or result["accuracy"] != 1.0:
        raise RunError(
            f"{result['labeled']} of {IMAGES} pictures are labeled, {result['accuracy']:.0%} of "
            "them as the workers labeled them: answers were lost or mixed up"
        )
    console.print(f"[bold]Labels[/]   all {IMAGES} are in training.manifest, and each is right")
    loaded = {name: digest for worker in crew for name, digest in vars(worker)["pictures"].items()}
    _check_pictures(example, loaded)
    console.print(
        f"[bold]Pictures[/] {len(loaded)} loaded from their signed addresses, byte for byte"
    )


def _check_pictures(example: Example, loaded: dict[str, str]) -> None:
    """Raise RunError unless as many pictures as were dropped loaded, each as it was uploaded."""
    for name, digest in loaded.items():
        content = (example.folder / "images" / name).read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise RunError(f"The picture {name} is another one at its signed address")
    if len(loaded) != IMAGES:
        raise RunError(f"{len(loaded)} of {IMAGES} pictures loaded from their signed addresses")


# ── Deleting all of it ───────────────────────────────────────────────────────────────────────────


def remove(cloud: Cloud, console: Console) -> list[str]:
    """Delete the stack with all that it keeps when it is deleted; return what could not be.

    Whatever a deployment that failed has left goes, too.
    """
    kept = _kept_resources(cloud)
    steps: list[tuple[str, Callable[[], None]]] = [
        (f"stack {cloud.stack_name}", lambda: _delete_stack(cloud)),
        *((f"bucket {name}", lambda name=name: _delete_bucket(cloud, name)) for name in kept[0]),
        *((f"user pool {name}", lambda name=name: _delete_pool(cloud, name)) for name in kept[1]),
        ("what was uploaded to deploy it", lambda: _delete_uploads(cloud)),
        ("logs", lambda: _delete_logs(cloud)),
    ]
    remaining = []
    for name, step in steps:
        try:
            step()
        except Exception as error:  # one thing that stays must not keep the others
            remaining.append(f"{name}: {error}")
        else:
            console.print(f"[bold]Deleted[/]  {name}")
    return remaining


def _kept_resources(cloud: Cloud) -> tuple[list[str], list[str]]:
    """Return the buckets and the user pools of the stack, which its deletion keeps."""
    formation = cloud.client("cloudformation")
    listed: list[dict[str, Any]] = []
    with suppress(ClientError):  # nothing was deployed at all
        listed = formation.describe_stack_resources(StackName=cloud.stack_name)["StackResources"]
    made = [(each["ResourceType"], each.get("PhysicalResourceId", "")) for each in listed]
    return (
        [name for kind, name in made if kind == "AWS::S3::Bucket" and name],
        [name for kind, name in made if kind == "AWS::Cognito::UserPool" and name],
    )


def _delete_stack(cloud: Cloud) -> None:
    formation = cloud.client("cloudformation")
    formation.delete_stack(StackName=cloud.stack_name)
    formation.get_waiter("stack_delete_complete").wait(StackName=cloud.stack_name)


def _delete_bucket(cloud: Cloud, name: str) -> None:
    """Delete a bucket and every version of every object in it."""
    s3 = cloud.client("s3")
    with suppress(s3.exceptions.NoSuchBucket):
        _delete_objects(s3, name, "")
        s3.delete_bucket(Bucket=name)


def _delete_objects(s3: Any, bucket: str, prefix: str) -> None:
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        listed = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        versions = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in listed]
        if versions:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": versions, "Quiet": True})


def _delete_pool(cloud: Cloud, pool: str) -> None:
    cognito = cloud.client("cognito-idp")
    with suppress(cognito.exceptions.ResourceNotFoundException):
        cognito.delete_user_pool(UserPoolId=pool)


def _delete_uploads(cloud: Cloud) -> None:
    """Delete what the SAM CLI has uploaded under the stack's name."""
    described = cloud.client("cloudformation").describe_stacks(StackName=MANAGED_STACK)
    outputs = {each["OutputKey"]: each["OutputValue"] for each in described["Stacks"][0]["Outputs"]}
    _delete_objects(cloud.client("s3"), outputs["SourceBucket"], f"{cloud.stack_name}/")


def _delete_logs(cloud: Cloud) -> None:
    """Delete groups that a function's last lines may have made anew after the stack was deleted."""
    logs = cloud.client("logs")
    for group in _log_groups(logs, cloud.stack_name):
        with suppress(logs.exceptions.ResourceNotFoundException):
            logs.delete_log_group(logGroupName=group)


def _log_groups(logs: Any, stack: str) -> Iterator[str]:
    for folder in LOG_GROUPS:
        listed = logs.describe_log_groups(logGroupNamePrefix=f"{folder}{stack}")["logGroups"]
        yield from (group["logGroupName"] for group in listed)
