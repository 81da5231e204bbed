"""The smoke test: it passes here with IAM enforced, and leaves nothing behind, failed or not."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from scripts import smoke
from tessera.stack.cloud import Cloud
from tessera.stack.local_stack import LocalStack, free_port
from tessera.stack.ready import start_embedded

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@pytest.fixture
def embedded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Cloud, dict[str, str]]]:
    """An embedded AWS of its own that checks every call against IAM, with nothing deployed."""
    stack = LocalStack(tmp_path, free_port())
    for name, value in stack.variables.items():  # which the SAM CLI gets, and no later test
        monkeypatch.setenv(name, value)
    try:
        yield start_embedded(stack, "tessera-smoke-test")
    finally:
        stack.stop()


def remains(cloud: Cloud) -> list[str]:
    """Names of everything of the stack that still exists."""
    name = cloud.stack_name
    buckets = [each["Name"] for each in cloud.client("s3").list_buckets()["Buckets"]]
    pools = cloud.client("cognito-idp").list_user_pools(MaxResults=60)["UserPools"]
    groups = cloud.client("logs").describe_log_groups()["logGroups"]
    tables = cloud.client("dynamodb").list_tables()["TableNames"]
    names = [*buckets, *tables, *(pool["Name"] for pool in pools)]
    names += [group["logGroupName"] for group in groups]
    functions = cloud.client("lambda").list_functions()["Functions"]
    names += [function["FunctionName"] for function in functions]
    uploads = [
        each["Key"]
        for bucket in buckets
        for each in cloud.client("s3").list_objects_v2(Bucket=bucket).get("Contents", ())
    ]
    stack = [f"stack {name}"] if cloud.find_outputs() else []
    return stack + [each for each in (*names, *uploads) if name in each]


def test_the_smoke_test_passes_with_iam_enforced_and_leaves_nothing(
    embedded: tuple[Cloud, dict[str, str]],
) -> None:
    cloud, parameters = embedded
    console = Console(record=True, file=StringIO())

    assert smoke.smoke(cloud, parameters, console, build=False) == []
    assert "all 20 are in training.manifest" in console.export_text()
    assert remains(cloud) == []


def test_a_smoke_test_that_is_interrupted_leaves_nothing_either(
    embedded: tuple[Cloud, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud, parameters = embedded
    deployed = []

    def interrupted(cloud: Cloud, _: Console) -> None:
        deployed.extend(remains(cloud))
        raise KeyboardInterrupt

    monkeypatch.setattr(smoke, "label_twenty", interrupted)
    with pytest.raises(KeyboardInterrupt):
        smoke.smoke(cloud, parameters, Console(file=StringIO()), build=False)

    assert deployed
    assert remains(cloud) == []
