"""Answers from spreadsheets and pandas, and the files beside them: nothing is lost or bent."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tessera.commands.consolidate import consolidate_command
from tessera.exits import Exit
from tessera.foreign_answers import MOST_LABELS, name_finder
from tessera.tiling.consensus import class_prior, em, worker_shrinkage
from tests.examples import examples

Consolidated = tuple[int, dict[str, dict[str, str]], str]
Consolidate = Callable[..., Consolidated]


@pytest.fixture
def consolidate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Consolidate:
    """Consolidates rows below `task,worker,label`; returns exit code, labels by task, messages."""
    monkeypatch.chdir(tmp_path)

    def call(rows: str, *options: str, **beside: str) -> Consolidated:
        (tmp_path / "answers.csv").write_text("task,worker,label\n" + rows, encoding="utf-8")
        for name, content in beside.items():
            (tmp_path / f"{name}.csv").write_text(content, encoding="utf-8")
            options = (*options, f"--{name}", f"{name}.csv")
        out = tmp_path / "out.csv"
        result = CliRunner().invoke(
            consolidate_command, ["answers.csv", "--out", "out.csv", "--json", *options]
        )
        labels: dict[str, dict[str, str]] = {}
        if out.exists():
            labels = {row["task"]: row for row in csv.DictReader(io.StringIO(out.read_text()))}
            warnings = json.loads(result.stdout)["warnings"]
            assert all(" ".join(warning.split()) in one_line(result) for warning in warnings)
        return result.exit_code, labels, one_line(result)

    return call


def one_line(result: Any) -> str:
    return " ".join(result.stderr.split())


def test_an_empty_label_or_nan_is_no_answer_and_a_task_without_any_stays(
    consolidate: Consolidate,
) -> None:
    code, labels, message = consolidate(
        "1,w1,cat\n1,w2,\n2,w1,NaN\n2,w2,nan\n3,w1,\n3,w2,\n4,w1,dog\n4,w2,dog\n"
    )

    assert code == 0
    assert [(row["label"], row["answers"]) for row in labels.values()] == [
        ("cat", "1"), ("", "0"), ("", "0"), ("dog", "2"),
    ]  # fmt: skip
    assert "5 answers without a label left out (the first on line 3)" in message


def test_a_workers_first_answer_to_a_task_counts_whatever_comes_after(
    consolidate: Consolidate,
) -> None:
    again = "1,w1,cat\n" * 9
    code, labels, message = consolidate(again + "1,w1,bird\n1,w2,dog\n1,w3,dog\n2,w1,cat\n")

    assert code == 0
    assert (labels["1"]["label"], labels["1"]["answers"]) == ("dog", "3")
    assert "8 answers given by a worker a second time to the same task counted once" in message
    assert "(the first on line 3)" in message
    assert "1 answer unlike the same worker's first one to the task left out" in message


@pytest.mark.thorough
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(st.integers(1, 3), st.sampled_from("abc"), st.sampled_from("xyz")), min_size=1
    ),
    again=st.lists(st.integers(0, 100), max_size=8),
)
def test_repeats_change_no_label(
    consolidate: Consolidate, rows: list[tuple[int, str, str]], again: list[int]
) -> None:
    firsts = {(task, worker): label for task, worker, label in reversed(rows)}
    once = [(*pair, label) for pair, label in firsts.items()]
    repeated = [*reversed(once)]
    repeated += [repeated[place % len(repeated)] for place in again if repeated]

    def text(table: list[tuple[int, str, str]]) -> str:
        return "".join(f"{task},{worker},{label}\n" for task, worker, label in table)

    without = consolidate(text([*reversed(once)]))[:2]
    assert consolidate(text(repeated))[:2] == without


@pytest.mark.thorough
@given(st.integers(0, 2**32), st.booleans())
@settings(max_examples=examples(10), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_in_another_order_are_the_same_labels_of_a_crowd_that_is_sampled(
    consolidate: Consolidate, monkeypatch: pytest.MonkeyPatch, seed: int, quoted: bool
) -> None:
    for module in (em, class_prior, worker_shrinkage):
        monkeypatch.setattr(module, "SAMPLE_IMAGES", 7)
    chance = np.random.default_rng(seed)
    rows = [
        f'"t{task}",w{worker},{"abc"[int(chance.choice(3, p=[0.6, 0.3, 0.1]))]}'
        for task in range(60)
        for worker in sorted(chance.choice(9, 3, replace=False).tolist())
    ]
    if not quoted:  # read by column, not by row
        rows = [row.replace('"', "") for row in rows]
    shuffled = [rows[row] for row in chance.permutation(len(rows)).tolist()]
    one, other = (consolidate("\n".join(order) + "\n")[1] for order in (rows, shuffled))
    for task, row in one.items():
        tied = float(row["confidence"]) <= 0.5  # by who came first
        assert tied or other[task] == row


@pytest.mark.parametrize("spelling", ["{}.0", "{}.", "{}e0", "{}0E-1", "{}.00"])
def test_gold_whose_labels_became_floats_still_matches(
    consolidate: Consolidate, spelling: str
) -> None:
    answers = "".join(f"{task},w{worker},{task % 2}\n" for task in range(4) for worker in range(2))
    gold = "task,label\n" + "".join(f"{task},{spelling.format(task % 2)}\n" for task in range(4))
    gold += "0,0\n"  # spelled otherwise, and no other label

    code, _, message = consolidate(answers, gold=gold)

    assert code == 0
    assert "passed over" not in message


@pytest.mark.parametrize("spelling", ["{}.0", "{}.", "{}e0", "{}0E-1", "{}.00"])
def test_gold_whose_ids_became_floats_still_matches(
    consolidate: Consolidate, spelling: str
) -> None:
    answers = "".join(f"{task},w{worker},cat\n" for task in range(1, 4) for worker in range(2))
    gold = "task,label\n" + "".join(f"{spelling.format(task)},cat\n" for task in range(1, 4))

    code, labels, message = consolidate(answers, gold=gold)

    assert code == 0
    assert "row of no task" not in message
    assert len(labels) == 3


@pytest.mark.parametrize(
    ("gold", "words"),
    [
        (
            "task,label\na.jpg,cat\n",
            "0 of 1 row match a task of answers.csv: its tasks look like 'a.jpg'",
        ),
        (
            "task,label\n1,Kat\n",
            "0 of 1 row match a task of answers.csv: its labels are none of 'cat', 'dog'",
        ),
        ("task,label\n1,cat\n1,dog\n", "line 3: '1' is 'dog' here and 'cat' on line 2"),
        ("task,label\n", "holds no rows"),
        ("task;confidence\n1;cat\n", "no column 'label'"),
    ],
)
def test_gold_that_cannot_be_used_is_refused(
    consolidate: Consolidate, gold: str, words: str
) -> None:
    code, labels, message = consolidate("1,w1,cat\n2,w1,dog\n", gold=gold)

    assert (code, labels) == (4, {})
    assert words in message
    assert "gold.csv" in message


def test_rows_beside_the_answers_that_match_nothing_are_counted(consolidate: Consolidate) -> None:
    code, _, message = consolidate(
        "1,w1,cat\n2,w1,dog\n", gold="task,label\n1,cat\n7,cat\n2,Dog\n2,\n"
    )

    assert code == 0
    assert "gold.csv: 1 row of no task here passed over (the first on line 3)" in message
    assert "with the label 'Dog', which is none here, passed over; is 'dog' meant?" in message
    assert "1 row without a label passed over (the first on line 5)" in message


@pytest.mark.parametrize("text", ["nan", "-0.1", "1.5", "90%", "0,9", "inf", ""])
def test_a_confidence_that_is_none_is_refused_with_its_line(
    consolidate: Consolidate, text: str
) -> None:
    guesses = f'task,label,confidence\n1,cat,0.5\n2,dog,"{text}"\n'
    code, _, message = consolidate("1,w1,cat\n2,w1,dog\n", prelabels=guesses)

    assert code == 4
    assert "prelabels.csv, line 3" in message


def test_an_unreadable_that_is_spelled_otherwise_is_refused_with_the_spelling(
    consolidate: Consolidate,
) -> None:
    code, _, message = consolidate("1,w1,cannot see\n1,w2,cat\n", "--unreadable", "Cannot see")
    assert code == 4
    assert "--unreadable 'cannot see'" in message

    code, _, message = consolidate("1,w1,dog\n1,w2,cat\n", "--unreadable", "blurred")
    assert code == 0
    assert "--unreadable has no effect" in message


@pytest.mark.thorough
def test_a_column_of_other_things_is_refused_before_it_fills_the_memory(
    consolidate: Consolidate,
) -> None:
    rows = "".join(f"{number},w,name {number}\n" for number in range(MOST_LABELS + 1))
    code, _, message = consolidate(rows)

    assert code == 4
    assert f"line {MOST_LABELS + 2}: more than 1,000 different labels" in message
    assert consolidate(rows.rsplit("\n", 2)[0] + "\n")[0] == 0


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("1,w1,cat\n1.0,w2,cat\n", "1 task such as '1.0' and '1' kept apart"),
        ("1.23457E+11,w1,cat\n", "look like long ids that a spreadsheet rounded"),
        ("1,w1,0\n2,w1,0.0\n", "1 label such as '0.0' and '0' kept apart"),
        ("1,7,cat\n2,7.0,cat\n", "1 worker such as '7.0' and '7' kept apart"),
        ("1,w1,cat\n1,w2,Cat\n", "'cat' and 'Cat' count as two labels"),
        ("1,w1,N/A\n1,w2,cat\n", "the label 'N/A' is a missing value to pandas"),
        ("1,w1,None\n1,w2,cat\n", "keep_default_na=False"),
    ],
)
def test_names_that_other_programs_read_otherwise_are_told(
    consolidate: Consolidate, rows: str, words: str
) -> None:
    code, _, message = consolidate(rows)

    assert code == 0
    assert words in message


@pytest.mark.parametrize("rows", [",w1,cat\n", "1,,cat\n", "nan,w1,cat\n", "1,NaN,cat\n"])
def test_a_row_of_no_task_or_worker_is_refused_with_its_line(
    consolidate: Consolidate, rows: str
) -> None:
    code, _, message = consolidate("1,w1,cat\n" + rows)

    assert code == 4
    assert "answers.csv, line 3: no " in message


def test_accents_are_one_letter_however_they_are_spelled(consolidate: Consolidate) -> None:
    code, labels, _ = consolidate("1,w1,cafe\u0301\n1,w2,caf\u00e9\n")

    assert code == 0
    assert labels["1"]["label"] == "caf\u00e9"


names = st.text("01.e+-é\u0301a", max_size=6) | st.integers(0, 99).map(str)


@given(st.sets(names, max_size=8), names)
def test_a_name_finds_itself_and_never_another_that_is_there(known: set[str], name: str) -> None:
    numbers = {other: number for number, other in enumerate(sorted(known))}
    find = name_finder(numbers)

    assert all(find(other) == number for other, number in numbers.items())
    if name not in known and find(name) is not None:
        respelled = [other for other, number in numbers.items() if number == find(name)]
        assert len(respelled) == 1


RARE = "".join(
    f"{task},w{worker},{'scratch' if (task * 7 + worker * 3) % 10 == 0 else 'ok'}\n"
    for task in range(60)
    for worker in range(3)
)
"""Answers of which one in ten says scratch, one of three to a task at most."""


@pytest.mark.parametrize(
    "shares", ["ok=0.99,scratch=0.01", '{"ok": 0.99}', " ok = 0.99 ", "ok=99%", "scratch = 1 %"]
)
def test_stated_shares_make_a_rare_label_rarer(consolidate: Consolidate, shares: str) -> None:
    def mean(labels: dict[str, dict[str, str]]) -> float:
        return sum(float(row["confidence"]) for row in labels.values()) / len(labels)

    without, stated = consolidate(RARE)[1], consolidate(RARE, "--shares", shares)[1]
    assert mean(stated) > mean(without)


@pytest.mark.parametrize(
    ("shares", "problem"),
    [
        ("95 %", "Write --shares ok=0.95"),
        ("ok=most", "Write --shares ok=0.95"),
        ("ok=0.5,ok=0.5", "Write --shares ok=0.95"),
        ('{"ok": "most"}', "Write --shares ok=0.95"),
        ("okay=0.9", "'okay' is none of the labels; is 'ok' meant? The labels are "),
        ("scratch=rare", "Write --shares scratch=0.95"),
        ("ok=95%%", "'95%%' is no number"),
        ("ok=9%5", "'9%5' is no number"),
        ("ok=950%", "9.5 of 'ok' is no share"),
        ("ok=0.9,ok=0.05", "'ok' is there twice"),
        ("0.9", "'0.9' has no ="),
        ("ok=1.5", "1.5 of 'ok' is no share"),
        ("ok=0.9,scratch=0.9", "they add up to 1.8"),
        ("gold", "give them with --gold FILE"),
    ],
)
def test_shares_that_cannot_be_are_refused_with_the_way_out(
    consolidate: Consolidate, shares: str, problem: str
) -> None:
    code, _, message = consolidate(RARE, "--shares", shares)
    assert (code, problem in message) == (Exit.REFUSED, True), message


def test_shares_come_from_gold_that_was_drawn_at_random(consolidate: Consolidate) -> None:
    gold = "task,label\n" + "".join(f"{task},ok\n" for task in range(55))
    code, labels, _ = consolidate(RARE, "--shares", "gold", gold=gold)
    assert code == 0
    assert {row["label"] for row in labels.values()} == {"ok"}


def test_gold_that_is_too_few_to_tell_shares_is_warned_of(consolidate: Consolidate) -> None:
    gold = "task,label\n" + "".join(f"{task},ok\n" for task in range(49))
    code, labels, message = consolidate(RARE, "--shares", "gold", gold=gold)
    assert code == 0
    assert "--gold has 49 tasks with an answer, and 50 are needed" in message
    assert labels == consolidate(RARE, gold=gold)[1]


@pytest.mark.parametrize("shares", ["ok=0.5", "ok", "{}"])
def test_shares_of_answers_without_any_label_are_refused(
    consolidate: Consolidate, shares: str
) -> None:
    code, _, message = consolidate("1,w1,\n2,w1,\n", "--shares", shares)
    assert (code, "no row of the answers has a label" in message) == (Exit.REFUSED, True), message
