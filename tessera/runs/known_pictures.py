"""Take known labels and guesses of a folder's pictures from CSV files, by the pictures' names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from tessera.csv_file import Notices, read_rows
from tessera.exits import Refused
from tessera.foreign_answers import SideFile, name_finder
from tessera.picture_folder import Picture
from tessera.tiling.settings import Settings

COLUMN = "image|file|filename|name|task"
"""Names that the column of pictures may have."""


class SideFiles(NamedTuple):
    """Files beside a folder of pictures: known labels, and guesses that workers see."""

    gold: Path | None = None
    prelabels: Path | None = None


def known_keys(
    folder: Path, pictures: Sequence[Picture], settings: Settings, files: SideFiles
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return what the files add to each picture's line, and notices of rows that add nothing.

    Refused if a file cannot be read or matches no picture, or if it gives two labels to the same
    content.
    """
    keys: list[dict[str, Any]] = [{} for _ in pictures]
    names = {picture.name: place for place, picture in enumerate(pictures)}
    labels = {label: number for number, label in enumerate(settings.choices)}
    find = picture_finder(names)
    notices: list[str] = []
    if files.gold:
        side = SideFile(files.gold, names, labels, COLUMN, folder, find)
        for place, label, _ in side.read():
            keys[place]["gold"] = settings.choices[label]
        _check_content(files.gold, pictures, keys)
        notices += side.notices
    if files.prelabels:
        sure = _has_confidence(files.prelabels)
        side = SideFile(files.prelabels, names, labels, COLUMN, folder, find)
        for place, label, confidence in side.read(with_confidence=sure):
            keys[place]["prelabel"] = settings.choices[label]
            keys[place] |= {"prelabel-confidence": confidence} if sure else {}
        notices += side.notices
    return keys, notices


def picture_finder(names: Mapping[str, int]) -> Callable[[str], int | None]:
    """Return a function from a name in a file to the number of the picture that it means.

    By its path below the folder, with either slash; else by its last part, if only one picture has
    it.

    >>> find = picture_finder({"may/tom.jpg": 0, "may/ann.jpg": 1, "june/ann.jpg": 2})
    >>> find("may\\\\ann.jpg"), find("tom.jpg"), find("ann.jpg")
    (1, 0, None)
    """
    last = Counter(PurePosixPath(name).name for name in names)
    singles = {
        PurePosixPath(name).name: number
        for name, number in names.items()
        if last[PurePosixPath(name).name] == 1
    }
    find_path, find_last = name_finder(names), name_finder(singles)

    def find(name: str) -> int | None:
        path = name.replace("\\", "/") if name not in names else name
        path = path.removeprefix("./")
        number = find_path(path)
        return find_last(PurePosixPath(path).name) if number is None else number

    return find


def _has_confidence(path: Path) -> bool:
    """Return whether a file of guesses has a column of confidences."""
    try:
        next(read_rows(path, ("confidence",), Notices(path)), None)
    except Refused as refused:
        return "no column" not in refused.message
    return True


def _check_content(path: Path, pictures: Sequence[Picture], keys: list[dict[str, Any]]) -> None:
    """Refuse two known labels for pictures of the same content."""
    first: dict[str, tuple[str, str]] = {}
    for picture, known in zip(pictures, keys, strict=True):
        if label := known.get("gold"):
            other, name = first.setdefault(picture.digest, (label, picture.name))
            if other != label:
                raise Refused(
                    f"{path}: {picture.name} is {label!r}, and {name}, the same picture, is "
                    f"{other!r}. Keep one of the two"
                )
