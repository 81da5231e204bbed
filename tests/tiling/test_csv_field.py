"""Fields of CSV files: none begins like a formula, and all come back as they were."""

from __future__ import annotations

import csv
import io

from hypothesis import example, given
from hypothesis import strategies as st

from tessera.tiling.csv_field import csv_field, guard_formula, plain_text

texts = st.text(max_size=20) | st.builds(
    "".join, st.lists(st.sampled_from("'=+-@\t\r\n ＝＋－＠|%\"a1,"), max_size=8)
)


@given(texts)
@example("=cmd|' /C calc'!A0")
@example(" =1+1")
@example("'=1+1")
def test_no_field_begins_like_a_formula_but_numbers_do(text: str) -> None:
    (row,) = csv.reader(io.StringIO(csv_field(text) + "\n", newline="")) if text else ([""],)
    first = row[0].lstrip()[:1]
    if first and first in "=+-@＝＋－＠":
        float(row[0])  # a number is no program


@given(texts)
def test_a_field_is_read_as_the_text_that_was_written(text: str) -> None:
    line = f"a,{csv_field(text)},b\n"
    (row,) = csv.reader(io.StringIO(line, newline=""))
    assert [row[0], plain_text(row[1]), row[2]] == ["a", text, "b"]


@given(texts)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert plain_text(guard_formula(text)) == text
    if text[:1].isalnum() or (text.lstrip("-+").isdecimal() and text.isascii()):
        assert guard_formula(text) == text or not text.lstrip("-+").isdecimal()
