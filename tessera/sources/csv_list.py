"""Read a CSV file of images: a column of paths or addresses, and perhaps labels.

Labels are in one column, or, several of an image, in a column of 0 and 1 for each, as
`tessera export --to csv`, pandas and competitions write them.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from tessera.csv_file import (
    MISSING_IN_PANDAS,
    Notices,
    Row,
    canonical_id,
    is_missing,
    open_table,
    refuse_line_end,
)
from tessera.exits import Refused
from tessera.exports.formats import CSV_COLUMNS
from tessera.exports.set_formats import FACTS, label_of_column
from tessera.sources.labeled import Contents, Labeled, NoPicture, find_picture

IMAGE_COLUMNS = (
    "image", "url", "image_url", "path", "file", "file_name", "source-ref", "filename",
    "image_path", "filepath", "file_path", "uri", "image_uri",
)  # fmt: skip
LABEL_COLUMNS = ("label", "class", "category")
HAS = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}
"""Values of a column that says of each image whether it has a label, in lower case."""
MOST_COLUMNS = 10
"""Columns that a notice names."""


def read_csv(path: Path) -> Contents:
    """Return the rows' images, each once; a path counts from the file's folder.

    Rows that name an image again add their labels to it. Refused without a column of images.
    """
    notices = Notices(path)
    with open_table(path, IMAGE_COLUMNS, notices) as (columns, read):
        lower = [name.lower() for name in columns]
        place = _place(path, lower, IMAGE_COLUMNS)
        rows = list(_with_image(path, read, place, notices))
    one_each = _indicators(lower, rows, place)
    names = [label_of_column(columns[number]) for number in one_each]
    has_labels = any(name in lower for name in LABEL_COLUMNS)
    label = _place(path, lower, LABEL_COLUMNS) if has_labels else None
    labels_of: Callable[[Row], list[str]] = _no_label
    if one_each:
        notices.add(f"columns of 0 and 1 are read as labels: {_listed(names)}")
        labels_of = partial(_own_labels, one_each, names)
    elif label is not None:
        is_own = tuple(lower) == CSV_COLUMNS  # of which every row has a label, such as "NaN"
        is_none = operator.not_ if is_own else is_missing
        labels_of = _one_label(path, rows, label, is_none, notices)
    elif others := [name for number, name in enumerate(columns) if number != place and name]:
        notices.add(
            f"no column of labels ({', '.join(LABEL_COLUMNS)}) among {_listed(others)}, so its "
            "images come without. If one has labels, rename it"
        )
    images = _merge(path, rows, place, labels_of, notices)
    return Contents(images, names, list(notices), are_sets=bool(one_each))


def _no_label(row: Row) -> list[str]:
    return []


def _own_labels(one_each: list[int], names: list[str], row: Row) -> list[str]:
    """Return the labels that a row has, by the columns that have one each."""
    has = (HAS[row.fields[number].lower()] for number in one_each)
    return [name for name, own in zip(names, has, strict=True) if own]


def _place(path: Path, columns: list[str], names: Sequence[str]) -> int:
    """Return where the first of these columns is, one of which is; Refused if it is there twice."""
    name = next(name for name in names if name in columns)
    if columns.count(name) > 1:
        raise Refused(
            f"{path}: {columns.count(name)} columns are called {name!r}. Rename all but the one "
            "that counts"
        )
    return columns.index(name)


def _with_image(path: Path, rows: Iterator[Row], place: int, notices: Notices) -> Iterator[Row]:
    for row in rows:
        image = row.fields[place]
        refuse_line_end(path, row.line, "image", image)
        if is_missing(image):
            notices.count("row", "without an image left out", row.line)
        else:
            yield row


def _indicators(columns: list[str], rows: list[Row], image: int) -> list[int]:
    """Return the columns that say of each image whether it has a label; none if labels are in one.

    In an export of ours they are all between the image and its facts, whatever they are called.
    """
    if not rows:
        return []
    own = columns[0] == "image" and columns[-2:] == ["confidence", "answers"]
    wanted = range(1, len(columns) - 2) if own else range(len(columns))
    chosen = [
        number
        for number in wanted
        if number != image
        and (own or (columns[number] and columns[number] not in FACTS))
        and all(row.fields[number].lower() in HAS for row in rows)
    ]
    if own:
        return chosen if len(chosen) == len(wanted) else []
    has_labels = any(name in columns for name in LABEL_COLUMNS)
    return chosen if len(chosen) > 1 and not has_labels else []


def _one_label(
    path: Path,
    rows: list[Row],
    place: int,
    is_none: Callable[[str], bool],
    notices: Notices,
) -> Callable[[Row], list[str]]:
    """Return a function that reads the label of a row, and tell of those that look like none."""
    missing = False
    values = set[str]()
    for row in rows:
        value = row.fields[place]
        refuse_line_end(path, row.line, "label", value)
        if is_none(value):
            missing = True
            notices.count("image", "without a label", row.line)
        else:
            values.add(value)
            if value.lower() in MISSING_IN_PANDAS:
                notices.count("label", f"{value!r}, which is read as a name", row.line)
    # pandas makes fractions of whole numbers if one of them is missing
    whole = {value: canonical_id(value) for value in values}
    numbered = missing and all(name != value for value, name in whole.items())
    if numbered and values:
        notices.add("numbers are read without the .0 that a missing value gives all others")

    def labels_of(row: Row) -> list[str]:
        value = row.fields[place]
        if is_none(value):
            return []
        return [whole[value] if numbered else value]

    return labels_of


def _merge(
    path: Path,
    rows: list[Row],
    place: int,
    labels_of: Callable[[Row], list[str]],
    notices: Notices,
) -> list[Labeled]:
    """Return each image once, with the labels of all its rows."""
    images: dict[str, dict[str, None]] = {}
    addresses: dict[str, str] = {}
    folder = path.parent.resolve()
    for row in rows:
        text = row.fields[place]
        if text not in addresses:
            addresses[text], is_there = _address(folder, text)
            if not is_there:
                notices.count("path", "without a file, which a drop refuses", row.line)
        image = addresses[text]
        if image in images:
            notices.count("row", "added to an earlier one of the same image", row.line)
        images.setdefault(image, {}).update(dict.fromkeys(labels_of(row)))
    return [Labeled(image, tuple(labels)) for image, labels in images.items()]


def _address(folder: Path, text: str) -> tuple[str, bool]:
    """Return an address as it is, or a path from the root, and whether something may be there."""
    if "://" in text:
        return text, True
    try:
        return find_picture(text, folder), True
    except NoPicture:
        return os.path.abspath(folder / text), False


def _listed(names: Sequence[str]) -> str:
    more = ", …" if len(names) > MOST_COLUMNS else ""
    return ", ".join(repr(name[:80]) for name in names[:MOST_COLUMNS]) + more
