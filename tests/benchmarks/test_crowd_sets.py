"""Crowds that benchmarks measure may be called and written in any way; none is passed over."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.crowd_sets import NoCrowdError, image_folders, load, load_all, text_folders
from tests.examples import examples

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")))
Rows = list[tuple[str, ...]]


def write(folder: Path, *, answers: Rows, truth: Rows, zipped: bool = True) -> Path:
    """Write a crowd as lists of rows, the first of which names the columns."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("answers", answers), ("truth", truth)):
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        data = text.getvalue().encode()
        path = folder / f"{name}.csv{'.gz' if zipped else ''}"
        path.write_bytes(gzip.compress(data) if zipped else data)
    return folder


ANSWERS: Rows = [("task", "worker", "label"), ("0", "0", "1"), ("0", "1", "0"), ("1", "0", "1")]
TRUTH: Rows = [("task", "truth"), ("0", "1"), ("1", "1")]


@given(st.lists(NAMES.filter(bool), min_size=3, max_size=8, unique=True), st.booleans())
@settings(max_examples=examples(20), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_names_of_tasks_workers_and_labels_change_nothing(
    tmp_path: Path, names: list[str], zipped: bool
) -> None:
    one = write(tmp_path / "numbers", answers=ANSWERS, truth=TRUTH)
    name, heads = sorted(names).__getitem__, (("x", *ANSWERS[0]), ("note", *TRUTH[0]))
    answers = [heads[0], *(("x", *(f"n{name(int(cell))}" for cell in row)) for row in ANSWERS[1:])]
    truth = [heads[1], *(("", *(f"n{name(int(cell))}" for cell in row)) for row in TRUTH[1:])]
    for path in tmp_path.glob("my names/*"):
        path.unlink()
    other = write(tmp_path / "my names", answers=answers, truth=truth, zipped=zipped)

    plain, named = load(one), load(other)

    for column in ("image", "worker", "label"):
        assert getattr(plain.crowd, column).tolist() == getattr(named.crowd, column).tolist()
    assert plain.truth.tolist() == named.truth.tolist()
    assert (plain.crowd.classes, plain.crowd.images) == (named.crowd.classes, named.crowd.images)


def test_an_empty_label_is_no_answer_a_repeat_counts_once_and_a_truth_may_be_missing(
    tmp_path: Path,
) -> None:
    rows = [*ANSWERS, ("0", "0", "0"), ("1", "1", ""), ("2", "1", "7")]
    known = load(write(tmp_path / "a", answers=rows, truth=TRUTH))
    assert known.crowd.label.tolist() == [1, 0, 1, 7]
    assert known.truth.tolist() == [1, 1, -1]
    assert known.crowd.classes == 8


@pytest.mark.parametrize("seconds", ["", "nan", "-1", "slow", "inf"])
def test_seconds_that_nobody_measured_are_not_known(tmp_path: Path, seconds: str) -> None:
    rows = [(*row, "seconds" if row[0] == "task" else seconds) for row in ANSWERS]
    assert load(write(tmp_path / "a", answers=rows, truth=TRUTH)).seconds is None
    rows[1] = (*ANSWERS[1], "2.5")
    timed = load(write(tmp_path / "a", answers=rows, truth=TRUTH)).seconds
    assert timed is not None
    assert np.isnan(timed).tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("answers", "truth", "why"),
    [
        ([("t", "worker", "label"), *ANSWERS[1:]], TRUTH, "has no column 'task' but t, worker"),
        ([], TRUTH, "has no column 'task'"),
        (ANSWERS[:1], TRUTH, "it has no answers"),
        (ANSWERS, TRUTH[:1], "no true label is known"),
        (ANSWERS, [*TRUTH[:1], ("9", "1")], "of none of its answered tasks"),
    ],
)
def test_a_crowd_that_cannot_be_measured_is_left_out_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answers: Rows, truth: Rows, why: str
) -> None:
    folder = write(tmp_path / "a b", answers=answers, truth=truth)
    with pytest.raises(NoCrowdError, match=why):
        load(folder)
    assert load_all([folder]) == []
    assert "`a b` is left out: " in capsys.readouterr().out


def test_strangers_are_measured_beside_the_known_ones_and_texts_apart(tmp_path: Path) -> None:
    for name in ("rte", "zebras 2", "ducks", "apples"):
        write(tmp_path / name, answers=ANSWERS, truth=TRUTH)
    (tmp_path / "notes").mkdir()
    assert [one.name for one in image_folders(tmp_path)] == ["ducks", "apples", "zebras 2"]
    assert [one.name for one in text_folders(tmp_path)] == ["rte"]
