"""What a function tells: log lines that name the run, metrics sent once, traces in parts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest

from tessera.aws import tracing
from tessera.aws.telemetry import logger, metrics, observed, publish, subject
from tessera.aws.tracing import step, traced
from tessera.portal.errors import Busy, is_outage
from tessera.tiling.errors import ManifestUnreadable

JOB = "pets-may-2f9a-r2-013"
CONTEXT = SimpleNamespace(
    function_name="tessera-close-job",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:tessera-close-job",
    aws_request_id="1",
)


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """No metric of another test is left over."""
    metrics.clear_metrics()
    yield
    metrics.clear_metrics()


def lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


@pytest.mark.parametrize(
    "event",
    [
        {"job": JOB, "request": {"LabelingJobName": JOB}},
        {"request": {"LabelingJobName": JOB}, "token": "t"},
        {"labelingJobArn": f"arn:aws:sagemaker:us-east-1:000000000000:labeling-job/{JOB}"},
        {"rawPath": f"/jobs/{JOB}/tasks/0/answer", "requestContext": {"authorizer": {}}},
    ],
    ids=["close", "open", "Ground Truth", "the portal"],
)
def test_whoever_names_a_job_names_its_run_and_round(event: dict[str, Any]) -> None:
    assert subject(event) == {"job": JOB, "run": "pets-may-2f9a", "round": 2}


def test_a_state_says_its_run_round_and_execution_itself() -> None:
    event = {"run": "pets", "round": 3, "execution": "arn", "home": "s3://labels/runs/pets/"}
    assert subject(event) == {"run": "pets", "round": 3, "execution": "arn"}


def test_a_job_of_another_name_is_just_a_job() -> None:
    assert subject({"job": "somebody-elses"}) == {"job": "somebody-elses"}


def test_every_line_names_the_run_and_the_next_event_starts_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    printed = StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", printed)

    @observed
    def handler(event: dict[str, Any], context: Any) -> None:
        logger.info("at work")

    handler({"run": "pets", "round": 1, "execution": "arn"}, CONTEXT)
    handler({"rawPath": "/me"}, CONTEXT)
    first, second = lines(printed.getvalue())
    assert (first["run"], first["round"], first["execution"]) == ("pets", 1, "arn")
    assert not {"run", "round", "execution"} & second.keys()


def test_metrics_are_sent_after_a_failure_too(capsys: pytest.CaptureFixture[str]) -> None:
    @observed
    def handler(event: dict[str, Any], context: Any) -> None:
        metrics.add_metric("Tried", "Count", 1)
        raise RuntimeError("too late")

    with pytest.raises(RuntimeError, match="too late"):
        handler({}, CONTEXT)
    (sent,) = lines(capsys.readouterr().out)
    assert sent["Tried"] == [1.0]


def test_a_function_without_metrics_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    observed(lambda event, context: None)({}, CONTEXT)
    assert capsys.readouterr().out == ""


def test_a_measure_is_kept_for_its_project_and_for_all(capsys: pytest.CaptureFixture[str]) -> None:
    publish([("ImagesIn", "Count", 7)], project="pets/cats")
    metrics.flush_metrics()
    (sent,) = lines(capsys.readouterr().out)
    assert sent["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [
        ["service"],
        ["project"],
    ]
    assert (sent["project"], sent["ImagesIn"]) == ("pets/cats", [7.0])


@pytest.mark.thorough
def test_a_traced_handler_answers_and_fails_as_it_would_untraced() -> None:
    @traced
    def handler(event: dict[str, Any], context: Any) -> str:
        with step("think"):
            if not event:
                raise ValueError("nothing to think about")
        return "thought"

    assert handler({"run": "pets"}, CONTEXT) == "thought"
    with pytest.raises(ValueError, match="nothing to think about"):
        handler({}, CONTEXT)


class Refused(Exception):
    """Error as botocore raises them."""


Refused.__module__ = "botocore.exceptions"


@pytest.mark.parametrize(
    ("error", "metric"),
    [
        (KeyError("source"), "Faults"),
        (ZeroDivisionError(), "Faults"),
        (RecursionError(), "Faults"),
        (Refused("SlowDown"), "Outages"),
        (ConnectionResetError(), "Outages"),
        (TimeoutError(), "Outages"),
        (ManifestUnreadable("it is gone"), ""),
        (Busy("come again"), ""),
    ],
)
def test_a_fault_of_ours_is_counted_apart_from_an_outage_and_a_refusal_is_neither(
    error: Exception, metric: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @observed
    def handler(event: dict[str, Any], context: Any) -> None:
        raise error

    with pytest.raises(type(error)):
        handler({}, CONTEXT)

    counted = {
        name
        for line in lines(capsys.readouterr().out)
        for name in ("Faults", "Outages")
        if name in line
    }
    assert counted == ({metric} if metric else set())
    assert is_outage(error) is (metric == "Outages")


def test_what_was_raised_because_of_an_outage_is_one() -> None:
    error = ValueError("the page")
    error.__cause__ = Refused("SlowDown")
    assert is_outage(error)


class Spans:
    """OpenTelemetry's module of traces, as far as it is used: it keeps names and attributes."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.attributes: dict[str, Any] = {}

    def get_tracer(self, _: str) -> Spans:
        return self

    def get_current_span(self) -> Spans:
        return self

    def set_attributes(self, attributes: dict[str, Any]) -> None:
        self.attributes |= attributes

    @contextmanager
    def start_as_current_span(self, name: str) -> Iterator[None]:
        self.names.append(name)
        yield


def test_where_opentelemetry_is_loaded_it_traces_and_the_x_ray_sdk_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spans = Spans()
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", spans)
    monkeypatch.setattr(tracing, "tracer", lambda: pytest.fail("the X-Ray SDK was asked"))

    @traced
    def handler(event: dict[str, Any], context: Any) -> str:
        with step("gather answers"):
            return "done"

    assert handler({"job": JOB}, CONTEXT) == "done"
    assert spans.names == ["gather answers"]
    assert spans.attributes == {"job": JOB, "run": "pets-may-2f9a", "round": 2}


@pytest.mark.parametrize(
    "path", ["/jobs/pets-2f9a-r1-000", "/jobs/<script>", "/x/jobs/pets", "/jobs/" + "x" * 64]
)
def test_a_path_that_nobody_signed_in_asked_for_names_no_job_in_the_log(path: str) -> None:
    assert subject({"rawPath": path, "requestContext": {}}) == {}
    signed_in = {"authorizer": {"jwt": {"claims": {"sub": "ann"}}}}
    named = subject({"rawPath": path, "requestContext": signed_in})
    assert named.get("job", "pets-2f9a-r1-000") == "pets-2f9a-r1-000"
