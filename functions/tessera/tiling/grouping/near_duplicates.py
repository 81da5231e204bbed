"""Find images that are nearly the same as an earlier one, by their embeddings.

Bursts of a camera and frames of a film lie near one another in a manifest, so an image is compared
with the `WINDOW` images before it that are asked themselves: a cosine of `bound` or more makes it a
repeat of the first such image. Memory holds that window, whatever the manifest's size, and a
million images take a minute or two.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.grouping.similar import Embeddings, Floats, read_rows

WINDOW = 4_096
"""Images before it that an image is compared with: ten minutes of film at seven frames a second."""
BLOCK = 512
"""Images compared at a time: 8 MB of cosines."""
DIGITS = 4
"""Digits of a cosine that count, so that another processor's last bit joins no two images."""


class NearDuplicates(NamedTuple):
    """Columns of images that are nearly the same as an earlier one."""

    positions: NDArray[np.int64]
    """Their places among the images that were compared, rising."""
    first_indexes: NDArray[np.int64]
    """Manifest line of the image that each is like."""
    similarities: NDArray[np.float64]
    """Cosine of both embeddings."""


class NearDuplicateFinder:
    """Finder of a manifest's near-duplicates, which takes its images in order."""

    def __init__(self, embeddings: Embeddings, bound: float) -> None:
        """Begin with no image to compare others with."""
        self._embeddings = embeddings
        self._bound = bound
        self._rows: Floats = np.empty((0, embeddings.shape[1]), np.float32)
        self._indexes = np.empty(0, np.int64)

    def find(self, indexes: NDArray[np.int64]) -> NearDuplicates:
        """Return which of these images, given by their rising indexes, repeat an earlier one."""
        parts = [NearDuplicates(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
        for start in range(0, len(indexes), BLOCK):
            near = self._compare(indexes[start : start + BLOCK])
            parts.append(near._replace(positions=near.positions + start))
        return NearDuplicates(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def _compare(self, indexes: NDArray[np.int64]) -> NearDuplicates:
        """Compare one block with the window and with itself, and move the window on."""
        rows = read_rows(self._embeddings, indexes)
        rows /= np.maximum(np.sqrt((rows**2).sum(axis=1, keepdims=True)), 1e-9)
        known = np.concatenate([self._indexes, indexes])
        before = len(self._indexes)
        cosines = np.round(rows @ np.concatenate([self._rows, rows]).T, DIGITS).astype(np.float64)
        alike = cosines >= self._bound
        # an image is compared with those before it, and a row of zeros is like none
        alike &= np.arange(len(known)) < before + np.arange(len(rows))[:, None]
        first = np.full(len(rows), -1)
        asked = np.ones(len(known), bool)
        for row in np.flatnonzero(alike.any(axis=1)).tolist():
            matches = np.flatnonzero(alike[row] & asked)  # what repeats another is not asked itself
            if len(matches):
                first[row] = matches[0]
                asked[before + row] = False
        positions = np.flatnonzero(first >= 0)
        kept = first < 0
        self._rows = np.concatenate([self._rows, rows[kept]])[-WINDOW:]
        self._indexes = known[asked][-WINDOW:]
        return NearDuplicates(
            positions, known[first[positions]], cosines[positions, first[positions]]
        )
