"""Tell the types of pictures by their names: media types, and which of them browsers show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import PurePosixPath
from typing import NamedTuple


class PictureType(NamedTuple):
    """Type of picture; workers can label it only if browsers show it."""

    suffix: str
    """How we write it, without a dot."""
    media_type: str
    in_browsers: bool = True
    """Whether browsers show it."""
    spellings: tuple[str, ...] = ()
    """Other suffixes that mean the same."""


TYPES = (
    PictureType("jpg", "image/jpeg", spellings=("jpeg", "jpe", "jfif")),
    PictureType("png", "image/png"),
    PictureType("webp", "image/webp"),
    PictureType("gif", "image/gif"),
    PictureType("bmp", "image/bmp"),
    PictureType("avif", "image/avif"),
    PictureType("tif", "image/tiff", in_browsers=False, spellings=("tiff",)),
    PictureType("heic", "image/heic", in_browsers=False, spellings=("heif",)),
)
"""Types that are known. SVG is not: it is a drawing, and no reader of training data takes it."""

SHOWN = tuple(kind.suffix for kind in TYPES if kind.in_browsers)
MEDIA_TYPES = {kind.suffix: kind.media_type for kind in TYPES}
_BY_SUFFIX = {suffix: kind for kind in TYPES for suffix in (kind.suffix, *kind.spellings)}


def picture_type(name: str) -> PictureType | None:
    """Return the type of picture that a file's name, key or URI ends as, or None.

    >>> picture_type("s3://pets/Tom.JPEG").media_type, picture_type("notes.txt")
    ('image/jpeg', None)
    """
    return _BY_SUFFIX.get(PurePosixPath(name).suffix[1:].lower())


def suffix_of(name: str) -> str:
    """Return the suffix of a picture's type by its name; empty if the name does not tell.

    >>> suffix_of("s3://pets/Tom.JPEG"), suffix_of("s3://pets/tom")
    ('jpg', '')
    """
    kind = picture_type(name)
    return kind.suffix if kind else ""


def is_shown(name: str) -> bool:
    """Return whether a name ends as those of pictures that browsers show.

    >>> is_shown("cats/TOM.JPG"), is_shown("tom.tif"), is_shown("notes.txt")
    (True, False, False)
    """
    kind = picture_type(name)
    return kind is not None and kind.in_browsers


def suffixes_in_words() -> str:
    """Name the types that browsers show, for sentences.

    >>> suffixes_in_words()
    'jpg, png, webp, gif, bmp or avif'
    """
    return f"{', '.join(SHOWN[:-1])} or {SHOWN[-1]}"


def left_out(names: Iterable[str]) -> tuple[str, ...]:
    """Return a warning about the pictures among names that browsers do not show, if there are any.

    >>> left_out(["a.png", "b.tiff", "d.tif"])
    ('2 tif left out: browsers do not show them. `tessera drop FOLDER --convert` converts them.',)
    """
    kinds = (picture_type(name) for name in names)
    counts = Counter(kind.suffix for kind in kinds if kind is not None and not kind.in_browsers)
    if not counts:
        return ()
    listed = " and ".join(f"{count:,} {suffix}" for suffix, count in counts.items())
    is_missing = "heic" in counts and find_spec("pillow_heif") is None
    heic = " (heic after pip install pillow-heif)" if is_missing else ""
    remedy = f"`tessera drop FOLDER --convert` converts them{heic}."
    return (f"{listed} left out: browsers do not show them. {remedy}",)
