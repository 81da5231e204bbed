"""Encode a picture as its own gray pixels, which needs no weights: a demonstration and a test."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tessera.encoders.decoding import Pixels

SIDE = 8
"""Pixels of a side: 64 numbers tell digits apart, and little else."""


class PixelEncoder:
    """Encoder of pictures into 8 x 8 gray pixels."""

    name = identity = "pixels"
    size = 64
    """Pixels of a side of the square that it takes: eight for each that it keeps."""

    def encode(self, pictures: list[Pixels]) -> NDArray[np.float32]:
        """Return the pictures' gray values (pictures x 64), from just above 0 to 1."""
        rows = np.empty((len(pictures), SIDE * SIDE), np.float32)
        for row, picture in zip(rows, pictures, strict=True):
            gray = Image.fromarray(picture).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
            # a black picture has an embedding, too; one of zeros would be none
            row[:] = (np.asarray(gray, np.float32).ravel() + 1) / 256
        return rows
