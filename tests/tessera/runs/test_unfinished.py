"""Reports and files of a run that is still at work say so before anything else."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tessera.commands.fetch import fetch_command
from tessera.commands.report import report_command
from tessera.exits import Exit
from tessera.runs.status import RoundProgress
from tests.tessera.conftest import FakeCloud
from tests.tiling.report.small_run import figures

NAME = "pets-may-0123456789ab"


class Gone(Exception):
    """Step Functions knows no such execution."""


@pytest.fixture
def at_work(labels: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make a run of two rounds, with a report of the first, whose execution is in a state."""

    def make(status: str, state: str, needed: int = 0, task: str = "tiles", **more: Any) -> None:
        labels.run(images=4, settings={"task": task})
        home = f"s3://labels/runs/{NAME}"
        record = json.loads(labels.files.objects[f"{home}/run.json"])
        record["execution"] = "arn:aws:states:eu-west-1:1:execution:tessera:1"
        record["rounds"] = [
            {"round": number, "images": 4, "tasks": 1, "shards": 1} for number in (1, 2)
        ]
        labels.files.put(f"{home}/run.json", json.dumps(record).encode())
        report = json.dumps(figures(doubtful=[], **more)).encode()
        labels.files.put(f"{home}/report.json", report)
        labels.files.put(f"{home}/report.html", b"<p>")

        def describe(**_: Any) -> dict[str, Any]:
            if status == "GONE":
                raise Gone
            return {"status": status}

        entered = {"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": state}}
        workflows = SimpleNamespace(
            describe_execution=describe,
            get_execution_history=lambda **_: {"events": [entered]},
            exceptions=SimpleNamespace(ExecutionDoesNotExist=Gone),
        )
        monkeypatch.setattr(FakeCloud, "client", lambda *_: workflows)
        progress = RoundProgress(tasks=needed, needed=needed)
        monkeypatch.setattr("tessera.runs.status._read_progress", lambda *_: progress)

    return make


AT_WORK = [
    ("LabelShards", 19, "goes on in round 2, with 19 pages open; this is what it knew after round"),
    ("OpenJob", 1, "goes on in round 2, with 1 page open; this is what it knew after round 1."),
    ("LabelShards", 0, "goes on in round 2: workers label the pages; this is what it knew after"),
    ("ConsolidateLabels", 0, "goes on in round 2: turning answers into labels; this is what it"),
    ("AnotherState", 0, "The run goes on in round 2; this is what it knew after round 1."),
]


@pytest.mark.parametrize("task", ["tiles", "multi"])
@pytest.mark.parametrize("command", [report_command, fetch_command])
@pytest.mark.parametrize(("state", "needed", "sentence"), AT_WORK)
def test_files_of_a_run_at_work_come_with_a_word_that_it_goes_on_first(
    at_work: Any, tessera: Any, command: Any, state: str, needed: int, sentence: str, task: str
) -> None:
    at_work("RUNNING", state, needed, task)
    done = tessera(command, NAME)
    assert done.stdout.startswith("The run goes on in round 2")
    assert sentence in done.stdout
    assert f"tessera watch {NAME}" in done.stdout


@pytest.mark.parametrize("command", [report_command, fetch_command])
def test_what_programs_read_stays_one_document_and_the_word_is_beside_it(
    at_work: Any, tessera: Any, command: Any
) -> None:
    at_work("RUNNING", "LabelShards", 19)
    done = tessera(command, NAME, "--json")
    json.loads(done.stdout)
    assert "19 pages open" in done.stderr


@pytest.mark.parametrize(
    ("status", "state"),
    [("SUCCEEDED", "Announce"), ("FAILED", "LabelShards"), ("RUNNING", "Announce"), ("GONE", "")],
)
def test_nothing_is_said_of_a_run_that_has_ended_or_is_being_announced(
    at_work: Any, tessera: Any, status: str, state: str
) -> None:
    at_work(status, state)
    report, fetched = tessera(report_command, NAME), tessera(fetch_command, NAME)
    assert (report.exit_code, fetched.exit_code) == (Exit.OK, Exit.OK)
    assert "goes on" not in report.output + fetched.output


def test_the_page_of_a_run_at_work_says_it_once_and_calls_nothing_ready(
    at_work: Any, tessera: Any
) -> None:
    at_work("RUNNING", "LabelShards", 19, next_round={"round": 2, "images": 4})
    tessera(report_command, NAME, "--out", "report.html")
    page = Path("report.html").read_text("utf-8")
    assert '<p class="headline">The run goes on in round 2, with 19 pages open' in page
    assert "ready for training" not in page
    assert "follows this report" not in page
    assert f"tessera watch {NAME}" in page


def test_files_that_are_not_the_last_end_with_the_code_of_a_part(
    at_work: Any, tessera: Any
) -> None:
    at_work("RUNNING", "LabelShards", 19)
    assert tessera(fetch_command, NAME).exit_code == Exit.PARTIAL
