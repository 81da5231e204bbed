"""FiftyOne's own importers read what is exported for them: each picture, label and confidence.

They are used where FiftyOne and its database are installed, which are too large to ask for; so
FiftyOne 1.22.1 has read all of this. Elsewhere its rules stand in for it: a picture is known by its
name without the suffix, a target is the number of a class or an object with one, or a list of
those, and boxes are fractions of the picture that `file_name` names.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from tessera.commands.export import export
from tessera.exits import Exit
from tests.tessera.conftest import png
from tests.tessera.exports.test_box_formats import BOXES, VERIFY
from tests.tessera.exports.test_box_formats import line as box_line
from tests.tessera.exports.test_set_formats import SETS, SETTINGS
from tests.tessera.exports.test_set_formats import line as set_line

try:
    fiftyone: Any = import_module("fiftyone")
except Exception:  # absent, or its database is, which it connects to when it is imported
    fiftyone = None

Label = tuple[str, float | None]
"""A label and its confidence."""


def read_classes(folder: Path) -> dict[str, Label | list[Label]]:
    """Return the label of each picture of a FiftyOneImageClassificationDataset, or its labels."""
    if fiftyone is None:
        document = json.loads((folder / "labels.json").read_text("utf-8"))
        pictures = {path.stem: path.name for path in (folder / "data").iterdir()}
        return {
            pictures[stem]: _target(target, document["classes"])
            for stem, target in document["labels"].items()
        }
    data = import_module("fiftyone.utils.data")
    labels: dict[str, Label | list[Label]] = {}
    with data.FiftyOneImageClassificationDatasetImporter(dataset_dir=str(folder)) as importer:
        for path, _, label in importer:
            if isinstance(label, fiftyone.Classifications):
                of_picture = [(each.label, each.confidence) for each in label.classifications]
                labels[Path(path).name] = of_picture
            else:
                labels[Path(path).name] = (label.label, label.confidence)
    return labels


def _target(target: Any, classes: list[str]) -> Any:
    if isinstance(target, list):
        return [_target(each, classes) for each in target]
    known = target if isinstance(target, dict) else {"label": target}
    return classes[known["label"]], known.get("confidence")


def read_boxes(annotations: Path, pictures: Path) -> dict[str, list[tuple[Label, list[float]]]]:
    """Return each picture's boxes, as fractions of it, of a COCODetectionDataset."""
    if fiftyone is None:
        return _read_coco(json.loads(annotations.read_text("utf-8")), pictures)
    importers = import_module("fiftyone.utils.coco")
    importer = importers.COCODetectionDatasetImporter(
        data_path=str(pictures), labels_path=str(annotations)
    )
    boxes: dict[str, list[tuple[Label, list[float]]]] = {}
    with importer:
        for path, _, label in importer:
            of_picture = label["detections"].detections if label else []
            boxes[str(Path(path).relative_to(pictures.resolve()))] = [
                ((each.label, each.confidence), list(each.bounding_box)) for each in of_picture
            ]
    return boxes


def _read_coco(document: Any, pictures: Path) -> dict[str, list[tuple[Label, list[float]]]]:
    names = {category["id"]: category["name"] for category in document["categories"]}
    boxes: dict[str, list[tuple[Label, list[float]]]] = {}
    for image in document["images"]:
        assert (pictures / image["file_name"]).is_file()
        assert image["file_name"] not in boxes
        boxes[image["file_name"]] = [
            (
                (names[each["category_id"]], each["score"]),
                [side / image[("width", "height")[place % 2]]
                 for place, side in enumerate(each["bbox"])],
            )
            for each in document["annotations"]
            if each["image_id"] == image["id"]
        ]  # fmt: skip
    return boxes


def test_one_label_a_picture_is_read_with_its_confidence(labels: Any, tessera: Any) -> None:
    labels.run(images=4)
    assert tessera(export, "--to", "fiftyone", "--out", "made").exit_code == Exit.OK
    assert read_classes(Path("made")) == {
        "000000-0.png": ("cat", 0.5), "000001-1.png": ("dog", 0.505),
        "000002-2.png": ("cat", 0.51), "000003-3.png": ("dog", 0.515),
    }  # fmt: skip


def test_every_part_of_a_split_is_a_data_set_of_its_own(labels: Any, tessera: Any) -> None:
    names = ["-1", "0", "invalid image"]
    labels.run(
        images=10,
        settings={"labels": names},
        line=lambda n: {"source-ref": f"s3://inbox/pets/{n}.png",
                        "pet-metadata": {"class-name": names[n % 2]}},
    )  # fmt: skip
    assert tessera(export, "--to", "fiftyone", "--out", "made", "--split", "50/50").exit_code == 0
    read = read_classes(Path("made/train")) | read_classes(Path("made/validation"))
    assert [read[name] for name in sorted(read)] == [("-1", None), ("0", None)] * 5


def test_several_labels_a_picture_are_read_each_with_its_own_confidence(
    labels: Any, tessera: Any
) -> None:
    labels.run(images=4, line=set_line, settings=SETTINGS)
    assert tessera(export, "--to", "fiftyone", "--out", "made").exit_code == Exit.OK
    read = read_classes(Path("made"))
    assert [read[name] for name in sorted(read)] == [
        [(name, 0.9) for name in names] for names in SETS
    ]


def test_boxes_are_read_on_the_pictures_that_they_were_on(labels: Any, tessera: Any) -> None:
    labels.run(images=4, line=box_line, settings=VERIFY)
    assert tessera(export, "--to", "coco", "--out", "made").exit_code == Exit.OK
    Path("pictures").mkdir()
    for name in ("0.png", "1.png"):
        Path("pictures", name).write_bytes(png(100, 80))
    read = read_boxes(Path("made/annotations/instances.json").resolve(), Path("pictures").resolve())
    kept = {"0.png": BOXES[:1], "1.png": BOXES[2:]}
    assert read == {
        name: [
            (("cat", 0.9), [left / 100, top / 80, width / 100, height / 80])
            for left, top, width, height in boxes
        ]
        for name, boxes in kept.items()
    }


def test_pictures_of_one_name_in_several_buckets_have_names_of_their_own(
    labels: Any, tessera: Any
) -> None:
    places = ["s3://a/may/1.png", "s3://b/may/1.png", "s3://b/june/1.png", "s3://b/2.png"]
    labels.run(
        images=4,
        line=lambda index: box_line(0) | {"source-ref": places[index]},
        settings=VERIFY,
    )
    assert tessera(export, "--to", "coco", "--out", "made").exit_code == Exit.OK
    for place in places:
        picture = Path("pictures", place.removeprefix("s3://"))
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(png(100, 80))
    read = read_boxes(Path("made/annotations/instances.json").resolve(), Path("pictures").resolve())
    assert read.keys() == {place.removeprefix("s3://") for place in places}
