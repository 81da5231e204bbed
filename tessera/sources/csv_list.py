"""Read a CSV file of images: a column of paths or addresses, and perhaps one of labels."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path
from typing import Any

from tessera.exits import Refused
from tessera.sources.labeled import Labeled, texts
from tessera.tiling.csv_field import plain_text

IMAGE_COLUMNS = ("image", "url", "image_url", "path", "file", "file_name", "source-ref")
LABEL_COLUMNS = ("label", "class", "category")


def read_csv(path: Path) -> list[Labeled]:
    """Return the rows' images; a path counts from the file's folder. Refused without a column."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file, strict=True)
        columns = {str(name).strip().lower(): name for name in rows.fieldnames or ()}
        image = next((columns[name] for name in IMAGE_COLUMNS if name in columns), None)
        label = next((columns[name] for name in LABEL_COLUMNS if name in columns), None)
        if image is None:
            raise Refused(
                f"{path} has no column of images. Name it: {', '.join(IMAGE_COLUMNS)}; labels are "
                f"in a column {', '.join(LABEL_COLUMNS)}."
            )
        return [
            Labeled(_address(path, row[image]), tuple(texts([_text(row, label)])))
            for row in map(partial(_checked, path, rows), rows)
            if (row[image] or "").strip()
        ]


def _checked(
    path: Path, rows: csv.DictReader[str], row: dict[str | Any, str | Any]
) -> dict[str, str]:
    """Return a row; Refused if it has more fields than columns: an unquoted comma shifts them."""
    if None in row:
        raise Refused(
            f"{path}, line {rows.line_num}: more fields than columns. Put fields with commas into "
            "quotation marks."
        )
    return row


def _text(row: dict[str, str], column: str | None) -> str:
    return plain_text(row[column] or "") if column else ""


def _address(path: Path, text: str) -> str:
    text = plain_text(text.strip())
    return text if "://" in text else str((path.parent / text).resolve())
