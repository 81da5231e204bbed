"""A power cut takes no account and no answer, and the next start goes on with the run by itself."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tessera.cli import main
from tessera.runs.executions import RunError, drop, read_ending, wait_for_execution
from tessera.runs.folder import list_runs
from tessera.runs.status import RunObserver
from tessera.simulation.example import EXAMPLE, Example
from tessera.simulation.workers import Account, SimulatedWorker, add_worker
from tessera.stack.guard import SAVE_SECONDS
from tessera.stack.local_stack import LocalStack, free_port

pytestmark = [pytest.mark.stack, pytest.mark.slow]


CHANGED = {"MaxConcurrentBlocks": "3"}
"""Parameters of a deployment that a power cut takes along."""


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalStack]:
    stack = LocalStack(tmp_path / "stack", free_port())
    stack.start()
    try:
        stack.deploy()
        yield stack
    finally:
        stack.stop(hard=True)


def until(check: object, seconds: float = 60) -> None:
    """Wait for what other processes do."""
    end = time.monotonic() + seconds
    assert callable(check)
    while not check():
        assert time.monotonic() < end, "this takes too long"
        time.sleep(0.2)


def worker(stack: LocalStack, account: Account) -> SimulatedWorker:
    example, cloud = Example(EXAMPLE), stack.cloud
    return SimulatedWorker(
        account, cloud.portal_url, example.truth, tuple(example.settings["labels"]), 0, "seed",
        cognito=cloud.cognito_url, client_id=cloud.outputs["WorkerPoolClientId"],
    )  # fmt: skip


def test_a_run_that_a_power_cut_ended_goes_on_with_its_accounts_and_answers(
    local: LocalStack,
) -> None:
    cloud, example = local.cloud, Example(EXAMPLE)
    example.upload_images(cloud, 40)
    settings = example.settings | {"answers_per_image": 1, "max_answers": 1}
    lines = example.manifest("tessera-inbox", 40)
    key = drop(cloud, lines, project="digits", name="may", settings=json.dumps(settings).encode())
    execution = wait_for_execution(cloud, key)
    account = add_worker(cloud, "ann@example.org")
    ann = worker(local, account)
    ann.sign_in()
    until(lambda: ann.open_jobs())
    until(lambda: ann.answer_next(ann.open_jobs()[0]))
    # Under an open job a deployment is not saved: that would end the run.
    assert [local.deploy(**CHANGED) for _ in range(2)] == [True, False]
    saved = local.home / "state" / "cognito.json"
    # What is dropped in its place is another run's, which is refused here.
    cloud.storage.put(f"s3://tessera-inbox/{key}", b"no manifest\n")
    until(lambda: "ann@example.org" in saved.read_text(), seconds=10 * SAVE_SECONDS)
    local.stop(hard=True)
    local.start()
    assert [local.deploy(**CHANGED) for _ in range(2)] == [True, False]
    assert local.cloud.parameters["MaxConcurrentBlocks"] == "3"

    options = ["--port", str(local.port), "--home", str(local.home)]
    up = CliRunner().invoke(main, [*options, "up"])
    assert up.exit_code == 0, up.output
    ((folder, _),) = list_runs(local.cloud)
    assert f"{folder.name} was cut off: going on with it (1 of 2 pages)" in " ".join(
        up.output.split()
    )
    with pytest.raises(RunError, match="up"):
        RunObserver(local.cloud, f"{execution}x").read()

    ann = worker(local, account)  # with the password of before
    ann.sign_in()
    until(lambda: ann.open_jobs())
    until(lambda: ann.answer_next(ann.open_jobs()[0]))
    resumed = local.cloud.client("stepfunctions").list_executions(
        stateMachineArn=local.cloud.outputs["StateMachineArn"], statusFilter="RUNNING"
    )["executions"]
    arn = resumed[0]["executionArn"] if resumed else folder.record["execution"]
    until(lambda: read_ending(local.cloud, arn).status == "SUCCEEDED", seconds=120)
    assert read_ending(local.cloud, arn).output["labeled"] == 40
    again = CliRunner().invoke(main, [*options, "up"])
    assert "going on with it" not in again.output
