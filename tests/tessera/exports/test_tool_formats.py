"""Labels as Label Studio and FiftyOne take them, and back again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tessera.commands.export import export
from tessera.commands.import_job import import_command
from tessera.exits import Exit
from tests.tessera.conftest import png


def test_label_studios_tasks_fit_their_configuration_and_are_imported_as_they_were(
    labels: Any, tessera: Any
) -> None:
    settings = {"labels": ["cat", "dog", '<"&>']}
    labels.run(images=4, settings=settings)
    assert tessera(export, "--to", "label-studio", "--out", "made").exit_code == Exit.OK
    config = ElementTree.parse("made/config.xml").getroot()
    (choices,) = config.findall("Choices")
    names = {choice.attrib["value"] for choice in choices}
    assert names == {"cat", "dog", '<"&>'}
    assert choices.attrib["choice"] == "single"
    pictures = {image.attrib["name"] for image in config.findall("Image")}
    tasks = json.loads(Path("made/tasks.json").read_text("utf-8"))
    for task in tasks:
        (result,) = task["annotations"][0]["result"]
        assert (result["from_name"], {result["to_name"]}) == (choices.attrib["name"], pictures)
        assert set(result["value"]["choices"]) <= names
    arguments = ["--label-studio", "made/tasks.json", "--labels-as", "label"]
    assert tessera(import_command, *arguments, "--out", "back.manifest").exit_code == Exit.OK
    back = [json.loads(line) for line in Path("back.manifest").read_text("utf-8").splitlines()]
    assert [line["source-ref"] for line in back] == [f"s3://inbox/pets/{n}.png" for n in range(4)]
    assert [line["label-metadata"]["class-name"] for line in back] == ["cat", "dog"] * 2


def test_fiftyone_finds_each_picture_by_its_name_and_its_class_by_place(
    labels: Any, tessera: Any
) -> None:
    labels.run(images=6)
    result = tessera(export, "--to", "fiftyone", "--out", "made", "--split", "50/50")
    assert result.exit_code == Exit.OK
    for part in ("train", "validation"):
        document = json.loads(Path(f"made/{part}/labels.json").read_text("utf-8"))
        assert document["classes"] == ["cat", "dog"]
        pictures = {path.stem: path for path in Path(f"made/{part}/data").iterdir()}
        assert pictures.keys() == document["labels"].keys()
        for stem, target in document["labels"].items():
            number = int(stem.partition("-")[0])
            assert target == {"label": number % 2, "confidence": round(0.5 + number / 200, 4)}
            assert pictures[stem].read_bytes() == png(4 + number, 3)
