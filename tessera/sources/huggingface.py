"""Read a data set of Hugging Face, from Parquet files or an image folder, by its own library."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tessera.exits import Refused
from tessera.picture_types import suffix_of
from tessera.sources.labeled import Contents, Labeled, LeftOut, read_each, texts
from tessera.whole_file import write_whole

LABEL_COLUMNS = ("label", "labels", "class", "category", "fine_label", "class_id")
"""Columns that are taken for labels, the first that is there."""
CLASSES = "classes.json"
"""Names of the labels in an export of `tessera export --to huggingface`: image folders have no
place for them, and `datasets` reads numbers alone."""


def read_huggingface(path: Path, pictures: Path, left_out: LeftOut) -> Contents:
    """Return the images of all splits, and the names of the labels by number.

    Pictures that a Parquet file holds are written into the folder `pictures`. Refused without the
    library, or if no column has images.
    """
    images: list[Labeled] = []
    are_sets = False
    own = _own_names(path)
    names: dict[int, str] = {}
    rows_before = 0
    for split in _load(path).values():
        image = _image_column(split.features, path)
        label = next((name for name in LABEL_COLUMNS if name in split.features), None)
        are_sets |= hasattr(split.features.get(label), "feature")  # a list in each row
        given = _names(split.features.get(label))
        names = names or (own if len(given) in (0, len(own)) else dict(enumerate(given)))
        read = partial(_read_row, image=image, label=label, names=names, pictures=pictures)
        images += read_each(enumerate(split, rows_before), read, left_out, "rows")
        rows_before += len(split)
    return Contents(images, [*names.values()], are_sets=are_sets)


def _read_row(
    row: tuple[int, dict[str, Any]],
    image: str,
    label: str | None,
    names: dict[int, str],
    pictures: Path,
) -> Labeled:
    """Return the image of a numbered row, with its labels."""
    number, columns = row
    labels = tuple(texts(_labels(columns[label], names))) if label else ()
    return Labeled(_place(columns[image], pictures, number), labels)


def _own_names(path: Path) -> dict[int, str]:
    """Return the names of the labels by number that an export of ours has, else none."""
    file = path / CLASSES
    if not file.is_file():
        return {}
    try:
        entries = json.loads(file.read_text("utf-8"))
        return {int(entry["id"]): str(entry["label"]) for entry in entries}
    except (ValueError, TypeError, KeyError):  # somebody else's file of this name
        return {}


def _load(path: Path) -> Any:
    """Return the data set, with pictures as they are stored."""
    try:
        from datasets import Image, load_dataset  # late: the extra is for this source alone
    except ImportError as error:
        raise Refused("Reading it needs a library: pip install 'tessera[huggingface]'") from error
    parquet = sorted(map(str, path.rglob("*.parquet"))) if path.is_dir() else [str(path)]
    if parquet:
        loaded = load_dataset("parquet", data_files=parquet)
    else:
        loaded = load_dataset("imagefolder", data_dir=str(path))
    for name, split in loaded.items():
        column = _image_column(split.features, path)
        loaded[name] = split.cast_column(column, Image(decode=False))
    return loaded


def _image_column(features: Any, path: Path) -> str:
    for name, feature in features.items():
        if type(feature).__name__ == "Image":
            return str(name)
    for name in ("image", "img", "picture"):
        if name in features:
            return name
    raise Refused(f"{path} has no column of images, only {', '.join(map(str, features))}.")


def _names(feature: Any) -> list[str]:
    """Return the names of a column of classes, one or a list of them each row."""
    inner = getattr(feature, "feature", feature)
    return list(getattr(inner, "names", None) or ())


def _labels(value: Any, names: dict[int, str]) -> Iterator[str]:
    """Yield the names in a column of labels: a name or a number, or several, or 0 or 1 for each."""
    if isinstance(value, list) and value and all(isinstance(each, float) for each in value):
        if len(value) != len(names) or set(value) - {0.0, 1.0}:
            raise ValueError("a vector of labels without their names")
        yield from (name for name, has in zip(names.values(), value, strict=True) if has)
        return
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, float) and each.is_integer():  # of a column with missing values
            each = int(each)
        if isinstance(each, int) and not isinstance(each, bool) and names:
            if each >= 0:  # -1 stands for none in test sets
                yield names[each]
        elif each is not None and each == each:  # pandas' NaN, which nothing equals, is no label
            yield str(each)


def _place(picture: Any, folder: Path, number: int) -> str:
    """Return where a picture lies, after writing it if it lies in the data set itself."""
    path, content = picture.get("path"), picture.get("bytes")
    if content is None:
        return str(Path(path).resolve())
    suffix = suffix_of(path or "") or "png"
    place = folder / f"{number:06d}.{suffix}"
    write_whole(place, content)
    return str(place.resolve())
