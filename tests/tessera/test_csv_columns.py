"""A plain file read by column is what it is read by row, and any other is left to the rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tessera import csv_columns, foreign_answers
from tessera.csv_columns import Names, read_plain
from tessera.csv_file import Notices
from tessera.exits import Refused
from tessera.foreign_answers import Numbers, read_crowd

COLUMNS = ("task", "worker", "label")
names = st.text("ab1.é鶴-=' /", max_size=3) | st.text("0123456789", min_size=1, max_size=20)
fields = names | st.sampled_from(['"a,b"', '"x"', "nan", "", "é" * 30, "x" * 70, "a\rb", "a\x00"])
rows = st.lists(st.lists(fields, min_size=2, max_size=4) | st.lists(names, min_size=3, max_size=3))


def outcome(path: Path) -> Any:
    """Return everything that a file is read as, or why it is refused."""
    workers, labels, notices = Numbers(), Numbers(), Notices(path)
    try:
        crowd, tasks = read_crowd(path, workers, labels, None, notices)
    except Refused as error:
        return error.message
    columns = [column.tolist() for column in (crowd.image, crowd.worker, crowd.label)]
    return columns, list(tasks), dict(workers), dict(labels), list(notices)


def by_row(path: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(foreign_answers, "read_plain", lambda *_: None)
        return outcome(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=rows, end=st.sampled_from(["\n", "\r\n"]), last=st.booleans(), chunk=st.integers(1, 40))
def test_a_file_is_read_by_column_as_it_is_by_row(
    tmp_path: Path, rows: list[list[str]], end: str, last: bool, chunk: int
) -> None:
    path = tmp_path / "answers.csv"
    text = end.join([",".join(COLUMNS), *(",".join(row) for row in rows)]) + (end if last else "")
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_columns, "CHUNK", chunk)
        assert outcome(path) == by_row(path)


@pytest.mark.parametrize("header", ["task,worker,label", "\ufefflabel,more,task,worker"])
def test_plain_files_are_read_by_column(tmp_path: Path, header: str) -> None:
    places = header.lstrip("\ufeff").split(",")
    path = tmp_path / "answers.csv"
    lines = [",".join(f"{place}-{row % 5}-ümlaut" for place in places) for row in range(20)]
    path.write_text("\n".join([header, *lines]), encoding="utf-8")
    columns = read_plain(path, COLUMNS)
    assert columns is not None
    assert [*columns[0].names] == [f"task-{number}-ümlaut" for number in range(5)]
    assert columns[2].codes.tolist() == [row % 5 for row in range(20)]
    assert outcome(path) == by_row(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"task,worker,label\n",
        b"task;worker;label\n1;a;x\n",
        b"sep=,\ntask,worker,label\n1,a,x\n",
        b"task,worker,label\n1,a,x\n\n2,a,x\n",
        b"task,worker,label\n1,a\n",
        b"task,worker,label\n1,a,x,y\n2,a\n",
        b"task,worker,label\n1,a,\n",
        b"task,worker,label\n1, a,x\n",
        b"task,worker,label\n1,'=a,x\n",
        b'task,worker,label\n1,a,"x"\n',
        b"task,worker,label,task\n1,a,x,1\n",
        b"task,worker,label,more\n1,a,x,K\xe4se\n",
        b"task,worker,label\n1,a,x\rb\n",
        b"task,worker,label\n1,a," + b"x" * 65 + b"\n",
        "task,worker,label\n1,a\u00a0,x\n".encode(),
    ],
)
def test_whatever_is_odd_is_left_to_the_reader_of_rows(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "answers.csv"
    path.write_bytes(content)
    assert read_plain(path, COLUMNS) is None


def test_names_are_numbered_in_their_order_and_no_other_has_a_number() -> None:
    numbers = Names(np.array([b"b", "ä".encode()]))
    assert dict(numbers) == {"b": 0, "ä": 1}
    assert numbers.get("c") is None
