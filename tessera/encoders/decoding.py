"""Decode pictures into squares of pixels, as encoders take them."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tessera.page_picture import can_read_heic, flatten
from tessera.picture_folder import MOST_PIXELS

Pixels = NDArray[np.uint8]


def decode(content: bytes, size: int) -> Pixels | None:
    """Return a picture upright (size x size x 3), or None if it cannot be decoded.

    It is squeezed into the square rather than cut, so that nothing of it is left out. A JPEG is
    decoded at the size that it needs, up to eight times as fast.
    """
    can_read_heic()
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.size[0] * image.size[1] > MOST_PIXELS:
                return None
            if image.format == "JPEG" and image.mode == "RGB":
                image.draft("RGB", (size, size))
            upright = ImageOps.exif_transpose(image)
        flat = flatten(upright).convert("RGB")
        return np.asarray(flat.resize((size, size), Image.Resampling.BICUBIC), np.uint8)
    except Exception:  # Pillow's readers fail in any way at all; a picture hurts itself alone
        return None
