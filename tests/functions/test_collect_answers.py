"""collect_answers: the post-annotation Lambda packs what workers submitted."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

import collect_answers
from tests.fakes import Files

CONTEXT = SimpleNamespace(
    function_name="collect_answers",
    memory_limit_in_mb=128,
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:collect_answers",
    aws_request_id="0",
)


def task(data: dict[str, Any]) -> dict[str, Any]:
    annotations = [{"workerId": "ann", "annotationData": data}]
    return {"datasetObjectId": "4", "dataObject": {"content": "[]"}, "annotations": annotations}


def responses(packed: list[dict[str, Any]]) -> Any:
    return packed[0]["consolidatedAnnotation"]["content"]["label"]["responses"]


def test_a_payload_in_the_event_needs_no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect_answers, "connection", lambda: pytest.fail("S3 was connected"))
    event = {"labelAttributeName": "label", "test_payload": [task({"content": '[{"0":{}}]'})]}
    packed = collect_answers.handler(event, CONTEXT)
    assert responses(packed) == [{"workerId": "ann", "annotation": {"0": {}}}]


def test_payload_and_answers_are_read_from_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    files = Files()
    files.objects["s3://jobs/payload.json"] = json.dumps([task({"s3Uri": "s3://jobs/a"})]).encode()
    files.objects["s3://jobs/a"] = b'{"0":{"cat":true}}'
    monkeypatch.setattr(collect_answers, "connection", lambda: SimpleNamespace(storage=files))
    event = {"labelAttributeName": "label", "payload": {"s3Uri": "s3://jobs/payload.json"}}
    packed = collect_answers.handler(event, CONTEXT)
    assert responses(packed) == [{"workerId": "ann", "annotation": {"0": {"cat": True}}}]


def test_an_answer_that_cannot_be_read_is_logged_and_kept_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    event = {"labelAttributeName": "label", "test_payload": [task({"content": "{"})]}
    assert responses(collect_answers.handler(event, CONTEXT)) == []
    (kept_out,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert kept_out.message == "answer kept out"
    assert (vars(kept_out)["task"], vars(kept_out)["worker"]) == ("4", "ann")
