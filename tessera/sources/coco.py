"""Read COCO annotations: the categories of a picture's boxes are its labels.

The format: https://cocodataset.org/#format-data
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from tessera.sources.labeled import Labeled, find_picture


def read_coco(path: Path, folder: Path | None) -> tuple[list[Labeled], list[str]]:
    """Return the pictures, and the names of the categories by their ids.

    A picture is the file of its `file_name` in the folder, else at its `coco_url`.
    """
    document = json.loads(path.read_text("utf-8-sig"))
    categories = sorted(document["categories"], key=lambda category: category["id"])
    names = {category["id"]: str(category["name"]) for category in categories}
    labels: defaultdict[int, dict[str, None]] = defaultdict(dict)
    for annotation in document["annotations"]:
        labels[annotation["image_id"]][names[annotation["category_id"]]] = None
    images = [
        Labeled(
            find_picture(str(image["file_name"]), folder, str(image.get("coco_url") or "")),
            tuple(labels[image["id"]]),
        )
        for image in document["images"]
    ]
    return images, list(names.values())


MOST_BOXES = 1_000
"""Boxes of a picture on one line: some 100 KB. A picture with more has several lines."""


def read_coco_boxes(path: Path, folder: Path | None) -> tuple[list[dict[str, Any]], list[str]]:
    """Return manifest lines with each picture's boxes, and the names of the categories.

    The lines are in Ground Truth's object detection form, with COCO's category ids as class ids.
    Pictures without boxes have no line, and regions of crowds, which are no box of one thing, are
    left out.
    """
    document = json.loads(path.read_text("utf-8-sig"))
    categories = sorted(document["categories"], key=lambda category: category["id"])
    names = {category["id"]: str(category["name"]) for category in categories}
    boxes: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for annotation in document["annotations"]:
        if annotation.get("bbox") and not annotation.get("iscrowd"):
            boxes[annotation["image_id"]].append(annotation)
    lines = []
    for image in document["images"]:
        own = boxes[image["id"]]
        if not own:
            continue
        source = find_picture(str(image["file_name"]), folder, str(image.get("coco_url") or ""))
        for first in range(0, len(own), MOST_BOXES):
            lines.append(_box_line(source, image, own[first : first + MOST_BOXES], names))
    return lines, list(names.values())


def _box_line(
    source: str, image: dict[str, Any], boxes: list[dict[str, Any]], names: dict[int, str]
) -> dict[str, Any]:
    keys = ("left", "top", "width", "height")
    classes = dict.fromkeys(box["category_id"] for box in boxes)
    size = {"width": image["width"], "height": image["height"], "depth": 3}
    metadata: dict[str, Any] = {
        "class-map": {str(number): names[number] for number in classes},
        "type": "groundtruth/object-detection",
    }
    if all(isinstance(box.get("score"), int | float) for box in boxes):
        metadata["objects"] = [{"confidence": box["score"]} for box in boxes]
    return {
        "source-ref": source,
        "bounding-box": {
            "annotations": [
                {"class_id": box["category_id"], **dict(zip(keys, box["bbox"], strict=True))}
                for box in boxes
            ],
            "image_size": [size],
        },
        "bounding-box-metadata": metadata,
    }
