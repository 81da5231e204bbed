"""Embeddings and probabilities from files, and `tessera consolidate` with them."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from tessera.commands.consolidate import consolidate_command
from tests.tiling.consensus.crowds import simulated

IMAGES = 400


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with answers to three quarters of the images, embeddings, and their truth."""
    answers, truth = simulated(IMAGES, 12, 3, answers=2, accuracy=0.75)
    chance = np.random.default_rng(0)
    rows = np.eye(3)[truth] + 0.3 * chance.normal(size=(IMAGES, 3))
    np.save(tmp_path / "rows.npy", rows.astype(np.float16))
    np.save(tmp_path / "truth.npy", truth)
    columns = zip(answers.image, answers.worker, answers.label, strict=True)
    asked = [(image, f"w{worker}", f"c{label}") for image, worker, label in columns if image % 4]
    write_answers(tmp_path / "answers.csv", asked)
    return tmp_path


def write_answers(path: Path, rows: Sequence[tuple[object, ...]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("task", "worker", "label"), *rows])


def consolidated(folder: Path, *options: str) -> Result:
    command = [str(folder / "answers.csv"), "--out", str(folder / "labels.csv"), *options]
    return CliRunner().invoke(consolidate_command, command)


def labels_in(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "labels.csv").open() as file:
        return {row["task"]: row for row in csv.DictReader(file)}


def accuracy(folder: Path, truth: NDArray[np.int64]) -> float:
    rows = labels_in(folder)
    return float(np.mean([rows[str(i)]["label"] == f"c{truth[i]}" for i in range(len(truth))]))


def test_every_row_gets_a_label_also_where_nobody_was_asked(folder: Path) -> None:
    result = consolidated(folder, "--embeddings", str(folder / "rows.npy"), "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["tasks"] == summary["labeled"] == IMAGES
    assert summary["labeled_by_the_model_alone"] == IMAGES // 4
    assert summary["model_knows_nats_an_answer"] > 0.3
    assert labels_in(folder)["0"]["answers"] == "0"
    assert accuracy(folder, np.load(folder / "truth.npy")) > 0.95


def test_probabilities_are_learned_from_whatever_their_classes_are(folder: Path) -> None:
    truth = np.load(folder / "truth.npy")
    p = np.full((IMAGES, 5), 0.1)  # two classes that nobody ever answers
    p[np.arange(IMAGES), 4 - truth] = 0.6
    np.save(folder / "p.npy", p.astype(np.float32))
    result = consolidated(folder, "--probabilities", str(folder / "p.npy"))
    assert result.exit_code == 0, result.output
    assert accuracy(folder, truth) > 0.95


def test_embeddings_of_other_pictures_are_told_and_not_used(folder: Path) -> None:
    np.save(folder / "rows.npy", np.random.default_rng(5).permutation(np.load(folder / "rows.npy")))
    result = consolidated(folder, "--embeddings", str(folder / "rows.npy"))
    assert result.exit_code == 0
    assert "the model was not used" in result.stderr
    assert labels_in(folder)["0"]["label"] == ""


def test_rows_belong_to_the_tasks_that_ids_names(folder: Path) -> None:
    text = (folder / "answers.csv").read_text().splitlines()
    named = [text[0], *(f"pic-{line}" for line in text[1:])]
    (folder / "answers.csv").write_text("\n".join(named))
    (folder / "ids.txt").write_text("\n".join(f"pic-{row}" for row in range(IMAGES)))
    embeddings = ("--embeddings", str(folder / "rows.npy"))
    without = consolidated(folder, *embeddings)
    assert without.exit_code == 4
    assert "--ids" in without.output
    assert consolidated(folder, *embeddings, "--ids", str(folder / "ids.txt")).exit_code == 0
    assert len(labels_in(folder)) == IMAGES


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read"),
        (b"task,worker\n", "cannot be read"),
        (np.zeros(IMAGES), "shape"),
        (np.zeros((IMAGES, 2), np.int64), "int64"),
        (np.zeros((IMAGES, 0)), "shape"),
        (np.zeros((7, 2)), "not among the 7 rows"),
        (np.array([["a", "b"]] * IMAGES), "type"),
        (np.array([[None, {}]] * IMAGES), "cannot be read"),
    ],
)
def test_a_file_that_holds_no_rows_of_numbers_is_refused_by_name(
    folder: Path, content: bytes | NDArray[np.generic], message: str
) -> None:
    path = folder / "rows.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content, allow_pickle=True)
    result = consolidated(folder, "--embeddings", str(path))
    assert result.exit_code == 4, result.output
    assert message in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--embeddings", "rows.npy", "--method", "majority"], "--method hierarchical"),
        (["--ids", "ids.txt"], "give one of them"),
        (
            ["--embeddings", "rows.npy", "--ids", "ids.txt"],
            "2 lines; give it one for each of the 400 rows",
        ),
        (["--probabilities", "rows.npy"], "not between 0 and 1"),
        (["--embeddings", "rows.npy", "--probabilities", "few.npy"], "few.npy has 3"),
    ],
)
def test_options_that_do_not_go_together_are_told(
    folder: Path, options: list[str], message: str
) -> None:
    (folder / "ids.txt").write_text("0\n1\n")
    np.save(folder / "few.npy", np.full((3, 2), 0.5))
    files = {"rows.npy", "few.npy", "ids.txt"}
    given = [str(folder / option) if option in files else option for option in options]
    result = consolidated(folder, *given)
    assert result.exit_code == 4, result.output
    assert message in " ".join(result.output.split())
