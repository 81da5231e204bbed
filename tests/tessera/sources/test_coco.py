"""COCO as tools write it, well and badly: every annotation is a box, or is said to be none."""

from __future__ import annotations

import io
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Picture

from tessera.commands.import_job import import_command
from tessera.exits import Exit
from tessera.sources.coco import MOST_BOXES, read_coco, read_coco_boxes
from tessera.sources.labeled import Labeled, LeftOut
from tessera.tiling.manifest.box_lines import box_lines
from tessera.tiling.manifest.lines import Image, Rejected, read_manifest
from tessera.tiling.manifest.stream import manifest_lines
from tessera.tiling.settings import read_settings
from tests.tessera.conftest import png

VERIFY = read_settings(b'{"task": "verify"}')
CATEGORIES = [{"id": 90, "name": "toothbrush"}, {"id": 3, "name": "猫"}, {"id": 17, "name": "猫"}]
BAD_SIDES: Any = st.sampled_from([None, "4", True, [], {}])
SIDES = st.one_of(st.integers(-5, 120), st.floats(-5, 120, width=32), st.just(float("nan")))
BOXES = st.one_of(
    st.lists(SIDES, min_size=4, max_size=4),
    st.lists(st.one_of(SIDES, BAD_SIDES), max_size=6),
    st.sampled_from([None, "1,2,3,4", {"x": 1}]),
)
ANNOTATIONS = st.one_of(
    st.fixed_dictionaries(
        {"image_id": st.sampled_from([1, 2, 3]), "category_id": st.sampled_from([90, 3, 17])},
        optional={
            "id": st.integers(0, 9),
            "bbox": BOXES,
            "iscrowd": st.sampled_from([0, 1]),
            "segmentation": st.just({"counts": [3, 4], "size": [80, 100]}),
            "score": st.sampled_from([0.5, 1, None, "high"]),
        },
    ),
    st.fixed_dictionaries(
        {"image_id": st.sampled_from([1, 7, "1", None, []]),
         "category_id": st.sampled_from([3, 4, "3", {}]), "bbox": st.just([1, 2, 3, 4])}
    ),
    st.sampled_from([None, 7, "box", []]),
)  # fmt: skip
relaxed = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def written(annotations: Any, **more: Any) -> Path:
    """A file of three pictures, two of which have their size."""
    images = [
        {"id": 1, "file_name": "a.png", "width": 100, "height": 80},
        {"id": 2, "file_name": "b.png", "width": 100, "height": 80},
        {"id": 3, "file_name": "c.png"},
    ]
    document = {"images": images, "categories": CATEGORIES, "annotations": annotations} | more
    for name in ("a.png", "b.png", "c.png"):
        Path(name).write_bytes(png(100, 80))
    Path("coco.json").write_text(json.dumps(document), encoding="utf-8")
    return Path("coco.json")


def import_boxes(tessera: Any, *more: str) -> Any:
    arguments = ("--coco", "coco.json", "--labels-as", "boxes", "--out", "boxes.manifest")
    return tessera(import_command, *arguments, *more)


def lines_of_a_run() -> list[Any]:
    """Read the manifest as a run does after its pictures were uploaded."""
    text = (
        Path("boxes.manifest").read_bytes().replace(b'"source-ref":"/', b'"source-ref":"s3://b0x/')
    )
    return list(read_manifest(manifest_lines(box_lines([text], VERIFY)), VERIFY))


@relaxed
@given(st.lists(ANNOTATIONS, max_size=8))
def test_every_annotation_is_one_box_or_is_left_out_with_a_reason(
    tessera: Any, annotations: list[Any]
) -> None:
    left_out = LeftOut(Path("coco.json"))
    lines, names, _ = read_coco_boxes(written(annotations), Path(), left_out)
    boxes = [
        (line["source-ref"].rpartition("/")[2], box)
        for line in lines
        for box in line["bounding-box"]["annotations"]
    ]
    counts = [
        int(text.rpartition(" left out: ")[2].partition(" ")[0]) for text in left_out.notices()
    ]
    assert len(boxes) + sum(counts) == len(annotations)
    assert names == ["猫", "猫", "toothbrush"]
    files = {"1": "a.png", "2": "b.png", "3": "c.png"}
    for name, box in boxes:
        sides = [box[side] for side in ("left", "top", "width", "height")]
        assert any(
            isinstance(each, dict)
            and files.get(str(each["image_id"])) == name
            and (each["category_id"], str(each.get("bbox"))) == (box["class_id"], str(sides))
            for each in annotations
        )
    for line in lines:  # a score is of its own box
        scores = line["bounding-box-metadata"].get("objects")
        assert scores is None or len(scores) == len(line["bounding-box"]["annotations"])


@relaxed
@given(st.lists(ANNOTATIONS, max_size=8))
def test_a_run_asks_every_box_that_is_on_its_picture_and_rejects_the_others_by_themselves(
    tessera: Any, annotations: list[Any]
) -> None:
    written(annotations)
    result = import_boxes(tessera, "--images", ".")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    if result.exit_code == Exit.REFUSED:
        assert "coco.json" in result.output
        return
    for line in lines_of_a_run():
        if isinstance(line, Rejected):
            assert line.reason.startswith("box "), line.reason
        else:
            assert isinstance(line, Image)
            assert line.box is not None
            assert (line.box.picture_width, line.box.picture_height) == (100, 80)
            assert line.box.name in ("猫", "toothbrush")


