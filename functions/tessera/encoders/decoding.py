"""Decode pictures into squares of pixels, as encoders take them."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tessera.encoders.flatten import flatten

Pixels = NDArray[np.uint8]
MOST_PIXELS = 2**25
"""Pixels that a picture is decoded to at most, unless the caller says otherwise: 100 MB at three
bytes each, of which a function's memory holds several. A JPEG of any camera has fewer once it is
decoded at the size that is needed."""


def decode(content: bytes, size: int, *, most_pixels: int = MOST_PIXELS) -> Pixels | None:
    """Return a picture upright (size x size x 3), or None if it cannot be decoded.

    It is squeezed into the square rather than cut, so that nothing of it is left out. A JPEG is
    decoded at the size that it needs, up to eight times as fast.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.format == "JPEG" and image.mode == "RGB":
                image.draft("RGB", (size, size))
            if image.size[0] * image.size[1] > most_pixels:
                return None
            upright = ImageOps.exif_transpose(image)
        flat = flatten(upright).convert("RGB")
        return np.asarray(flat.resize((size, size), Image.Resampling.BICUBIC), np.uint8)
    except Exception:  # Pillow's readers fail in any way at all; a picture hurts itself alone
        return None
