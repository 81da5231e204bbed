"""Make the JPEG that a page shows of a picture that browsers do not show, or that is too large.

The original stays as it is, for exports (docs/decisions/pictures-converted.md).
"""

from __future__ import annotations

import io
from contextlib import suppress
from functools import cache
from importlib import import_module

from PIL import Image, ImageOps

from tessera.encoders.flatten import flatten
from tessera.exports.pictures import HEAD, kind_of
from tessera.picture_types import SHOWN
from tessera.tiling.page.page_copy import SHOWN_LARGE

MOST_SIDE = 2048
"""Pixels of the longer side on a page: more than a tile or the zoom of a laptop's screen has."""
LARGE_BYTES = 1_000_000
"""Bytes from which on a picture of more pixels is made smaller: twenty of a phone are 60 MB."""
THUMBNAIL = 240
"""Pixels of the longer side of a thumbnail: what a sheet of six a row shows on a sharp screen."""
QUALITY = 85
"""Quality of the JPEG: its artifacts are not seen at the size of a screen."""
PRINT_MODES = frozenset({"CMYK", "LAB", "YCbCr"})
"""Modes, in Pillow's words, of JPEG and TIFF files whose colors browsers show wrongly or not."""


@cache
def can_read_heic() -> bool:
    """Return whether Pillow reads HEIC here, which it does with the package pillow-heif."""
    with suppress(ImportError):
        import_module("pillow_heif").register_heif_opener()
        return True
    return False


def can_convert(kind: str) -> bool:
    """Return whether a type of picture, by its suffix, can be converted here.

    >>> can_convert("tif"), can_convert("svg")
    (True, False)
    """
    return kind == "tif" or kind in SHOWN or (kind == "heic" and can_read_heic())


def needs_page_picture(content: bytes) -> bool:
    """Return whether a page is better off with a picture made of this one, which decodes."""
    kind = kind_of(content[:HEAD])
    if kind not in SHOWN or kind == "bmp":  # a bitmap is not compressed
        return True
    with Image.open(io.BytesIO(content)) as image:
        if getattr(image, "is_animated", False):
            return False  # what moves is shown moving
        is_large = len(content) > LARGE_BYTES and max(image.size) > MOST_SIDE
        return is_large or image.mode in PRINT_MODES


def shows_original(content: bytes) -> bool:
    """Return whether browsers show the original as it is, so that the zoom may."""
    if kind_of(content[:HEAD]) not in SHOWN_LARGE:
        return False
    with Image.open(io.BytesIO(content)) as image:
        return image.mode not in PRINT_MODES


def thumbnail(content: bytes) -> bytes | None:
    """Return a small JPEG of a picture, upright; None of what cannot be decoded."""
    with suppress(Exception):  # of damaged pictures, each reader raises what it happens to
        can_read_heic()
        with Image.open(io.BytesIO(content)) as image:
            image.draft("RGB", (2 * THUMBNAIL, 2 * THUMBNAIL))
            small = flatten(ImageOps.exif_transpose(image))
        small.thumbnail((THUMBNAIL, THUMBNAIL))
        coded = io.BytesIO()
        small.save(coded, "JPEG", quality=QUALITY)
        return coded.getvalue()
    return None


def make_page_picture(content: bytes) -> bytes:
    """Return a JPEG of a picture: upright, at most `MOST_SIDE` pixels wide and high.

    Of several frames it is the first, what is transparent is white, and gray values of more than
    eight bits are spread from black to white.
    """
    can_read_heic()
    with Image.open(io.BytesIO(content)) as image:
        if kind_of(content[:HEAD]) == "jpg":  # decoded no larger than needed
            image.draft("RGB" if image.mode == "RGB" else None, (MOST_SIDE, MOST_SIDE))
        upright = ImageOps.exif_transpose(image)
        profile = image.info.get("icc_profile") if image.mode == "RGB" else None
    flat = flatten(upright)
    flat.thumbnail((MOST_SIDE, MOST_SIDE))
    file = io.BytesIO()
    flat.save(file, "JPEG", quality=QUALITY, icc_profile=profile)
    return file.getvalue()
