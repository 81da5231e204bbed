"""`tessera runs`: the runs, and what was put into the inbox and started none."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from tessera.commands.report import report_command
from tessera.commands.runs import runs_command
from tessera.commands.watch import watch
from tessera.runs.executions import CUT_OFF
from tessera.runs.status import RunStatus
from tessera.tiling.run.inbox import answer_object
from tests.tiling.report.small_run import figures


@pytest.fixture
def put(place: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts an object into the inbox, of which the machine hears."""
    monkeypatch.setattr("tessera.commands.runs.newest", lambda *_: [])

    def put(key: str) -> None:
        files = place.cloud.aws.files
        files.put(f"s3://inbox/{key}", b"content")
        event = {"detail": {"bucket": {"name": "inbox"}, "object": {"key": key}}}
        answer_object(files, "s3://labels/runs/", event)

    return put


def listed(tessera: Any) -> list[tuple[str, str, str]]:
    entries = json.loads(tessera(runs_command, "--json").stdout)
    return [(entry["status"], entry["manifest"], entry["says"]) for entry in entries]


def test_an_object_that_started_nothing_is_listed_with_the_reason(put: Any, tessera: Any) -> None:
    put("pets/may.json")
    put("pets/1.jpg")

    ((status, key, says),) = listed(tessera)
    text = " ".join(tessera(runs_command).stdout.split())

    assert (status, key) == ("IGNORED", "pets/may.json")
    assert "jq -c '.[]'" in says
    assert "pets/may.json" in text
    assert "one JSON object a line" in text


def test_settings_are_listed_until_a_manifest_is_beside_them(put: Any, tessera: Any) -> None:
    put("pets/labeling.json")
    alone = listed(tessera)
    put("pets/MAY.Manifest.gz")

    assert [key for _, key, _ in alone] == ["pets/labeling.json"]
    assert "Drop a manifest into the same folder" in alone[0][2]
    assert listed(tessera) == []


def test_many_files_of_a_kind_are_one_line(put: Any, tessera: Any) -> None:
    for number in range(30):
        put(f"pets/{number}.xml")

    assert [key for _, key, _ in listed(tessera)] == ["pets/29.xml"]


def test_an_empty_inbox_says_how_to_begin(put: Any, tessera: Any) -> None:
    assert "There are no runs yet" in tessera(runs_command).stderr


def test_what_was_noticed_when_a_run_began_is_told_wherever_it_is_looked_at(
    labels: Any, place: Any, tessera: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = labels.run(images=1)
    uri = f"s3://labels/runs/{name}/run.json"
    record = json.loads(labels.files.get(uri)) | {
        "execution": "arn",
        "notices": ["seed: no effect"],
    }
    labels.files.put(uri, json.dumps(record).encode())
    labels.put("labels", f"runs/{name}/report.json", json.dumps(figures()).encode())
    monkeypatch.setattr("tessera.commands.watch.RunObserver", lambda *_: Ended())
    execution = {
        "executionArn": "arn",
        "status": "SUCCEEDED",
        "startDate": datetime(2026, 11, 25, tzinfo=UTC),
        "output": json.dumps({"home": f"s3://labels/runs/{name}/"}),
        "input": "{}",
    }
    workflows = SimpleNamespace(describe_execution=lambda executionArn: execution)
    monkeypatch.setattr(place.cloud, "client", lambda _: workflows)
    monkeypatch.setattr("tessera.commands.runs.list_executions", lambda *_: [execution])

    assert json.loads(tessera(runs_command, "--json").stdout)[0]["notices"] == ["seed: no effect"]
    assert "seed: no effect" in tessera(runs_command).stdout
    assert "seed: no effect" in tessera(watch, name, "--once").stderr
    assert "seed: no effect" in tessera(report_command, name, "--out", "report.html").stderr


def test_runs_are_named_as_they_began_whatever_the_settings_are_now(
    labels: Any, place: Any, tessera: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"arn:1": "pets-may-01bf8f146d2a", "arn:2": "pets-may-ee907583dc34"}
    for arn, name in names.items():
        labels.run(name, images=1)
        uri = f"s3://labels/runs/{name}/run.json"
        record = json.loads(labels.files.get(uri)) | {"execution": arn}
        labels.files.put(uri, json.dumps(record).encode())
    labels.put("inbox", "pets/labeling.json", b'{"labels": ["something", "else"]}')
    detail = {"bucket": {"name": "inbox"}, "object": {"key": "pets/may.manifest", "etag": "9"}}
    waiting = {
        "status": "RUNNING",
        "startDate": datetime(2026, 11, 25, tzinfo=UTC),
        "input": json.dumps({"detail": detail}),
    }
    executions = [{"executionArn": arn} for arn in names]
    workflows = SimpleNamespace(
        describe_execution=lambda executionArn: waiting | {"executionArn": executionArn}
    )
    monkeypatch.setattr(place.cloud, "client", lambda _: workflows)
    monkeypatch.setattr("tessera.commands.runs.list_executions", lambda *_: executions)

    entries = json.loads(tessera(runs_command, "--json").stdout)

    assert [entry["run"] for entry in entries] == list(names.values())


@pytest.mark.parametrize("owner", ["arn:cut", "arn:newer"])
def test_a_run_that_was_cut_off_is_listed_once_with_the_command_that_goes_on_with_it(
    owner: str, labels: Any, place: Any, tessera: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = labels.run("pets-may-01bf8f146d2a", images=1)
    uri = f"s3://labels/runs/{name}/run.json"
    taken = {"execution": owner, "taken-from": ["arn:cut"]}
    record = json.loads(labels.files.get(uri)) | taken
    labels.files.put(uri, json.dumps(record).encode())
    detail = {"bucket": {"name": "inbox"}, "object": {"key": "pets/may.manifest", "etag": "9"}}
    began = {"startDate": datetime(2026, 11, 25, tzinfo=UTC)}
    described = {
        "arn:cut": {"status": "FAILED", "error": CUT_OFF},
        "arn:newer": {"status": "RUNNING"},
    }
    executions = [{"executionArn": arn} for arn in dict.fromkeys((owner, "arn:cut"))]
    workflows = SimpleNamespace(
        describe_execution=lambda executionArn: (
            described[executionArn]
            | began
            | {"executionArn": executionArn, "input": json.dumps({"detail": detail})}
        )
    )
    monkeypatch.setattr(place.cloud, "client", lambda _: workflows)
    monkeypatch.setattr("tessera.commands.runs.list_executions", lambda *_: executions)

    (entry,) = json.loads(tessera(runs_command, "--json").stdout)
    assert entry["run"] == name
    assert ("tessera up" in entry["says"]) == (entry["status"] == "FAILED") == (owner == "arn:cut")


class Ended:
    """Observer of a run that has ended."""

    def read(self) -> RunStatus:
        """Return its status."""
        return RunStatus("pets", "SUCCEEDED", "Announce", 1, 1)
