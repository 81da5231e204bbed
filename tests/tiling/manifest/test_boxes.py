"""Boxes on pictures: what is one, and what is refused with the reason and the place."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.manifest.box_lines import MAX_OTHERS, box_lines
from tessera.tiling.manifest.items import encode_item
from tessera.tiling.manifest.lines import Image, Labeled, Line, Rejected, read_manifest
from tessera.tiling.manifest.source_rule import SourceRule
from tessera.tiling.manifest.stream import manifest_lines
from tessera.tiling.settings import Settings, read_settings

VERIFY = read_settings(b'{"task": "verify"}')


def line(*boxes: Any, **more: Any) -> dict[str, Any]:
    return {
        "source-ref": "s3://pets/1.jpg",
        "bounding-box": {
            "annotations": list(boxes),
            "image_size": [{"width": 640, "height": 480, "depth": 3}],
        },
        "bounding-box-metadata": {"class-map": {"0": "cat"}},
    } | more


def box(**more: Any) -> dict[str, Any]:
    return {"class_id": 0, "left": 1, "top": 2, "width": 30, "height": 40} | more


def read(*lines: Any, settings: Settings = VERIFY) -> list[Line]:
    raw = [each if isinstance(each, bytes) else msgspec.json.encode(each) for each in lines]
    chunks = box_lines([b"\n".join(raw) + b"\n"], settings)
    return list(read_manifest(manifest_lines(chunks), settings))


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (box(left=-5), "leave the picture of 640 × 480"),
        (box(left=620), "leave the picture"),
        (box(height=500), "leave the picture"),
        (box(width=0), "show nothing"),
        (box(height=-4), "show nothing"),
        (box(left="1"), "left: '1' is no number"),
        (box(top=True), "top: True is no number"),
        (box(top=None), "top: missing"),
        (box(width=[30]), "width: [30] is no number"),
        (box(left=10**400), "left: not a number of pixels"),
        ({"class_id": 0}, "left: missing"),
        (7, "not an object"),
        (box(class_id=9), "its class has no name"),
        (box(class_id=None), "its class has no name"),
        (box(class_id=True), "its class has no name"),
        (box(class_id="9" * 5_000), "its class has no name"),
        (box(class_id=[0]), "its class has no name"),
    ],
    ids=repr,
)
def test_a_box_that_is_none_is_refused_alone_with_its_line_and_number(
    wrong: Any, reason: str
) -> None:
    good, bad, last = read(line(box()), line(wrong, box()))
    assert isinstance(good, Image)
    assert isinstance(bad, Rejected)
    assert (bad.index, bad.line) == (1, 2)
    assert bad.reason.startswith("box 1: ")
    assert reason in bad.reason
    assert isinstance(last, Image)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"", "the line is empty"),
        (b"\xff", "not JSON"),
        (b'{"source-ref": ' + b"[" * 10_000, "nested too deep"),
        (b'{"source-ref": NaN}', "not JSON"),
        ({"bounding-box": {}}, "no source-ref"),
        ({"source-ref": "s3://pets/1.jpg"}, "bounding-box: missing"),
        (line(**{"bounding-box": []}), "no object with annotations"),
        (line(**{"bounding-box": {"annotations": {}}}), "no object with annotations"),
        (line(box(), **{"bounding-box-metadata": 7}), "not an object"),
        (line(box(), **{"bounding-box-metadata": {"failure-reason": "x"}}), "failure-reason"),
        (line(box(), box(), gold="yes"), "gold: of which of the 2 boxes?"),
        (line(box(), box(), note="x" * MAX_OTHERS), "each of 2 boxes"),
        (line(box(), note="x" * 400_000), "longer than"),
        (line(box(), box(), **{"bounding-box-metadata": {"a": "x" * 9_000}}), "each of 2 boxes"),
        (
            {"source-ref": "s3://pets/1.jpg"}
            | {"bounding-box": {"annotations": [box()] * 2, "image_size": [], "a": "x" * 9_000}},
            "each of 2 boxes",
        ),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_line_without_usable_boxes_is_one_bad_line_with_its_number(
    wrong: Any, reason: str
) -> None:
    first, bad = read(line(box()), wrong)
    assert isinstance(first, Image)
    assert isinstance(bad, Rejected)
    assert bad.line == 2
    assert reason in bad.reason


@pytest.mark.parametrize(
    "size", [None, [], [{}], [{"width": 640}], [{"width": "640", "height": 480}], {"width": 0}]
)
def test_without_the_pictures_size_no_box_has_a_place(size: Any) -> None:
    boxes = {"annotations": [box()]} | ({} if size is None else {"image_size": size})
    (bad,) = read(line(**{"bounding-box": boxes}))
    assert isinstance(bad, Rejected)


sides = st.integers(1, 200)


@given(
    st.lists(
        st.builds(
            lambda left, top, width, height: box(left=left, top=top, width=width, height=height),
            st.floats(0, 400), st.floats(0, 200), sides, sides,
        ),
        max_size=30,
    )
)  # fmt: skip
def test_every_box_becomes_one_image_and_different_ones_are_different(boxes: list[Any]) -> None:
    images = read(line(*boxes))
    assert len(images) == len(boxes)
    identities = set()
    for number, image in enumerate(images):
        assert isinstance(image, Image)
        assert image.index == number
        identities.add(image.identity)
        text = b'{"source-ref":"' + encode_item(image)[0].replace(b'\\"', b'"') + b'"}'
        item = msgspec.json.decode(text)
        assert item["box"].split(",")[4:] == ["640", "480"]
        assert item["box-class"] == "cat"
    places = {tuple(round(each[key], 3) for key in ("left", "top", "width", "height"))
              for each in boxes}  # fmt: skip
    assert len(identities) == len(places)


def test_thousands_of_boxes_on_one_picture_are_as_many_images() -> None:
    boxes = [box(left=number % 600, top=number // 600) for number in range(4_000)]
    assert sum(isinstance(each, Image) for each in read(line(*boxes))) == 4_000


def test_a_line_that_was_cut_before_is_cut_anew_and_a_labeled_one_stays() -> None:
    named = {"label": 1, "label-metadata": {"class-name": "no"}, "box": {"line": 9, "number": 9}}
    first, second = read(line(box()), line(box(), **named))
    assert isinstance(first, Image)
    assert isinstance(second, Labeled)
    assert msgspec.json.decode(second.raw)["box"] == {"line": 2, "number": 1}


@pytest.mark.parametrize("class_id", [0, "0", 0.0])
def test_a_class_is_known_however_its_number_is_written(class_id: Any) -> None:
    (image,) = read(line(box(class_id=class_id)))
    assert isinstance(image, Image)
    assert image.box
    assert (image.box.name, image.box.class_id) == ("cat", 0)


@given(st.integers(1, 400), st.integers(0, 3_000), st.integers(0, 500))
def test_no_line_makes_much_more_of_itself_than_it_is(
    boxes: int, others: int, objects: int
) -> None:
    named = {"class-map": {str(n): "c" * 9 for n in range(80)}, "objects": [{"a": 1}] * objects}
    metadata = {"bounding-box-metadata": named | {"note": "y" * 500}}
    raw = msgspec.json.encode(line(*[box()] * boxes, note="x" * others, **metadata))
    made = sum(map(len, box_lines([raw], VERIFY)))
    assert made <= len(raw) + boxes * (MAX_OTHERS + 500)


def test_pictures_of_another_project_are_none_of_a_box_either() -> None:
    rule = SourceRule("inbox", "pets/", "labels", ())
    raw = msgspec.json.encode(line(box(), **{"source-ref": "s3://inbox/cars/1.jpg"}))
    (bad,) = read_manifest(manifest_lines(box_lines([raw], VERIFY)), VERIFY, rule)
    assert isinstance(bad, Rejected)
    assert "another project's folder" in bad.reason


def test_gold_of_a_box_stands_beside_its_sides() -> None:
    one, other = read(line(box(gold="no"), box(left=9)))
    assert isinstance(one, Image)
    assert isinstance(other, Image)
    assert (one.gold, other.gold) == ("no", None)


def test_pictures_are_read_as_they_are() -> None:
    plain = read_settings(b'{"labels": ["cat", "dog"]}')
    assert list(box_lines([b"a", b"b"], plain)) == [b"a", b"b"]


@pytest.mark.parametrize("jobs", [["job-2"], ['a"b', "é"], [f"job-{n}" for n in range(90)], []])
def test_boxes_of_other_jobs_are_named_by_their_keys(jobs: list[str]) -> None:
    record = line()
    boxes = record.pop("bounding-box")
    (bad,) = read(record | {name: boxes | {"annotations": [box()]} for name in jobs})
    assert isinstance(bad, Rejected)
    assert bad.reason.startswith("bounding-box: missing")
    assert "box_attribute" in bad.reason
    assert len(bad.reason) < 400
    assert all(msgspec.json.encode(name).decode() in bad.reason
               for name in jobs[:1])  # fmt: skip
