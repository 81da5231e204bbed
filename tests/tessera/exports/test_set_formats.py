"""Several labels a picture, as readers take them; forms without a place for them are refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tessera.commands.export import ALL_FORMATS, export
from tessera.exits import Exit
from tessera.exports.set_formats import SET_FORMATS

SETS: tuple[list[str], ...] = ([], ["cat"], ["cat", "dog"], ["dog"])
SETTINGS: dict[str, Any] = {
    "task": "multi",
    "labels": ["cat", "dog", "image"],
    "label_attribute": "pet",
}


def line(index: int) -> dict[str, Any]:
    names = SETS[index % len(SETS)]
    numbers = {str(SETTINGS["labels"].index(name)): name for name in names}
    metadata = {
        "class-map": numbers,
        "confidence-map": dict.fromkeys(numbers, 0.9),
        "confidence": 0.8,
        "type": "groundtruth/image-classification-multilabel",
        "answers": 2,
    }
    return {"pet": [int(number) for number in numbers], "pet-metadata": metadata}


def test_csv_has_a_column_of_0_and_1_for_each_label(labels: Any, tessera: Any) -> None:
    labels.run(line=line, settings=SETTINGS, images=8)
    assert tessera(export, "--to", "csv", "--out", "made").exit_code == Exit.OK
    with Path("made/labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["cat"], row["dog"], row["label image"]) for row in rows[:4]] == [
        ("0", "0", "0"), ("1", "0", "0"), ("1", "1", "0"), ("0", "1", "0"),
    ]  # fmt: skip
    assert rows[0]["image"] == "s3://inbox/pets/0.png"


def test_hugging_face_reads_a_vector_of_each_picture_in_every_part(
    labels: Any, tessera: Any
) -> None:
    labels.run(line=line, settings=SETTINGS, images=12)
    result = tessera(export, "--to", "huggingface", "--out", "made", "--split", "50/50")
    assert result.exit_code == Exit.OK
    datasets = pytest.importorskip("datasets", reason="the extra of readers is not installed")
    made = datasets.load_dataset("imagefolder", data_dir="made", cache_dir="cache")
    rows = [row for part in made.values() for row in part]
    assert len(rows) == 12
    for row in rows:
        names = SETS[int(row["source"].rpartition("/")[2].partition(".")[0]) % len(SETS)]
        assert row["labels"] == [float(name in names) for name in SETTINGS["labels"]]


@pytest.mark.parametrize("form", sorted(ALL_FORMATS.keys() - SET_FORMATS.keys()))
def test_a_form_with_one_place_for_a_label_is_refused_with_those_that_have_more(
    labels: Any, tessera: Any, form: str
) -> None:
    labels.run(line=line, settings=SETTINGS)
    result = tessera(export, "--to", form, "--out", "made")
    assert result.exit_code == Exit.REFUSED
    assert "--to csv, --to huggingface" in result.output
    assert not Path("made").exists()


def test_a_split_has_sets_in_the_same_shares(labels: Any, tessera: Any) -> None:
    labels.run(line=line, settings=SETTINGS, images=16)
    result = tessera(export, "--to", "csv", "--out", "made", "--split", "50/50", "--json")
    parts = json.loads(result.stdout)["parts"]
    assert {name: part["labels"] for name, part in parts.items()} == {
        "train": {"cat": 4, "dog": 4}, "validation": {"cat": 4, "dog": 4},
    }  # fmt: skip


def test_fiftyone_and_label_studio_have_a_list_of_each_pictures_labels(
    labels: Any, tessera: Any
) -> None:
    labels.run(line=line, settings=SETTINGS, images=4)
    tessera(export, "--to", "fiftyone", "--out", "fo")
    document = json.loads(Path("fo/labels.json").read_text("utf-8"))
    stems = {path.stem for path in Path("fo/data").iterdir()}
    assert document["labels"].keys() == stems
    assert [*document["labels"].values()] == [
        [{"label": SETTINGS["labels"].index(name), "confidence": 0.9} for name in names]
        for names in SETS
    ]
    tessera(export, "--to", "label-studio", "--out", "studio")
    tasks = json.loads(Path("studio/tasks.json").read_text("utf-8"))
    results = [task["annotations"][0]["result"][0]["value"]["choices"] for task in tasks]
    assert results == [*SETS]
    assert 'choice="multiple"' in Path("studio/config.xml").read_text("utf-8")
