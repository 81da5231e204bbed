"""Repeat a drop, an event or a call: one run, one job, the same bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tessera.portal.store import Change
from tessera.portal.table_layout import job_key
from tests.statemachine.stage import Stage, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.slow]

PICTURES = ["cat-0.png", "dog-1.png", "cow-2.png"]


def open_job(stage: Stage, name: str) -> str:
    """Return the job of this manifest's run once it is open on the portal."""
    worker = stage.worker(1)
    worker.sign_in()
    jobs: list[str] = wait_until(
        lambda: [job for job in worker.open_jobs() if job.startswith(f"{name}-")],
        f"the job of {name}",
    )
    return jobs[0]


def invoke(stage: Stage, function: str, event: dict[str, Any]) -> Any:
    """Return what a function answers to a direct invocation."""
    response = stage.lambdas.invoke(
        FunctionName=stage.function(function), Payload=json.dumps(event).encode()
    )
    assert "FunctionError" not in response
    return json.loads(response["Payload"].read())


def test_the_same_event_twice_at_a_time_is_one_run(stage: Stage) -> None:
    stage.lay_out("twice", PICTURES)
    with stage.workers():
        first, second = stage.start("twice"), stage.start("twice")
        ends = [stage.end(first), stage.end(second)]
    outcomes = sorted(end.output["outcome"] for end in ends)
    assert outcomes == ["already-running", "done"]
    files = stage.files(ends[0].output["home"])
    late = stage.end(stage.start("twice"))
    assert late.output["outcome"] == "already-running"
    assert stage.files(ends[0].output["home"]) == files


def test_the_same_event_while_workers_label_leaves_them_alone(stage: Stage) -> None:
    stage.lay_out("meanwhile", PICTURES)
    first = stage.start("meanwhile")
    open_job(stage, "meanwhile")
    assert stage.end(stage.start("meanwhile")).output["outcome"] == "already-running"
    with stage.workers():
        assert stage.end(first).output["labeled"] == 3


def test_an_aborted_run_goes_on_with_its_job_and_its_answers(stage: Stage) -> None:
    stage.lay_out("aborted", PICTURES)
    first = stage.start("aborted")
    job = open_job(stage, "aborted")
    worker = stage.worker(0)
    worker.sign_in()
    assert worker.answer_next(job)
    stage.workflows.stop_execution(executionArn=first)
    second = stage.start("aborted")
    with stage.workers():
        end = stage.end(second)
    assert (end.status, end.output["labeled"]) == ("SUCCEEDED", 3)
    files = stage.files(end.output["home"])
    rows = files["answers.csv"].decode().splitlines()[1:]
    assert sorted(row.partition(",")[0] for row in rows) == ["0", "1", "2"]
    assert sum("worker-response" in name for name in files) == 3


def test_a_step_done_again_by_its_execution_writes_the_same_bytes(stage: Stage) -> None:
    stage.lay_out("again", PICTURES)
    with stage.workers():
        execution = stage.start("again")
        end = stage.end(execution)
    home, run = end.output["home"], end.output["run"]
    files = stage.files(home)
    record = json.loads(files["run.json"])
    event = {"manifest": record["manifest"], "execution": execution}
    grouped = invoke(stage, "group_images", event)
    job = f"{run}-r1-000"
    request = grouped["request"] | {
        "LabelingJobName": job,
        "InputConfig": {
            "DataSource": {"S3DataSource": {"ManifestS3Uri": f"{home}round-1/tasks-000.manifest"}}
        },
    }
    described = invoke(stage, "close_job", {"job": job, "request": request})
    assert described["LabelingJobStatus"] == "Completed"
    after = stage.files(home)
    assert {name for name in files if files[name] != after.get(name)} == set()
    assert set(after) == set(files)


def test_consolidating_again_writes_the_same_bytes(stage: Stage) -> None:
    stage.lay_out("labels-again", PICTURES)
    with stage.workers():
        execution = stage.start("labels-again")
        end = stage.end(execution)
    event = {
        "run": end.output["run"],
        "home": end.output["home"],
        "round": 1,
        "jobs": [{"name": f"{end.output['run']}-r1-000", "status": "Completed"}],
        "execution": execution,
        "started": "2026-11-23T01:02:03.000Z",
    }
    first = invoke(stage, "consolidate_labels", event)
    files = stage.files(end.output["home"])
    assert invoke(stage, "consolidate_labels", event) == first
    assert stage.files(end.output["home"]) == files


def test_the_schedules_own_event_resumes_the_execution_of_a_due_job(stage: Stage) -> None:
    (rule,) = (
        rule
        for rule in stage.cloud.client("events").list_rules()["Rules"]
        if "JobsDue" in rule["Name"]
    )
    assert rule["ScheduleExpression"] == "rate(15 minutes)"
    (target,) = stage.cloud.client("events").list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert target["Arn"].endswith(stage.function("close_job"))
    stage.lay_out("due", PICTURES)
    execution = stage.start("due")
    job = open_job(stage, "due")
    long_ago = Change("add", job_key(job), sets={"opened": 1.0})
    assert stage.cloud.ports.table.write(long_ago)
    assert invoke(stage, "close_job", json.loads(target["Input"]))["due"] == [job]
    end = stage.end(execution)
    assert (end.status, end.error) == ("FAILED", "NothingLabeled"), end.cause
