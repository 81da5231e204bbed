"""CSV files of other programs: read in the one sensible way, or refused with line and remedy."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.csv_file import Notices, Row, canonical_id, open_table, read_rows
from tessera.exits import Refused

COLUMNS = ("task", "label")
field = st.text(
    st.characters(
        codec="utf-8", exclude_characters="\0\r\n", exclude_categories=("Cc", "Zl", "Zp")
    ),
    min_size=1,
    max_size=12,
).filter(str.strip)
table = st.lists(st.tuples(field, field), min_size=1, max_size=6)


def read(path: Path, raw: bytes) -> tuple[list[tuple[str, ...]], list[str]]:
    path.write_bytes(raw)
    notices = Notices(path)
    return [row.fields for row in read_rows(path, COLUMNS, notices)], list(notices)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("csv") / "file.csv"


@pytest.mark.thorough
@given(
    rows=table,
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    before=st.sampled_from(["", "\n", "sep="]),
    blank=st.booleans(),
)
def test_what_any_program_writes_is_read_back(
    path: Path,
    rows: list[tuple[str, str]],
    encoding: str,
    delimiter: str,
    end: str,
    before: str,
    blank: bool,
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    writer.writerows([("other", *COLUMNS), *(("x", *row) for row in rows)])
    first = f"{before}{delimiter}{end}" if before == "sep=" else before
    last = f"{delimiter * 2}{end}" if blank else ""

    matches, notices = read(path, (first + text.getvalue() + last).encode(encoding))

    assert matches == [tuple(cell.strip() for cell in row) for row in rows]
    assert any("separated" in notice for notice in notices) == (delimiter != ",")
    assert any("without any value" in notice for notice in notices) == blank


@given(rows=table, place=st.integers(0, 200), junk=st.binary(min_size=1, max_size=8))
def test_a_file_that_is_damaged_anywhere_is_read_or_refused_by_name(
    path: Path, rows: list[tuple[str, str]], place: int, junk: bytes
) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([COLUMNS, *rows])
    raw = text.getvalue().encode()
    message = ""
    try:
        read(path, raw[:place] + junk + raw[place:])
    except Refused as error:
        message = error.message
    assert not message or str(path) in message


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("task,lable\n1,cat\n", r"no column 'label'.*is 'lable' meant\?"),
        ("Task,Label\n1,cat\n", r"is 'Task' meant\? Rename it"),
        ("task;lable\n1;cat\n", "separated by ';'"),
        ("task,label\n1,dog, large\n", r"line 2: more fields than columns \(3 and 2\)"),
        ("task,label\n1,cat\n2\n", r"line 3: fewer fields than columns \(1 and 2\)"),
        ('task,label\n1,cat\n2,"dog\n3,cat\n', "line 3: a quote opens here and never closes"),
        ('task,label\n1,"cat"s\n', "line 2: ',' expected after '\"'"),
        ('task,label\n1,"cat\n2,dog\n3,"\n', "line 2: the label goes over several lines"),
        ("task,label,label\n1,cat,dog\n", "2 columns are called 'label'"),
        (f"task,label\n1,{'x' * 200_000}\n", "line 2: field larger than field limit"),
        ("task,label\n1,cat\0\n", "line 2 holds a NUL"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_line_and_remedy(
    path: Path, raw: str, words: str
) -> None:
    with pytest.raises(click.ClickException, match=words) as refused:
        read(path, raw.encode())
    assert str(path) in refused.value.message


def test_letters_of_windows_are_read_with_a_notice_that_quotes_them(path: Path) -> None:
    rows, (notice,) = read(path, "task,label\n1,Käse\n".encode("cp1252"))

    assert rows == [("1", "Käse")]
    assert "Windows-1252; line 2 then says '1,Käse'" in notice
    assert "save the file as CSV UTF-8" in notice


def test_fields_that_a_spreadsheet_left_empty_at_the_end_are_no_fields_too_many(path: Path) -> None:
    assert read(path, b"task,label\n1,cat,,\n")[0] == [("1", "cat")]


@given(st.integers(0, 10**17), st.integers(0, 3))
def test_a_whole_number_is_known_in_every_spelling(number: int, zeros: int) -> None:
    spellings = {f"{number}.{'0' * zeros}", f"{number}e0", f"{number}0e-1", f"{number * 10}E-1"}

    assert {canonical_id(spelling) for spelling in spellings} == {str(number)}


@given(field)
def test_other_names_stay_as_they_are(name: str) -> None:
    assert canonical_id(f"a{name}") == f"a{name}"


PIECES = st.sampled_from([*'"\n\r,;\t \ufeff\x00\x1c\x85\xa0\u2028aI', "task", "label", "LABEL"])


@given(header=st.lists(PIECES, max_size=9).map("".join), any_case=st.booleans())
def test_a_header_has_the_columns_or_is_refused(path: Path, header: str, any_case: bool) -> None:
    """Also where a stray quote makes two lines of the header, of which the first has them."""
    path.write_bytes(header.encode())
    with suppress(Refused):
        names, rows = read_either_way(path, any_case)
        assert "label" in [name.lower() for name in names]
        assert all(len(row.fields) == len(names) for row in rows)


def read_either_way(path: Path, any_case: bool) -> tuple[Sequence[str], list[Row]]:
    if not any_case:
        return COLUMNS, list(read_rows(path, COLUMNS, Notices(path)))
    with open_table(path, ("label",), Notices(path)) as (names, rows):
        return names, list(rows)


@pytest.mark.parametrize("any_case", [True, False])
def test_a_header_that_a_quote_makes_longer_is_refused_for_that(path: Path, any_case: bool) -> None:
    path.write_bytes(b'task,"label\n,"\n')
    with pytest.raises(Refused, match="a quote is probably missing"):
        read_either_way(path, any_case)
