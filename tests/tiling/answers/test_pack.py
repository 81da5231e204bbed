"""The post-annotation Lambda's core keeps every answer that can be read, in one form."""

from __future__ import annotations

from typing import Any

import pytest

from tessera.tiling.answers.pack import pack


def payload(*contents: Any) -> list[dict[str, Any]]:
    annotations = [
        {"workerId": f"w{number}", "annotationData": content}
        for number, content in enumerate(contents)
    ]
    return [{"datasetObjectId": "4", "dataObject": {"content": "[]"}, "annotations": annotations}]


def fetch(uri: str) -> bytes:
    return {"s3://b/answer.json": b'{"0":{"dog":true}}'}[uri]


@pytest.mark.parametrize(
    "content",
    [
        {"content": '{"0":{"dog":true}}'},
        {"content": '[{"0":{"dog":true}}]'},
        {"content": '{"annotatedResult":{"0":{"dog":true}}}'},
        {"content": '[{"annotatedResult":{"0":{"dog":true}},"other":1}]'},
        {"s3Uri": "s3://b/answer.json"},
    ],
)
def test_an_answer_is_read_in_every_wrapping(content: dict[str, str]) -> None:
    packed, odd = pack(payload(content), "label", fetch)
    assert odd == []
    responses = [{"workerId": "w0", "annotation": {"0": {"dog": True}}}]
    content_out = {"label": {"responses": responses}}
    assert packed == [{"datasetObjectId": "4", "consolidatedAnnotation": {"content": content_out}}]


@pytest.mark.parametrize(
    "broken",
    [{"content": "{"}, {"content": "[]"}, {"content": "1"}, {}, None, {"s3Uri": "s3://b/none"}],
)
def test_a_broken_answer_is_kept_out_and_the_others_stay(broken: Any) -> None:
    packed, odd = pack(payload(broken, {"content": '{"0":{"dog":true}}'}), "label", fetch)
    responses = packed[0]["consolidatedAnnotation"]["content"]["label"]["responses"]
    assert [response["workerId"] for response in responses] == ["w1"]
    assert [(entry.task, entry.worker) for entry in odd] == [("4", "w0")]


@pytest.mark.parametrize("entry", [None, 3, {}, {"datasetObjectId": "4"}])
def test_an_entry_that_is_no_task_is_kept_out_and_the_others_stay(entry: Any) -> None:
    packed, odd = pack([entry, *payload({"content": '{"0":{"dog":true}}'})], "label", fetch)
    assert [task["datasetObjectId"] for task in packed] == ["4"]
    assert [item.reason.split(":")[0] for item in odd] == ["not a task with its answers"]
