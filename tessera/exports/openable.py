"""Make pictures that the readers of an export open: decodable, of a known type, upright if asked.

A picture stays as it is, byte for byte, unless its reader knows no such type or it is turned.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import ExifTags, Image, ImageOps

from tessera.exports.pictures import HEAD, Missing, Undecodable, check_decodes, kind_of

MOST_PIXELS = 2 * (1024**3 // 12)
"""Pixels from which on Pillow, with which all of the readers decode, takes a picture for an attack:
twice the number at which it begins to warn, 89 million."""
SIDEWAYS = frozenset({5, 6, 7, 8})
"""EXIF orientations that swap width and height."""
QUALITY = 95
"""Quality of a picture that had to be turned: the highest that Pillow's documentation advises."""


@dataclass(frozen=True, slots=True)
class OpenablePicture:
    """Picture as it is written, with what its readers have to know of it."""

    content: bytes
    suffix: str
    size: tuple[int, int]
    """Width and height in pixels as people saw it: after EXIF has turned it."""
    turned: bool
    """Whether its reader has to turn it, by EXIF, to see it as people did."""
    converted_from: str = ""
    """Suffix of the type that it had, if its reader does not know that one."""


def make_openable(
    content: bytes, *, opened: frozenset[str] | None, upright: bool
) -> OpenablePicture:
    """Return a picture that readers open; Missing says why none would.

    `opened` are the suffixes of the types that the reader knows, or None if it knows all that
    Pillow does. Of others, the first frame is written as PNG, which loses nothing.
    """
    try:
        check_decodes(content, most_pixels=MOST_PIXELS)
    except Undecodable as reason:
        raise Missing(str(reason)) from reason
    suffix = kind_of(content[:HEAD])
    if not suffix:
        raise Missing("not a picture of a known type")
    with Image.open(io.BytesIO(content)) as image:
        # Pillow turns a TIFF by itself when it decodes one, and gives its size as turned.
        orientation = 1 if suffix == "tif" else _orientation(image)
        width, height = image.size
        if orientation in SIDEWAYS:
            width, height = height, width
        known = opened is None or suffix in opened
        turned = orientation != 1
        if known and not (turned and upright):
            return OpenablePicture(content, suffix, (width, height), turned)
        try:
            written, written_as = _encode_upright(image, suffix if known else "png")
        except Exception as error:  # of the encoder, or of EXIF that is half there
            raise Missing(f"cannot be turned or converted: {error}") from error
    converted_from = "" if known else suffix
    return OpenablePicture(written, written_as, (width, height), False, converted_from)


def look_at_written(content: bytes, suffix: str) -> OpenablePicture:
    """Return a picture that an earlier try has written, as `make_openable` returned it."""
    with Image.open(io.BytesIO(content)) as image:
        orientation = 1 if suffix == "tif" else _orientation(image)
        width, height = image.size
    size = (height, width) if orientation in SIDEWAYS else (width, height)
    return OpenablePicture(content, suffix, size, orientation != 1)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, from 1 (upright) to 8; 1 if there is none that can be used."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # EXIF that cannot be read turns nothing, in browsers neither
        return 1
    return orientation if orientation in range(1, 9) else 1


def _encode_upright(image: Image.Image, suffix: str) -> tuple[bytes, str]:
    """Return a picture's bytes, turned upright and without EXIF, with their suffix.

    A picture of several frames is written as its first one.
    """
    upright = ImageOps.exif_transpose(image)
    profile = image.info.get("icc_profile")  # without it, the colors would be others
    file = io.BytesIO()
    if suffix == "jpg":
        upright.save(file, "JPEG", quality=QUALITY, icc_profile=profile)
    elif suffix == "webp":
        upright.save(file, "WEBP", quality=QUALITY, icc_profile=profile)
    elif suffix == "avif":
        upright.save(file, "AVIF", quality=QUALITY, icc_profile=profile)
    else:
        upright = upright if upright.mode in _PNG_MODES else upright.convert("RGB")
        upright.save(file, "PNG", icc_profile=profile)
        suffix = "png"
    return file.getvalue(), suffix


_PNG_MODES = frozenset({"1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"})
"""Modes of a picture, in Pillow's words, that a PNG can hold."""
