"""Sample events: every function returns the sample result, and each leads to the next event."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from events import record
from events.record import BUCKET, EVENTS, NEXT_EVENTS, answer, event, result
from tessera.stack import samples
from tessera.stack.local_stack import CREDENTIALS, StackError, sam_cli

STEPS = sorted(path.name.removesuffix(".event.json") for path in EVENTS.glob("*.event.json"))
FUNCTION_STEPS = [step for step in STEPS if step != "1-manifest-uploaded"]


@pytest.fixture
def world() -> Iterator[None]:
    """The samples' bucket and table in memory."""
    with record.world():
        yield


@pytest.mark.thorough
@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("step", FUNCTION_STEPS)
def test_a_function_answers_its_sample_event_with_its_sample_result(step: str) -> None:
    if step == "8-serve-portal":
        answer("3-open-job")  # the page belongs to a job that must be open
    assert answer(step) == result(step)


@pytest.mark.thorough
@pytest.mark.usefixtures("world")
def test_the_functions_write_the_sample_files_that_the_later_events_refer_to() -> None:
    before = record.objects()
    for step in FUNCTION_STEPS:
        answer(step)
    after = record.objects()
    (run,) = [key for key in after if key.endswith("/run.json")]
    # the last step has noted the run's end, which no event refers to
    after[run] = after[run].replace(b',"done":true', b"")
    assert {key for key in before if after.get(key) != before[key]} == set()


@pytest.mark.thorough
@pytest.mark.usefixtures("world")
def test_a_job_that_nobody_answered_is_consolidated_to_nothing_labeled() -> None:
    for key in record.objects():
        if "/jobs/" in key:
            boto3.client("s3").delete_object(Bucket=samples.NAME, Key=key)
    ended = answer("7-consolidate-labels")
    assert (ended["outcome"], ended["labeled"], ended["unlabeled"]) == ("nothing-labeled", 0, 6)


@pytest.mark.parametrize("step", NEXT_EVENTS)
def test_an_event_is_what_the_state_makes_of_the_result_before(step: str) -> None:
    assert event(step) == NEXT_EVENTS[step]()


def test_the_flow_ends_with_what_consolidation_says() -> None:
    assert result("1-manifest-uploaded") == record.ended()


def test_the_task_that_is_prepared_is_one_that_the_grouping_wrote() -> None:
    request = event("3-open-job")["request"]
    uri = request["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"]
    tasks = (BUCKET / record.key_of(uri)).read_text("utf-8").splitlines()
    assert event("4-prepare-task")["dataObject"] in map(json.loads, tasks)


def test_the_answers_that_are_collected_are_those_that_the_closed_job_hands_over() -> None:
    uri = event("5-collect-answers")["payload"]["s3Uri"]
    assert (BUCKET / record.key_of(uri)).exists()
    assert uri.startswith(event("3-open-job")["request"]["OutputConfig"]["S3OutputPath"])


def test_no_event_names_an_object_version() -> None:
    assert "version-id" not in event("1-manifest-uploaded")["detail"]["object"]
    assert not event("2-group-images")["manifest"]["version-id"]


def test_the_readme_names_every_step() -> None:
    readme = (EVENTS / "README.md").read_text("utf-8")
    assert [step for step in STEPS if f"| {step.replace('-', ' `', 1)}` |" not in readme] == []


# ── Events that the SAM CLI makes ────────────────────────────────────────────────────────────────


def generated(*words: str) -> Any:
    try:
        sam = sam_cli()
    except StackError as error:
        pytest.skip(str(error))
    done = subprocess.run(
        [sam, "local", "generate-event", *words],
        env=os.environ | CREDENTIALS | {"SAM_CLI_TELEMETRY": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.thorough
@pytest.mark.usefixtures("world")
def test_a_generated_pre_annotation_event_becomes_a_page_of_its_one_image() -> None:
    import prepare_task

    prepared = prepare_task.handler(
        generated("sagemaker", "ground-truth-pre-human"), record.LAMBDA_CONTEXT
    )
    images = prepared["taskInput"]["images"]
    assert [image["source-ref"] for image in images] == [
        "s3://sagemakerexample/object_to_annotate.jpg"
    ]


@pytest.mark.thorough
@pytest.mark.usefixtures("world")
def test_a_generated_post_annotation_event_has_its_payload_read_and_packed() -> None:
    import collect_answers

    sample = event("5-collect-answers")
    made = generated(
        "sagemaker", "ground-truth-annotation-consolidation",
        "--label-attribute-name", "digit", "--s3-output-path", f"s3://{samples.NAME}/output",
    )  # fmt: skip
    boto3.client("s3").put_object(
        Bucket=samples.NAME,
        Key=record.key_of(made["payload"]["s3Uri"]),
        Body=(BUCKET / record.key_of(sample["payload"]["s3Uri"])).read_bytes(),
    )
    packed = collect_answers.handler(made, record.LAMBDA_CONTEXT)
    assert packed == result("5-collect-answers")


@pytest.mark.thorough
@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/jobs", 401), ("/nowhere", 404)])
def test_a_generated_http_event_is_answered_like_any_request(path: str, status: int) -> None:
    import serve_portal

    made = generated("apigateway", "http-api-proxy", "--method", "GET")
    made |= {"rawPath": path}  # the SAM CLI writes --path with a doubled slash
    made["requestContext"]["http"]["path"] = path
    response = serve_portal.handler(made, record.LAMBDA_CONTEXT)
    assert response["statusCode"] == status