@relaxed
@given(st.lists(st.one_of(st.none(), st.dictionaries(
    st.sampled_from(["id", "file_name", "width", "coco_url"]),
    st.sampled_from([1, 2, None, [], "x.png", "gone.png", "\ud800", "https://p.test/1.png"]),
)), max_size=4))  # fmt: skip
def test_a_picture_that_is_none_is_left_out_and_takes_no_other_with_it(
    tessera: Any, images: list[Any]
) -> None:
    good = {"id": 10, "file_name": "a.png", "width": 100, "height": 80}
    annotations = [{"image_id": 10, "category_id": 3, "bbox": [1, 2, 3, 4]}]
    path = written(annotations, images=[*images, good])
    left_out = LeftOut(Path("coco.json"))
    lines = read_coco_boxes(path, Path(), left_out).lines
    assert [line["source-ref"] for line in lines] == [str(Path("a.png").resolve())]
    labeled, _ = read_coco(path, Path(), LeftOut(Path("coco.json")))
    assert labeled[-1] == Labeled(str(Path("a.png").resolve()), ("猫",))


def test_what_is_left_out_is_told_with_the_exit_code_of_a_part(tessera: Any) -> None:
    box = {"image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4]}
    crowd = {**box, "id": 5, "iscrowd": 1}
    written([box, crowd])
    result = import_boxes(tessera, "--images", ".")
    assert result.exit_code == Exit.OK, "regions of crowds are expected"
    assert "annotations left out: 1 (5): regions of crowds" in result.output
    written([box, crowd, {**box, "category_id": 4}, {**box, "id": 9, "bbox": [1, 2]}])
    result = import_boxes(tessera, "--images", ".", "--json")
    assert result.exit_code == Exit.PARTIAL
    reasons = " ".join(json.loads(result.stdout)["warnings"])
    assert "(3): their category_id is of no category" in reasons
    assert "(9): their bbox is not four numbers" in reasons


def test_a_missing_picture_is_left_out_and_a_forgotten_option_is_asked_for(tessera: Any) -> None:
    boxes = [{"image_id": number, "category_id": 3, "bbox": [1, 2, 3, 4]} for number in (1, 2)]
    written(boxes)
    Path("b.png").unlink()
    result = import_boxes(tessera, "--images", ".")
    assert result.exit_code == Exit.PARTIAL
    assert "pictures left out: 1 (b.png): not in .; check --images" in result.output
    assert len(lines_of_a_run()) == 1
    result = import_boxes(tessera)
    assert result.exit_code == Exit.REFUSED
    assert "--images FOLDER" in result.output


@pytest.mark.parametrize("form", ["NFC", "NFD", "windows"])
def test_a_picture_is_there_however_its_system_spells_its_name(tessera: Any, form: Any) -> None:
    Path("übung").mkdir()
    Path("übung/é.png").write_bytes(png(100, 80))
    name = "übung\\é.png" if form == "windows" else unicodedata.normalize(form, "übung/é.png")
    images = [{"id": 1, "file_name": name, "width": 100, "height": 80}]
    written([{"image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4]}], images=images)
    assert import_boxes(tessera, "--images", ".").exit_code == Exit.OK
    assert json.loads(Path("boxes.manifest").read_text())["source-ref"].endswith("é.png")


def test_a_size_that_the_file_does_not_say_is_that_of_the_stored_picture(tessera: Any) -> None:
    written([{"image_id": 3, "category_id": 3, "bbox": [1, 2, 3, 4]}])
    exif, file = Picture.Exif(), io.BytesIO()
    exif[0x0112] = 6  # stored on its side
    Picture.new("RGB", (100, 80)).save(file, "PNG", exif=exif)
    Path("c.png").write_bytes(file.getvalue())
    assert import_boxes(tessera, "--images", ".").exit_code == Exit.OK
    (line,) = lines_of_a_run()
    assert (line.box.picture_width, line.box.picture_height) == (100, 80)
    images = [{"id": 3, "file_name": "c.png", "coco_url": "https://pictures.test/c.png"}]
    written([{"image_id": 3, "category_id": 3, "bbox": [1, 2, 3, 4]}], images=images)
    result = import_boxes(tessera)
    assert result.exit_code == Exit.REFUSED
    assert "without width and height" in result.output


def test_a_picture_of_very_many_boxes_has_lines_that_a_run_takes(tessera: Any) -> None:
    number = 2 * MOST_BOXES + 300
    boxes = [
        {"image_id": 1, "category_id": 3, "bbox": [at % 90 + 0.123, at % 70, 5.25, 5 + at / 1e4]}
        for at in range(number)
    ]
    written([*boxes, boxes[0]])
    assert import_boxes(tessera, "--images", ".").exit_code == Exit.OK
    lines = lines_of_a_run()
    assert len(lines) == number + 1
    assert all(isinstance(line, Image) for line in lines)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([{"image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4], "score": 0.9}], "is a list"),
        ({"images": [], "annotations": []}, "has no categories"),
        ({"images": {}, "annotations": 7, "categories": []}, "cannot be read as COCO"),
        (7, "cannot be read as COCO"),
    ],
)
def test_another_file_is_refused_with_what_it_is(tessera: Any, document: Any, reason: str) -> None:
    Path("coco.json").write_text(json.dumps(document))
    for use in ("boxes", "gold"):
        arguments = ("--coco", "coco.json", "--labels-as", use, "--out", "x.manifest")
        result = tessera(import_command, *arguments)
        assert result.exit_code == Exit.REFUSED
        assert reason in " ".join(result.output.split())
        assert not Path("x.manifest").exists()
