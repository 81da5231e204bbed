"""Formats for boxes on pictures: those that people confirmed, or with the labels that they gave.

- `coco`: `annotations/instances.json`, as `pycocotools` and detection frameworks read it;
- `ground-truth`: a line a picture with its boxes, as Ground Truth's label adjustment writes it, to
  train by or to drop again.

Pictures are named where they lie, none is copied: who trains on boxes has them. Boxes that people
refused are in neither, and in the run's training.manifest, a line each, with the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

import msgspec

from tessera.exits import Refused
from tessera.exports.dataset import Sample
from tessera.exports.formats import Export, write_instances
from tessera.tiling.manifest.boxes import Box
from tessera.whole_file import write_whole

Pictures = dict[str, list[tuple[Sample, Box]]]
"""Boxes that are written, by the URI of their picture."""
SIDES = ("class_id", "left", "top", "width", "height")
"""Keys of a box, in Ground Truth's order."""


def boxes_by_picture(samples: Sequence[Sample]) -> Pictures:
    """Return the boxes that are to be kept, by the URI of their picture, in manifest order.

    Pictures all of whose boxes were refused are there, without any: that, too, was found out.
    """
    pictures: Pictures = {}
    for sample in samples:
        boxes = pictures.setdefault(sample.uri, [])
        if sample.box is not None and not sample.is_refused:
            boxes.append((sample, sample.box))
    return pictures


def write_box_coco(export: Export) -> None:
    """Write boxes as COCO annotations; the file name is the end of the picture's address.

    Where boxes are verified, category ids are the class ids that the boxes came with. `score` is
    the confidence of the label, which COCO's own results have under this name.
    """
    parts = [(part, boxes_by_picture(samples), _sizes(samples)) for part, samples in export.kept()]
    # all parts have the same categories, so that they can be read together
    categories = dict(
        sorted(
            _category(sample, box)
            for _, pictures, _ in parts
            for boxes in pictures.values()
            for sample, box in boxes
        )
    )
    for part, pictures, sizes in parts:
        images, annotations = _coco_images(pictures, sizes), _coco_annotations(pictures)
        write_instances(export, part, "Boxes", categories, images, annotations)


def _sizes(samples: Sequence[Sample]) -> dict[str, tuple[float | int, float | int]]:
    """Return width and height of each picture, as the first of its boxes has them."""
    return {
        sample.uri: (_number(sample.box.picture_width), _number(sample.box.picture_height))
        for sample in reversed(samples)
        if sample.box is not None
    }


def _coco_images(
    pictures: Pictures, sizes: dict[str, tuple[float | int, float | int]]
) -> list[dict[str, Any]]:
    names = _file_names(pictures)
    return [
        {
            "id": number,
            "file_name": names[uri],
            "width": sizes[uri][0],
            "height": sizes[uri][1],
            "coco_url": uri,
        }
        for number, uri in enumerate(pictures, start=1)
    ]


def _coco_annotations(pictures: Pictures) -> list[dict[str, Any]]:
    listed = [
        (image, sample, box)
        for image, boxes in enumerate(pictures.values(), start=1)
        for sample, box in boxes
    ]
    return [
        {
            "id": number,
            "image_id": image,
            "category_id": _category(sample, box)[0],
            "bbox": [_number(side) for side in box[:4]],
            "area": _number(box.width * box.height),
            "segmentation": [],
            "iscrowd": 0,
            "score": sample.confidence,
        }
        for number, (image, sample, box) in enumerate(listed, start=1)
    ]


def write_ground_truth(export: Export) -> None:
    """Write a manifest with a line a picture, its boxes in Ground Truth's object detection form."""
    for part, samples in export.kept():
        lines = msgspec.json.Encoder().encode_lines(_lines(samples))
        write_whole(export.folder / f"{part or 'boxes'}.manifest", lines)


def _lines(samples: Sequence[Sample]) -> Iterator[dict[str, Any]]:
    """Yield the line of each picture."""
    firsts = {sample.uri: sample for sample in reversed(samples)}
    sizes = _sizes(samples)
    for uri, boxes in boxes_by_picture(samples).items():
        width, height = sizes[uri]
        labels = [_label(sample, box) for sample, box in boxes]
        yield {
            "source-ref": uri,
            "bounding-box": {
                "annotations": [
                    dict(zip(SIDES, (number, *map(_number, box[:4])), strict=True))
                    for (number, _), (_, box) in zip(labels, boxes, strict=True)
                ],
                "image_size": [{"width": width, "height": height, "depth": 3}],
            },
            "bounding-box-metadata": {
                "objects": [{"confidence": sample.confidence} for sample, _ in boxes],
                "class-map": {str(number): name for number, name in labels},
                "type": "groundtruth/object-detection",
                "human-annotated": "yes",
                "creation-date": firsts[uri].created,
                "job-name": firsts[uri].job,
                "adjustment-status": "adjusted",
            },
        }


def _label(sample: Sample, box: Box) -> tuple[int, str]:
    """Return class id and name: what people say that it is, or what they confirmed."""
    if box.name is None:
        return sample.class_id, sample.class_name
    return box.class_id or 0, box.name


def _category(sample: Sample, box: Box) -> tuple[int, str]:
    """Return COCO's category id and name; labels of ours count from one, as COCO's own do."""
    number, name = _label(sample, box)
    return (number + 1 if box.name is None else number), name


def _file_names(uris: Pictures) -> dict[str, str]:
    """Return the last part of each address; where two have the same, the key, or bucket and key."""
    last = {uri: PurePosixPath(uri).name for uri in uris}
    for names in (last, {uri: uri.split("/", 3)[-1] for uri in uris}):
        if len(set(names.values())) == len(names):
            return names
    return {uri: uri.removeprefix("s3://") for uri in uris}


def _number(value: float) -> float | int:
    """Return a number of pixels as it was written: whole ones without a fraction."""
    return int(value) if float(value).is_integer() else round(value, 3)


BOX_FORMATS: dict[str, Callable[[Export], None]] = {
    "coco": write_box_coco,
    "ground-truth": write_ground_truth,
}
"""Functions that write boxes, by the names that `--to` takes."""


def check_box_format(run: str, form: str) -> None:
    """Raise Refused, with the formats that go, if one has no place for boxes."""
    if form not in BOX_FORMATS:
        raise Refused(
            f"{run} has boxes on pictures, and {form} has no place for them. These have: "
            f"--to {', --to '.join(BOX_FORMATS)}"
        )


def check_other_format(run: str, form: str, command: Callable[[str], str]) -> None:
    """Raise Refused if a format is for boxes alone, which a run of whole pictures has none of.

    `command` makes a command of the tool that works on the run's stack.
    """
    if form == "ground-truth":
        raise Refused(
            f"{run} has labels of whole pictures, which are in Ground Truth's form already: "
            f"{command(f'fetch {run}')}"
        )
