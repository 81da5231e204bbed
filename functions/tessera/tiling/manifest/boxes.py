"""Read a box on a picture, and the place that it had in the manifest.

Boxes come as Ground Truth writes those of an object detection, under the settings' key of boxes:

    {"source-ref":"s3://b/1.jpg","bounding-box":{"image_size":[{"width":640,"height":480,"depth":3}],
     "annotations":[{"class_id":0,"left":9,"top":7,"width":80,"height":60},…]},
     "bounding-box-metadata":{"class-map":{"0":"cat"},"objects":[{"confidence":0.9},…],…}}

`box_lines` makes a line of each; what is checked of a box is here.
"""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any, NamedTuple

import msgspec

from tessera.tiling.settings import Settings, normal_text

PLACE_KEY = "box"
"""Key of a box's line that says which line of the manifest, and which box of that, it was."""
MAX_SIDE = 1_000_000
"""Pixels of a picture's side, beyond any that a browser shows: then it is something else."""
TOLERANCE = 1.0
"""Pixels that a box may reach out of its picture: tools round both, each in its own way."""
LEAST_SIDE = 1.0
"""Pixels of a box's side below which nothing can be seen in it."""

MAX_KEYS = 3
"""Keys that a reason names: a line has boxes of one job, or of a few."""

decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class BoxUnusable(ValueError):
    """Reason why something is no box, or not a line with boxes."""


class Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Line of the manifest and box of the line, from one; `problem` says why it is none."""

    line: int
    number: int = 0
    problem: str = ""

    @property
    def name(self) -> str:
        """Return the box as a person counts it; the line has a number of its own."""
        return f"box {self.number}: " if self.number else ""


class Box(NamedTuple):
    """Box on a picture: its place and the picture's size in pixels, and what it is said to show."""

    left: float
    top: float
    width: float
    height: float
    picture_width: float
    picture_height: float
    name: str | None = None
    class_id: int | None = None

    @property
    def text(self) -> str:
        """Return the six numbers as a task has them, the shortest way.

        >>> Box(12.0, 30.5, 200, 180, 640, 480).text
        '12,30.5,200,180,640,480'
        """
        return ",".join(f"{round(number, 3):.12g}" for number in self[:6])


def read_box(boxes: Any, metadata: Any, number: int = 0, *, named: bool = False) -> Box:
    """Return one box of a line's boxes and their metadata, both decoded; `number` is from zero.

    `named` says that its class has to have a name. Raises BoxUnusable with the reason.
    """
    width, height = _picture_size(boxes)
    annotation = boxes["annotations"][number]
    if not isinstance(annotation, dict):
        raise BoxUnusable("not an object with left, top, width and height")
    left, top, across, down = (
        _pixels(annotation, key) for key in ("left", "top", "width", "height")
    )
    _check_inside((left, top, across, down), (width, height))
    # Where the label is what is asked, the class that a box had would be a suggestion.
    class_id = class_number(annotation)
    name = _class_name(class_id, metadata) if named else None
    if named and name is None:
        raise BoxUnusable(
            "its class has no name to ask for; name its class_id in the class-map of the metadata"
        )
    return Box(left, top, across, down, width, height, name, class_id)


def _picture_size(boxes: Any) -> tuple[float, float]:
    sizes = boxes.get("image_size")
    size = sizes[0] if isinstance(sizes, list) and sizes else sizes
    if not isinstance(size, dict):
        raise BoxUnusable(
            "no image_size, without which no box has a place; add "
            '"image_size": [{"width": …, "height": …, "depth": 3}] in pixels of the picture'
        )
    width, height = (_pixels(size, key) for key in ("width", "height"))
    if not (LEAST_SIDE <= width <= MAX_SIDE and LEAST_SIDE <= height <= MAX_SIDE):
        raise BoxUnusable(f"image_size: no picture is {width:g} × {height:g} pixels")
    return width, height


def _pixels(record: dict[str, Any], key: str) -> float:
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        kind = "missing" if value is None else f"{_excerpt(value)} is no number"
        raise BoxUnusable(f"{key}: {kind}; write pixels, such as 120")
    try:
        pixels = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        pixels = float("inf")
    if not isfinite(pixels):
        raise BoxUnusable(f"{key}: not a number of pixels")
    return pixels


