"""Read COCO annotations: the categories of a picture's boxes as its labels, or the boxes.

The format: https://cocodataset.org/#format-data. What is no picture, or no box of one, is left out
by itself, with the reason.
"""

from __future__ import annotations

import json
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from tessera.exits import Refused
from tessera.sources.labeled import BoxLines, Labeled, LeftOut, NoPicture, find_picture, read_each

MOST_BOXES = 1_000
"""Boxes of a picture on one line: some 100 KB. A picture with more has several lines."""
SIDES = ("left", "top", "width", "height")
"""Keys of a box in Ground Truth's form, in the order of COCO's `bbox`."""


class Coco(NamedTuple):
    """Usable content of a file: pictures and annotations by the picture's id, and the categories.

    `names` has the categories' names by their ids.
    """

    images: dict[Any, dict[str, Any]]
    annotations: dict[Any, list[dict[str, Any]]]
    names: dict[Any, str]


def read_coco(
    path: Path, folder: Path | None, left_out: LeftOut
) -> tuple[list[Labeled], list[str]]:
    """Return the pictures, and the names of the categories by their ids.

    A picture is the file of its `file_name` in the folder, else at its `coco_url`.
    """
    coco = read_file(path, left_out)

    def read(image: dict[str, Any]) -> Labeled:
        labels = [coco.names[each["category_id"]] for each in coco.annotations[image["id"]]]
        return Labeled(_picture(image, folder), tuple(dict.fromkeys(labels)))

    return read_each(coco.images.values(), read, left_out, "pictures"), [*coco.names.values()]


def read_coco_boxes(path: Path, folder: Path | None, left_out: LeftOut) -> BoxLines:
    """Return manifest lines with each picture's boxes, and the names of the categories.

    The lines are in Ground Truth's object detection form, with COCO's category ids as class ids.
    Pictures without boxes have no line, and regions of crowds, which are no box of one thing, are
    left out.
    """
    coco = read_file(path, left_out)
    boxes = {
        number: [each for each in annotations if _is_box(each, left_out)]
        for number, annotations in coco.annotations.items()
    }
    asked = [image for image in coco.images.values() if boxes[image["id"]]]
    read = partial(_box_lines, folder=folder, boxes=boxes, names=coco.names)
    lines = read_each(asked, read, left_out, "pictures")
    return BoxLines([line for of_picture in lines for line in of_picture], [*coco.names.values()])


def read_file(path: Path, left_out: LeftOut) -> Coco:
    """Return what of a file is usable; Refused, with what is missing, if it is no data set."""
    document = json.loads(path.read_bytes())
    if isinstance(document, list):
        raise Refused(
            f"{path} is a list: results of COCO, which name no pictures. Give the data set that "
            "they are results of, with them as its annotations."
        )
    if absent := {"images", "annotations", "categories"} - document.keys():
        raise Refused(
            f"{path} has no {', '.join(sorted(absent))}. Give a data set's annotations, such as "
            "instances_train2017.json."
        )
    names = {
        category["id"]: str(category["name"])
        for category in sorted(document["categories"], key=lambda each: str(each["id"]).zfill(20))
    }
    images: dict[Any, dict[str, Any]] = {}
    for image in read_each(document["images"], _checked_image, left_out, "pictures"):
        if image["id"] in images:
            left_out.note("pictures", image["file_name"], "another picture has their id")
        else:
            images[image["id"]] = image
    annotations: defaultdict[Any, list[dict[str, Any]]] = defaultdict(list)
    for number in images:
        annotations[number] = []
    for place, annotation in enumerate(document["annotations"], 1):
        if reason := _problem(annotation, images, names):
            left_out.note("annotations", place, reason)
        else:
            annotations[annotation["image_id"]].append(annotation)
    return Coco(images, annotations, names)


def _checked_image(image: dict[str, Any]) -> dict[str, Any]:
    """Return a picture that has what is needed of it; raises KeyError or TypeError if not."""
    hash(image["id"])
    return image | {"file_name": str(image["file_name"])}


def _problem(annotation: Any, images: dict[Any, Any], names: dict[Any, str]) -> str:
    """Return why an annotation is none of a picture; empty if it is one."""
    if not isinstance(annotation, dict):
        return "no object"
    try:
        if annotation.get("image_id") not in images:
            return "their image_id is of no picture of the file"
        if annotation.get("category_id") not in names:
            return "their category_id is of no category of the file"
    except TypeError:  # a list or an object, which cannot be looked up
        return "their image_id or category_id is no number"
    return ""


def _is_box(annotation: dict[str, Any], left_out: LeftOut) -> bool:
    """Return whether an annotation is a box; one that is not is left out with the reason."""
    place, box = annotation.get("id", "without id"), annotation.get("bbox")
    if annotation.get("iscrowd"):
        reason = "regions of crowds, which are no box of one thing"
        left_out.note("annotations", place, reason, is_loss=False)
        return False
    numbers = isinstance(box, list) and len(box) == len(SIDES)
    if not numbers or any(isinstance(side, bool) or not isinstance(side, int | float)
                          for side in box or ()):  # fmt: skip
        left_out.note("annotations", place, "their bbox is not four numbers, x, y, width, height")
        return False
    return True


def _picture(image: dict[str, Any], folder: Path | None) -> str:
    return find_picture(image["file_name"], folder, str(image.get("coco_url") or ""))


def _box_lines(
    image: dict[str, Any],
    folder: Path | None,
    boxes: dict[Any, list[dict[str, Any]]],
    names: dict[Any, str],
) -> list[dict[str, Any]]:
    """Return the lines of a picture's boxes: one, unless they are very many."""
    source = _picture(image, folder)
    size, own = _size(image, source), boxes[image["id"]]
    return [
        _box_line(source, size, own[first : first + MOST_BOXES], names)
        for first in range(0, len(own), MOST_BOXES)
    ]


def _size(image: dict[str, Any], source: str) -> dict[str, Any]:
    """Return a picture's size in pixels: what the file says, else that of the stored picture.

    One that EXIF turns has its stored size here. Should its boxes be those of the turned picture,
    the run names it before anybody is asked; the other way round nobody would notice.
    """
    width, height = image.get("width"), image.get("height")
    if not width or not height:
        if "://" in source:
            raise NoPicture(image["file_name"], "without width and height, which only a picture "
                            "in a folder can be asked for: --images FOLDER")  # fmt: skip
        with Image.open(source) as picture:
            width, height = picture.size
    return {"width": width, "height": height, "depth": 3}


def _box_line(
    source: str, size: dict[str, Any], boxes: list[dict[str, Any]], names: dict[Any, str]
) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "class-map": {str(box["category_id"]): names[box["category_id"]] for box in boxes},
        "type": "groundtruth/object-detection",
    }
    if any("score" in box for box in boxes):
        metadata["objects"] = [
            {"confidence": box["score"]} if isinstance(box.get("score"), int | float) else {}
            for box in boxes
        ]
    return {
        "source-ref": source,
        "bounding-box": {
            "annotations": [
                {"class_id": box["category_id"], **dict(zip(SIDES, box["bbox"], strict=True))}
                for box in boxes
            ],
            "image_size": [size],
        },
        "bounding-box-metadata": metadata,
    }
