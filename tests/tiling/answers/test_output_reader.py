"""Whatever an output manifest holds is used, or noted with its reason; nothing else happens."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.answers.answer_book import AnswerBook
from tessera.tiling.answers.output_reader import OutputReader, Task
from tessera.tiling.answers.submission import UNREADABLE_LABEL, OddAnswer

LABELS = ("cat", "dog")


def line(images: list[int], *responses: Any) -> bytes:
    source = json.dumps([{"source-ref": f"s3://b/{i}", "index": i} for i in images])
    return msgspec.json.encode({"source": source, "label": {"responses": list(responses)}})


def submitted(worker: str, **labels: str) -> dict[str, Any]:
    annotation = {
        image[1:]: {name: name == label for name in (*LABELS, "cannot see")}
        for image, label in labels.items()
    }
    return {"workerId": worker, "annotation": annotation}


def reader_of(answers: AnswerBook) -> OutputReader:
    return OutputReader(answers, LABELS, "cannot see", "label")


def read(answers: AnswerBook, *lines: bytes, wanted: int = 1) -> list[Task]:
    return list(reader_of(answers).read("job", lines, round_=1, wanted=wanted))


def test_answers_become_columns_in_order_of_arrival() -> None:
    answers = AnswerBook()
    read(
        answers,
        line([5, 9], submitted("ann", i5="cat", i9="dog"), submitted("bob", i5="cannot see")),
    )
    assert list(answers.image) == [5, 9, 5]
    assert list(answers.label) == [0, 1, UNREADABLE_LABEL]
    assert list(answers.size) == [2, 1]
    assert answers.workers == {"ann": 0, "bob": 1}
    assert answers.noted["images left out of a submission"] == 1


ODD = {
    "the answer is for an image that is not in the task": {"7": {"cat": True}},
    "the answer is not in the list of labels": {"0": {"wolf": True}},
    "the answer is malformed": {"0": {"cat": True, "dog": True}},
}


@pytest.mark.parametrize("reason", ODD)
def test_an_odd_answer_is_written_down_and_its_neighbor_used(reason: str) -> None:
    kept_out: list[OddAnswer] = []
    answers = AnswerBook(kept_out.append)
    submission = {"workerId": "ann", "annotation": {**ODD[reason], "1": {"dog": True}}}
    read(answers, line([0, 1], submission))
    assert (list(answers.image), list(answers.label)) == ([1], [1])
    assert answers.noted[reason] == 1
    assert [(entry.task, entry.worker) for entry in kept_out] == [("0", "ann")]


@pytest.mark.parametrize(
    "choice", [{"cat": False}, {}, [], None, 3, {"cat": "true"}, {"cat": None}, "wolf"]
)
def test_a_choice_that_names_no_single_label_is_no_answer(choice: Any) -> None:
    answers = AnswerBook()
    read(answers, line([0], {"workerId": "ann", "annotation": {"0": choice}}))
    assert len(answers.image) == 0
    assert len(answers.workers) == 1


@pytest.mark.parametrize("choice", ["dog", {"label": "dog"}, {"cat": False, "dog": True}])
def test_an_answer_of_another_form_is_read(choice: Any) -> None:
    answers = AnswerBook()
    read(answers, line([0], {"workerId": "ann", "annotation": {"0": choice}}))
    assert list(answers.label) == [1]


def test_the_same_worker_twice_in_a_task_counts_once() -> None:
    answers = AnswerBook()
    read(answers, line([0], submitted("ann", i0="cat"), submitted("ann", i0="dog")))
    assert list(answers.label) == [0]
    assert answers.noted["the same worker is in the same task twice"] == 1


def test_a_failed_line_is_a_task_without_answers() -> None:
    failed = b'{"source":"[{\\"index\\":0}]","label-metadata":{"failure-reason":"expired"}}'
    answers = AnswerBook()
    assert [task.number for task in read(answers, failed)] == [0]


def test_both_spellings_of_metadata_are_passed_over() -> None:
    for key in ("job-name", "job_name"):
        answers = AnswerBook()
        whole = json.loads(line([0], submitted("ann", i0="cat")))
        whole["label-metadata"] = {key: "x", "type": "groundtruth/custom"}
        read(answers, json.dumps(whole).encode())
        assert list(answers.label) == [0]


@pytest.mark.parametrize("broken", [b"", b"{", b"[]", b"null", b"\xff", b'{"source":1}'])
def test_a_broken_line_is_noted_and_the_next_is_read(broken: bytes) -> None:
    answers = AnswerBook()
    read(answers, broken, line([0], submitted("ann", i0="cat")))
    assert list(answers.label) == [0]
    assert answers.noted["a line of the output manifest cannot be read"] == 1


def test_a_response_that_never_met_its_consolidation_is_rescued_once() -> None:
    answers = AnswerBook()
    reader = reader_of(answers)
    lines = [line([0], submitted("ann", i0="cat"))]
    (task,) = reader.read("job", lines, round_=1, wanted=2)
    response = {
        "answers": [
            {"workerId": "ann", "answerContent": {"0": {"cat": True}}},
            {"workerId": "bob", "answerContent": [{"0": {"dog": True}}], "timeSpentInSeconds": 4.0},
        ]
    }
    content = json.dumps(response).encode()
    assert [reader.rescue(task, content), reader.rescue(task, content)] == [1, 0]
    assert list(answers.label) == [0, 1]
    assert answers.seconds[1] == 4.0


@pytest.mark.parametrize("content", [b"", b"{}", b'{"answers":3}', b'{"answers":[{}]}', b"\xff"])
def test_a_broken_response_has_no_answers(content: bytes) -> None:
    answers = AnswerBook()
    (task,) = read(answers, line([0]))
    assert reader_of(answers).rescue(task, content) == 0
    assert len(answers.image) == 0


def test_tasks_that_the_manifest_no_longer_has_come_last_and_without_images() -> None:
    kept_out: list[OddAnswer] = []
    reader = reader_of(AnswerBook(kept_out.append))
    lines = [line([5], submitted("ann", i5="cat"))]
    tasks = list(reader.read("job", lines, round_=1, wanted=1, asked=3))
    assert [(task.number, task.images) for task in tasks] == [(1, []), (2, [])]
    assert [odd.reason for odd in kept_out] == [
        "the output manifest ends early: after 1 of 3 tasks"
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.thorough
@given(
    st.lists(st.dictionaries(st.sampled_from(["0", "1", "x", "-1", "1.0", "9" * 20]), json_values))
)
def test_any_annotation_is_used_or_noted_answer_by_answer(
    annotations: list[dict[str, Any]],
) -> None:
    kept_out: list[OddAnswer] = []
    answers = AnswerBook(kept_out.append)
    responses = [{"workerId": f"w{i}", "annotation": a} for i, a in enumerate(annotations)]
    read(answers, line([0, 1], *responses))
    assert len(answers.image) + len(kept_out) == sum(len(a) for a in annotations)
    assert set(answers.image) <= {0, 1}