def _check_inside(sides: tuple[float, float, float, float], picture: tuple[float, float]) -> None:
    left, top, width, height = sides
    picture_width, picture_height = picture
    if width < LEAST_SIDE or height < LEAST_SIDE:
        raise BoxUnusable(f"{width:g} × {height:g} pixels, which show nothing; leave it out")
    if (
        min(left, top) < -TOLERANCE
        or left + width > picture_width + TOLERANCE
        or top + height > picture_height + TOLERANCE
    ):
        raise BoxUnusable(
            f"{width:g} × {height:g} pixels at {left:g}, {top:g} leave the picture of "
            f"{picture_width:g} × {picture_height:g}; cut the box, or mend image_size"
        )


def class_number(annotation: dict[str, Any]) -> int | None:
    """Return a box's class id, however its tool writes whole numbers; None if it has none.

    >>> class_number({"class_id": "7"}), class_number({"class_id": 7.0}), class_number({})
    (7, 7, None)
    """
    class_id = annotation.get("class_id")
    if isinstance(class_id, bool):
        return None
    if isinstance(class_id, float) and class_id.is_integer():
        return int(class_id)
    # longer digits are no id, and Python reads no more than some thousand of them
    if isinstance(class_id, str) and re.fullmatch(r"[0-9]{1,9}", class_id):
        return int(class_id)
    return class_id if isinstance(class_id, int) else None


def _class_name(class_id: int | None, metadata: Any) -> str | None:
    names = metadata.get("class-map") if isinstance(metadata, dict) else None
    name = names.get(str(class_id)) if isinstance(names, dict) else None
    if isinstance(name, str) and name.strip():
        return normal_text(name.strip())[:256]
    return None


def take_boxes(members: dict[str, msgspec.Raw], key: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Take a line's boxes and their metadata out of it, decoded."""
    if key not in members:
        raise BoxUnusable(f"{key}: missing, so there are no boxes; {_key_advice(members)}")
    boxes = msgspec.json.decode(members.pop(key))
    raw = members.pop(f"{key}-metadata", None)
    metadata = msgspec.json.decode(raw) if raw is not None else {}
    if not isinstance(boxes, dict) or not isinstance(boxes.get("annotations"), list):
        raise BoxUnusable(f"{key}: no object with annotations, the list of boxes")
    if not isinstance(metadata, dict):
        raise BoxUnusable(f"{key}-metadata: not an object")
    if "failure-reason" in metadata:
        raise BoxUnusable(f"{key}-metadata: has failure-reason, so these are no boxes")
    return boxes, metadata


def _key_advice(members: dict[str, msgspec.Raw]) -> str:
    """Return what to set where a line has its boxes under another key, of one job or several."""
    others = [
        json.dumps(name, ensure_ascii=False)
        for name, raw in members.items()
        if b'"annotations"' in bytes(raw)
    ]
    if not others:
        return "if they have another key, set box_attribute"
    listed = ", ".join(others[:MAX_KEYS])[:200]
    return f'the line has {listed}: set "box_attribute" in labeling.json to the key of yours'


def _excerpt(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


class BoxReader:
    """Reader of the box of a line that `box_lines` made."""

    def __init__(self, settings: Settings) -> None:
        """Prepare for the settings' key of boxes; where boxes are verified, each has a class."""
        self._key, self._named = settings.box_key, settings.task == "verify"

    def place(self, raw: bytes) -> Place:
        """Return where the line's box was; raises BoxUnusable if the line was not cut."""
        place = decode_members(raw).get(PLACE_KEY)
        if place is None:
            raise BoxUnusable("not cut into boxes")
        return msgspec.json.decode(place, type=Place)

    def box(self, raw: bytes) -> Box:
        """Return the line's box; raises BoxUnusable with the reason why it is none."""
        members = decode_members(raw)
        boxes, metadata = take_boxes(members, self._key)
        return read_box(boxes, metadata, named=self._named)
