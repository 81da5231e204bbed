"""Boxes as COCO and as Ground Truth's own manifests; COCO's boxes as a manifest, and back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tessera.commands.export import export
from tessera.commands.import_job import import_command
from tessera.exits import Exit
from tessera.tiling.manifest.box_lines import box_lines
from tessera.tiling.manifest.lines import Image, read_manifest
from tessera.tiling.manifest.stream import manifest_lines
from tessera.tiling.settings import read_settings
from tests.tessera.conftest import png

VERIFY: dict[str, Any] = {"task": "verify", "labels": ["yes", "no"], "unreadable": "cannot tell"}
BOXES = ([10, 20, 30, 40], [5.5, 6, 7.25, 8], [0, 0, 90, 70], [1, 2, 3, 4])
"""Two boxes on each of two pictures; the one in the second place is refused."""


def line(index: int) -> dict[str, Any]:
    left, top, width, height = BOXES[index]
    annotation = {"class_id": 7, "left": left, "top": top, "width": width, "height": height}
    name = VERIFY["labels"][index == 1]
    kind = "groundtruth/label-verification"
    return {
        "source-ref": f"s3://inbox/pets/{index // 2}.png",
        "bounding-box": {
            "annotations": [annotation],
            "image_size": [{"width": 100, "height": 80, "depth": 3}],
        },
        "bounding-box-metadata": {"class-map": {"7": "cat"}},
        "box": {"line": index // 2 + 1, "number": index % 2 + 1},
        "pet": int(index == 1),
        "pet-metadata": {"class-name": name, "confidence": 0.9, "type": kind, "answers": 2},
    }


def test_coco_has_the_confirmed_boxes_of_each_picture(labels: Any, tessera: Any) -> None:
    labels.run(line=line, settings=VERIFY, images=4)
    result = tessera(export, "--to", "coco", "--out", "made")
    assert result.exit_code == Exit.OK, result.output
    coco = pytest.importorskip("pycocotools.coco", reason="the reader is not installed")
    made = coco.COCO("made/annotations/instances.json")
    images = made.loadImgs(sorted(made.getImgIds()))
    assert [(image["file_name"], image["width"], image["height"]) for image in images] == [
        ("0.png", 100, 80), ("1.png", 100, 80),
    ]  # fmt: skip
    boxes = [each["bbox"] for each in made.loadAnns(made.getAnnIds(catIds=made.getCatIds(["cat"])))]
    assert boxes == [BOXES[0], BOXES[2], BOXES[3]]
    assert made.getCatIds() == [7]
    assert {each["score"] for each in made.anns.values()} == {0.9}


def test_ground_truth_has_a_line_a_picture_that_a_run_takes_again(
    labels: Any, tessera: Any
) -> None:
    labels.run(line=line, settings=VERIFY, images=4)
    assert tessera(export, "--to", "ground-truth", "--out", "made").exit_code == Exit.OK
    text = Path("made/boxes.manifest").read_bytes()
    first, second = (json.loads(each) for each in text.splitlines())
    assert [len(each["bounding-box"]["annotations"]) for each in (first, second)] == [1, 2]
    metadata = second["bounding-box-metadata"]
    assert metadata["objects"] == [{"confidence": 0.9}, {"confidence": 0.9}]
    assert metadata["class-map"] == {"7": "cat"}
    assert metadata["type"] == "groundtruth/object-detection"
    settings = read_settings(json.dumps(VERIFY).encode())
    images = list(read_manifest(manifest_lines(box_lines([text], settings)), settings))
    assert [image.box.text for image in images if isinstance(image, Image) and image.box] == [
        "10,20,30,40,100,80", "0,0,90,70,100,80", "1,2,3,4,100,80",
    ]  # fmt: skip


def test_boxes_of_a_picture_stay_in_one_part_and_other_forms_are_refused(
    labels: Any, tessera: Any
) -> None:
    labels.run(line=line, settings=VERIFY, images=4)
    assert tessera(export, "--to", "coco", "--out", "made", "--split", "50/50").exit_code == 0
    parts = [json.loads(each.read_text()) for each in Path("made/annotations").iterdir()]
    assert sorted(len(part["images"]) for part in parts) in ([1, 1], [0, 2], [2])
    result = tessera(export, "--to", "imagefolder")
    assert result.exit_code != Exit.OK
    assert "--to coco, --to ground-truth" in " ".join(result.output.split())


def test_a_label_that_people_gave_replaces_the_class_of_the_box(labels: Any, tessera: Any) -> None:
    def relabeled(index: int) -> dict[str, Any]:
        metadata = {"class-name": "dog", "confidence": 0.8}
        return line(index) | {"pet": 1, "pet-metadata": metadata}

    labels.run(line=relabeled, settings={"task": "boxes", "labels": ["cat", "dog"]}, images=4)
    assert tessera(export, "--to", "ground-truth", "--out", "made").exit_code == Exit.OK
    first = json.loads(Path("made/boxes.manifest").read_bytes().splitlines()[0])
    assert first["bounding-box-metadata"]["class-map"] == {"1": "dog"}
    assert [each["class_id"] for each in first["bounding-box"]["annotations"]] == [1, 1]


def test_a_run_of_pictures_has_no_boxes_to_export(labels: Any, tessera: Any) -> None:
    labels.run()
    result = tessera(export, "--to", "ground-truth")
    assert "whole pictures" in " ".join(result.output.split())


def coco_file(**more: Any) -> None:
    annotations = [
        {"id": 1, "image_id": 5, "category_id": 7, "bbox": [1, 2, 3, 4]},
        {"id": 2, "image_id": 5, "category_id": 8, "bbox": [5.5, 2, 3, 4]},
        {"id": 3, "image_id": 5, "category_id": 8, "bbox": [0, 0, 9, 9], "iscrowd": 1},
    ]
    document = {
        "images": [
            {"id": 5, "file_name": "a.png", "width": 100, "height": 80},
            {"id": 6, "file_name": "b.png", "width": 100, "height": 80},
        ],
        "categories": [{"id": 7, "name": "cat"}, {"id": 8, "name": "dog"}],
        "annotations": annotations,
    }
    Path("coco.json").write_text(json.dumps(document | more), encoding="utf-8")
    Path("a.png").write_bytes(png(100, 80))


def test_cocos_boxes_become_a_manifest_of_boxes_to_verify(tessera: Any) -> None:
    coco_file()
    arguments = ("--coco", "coco.json", "--images", ".", "--labels-as", "boxes")
    result = tessera(import_command, *arguments, "--out", "b.manifest")
    assert result.exit_code == Exit.OK, result.output
    assert "2 boxes on 1 line" in result.output
    settings = read_settings(b'{"task": "verify"}')
    chunks = box_lines([Path("b.manifest").read_bytes().replace(b'"/', b'"s3://inbox/')], settings)
    images = list(read_manifest(manifest_lines(chunks), settings))
    boxes = [image.box for image in images if isinstance(image, Image) and image.box]
    assert [(box.name, box.class_id, box[:4]) for box in boxes] == [
        ("cat", 7, (1, 2, 3, 4)), ("dog", 8, (5.5, 2, 3, 4)),
    ]  # fmt: skip


@pytest.mark.parametrize("more", [{"annotations": []}, {"images": [{"id": 5}]}, {"categories": 3}])
def test_a_file_without_boxes_is_refused_with_a_sentence(tessera: Any, more: Any) -> None:
    coco_file(**more)
    arguments = ("--coco", "coco.json", "--images", ".", "--labels-as", "boxes")
    result = tessera(import_command, *arguments, "--out", "b.manifest")
    assert result.exit_code not in (Exit.OK, None)
    assert "coco.json" in result.output
    assert not Path("b.manifest").exists()


CLASSES = {3: "a, b", 7: 'it\'s "c"; d|e', 90: "=ü 漢🐈"}
"""Names of classes that a format of lines and separators would not keep."""
SIDES = st.tuples(
    st.integers(0, 4000).map(lambda n: n / 100), st.integers(0, 40),
    st.integers(1, 59), st.integers(1000, 3900).map(lambda n: n / 1000),
)  # fmt: skip
VERIFIED = st.tuples(st.integers(0, 2), SIDES, st.sampled_from([3, 7, 90]), st.booleans(),
                     st.integers(0, 100).map(lambda n: n / 100))  # fmt: skip


@examples(max_examples=15, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(st.lists(VERIFIED, min_size=1, max_size=6), st.sampled_from(["coco", "ground-truth"]))
def test_confirmed_boxes_come_back_as_they_were_exported(
    labels: Any, tessera: Any, boxes: list[Any], form: str
) -> None:
    def verified(index: int) -> dict[str, Any]:
        picture, sides, number, is_right, confidence = boxes[index]
        made = line(0 if is_right else 1)
        keys = ("left", "top", "width", "height")
        annotation = {"class_id": number} | dict(zip(keys, sides, strict=True))
        return made | {
            "source-ref": f"s3://inbox/pets/{picture}.png",
            "bounding-box": made["bounding-box"] | {"annotations": [annotation]},
            "bounding-box-metadata": {"class-map": {str(number): CLASSES[number]}},
            "pet-metadata": made["pet-metadata"] | {"confidence": confidence},
        }

    shutil.rmtree("made", ignore_errors=True)
    labels.run(line=verified, settings=VERIFY, images=len(boxes))
    assert tessera(export, "--to", form, "--out", "made").exit_code == Exit.OK
    kept = sorted(
        (f"s3://inbox/pets/{picture}.png", tuple(sides), number, confidence)
        for picture, sides, number, is_right, confidence in boxes
        if is_right
    )
    path = Path("made/boxes.manifest")
    if form == "coco":
        path = Path("made/back.manifest")
        arguments = ("--coco", "made/annotations/instances.json", "--labels-as", "boxes")
        result = tessera(import_command, *arguments, "--out", str(path))
        assert result.exit_code == (Exit.OK if kept else Exit.REFUSED), result.output
        if not kept:
            return
    settings = read_settings(json.dumps(VERIFY).encode())
    chunks = box_lines([path.read_bytes()], settings)
    back = [each for each in read_manifest(manifest_lines(chunks), settings)
            if isinstance(each, Image) and each.box]  # fmt: skip
    sure = [json.loads(each.raw)["bounding-box-metadata"]["objects"][0] for each in back]
    assert kept == sorted(
        (each.source_ref, tuple(each.box[:4]), each.box.class_id, own["confidence"])
        for each, own in zip(back, sure, strict=True)
        if each.box
    )
    assert all(each.box and each.box.name == CLASSES[each.box.class_id or 0] for each in back)
