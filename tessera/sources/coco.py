"""Read COCO annotations: the categories of a picture's boxes are its labels.

The format: https://cocodataset.org/#format-data
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

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
