"""`tessera consolidate` on files from anywhere."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tessera.commands import consolidate as command
from tessera.commands.consolidate import NOT_CONVERGED, consolidate_command, write_labels
from tessera.exits import Exit
from tessera.tiling.consensus import Consensus, dawid_skene
from tessera.tiling.method_names import METHOD_NAMES

ANSWERS = """task,worker,label,seconds
a.jpg,ann,cat,2.0
a.jpg,bob,cat,
b.jpg,ann,dog,1.5
b.jpg,bob,blurred,
b.jpg,cid,blurred,
c.jpg,cid,dog,
"""


def consolidated(folder: Path, answers: str, *options: str) -> list[dict[str, str]]:
    source, target = folder / "answers.csv", folder / "labels.csv"
    source.write_text(answers)
    result = CliRunner().invoke(consolidate_command, [str(source), "--out", str(target), *options])
    assert result.exit_code == 0, result.output
    with target.open() as file:
        return list(csv.DictReader(file))


def test_answers_become_labels_with_confidence_answers_and_gain(tmp_path: Path) -> None:
    rows = consolidated(tmp_path, ANSWERS, "--unreadable", "blurred")
    assert [(row["task"], row["label"], row["answers"]) for row in rows] == [
        ("a.jpg", "cat", "2"),
        ("b.jpg", "", "3"),
        ("c.jpg", "dog", "1"),
    ]
    assert 0.5 < float(rows[0]["confidence"]) < 1
    assert float(rows[0]["gain"]) < 0.05


SHARE = st.floats(0, 1, width=32)


@given(
    rows=st.lists(
        st.tuples(st.integers(-1, 2), SHARE, st.integers(0, 60_000), SHARE), min_size=1, max_size=9
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_row_has_what_formats_would_write(
    tmp_path: Path, rows: list[tuple[int, float, int, float]]
) -> None:
    label, confidence, answers, gain = zip(*rows, strict=True)
    count, out = len(rows), tmp_path / "labels.csv"
    consensus = Consensus(
        label=np.array(label, np.int16),
        confidence=np.array(confidence, np.float32),
        agreement=np.zeros(count, np.float32),
        gain=np.array(gain, np.float32),
        answers=np.array(answers, np.uint16),
        unreadable=np.zeros(count, np.bool_),
    )
    names = ["cat", "a dog, or so", "=1"]
    write_labels(out, consensus, map(str, range(count)), names)
    written = ["cat", '"a dog, or so"', "'=1", ""]
    assert out.read_text().splitlines()[1:] == [
        f"{number},{written[label]},{confidence:.4f},{answers},{gain:.4f}"
        for number, (label, confidence, answers, gain) in enumerate(rows)
    ]


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_each_method_can_be_named(tmp_path: Path, method: str) -> None:
    assert len(consolidated(tmp_path, ANSWERS, "--method", method)) == 3


def test_gold_calibrates_and_a_guess_decides_a_tie(tmp_path: Path) -> None:
    (tmp_path / "gold.csv").write_text("task,label\na.jpg,cat\nelsewhere.jpg,cat\n")
    (tmp_path / "guess.csv").write_text("task,label,confidence\nt.jpg,dog,0.9\n")
    tie = "task,worker,label\nt.jpg,ann,cat\nt.jpg,bob,dog\na.jpg,ann,cat\n"
    given = ["--gold", str(tmp_path / "gold.csv"), "--prelabels", str(tmp_path / "guess.csv")]
    assert consolidated(tmp_path, tie)[0]["label"] == "cat"
    assert consolidated(tmp_path, tie, *given)[0]["label"] == "dog"


def gold_and_answers(folder: Path, wrong: int) -> list[str]:
    """Write answers of ten workers who agree, and gold of which so many are wrong."""
    labels = ["cat", "dog"]
    (folder / "answers.csv").write_text(
        "task,worker,label\n"
        + "".join(f"{task}.jpg,w{worker},{labels[task % 2]}\n"
                  for task in range(40) for worker in range(10))
    )  # fmt: skip
    (folder / "gold.csv").write_text(
        "task,label\n"
        + "".join(f"{task}.jpg,{labels[(task + (task < wrong)) % 2]}\n" for task in range(20))
    )
    files = ["answers.csv", "--gold", "gold.csv", "--out", "labels.csv"]
    return [each if each.startswith("--") else str(folder / each) for each in files]


@pytest.mark.parametrize("wrong", [0, 1, 7])
def test_known_labels_that_workers_contradict_are_named_with_what_to_do(
    tmp_path: Path, wrong: int
) -> None:
    given = gold_and_answers(tmp_path, wrong)
    facts = json.loads(CliRunner().invoke(consolidate_command, [*given, "--json"]).stdout)
    assert {row["task"] for row in facts["gold_in_doubt"]} == {f"{n}.jpg" for n in range(wrong)}
    warned = [text for text in facts["warnings"] if "may be wrong" in text]
    assert len(warned) == min(wrong, 1)
    for text in warned:
        assert text.startswith(f"{wrong} known label{'s' if wrong > 1 else ''} may be wrong: 0.jpg")
        assert "0.jpg is given as 'dog', and 10 of 10 workers say 'cat'" in text
        assert f"mend those that are wrong in {tmp_path / 'gold.csv'}" in text
        assert ("and 2 more" in text) == (wrong == 7)


def test_columns_may_stand_in_any_order_and_lines_be_empty(tmp_path: Path) -> None:
    mixed = "other,label,worker,task\n\n1,cat,ann,a.jpg\n\n2,dog,bob,b.jpg\n"
    rows = consolidated(tmp_path, mixed)
    assert [(row["task"], row["label"]) for row in rows] == [("a.jpg", "cat"), ("b.jpg", "dog")]


def test_estimates_that_still_moved_at_the_last_iteration_are_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.csv").write_text(ANSWERS)
    command = [str(tmp_path / "a.csv"), "--out", str(tmp_path / "out.csv")]
    with_method = [*command, "--method", "dawid-skene", "--json"]
    settled = CliRunner().invoke(consolidate_command, with_method)
    monkeypatch.setattr(dawid_skene, "MAX_ITERATIONS", 1)
    moving = CliRunner().invoke(consolidate_command, with_method)
    assert NOT_CONVERGED not in settled.stderr
    assert NOT_CONVERGED in moving.stderr
    assert moving.exit_code == 0
    assert json.loads(moving.stdout)["tasks"] == 3


@pytest.mark.parametrize(
    ("answers", "message"),
    [("task,label\na,b\n", "no column 'worker'"), ("task,worker,label\na,b\n", "line 2")],
)
def test_a_file_that_is_no_answers_is_refused_in_words(
    tmp_path: Path, answers: str, message: str
) -> None:
    (tmp_path / "a.csv").write_text(answers)
    result = CliRunner().invoke(consolidate_command, [str(tmp_path / "a.csv"), "--out", "x.csv"])
    assert result.exit_code == 4
    assert message in result.output


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_tables_that_the_machine_has_no_room_for_are_refused_before_they_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(command, "machine_memory", lambda: 1_000_000)
    source = tmp_path / "answers.csv"
    source.write_text("task,worker,label\n" + "".join(f"t{n},w{n},l{n}\n" for n in range(60)))
    given = [str(source), "--out", str(tmp_path / "labels.csv"), "--method", method]

    result = CliRunner().invoke(consolidate_command, given)

    if method in command.TABLES:
        message = " ".join(result.output.split())
        assert result.exit_code == Exit.REFUSED, message
        assert "60 workers and 60 labels take 1 GB" in message
        assert "Choose --method majority" in message
    else:
        assert result.exit_code == 0, result.output
