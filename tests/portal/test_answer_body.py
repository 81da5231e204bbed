"""Bodies of answers: which are taken, and with what sentence the others are refused."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.portal.answer_body import MAX_BYTES, read_answer
from tessera.portal.errors import Invalid, TooLarge
from tessera.portal.page_names import page_names
from tessera.tiling.answers.submission import split_meta

INDEXES = {"4", "24"}


CHOICES = ("cat", "dog", "cannot see")


def flagged(reason: Any) -> str:
    """A page's log that flags one picture."""
    return json.dumps({"tiles": [{"id": "4", "load": "ok", "flag": reason}]})


CAT = {"cat": True, "dog": False, "cannot see": False}


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 5000, "not JSON"),
        (b'"cat"', "not a JSON object"),
        (b"[1, 2]", "not a JSON object"),
        (b"{}", "No picture on this page has an answer"),
        ({"4": CAT}, "1 of 2 pictures have no answer"),
        ({"4": CAT, "24": CAT, "5": CAT}, "Picture 5 is not on this page"),
        ({"4": CAT, "24": {}}, "exactly one choice"),
        ({"4": CAT, "24": {**CAT, "dog": True}}, "exactly one choice"),
        ({"4": CAT, "24": {"cat": False}}, "exactly one choice"),
        ({"4": CAT, "24": {"cow": True}}, "a choice that this job does not know"),
        ({"4": CAT, "24": {"cat": "true"}}, "no choice among"),
        ({"4": CAT, "24": {"cat": 1}}, "no choice among"),
        ({"4": CAT, "24": "cat"}, "no choice among"),
        ({"4": CAT, "24": CAT, "meta": {}}, "meta is not text"),
        ({"4": CAT, "24": CAT, "meta": flagged(True)}, "flag of picture 4 is not text"),
        ({"4": CAT, "24": CAT, "meta": flagged(["x"])}, "flag of picture 4 is not text"),
        ({"4": CAT, "24": CAT, "meta": flagged("x" * 201)}, "longer than 200 characters"),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused_with_a_sentence(
    answer: Any, sentence: str
) -> None:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    with pytest.raises(Invalid, match=sentence):
        read_answer(body, INDEXES, CHOICES)


def log(**load: str) -> str:
    return json.dumps({"v": 2, "tiles": [{"id": id[1:], "load": how} for id, how in load.items()]})


@pytest.mark.parametrize("left_open", [{}, {"24": {"cat": False, "dog": False}}])
def test_a_picture_that_did_not_load_may_have_no_choice_and_is_left_out(
    left_open: dict[str, Any],
) -> None:
    answer = {"4": CAT, **left_open, "meta": log(_4="ok", _24="error")}
    assert read_answer(json.dumps(answer).encode(), INDEXES, CHOICES).keys() == {"4", "meta"}


def test_a_choice_for_a_picture_that_failed_later_counts() -> None:
    answer = {"4": CAT, "24": CAT, "meta": log(_4="ok", _24="error")}
    assert read_answer(json.dumps(answer).encode(), INDEXES, CHOICES) == answer


@pytest.mark.parametrize("load", ["ok", "pending"])
def test_a_picture_that_loaded_needs_a_choice(load: str) -> None:
    answer = {"4": CAT, "meta": log(_4="ok", _24=load)}
    with pytest.raises(Invalid, match="1 of 2 pictures have no answer"):
        read_answer(json.dumps(answer).encode(), INDEXES, CHOICES)


def test_a_page_without_any_answer_is_refused_whatever_its_log_says() -> None:
    answer = {"meta": log(_4="error", _24="error")}
    with pytest.raises(Invalid, match="No picture"):
        read_answer(json.dumps(answer).encode(), INDEXES, CHOICES)


def test_an_answer_that_is_too_long_is_refused() -> None:
    with pytest.raises(TooLarge, match="512 KiB"):
        read_answer(b" " * (MAX_BYTES + 1), INDEXES, CHOICES)


def test_a_page_of_another_form_may_answer_anything_in_an_object() -> None:
    assert read_answer(b'[{"note": "three trees"}]', None, ()) == {"note": "three trees"}


@given(st.binary(max_size=300))
def test_no_bytes_make_reading_an_answer_fail_otherwise(body: bytes) -> None:
    with suppress(Invalid):
        read_answer(body, INDEXES, CHOICES)


@given(st.lists(st.sampled_from(["chosen", "failed", "failed, radios off"]), min_size=1))
def test_what_did_not_load_reaches_the_consolidation_by_its_index(outcomes: list[str]) -> None:
    indexes = [str(400 - 7 * place) for place in range(len(outcomes))]
    names = page_names(7, indexes)
    form: dict[str, Any] = {
        name: {"cat": outcome == "chosen", "dog": False}
        for name, outcome in zip(names, outcomes, strict=True)
        if outcome != "failed, radios off"
    }
    tiles = [
        {"id": name, "load": "ok" if outcome == "chosen" else "error"}
        for name, outcome in zip(names, outcomes, strict=True)
    ]
    body = msgspec.json.encode(form | {"meta": msgspec.json.encode({"tiles": tiles}).decode()})
    if "chosen" not in outcomes:  # a page none of whose pictures came has nothing to say
        with pytest.raises(Invalid):
            read_answer(body, indexes, ("cat", "dog"), names)
        return
    answer, _, unloaded = split_meta(read_answer(body, indexes, ("cat", "dog"), names))
    by_outcome = dict(zip(indexes, outcomes, strict=True))
    assert answer.keys() == {index for index, one in by_outcome.items() if one == "chosen"}
    assert set(unloaded) == by_outcome.keys() - answer.keys()


EMPTY = st.recursive(
    st.sampled_from([None, False, "", " \n"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
)


@given(st.dictionaries(st.text(max_size=5), EMPTY, max_size=4), st.text(min_size=1))
def test_an_answer_of_a_page_of_ones_own_without_a_filled_field_is_never_taken(
    answer: dict[str, Any], meta: str
) -> None:
    with pytest.raises(Invalid, match="Nothing on this page is answered"):
        read_answer(json.dumps({**answer, "meta": meta}).encode(), None, ())


@pytest.mark.parametrize(
    "value", [0, 4.5, "cat", True, {"label": "cat"}, {"cat": True, "dog": False}, {"labels": ["a"]}]
)
def test_one_filled_field_makes_an_answer_of_a_page_of_ones_own(value: Any) -> None:
    answer = {"a": "", "b": value}
    assert read_answer(json.dumps(answer).encode(), None, ()) == answer
