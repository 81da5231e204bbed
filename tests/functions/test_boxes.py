"""Boxes on pictures, from the drop by the workers' pages to the training manifest."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.functions.test_multi_label import Project, Sets, project
from tests.tessera.conftest import png

__all__ = ["project"]

TILE = re.compile(r'(?:aria-description="([^"]*)"\s+)?data-id="([^"]+)"[^>]*?data-whole="(\d+)')


def line(*boxes: Mapping[str, Any], picture: int = 0) -> dict[str, Any]:
    """Return a line as Ground Truth's object detection writes it."""
    return {
        "source-ref": f"s3://inbox/pets/{picture}.jpg",
        "bounding-box": {
            "annotations": list(boxes),
            "image_size": [{"width": 640, "height": 480, "depth": 3}],
        },
        "bounding-box-metadata": {
            "objects": [{"confidence": 0.1 * number} for number in range(len(boxes))],
            "class-map": {"0": "cat", "1": "dog"},
            "type": "groundtruth/object-detection",
            "human-annotated": "no",
        },
    }


def box(left: float, class_id: int = 0, **more: Any) -> dict[str, Any]:
    return {"class_id": class_id, "left": left, "top": 20, "width": 100, "height": 80} | more


class Desk(Project):
    """Project whose workers answer for boxes, which they tell by where these begin."""

    def body(self, claimed: Any, sets: Sets) -> dict[str, Any]:
        """Return what the page hands in for the boxes on it."""
        self.words = [words for words, _, _ in TILE.findall(claimed["page"])]
        return {name: {sets[left][0]: True} for _, name, left in TILE.findall(claimed["page"])}


@pytest.fixture
def desk(project: Project) -> Desk:
    return Desk(project.aws, project.world)


VERIFY: dict[str, Any] = {"task": "verify", "labels": ["yes", "no"], "unreadable": "cannot tell"}


def test_each_box_of_a_line_is_asked_and_has_a_line_in_the_form_of_a_verification(
    desk: Desk,
) -> None:
    lines = [line(box(10), box(200, 1), box(400)), line(box(50), picture=1)]
    result = desk.drop(lines, **VERIFY)
    assert (result["outcome"], result["tasks"], result["rejected"]) == ("ask", 1, 0)
    assert {"Key": "tessera:task", "Value": "verify"} in result["request"]["Tags"]
    seen = {"10": ["yes"], "200": ["no"], "400": ["cannot tell"], "50": ["yes"]}
    desk.answer(result, {"ann": seen, "ben": seen})
    assert sorted(desk.words) == [
        "cat?",
        "cat?",
        "cat?",
        "dog?",
    ]
    summary = desk.end(result)
    assert (summary["outcome"], summary["labeled"], summary["unlabeled"]) == ("done", 3, 1)
    first, second, third = desk.lines(result, "training.manifest")
    assert [each["label"] for each in (first, second, third)] == [0, 1, 0]
    assert first["source-ref"] == second["source-ref"]
    assert second["bounding-box"] == {
        "annotations": [box(200, 1)],
        "image_size": [{"width": 640, "height": 480, "depth": 3}],
    }
    assert second["bounding-box-metadata"]["class-map"] == {"1": "dog"}
    assert second["bounding-box-metadata"]["objects"] == [{"confidence": 0.1}]
    assert second["box"] == {"line": 1, "number": 2}
    assert third["box"] == {"line": 2, "number": 1}
    metadata = second["label-metadata"]
    assert (metadata["class-name"], metadata["type"]) == ("no", "groundtruth/label-verification")
    assert metadata["human-annotated"] == "yes"
    assert metadata["confidence"] > 0.5
    assert [each["box"]["number"] for each in desk.lines(result, "unlabeled.manifest")] == [3]
    cats, dogs = desk.report(result)["boxes"]
    assert cats == {"class": "cat", "boxes": 3, "confirmed": 2, "refused": 0, "undecided": 1}
    assert dogs == {"class": "dog", "boxes": 1, "confirmed": 0, "refused": 1, "undecided": 0}
    page = desk.aws.files.get(result["home"] + "report.html").decode()
    assert "Boxes of each class" in page


def test_what_is_labeled_is_taken_as_it_is_and_only_the_rest_is_asked(desk: Desk) -> None:
    result = desk.drop([line(box(10), box(200))], **VERIFY, answers_per_image=1)
    desk.answer(result, {"ann": {"10": ["yes"], "200": ["no"]}})
    desk.end(result)
    before = desk.lines(result, "training.manifest")
    again = desk.drop([*before, line(box(300))], **VERIFY, answers_per_image=1)
    desk.answer(again, {"ann": {"300": ["yes"]}})
    desk.end(again)
    assert [each["label"] for each in desk.lines(again, "training.manifest")] == [0, 1, 0]
    assert desk.report(again)["images"]["labeled_before"] == 2


def test_boxes_of_one_picture_are_no_repeats_and_the_same_box_twice_is_one(desk: Desk) -> None:
    lines = [line(box(10), box(200), box(10)), line(box(10)), line(box(10, 1))]
    result = desk.drop(lines, **VERIFY, answers_per_image=1)
    # the last one asks whether the same box shows a dog
    assert desk.answer(result, {"ann": {"10": ["yes"], "200": ["no"]}}) == "Completed"
    desk.end(result)
    labels = [each["label"] for each in desk.lines(result, "training.manifest")]
    assert labels == [0, 1, 0, 0, 0]
    assert desk.report(result)["images"]["repeats"] == 2


def test_which_label_a_box_has_is_asked_without_showing_the_one_it_had(desk: Desk) -> None:
    lines = [line(box(10), box(200, 1))]
    result = desk.drop(lines, task="boxes", labels=["cat", "dog"], answers_per_image=1)
    desk.answer(result, {"ann": {"10": ["dog"], "200": ["dog"]}})
    assert desk.words == ["", ""]
    desk.end(result)
    assert [each["label"] for each in desk.lines(result, "training.manifest")] == [1, 1]


def test_pictures_of_another_shape_than_their_boxes_are_told_before_anybody_is_asked(
    desk: Desk,
) -> None:
    desk.aws.files.put("s3://inbox/pets/0.jpg", png(640, 480))
    desk.aws.files.put("s3://inbox/pets/1.jpg", png(480, 640))
    result = desk.drop([line(box(10)), line(box(10), picture=1)], **VERIFY)
    record = json.loads(desk.aws.files.get(result["home"] + "run.json"))
    (notice,) = [each for each in record["notices"] if "another shape" in each]
    assert "1 of 2 pictures" in notice
    assert "s3://inbox/pets/1.jpg (480 × 640, not 640 × 480)" in notice


def test_gold_boxes_are_mixed_in_and_doubtful_ones_asked_again(desk: Desk) -> None:
    boxes = [box(10 + number) for number in range(10)] + [box(300, gold="no")]
    result = desk.drop([line(*boxes)], **VERIFY, gold_per_task=1, max_answers=3, gain=0.01)
    seen = {str(10 + number): ["yes"] for number in range(10)} | {"300": ["no"]}
    desk.answer(result, {"ann": seen, "ben": seen | {"13": ["no"]}})
    summary = desk.end(result)
    assert summary["outcome"] == "again"
    assert desk.report(result)["gold"]["images"] == 1
    second = desk.ask_again(result, 2)
    desk.answer(result | second, {"cem": seen}, round_=2)
    desk.end(result, round_=2)
    assert [each["label"] for each in desk.lines(result, "training.manifest")] == [0] * 10 + [1]
