"""Read embeddings and probabilities of images, and match their rows to the tasks of answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tessera.exits import Refused
from tessera.foreign_answers import Numbers
from tessera.screen import counted
from tessera.tiling.consensus import Crowd
from tessera.tiling.guesses import Columns

ROWS_CHECKED_AT_A_TIME = 65_536
"""Rows whose numbers are looked at in one step: some 0.3 GB of the widest embeddings."""


def read_columns(embeddings: Path | None, probabilities: Path | None) -> Columns | None:
    """Return the columns of these files, mapped into memory; None if there is no file.

    Raises Refused for a file that is no two-dimensional array of numbers, for probabilities that
    are none, and for two files with different numbers of rows.
    """
    paths = [path for path in (embeddings, probabilities) if path]
    if not paths:
        return None
    arrays = {path: _read_array(path) for path in paths}
    if len({len(rows) for rows in arrays.values()}) > 1:
        sizes = " and ".join(f"{path} has {len(rows):,}" for path, rows in arrays.items())
        raise Refused(f"Both files need one row an image, in the same order: {sizes}.")
    columns = Columns(
        arrays[embeddings] if embeddings else None, arrays[probabilities] if probabilities else None
    )
    if probabilities:
        _check_probabilities(probabilities, arrays[probabilities])
    return columns


def _read_array(path: Path) -> NDArray[np.floating]:
    try:
        # not numpy.load, which takes archives and pickles for arrays, too
        rows = np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # the header is an expression, which fails in any way at all
        raise Refused(
            f"{path} cannot be read as a NumPy array of numbers. Write it with "
            f"numpy.save({path.name!r}, rows)."
        ) from error
    if rows.ndim != 2 or not rows.size or not np.issubdtype(rows.dtype, np.floating):
        raise Refused(
            f"{path} is an array of shape {rows.shape} and type {rows.dtype}; it must have one row "
            "an image and one column a number, as float16 or float32."
        )
    return rows


def _check_probabilities(path: Path, rows: NDArray[np.floating]) -> None:
    for start in range(0, len(rows), ROWS_CHECKED_AT_A_TIME):
        block = np.asarray(rows[start : start + ROWS_CHECKED_AT_A_TIME], np.float32)
        wrong = np.flatnonzero(((block < 0) | (block > 1)).any(axis=1))
        if len(wrong):
            raise Refused(
                f"{path}, row {start + int(wrong[0])}: not between 0 and 1. Probabilities are "
                "wanted here; give scores or features as --embeddings."
            )


def match_rows(
    answers: Path, crowd: Crowd, tasks: Mapping[str, int], columns: Columns, ids: Path | None
) -> tuple[Crowd, Numbers]:
    """Return crowd and tasks renumbered by the rows of the columns, unasked images among them.

    Row `i` is the task on line `i + 1` of `ids`, or else the task that is called `i`. Raises
    Refused if the tasks are not called so, or if a task has no row.
    """
    names = _read_ids(ids, len(columns)) if ids else [str(row) for row in range(len(columns))]
    by_row = Numbers({name: row for row, name in enumerate(names)})
    missing = [task for task in tasks if task not in by_row]
    if missing:
        place = str(ids) if ids else f"the {len(columns):,} rows, which are called 0, 1, 2 …"
        remedy = "Name the task of each row there" if ids else "Give the rows' names as --ids"
        raise Refused(
            f"{answers}: {counted(len(missing), 'task')} not among {place}, the first "
            f"{missing[0]!r}. {remedy}, one a line."
        )
    row = np.fromiter((by_row[task] for task in tasks), np.int32, len(tasks))
    return replace(crowd, images=len(columns), image=row[crowd.image]), by_row


def _read_ids(path: Path, rows: int) -> list[str]:
    try:
        names = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise Refused(f"{path} is not text in UTF-8: write it with one task a line.") from error
    if len(names) != rows:
        raise Refused(
            f"{path} has {len(names):,} lines; give it one for each of the {rows:,} rows."
        )
    if len(set(names)) < rows:
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused(f"{path}: task {twice!r} has several rows; a row has one task of its own.")
    return names
