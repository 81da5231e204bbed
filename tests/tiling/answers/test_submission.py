"""A submission is read out of its wrappings, and its log becomes seconds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.answers.submission import (
    EXCERPT_LENGTH,
    chosen_label,
    excerpt,
    image_indices,
    read_submission,
    split_meta,
    unwrap,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


def test_the_pages_log_becomes_seconds_an_image() -> None:
    meta = json.dumps({"tiles": [{"id": "0", "dwell": 1500}, {"id": "1", "dwell": 250}]})
    answer = {"0": {"cat": True}, "1": {"dog": True}, "meta": meta}
    assert split_meta(answer)[1] == {"0": 1.5, "1": 0.25}


def test_a_log_without_times_an_image_shares_out_the_pages_time() -> None:
    meta = json.dumps({"readyMs": 1000, "submitMs": 9000, "hiddenMs": 2000})
    assert split_meta({"0": {}, "1": {}, "meta": meta})[1] == {"0": 3.0, "1": 3.0}


@given(json_values)
def test_any_log_at_all_leaves_the_answers_alone(meta: Any) -> None:
    assert split_meta({"0": {"cat": True}, "meta": meta})[0] == {"0": {"cat": True}}


@given(st.dictionaries(st.text(max_size=3), json_values, max_size=3), st.integers(0, 4))
def test_an_object_is_taken_out_of_any_wrappings(answer: dict[str, Any], depth: int) -> None:
    if "annotatedResult" in answer:
        return  # that is a wrapping itself
    wrapped: Any = answer
    for _ in range(depth):
        wrapped = [{"annotatedResult": wrapped}]
    assert unwrap(wrapped) == answer
    assert unwrap(json.dumps(wrapped)) == answer


@pytest.mark.parametrize("content", ["1", "[]", "[{}, {}]", '"cat"', "{"])
def test_what_is_no_object_is_refused(content: str) -> None:
    with pytest.raises(ValueError, match=r"not an object|JSON|truncated"):
        unwrap(content)


@pytest.mark.parametrize("choice", ["dog", {"label": "dog"}, {"cat": False, "dog": True}])
def test_other_forms_ways_to_name_a_label_are_understood(choice: Any) -> None:
    assert chosen_label(choice) == "dog"


@pytest.mark.parametrize("choice", [{"cat": False}, {}, [], None, 3, {"cat": "true"}])
def test_a_choice_that_names_no_single_label_is_refused(choice: Any) -> None:
    with pytest.raises(ValueError, match=r"choices are true|not an object"):
        chosen_label(choice)


@pytest.mark.parametrize("source", ['[{"index": 7}, {"index": 3}]', [{"index": 7}, {"index": 3}]])
def test_a_tasks_images_are_read_from_text_and_from_a_list(source: Any) -> None:
    assert image_indices(source) == [7, 3]


@pytest.mark.parametrize("source", ["", "{}", "[1]", '[{"index": -1}]', None, 7])
def test_a_source_that_lists_no_images_is_refused(source: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        image_indices(source)


@pytest.mark.parametrize(
    ("beside", "seconds"),
    [
        ({}, {}),
        ({"seconds": {"0": 2, "1": "no"}}, {"0": 2.0}),
        ({"timeSpentInSeconds": 5}, {"0": 2.5, "1": 2.5}),
        ({"timeSpentInSeconds": 0}, {}),
        ({"timeSpentInSeconds": "5"}, {}),
    ],
)
def test_seconds_beside_a_submission_are_each_images_or_the_tasks_shared_out(
    beside: dict[str, Any], seconds: dict[str, float]
) -> None:
    entry = {"workerId": 7, "answerContent": {"0": {"cat": True}, "1": {"cat": True}}} | beside
    submission = read_submission(entry, "answerContent")
    assert (submission.worker, submission.seconds) == ("7", seconds)


@given(st.binary() | json_values)
def test_an_excerpt_of_anything_is_short_text(content: Any) -> None:
    assert len(excerpt(content)) <= EXCERPT_LENGTH
