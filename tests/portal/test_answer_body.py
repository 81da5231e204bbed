"""Bodies of answers: which are taken, and with what sentence the others are refused."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.portal.answer_body import MAX_BYTES, read_answer
from tessera.portal.errors import Invalid, TooLarge

INDEXES = {"4", "24"}


CHOICES = ("cat", "dog", "cannot see")


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
        (b"{}", "2 of 2 pictures have no answer"),
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
    ],
)
def test_an_answer_that_makes_no_sense_is_refused_with_a_sentence(
    answer: Any, sentence: str
) -> None:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    with pytest.raises(Invalid, match=sentence):
        read_answer(body, INDEXES, CHOICES)


def test_an_answer_that_is_too_long_is_refused() -> None:
    with pytest.raises(TooLarge, match="512 KiB"):
        read_answer(b" " * (MAX_BYTES + 1), INDEXES, CHOICES)


def test_a_page_of_another_form_may_answer_anything_in_an_object() -> None:
    assert read_answer(b'[{"note": "three trees"}]', None, ()) == {"note": "three trees"}


@given(st.binary(max_size=300))
def test_no_bytes_make_reading_an_answer_fail_otherwise(body: bytes) -> None:
    with suppress(Invalid):
        read_answer(body, INDEXES, CHOICES)
