"""`tessera watch` says of a run that failed why, and the command that goes on with it."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from tessera.commands.runs import runs_command
from tessera.commands.watch import watch
from tessera.runs.failures import REMEDIES


@pytest.fixture
def fail(labels: Any, place: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Has a run fail with an error, whose execution is now another one's or still its own."""

    def fail(error: str, owner: str = "arn:failed") -> str:
        name: str = labels.run("pets-may-01bf8f146d2a", images=1)
        uri = f"s3://labels/runs/{name}/run.json"
        taken = {"execution": owner, "taken-from": ["arn:failed"]}
        labels.files.put(uri, json.dumps(json.loads(labels.files.get(uri)) | taken).encode())
        detail = {"bucket": {"name": "inbox"}, "object": {"key": "pets/may.manifest"}}
        described = {
            "executionArn": "arn:failed",
            "input": json.dumps({"detail": detail}),
            "status": "FAILED",
            "error": error,
            "cause": "[Errno 28] the disk is full [b]",
            "startDate": labels.files.modified[uri],
        }
        workflows = SimpleNamespace(
            describe_execution=lambda executionArn: described,
            get_execution_history=lambda **_: {"events": []},
        )
        monkeypatch.setattr(place.cloud, "client", lambda _: workflows)
        monkeypatch.setattr(
            "tessera.commands.runs.list_executions", lambda *_: [{"executionArn": "arn:failed"}]
        )
        return name

    return fail


@pytest.mark.parametrize("error", [*REMEDIES, "States.Timeout"])
@pytest.mark.parametrize("options", [(), ("--once",)])
def test_a_failed_run_is_shown_with_its_cause_and_what_to_do(
    error: str, options: tuple[str, ...], fail: Any, tessera: Any
) -> None:
    done = tessera(watch, fail(error), *options)

    assert f"{error}: [Errno 28] the disk is full [b]\n" in done.output
    assert "tessera drop " in done.output.splitlines()[-1]
    assert done.exit_code == (0 if options else 1)


@pytest.mark.parametrize("owner", ["arn:failed", "arn:newer"])
def test_a_run_that_failed_is_listed_with_what_to_do_until_another_goes_on_with_it(
    owner: str, fail: Any, tessera: Any
) -> None:
    fail("JobsRefused", owner)
    lines = tessera(runs_command).output.splitlines()
    assert any("tessera drop s3://inbox/pets/may.manifest" in line for line in lines) == (
        owner == "arn:failed"
    )


def test_a_run_that_is_being_taken_over_is_listed_once(
    fail: Any, place: Any, tessera: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail("States.ServiceRestart")
    failed = place.cloud.client("stepfunctions").describe_execution("arn:failed")
    newer = failed | {"executionArn": "arn:newer", "status": "RUNNING", "error": None}
    workflows = SimpleNamespace(
        describe_execution=lambda executionArn: newer if executionArn == "arn:newer" else failed
    )
    monkeypatch.setattr(place.cloud, "client", lambda _: workflows)
    executions = [{"executionArn": "arn:newer"}, {"executionArn": "arn:failed"}]
    monkeypatch.setattr("tessera.commands.runs.list_executions", lambda *_: executions)

    (entry,) = json.loads(tessera(runs_command, "--json").stdout)
    assert entry["status"] == "RUNNING"
    assert not entry["says"]
