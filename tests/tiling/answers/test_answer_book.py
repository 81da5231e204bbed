"""Whatever comes as an answer is used, or kept out with its reason; nothing else happens."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import collect_answers
from tessera.tiling.answers.answer_book import AnswerBook, Task
from tessera.tiling.answers.pack import pack
from tessera.tiling.answers.short_form import UNREADABLE
from tessera.tiling.answers.submission import Odd, split_meta

LABELS = ("cat", "dog")


def book(odd: list[Odd] | None = None) -> AnswerBook:
    return AnswerBook(LABELS, "cannot see", "label", (odd if odd is not None else []).append)


def line(shown: list[int], *responses: Any, attribute: str = "label") -> bytes:
    source = json.dumps([{"source-ref": f"s3://b/{i}", "index": i} for i in shown])
    return msgspec.json.encode({"source": source, attribute: {"responses": list(responses)}})


def said(worker: str, **labels: str) -> dict[str, Any]:
    annotation = {
        image[1:]: {name: name == label for name in (*LABELS, "cannot see")}
        for image, label in labels.items()
    }
    return {"workerId": worker, "annotation": annotation}


def read(answers: AnswerBook, *lines: bytes, wanted: int = 1) -> list[Task]:
    return list(answers.read_output("job", lines, round_=1, wanted=wanted))


# --- the post-annotation Lambda -------------------------------------------------------------


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
def test_an_answer_is_found_in_every_wrapping(content: dict[str, str]) -> None:
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


def test_the_pages_log_becomes_seconds_an_image() -> None:
    meta = json.dumps({"tiles": [{"id": "0", "dwell": 1500}, {"id": "1", "dwell": 250}]})
    answer = {"0": {"cat": True}, "1": {"dog": True}, "meta": meta}
    assert split_meta(answer)[1] == {"0": 1.5, "1": 0.25}


def test_a_log_without_times_an_image_shares_out_the_pages_time() -> None:
    meta = json.dumps({"readyMs": 1000, "submitMs": 9000, "hiddenMs": 2000})
    assert split_meta({"0": {}, "1": {}, "meta": meta})[1] == {"0": 3.0, "1": 3.0}


@settings(deadline=None)  # a busy machine is no failure
@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(), st.lists))
def test_any_log_at_all_leaves_the_answers_alone(meta: Any) -> None:
    assert split_meta({"0": {"cat": True}, "meta": meta})[0] == {"0": {"cat": True}}


def test_the_lambda_answers_a_payload_in_its_event_without_any_service() -> None:
    event = {"labelAttributeName": "label", "test_payload": payload({"content": '[{"0":{}}]'})}

    class Context:
        function_name = memory_limit_in_mb = invoked_function_arn = aws_request_id = "1"

    packed = collect_answers.handler(event, Context())
    assert [entry["datasetObjectId"] for entry in packed] == ["4"]


# --- reading everything back ----------------------------------------------------------------


def test_answers_become_columns_in_order_of_arrival() -> None:
    answers = book()
    read(answers, line([5, 9], said("ann", i5="cat", i9="dog"), said("bob", i5="cannot see")))
    assert list(answers.image) == [5, 9, 5]
    assert list(answers.label) == [0, 1, UNREADABLE]
    assert list(answers.size) == [2, 1]
    assert answers.workers == {"ann": 0, "bob": 1}
    assert answers.figures["images left out of a submission"] == 1


ODD = {
    "the answer is for an image that is not in the task": {"7": {"cat": True}},
    "the answer is not in the list of labels": {"0": {"wolf": True}},
    "the answer is malformed": {"0": {"cat": True, "dog": True}},
}


@pytest.mark.parametrize("reason", ODD)
def test_an_odd_answer_is_written_down_and_its_neighbor_used(reason: str) -> None:
    kept_out: list[Odd] = []
    answers = book(kept_out)
    response = {"workerId": "ann", "annotation": {**ODD[reason], "1": {"dog": True}}}
    read(answers, line([0, 1], response))
    assert (list(answers.image), list(answers.label)) == ([1], [1])
    assert answers.figures[reason] == 1
    assert [(entry.task, entry.worker) for entry in kept_out] == [("0", "ann")]


@pytest.mark.parametrize(
    "choice", [{"cat": False}, {}, [], None, 3, {"cat": "true"}, {"cat": None}, "wolf"]
)
def test_a_choice_that_names_no_single_label_is_no_answer(choice: Any) -> None:
    answers = book()
    read(answers, line([0], {"workerId": "ann", "annotation": {"0": choice}}))
    assert len(answers.image) == 0
    assert len(answers.workers) == 1


@pytest.mark.parametrize("choice", ["dog", {"label": "dog"}, {"cat": False, "dog": True}])
def test_other_forms_ways_to_say_a_label_are_understood(choice: Any) -> None:
    answers = book()
    read(answers, line([0], {"workerId": "ann", "annotation": {"0": choice}}))
    assert list(answers.label) == [1]


def test_the_same_worker_twice_in_a_task_counts_once() -> None:
    answers = book()
    read(answers, line([0], said("ann", i0="cat"), said("ann", i0="dog")))
    assert list(answers.label) == [0]
    assert answers.figures["the same worker is in the same task twice"] == 1


def test_a_failed_line_is_a_task_without_answers() -> None:
    failed = b'{"source":"[{\\"index\\":0}]","label-metadata":{"failure-reason":"expired"}}'
    answers = book()
    assert [task.number for task in read(answers, failed)] == [0]


def test_both_spellings_of_metadata_are_passed_over() -> None:
    for key in ("job-name", "job_name"):
        answers = book()
        whole = json.loads(line([0], said("ann", i0="cat")))
        whole["label-metadata"] = {key: "x", "type": "groundtruth/custom"}
        read(answers, json.dumps(whole).encode())
        assert list(answers.label) == [0]


@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b"null", b"\xff", b'{"source":1}'])
def test_a_broken_line_is_noted_and_the_next_is_read(broken: bytes) -> None:
    answers = book()
    read(answers, broken, line([0], said("ann", i0="cat")))
    assert list(answers.label) == [0]
    assert answers.figures["a line of the output manifest cannot be read"] == 1


def test_a_response_that_never_met_its_consolidation_is_rescued_once() -> None:
    answers = book()
    (task,) = read(answers, line([0], said("ann", i0="cat")), wanted=2)
    response = {
        "answers": [
            {"workerId": "ann", "answerContent": {"0": {"cat": True}}},
            {"workerId": "bob", "answerContent": [{"0": {"dog": True}}], "timeSpentInSeconds": 4.0},
        ]
    }
    content = json.dumps(response).encode()
    assert [answers.rescue(task, content), answers.rescue(task, content)] == [1, 0]
    assert list(answers.label) == [0, 1]
    assert answers.seconds[1] == 4.0


@pytest.mark.parametrize("content", [b"", b"{}", b'{"answers":3}', b'{"answers":[{}]}', b"\xff"])
def test_a_broken_response_is_noted(content: bytes) -> None:
    answers = book()
    (task,) = read(answers, line([0]), wanted=1)
    assert answers.rescue(task, content) == 0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.lists(st.dictionaries(st.sampled_from(["0", "1", "x", "-1", "1.0", "9" * 20]), json_values))
)
def test_any_annotation_is_used_or_noted_answer_by_answer(
    annotations: list[dict[str, Any]],
) -> None:
    kept_out: list[Odd] = []
    answers = book(kept_out)
    responses = [{"workerId": f"w{i}", "annotation": a} for i, a in enumerate(annotations)]
    read(answers, line([0, 1], *responses))
    assert len(answers.image) + len(kept_out) == sum(len(a) for a in annotations)
    assert set(answers.image) <= {0, 1}
