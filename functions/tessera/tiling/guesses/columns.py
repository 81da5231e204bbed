"""Bring embeddings and probabilities into the columns that the model learns from.

An embedding `e` becomes `(e / |e| - m) / s`, with the mean `m` of the rows of unit length and `s`
such that a row has a mean square length of one; beyond `MAX_COLUMNS` numbers it is projected on its
first principal axes. Of probabilities their logarithms are used, less their mean over the classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Floats

MAX_COLUMNS = 256
"""Principal axes kept, so that ten million images of any encoder stay at 5 GB in float16."""
SAMPLE_ROWS = 50_000
"""Rows, evenly spaced, that mean, scale and axes are computed from: more move no axis of weight."""
BLOCK_ROWS = 8_192
"""Rows computed at a time, which bounds temporary arrays."""
MOST_KEPT_BYTES = 800_000_000
"""Bytes of columns that are kept between the readings of them, of a million and a half images: what
the consolidation of so many leaves of a function's 3,008 MB. Those of more are made each time."""
SHORTEST = 1e-9
"""Length below which a row is not stretched: it is zero but for rounding."""
MIN_PROBABILITY = 1e-5
"""Smallest probability whose logarithm is taken: a model's 1e-30 says no more than that it is sure,
and would outweigh all other columns."""


class Rows(Protocol):
    """Rows of numbers that are read a slice at a time: an array, a memory map, a stored file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the number of rows, and of numbers in each."""

    def __len__(self) -> int:
        """Count the rows."""

    def __getitem__(self, rows: slice, /) -> NDArray[np.floating]:
        """Return a slice of neighboring rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Sources that the model learns from, with one row an image, in the order of the images.

    `embeddings` (images x numbers) and `probabilities` (images x any classes) may be memory maps or
    stored files (`guesses.embeddings`); at least one of them is there. Rows that hold NaN, or of
    which all numbers are zero, have no guess.
    """

    embeddings: Rows | None = None
    probabilities: Rows | None = None

    @property
    def sources(self) -> list[Rows]:
        """List the arrays that are there."""
        return [rows for rows in (self.embeddings, self.probabilities) if rows is not None]

    def __len__(self) -> int:
        """Count the images."""
        return len(self.sources[0])


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Linear map of one source: `(scale(row) - mean) @ axes`, with `axes` None for no rotation."""

    rows: Rows
    is_embedding: bool
    mean: Floats
    axes: Floats | None
    length: float

    def of(self, rows: NDArray[np.floating]) -> Floats:
        """Return the columns (rows x columns, float32) of a block of rows.

        Hot path: what is done to each number of a wide row is done after it is projected, where
        there are fewer. A row that is not finite stays so.
        """
        if self.axes is None or not self.is_embedding:
            centered = _scaled(rows, self.is_embedding) - self.mean
            columns: Floats = centered if self.axes is None else centered @ self.axes
            columns /= self.length
            return columns
        numbers = np.asarray(rows, np.float32)
        columns = numbers @ self.axes
        columns /= (_lengths(numbers) * self.length).astype(np.float32)
        columns -= self.mean @ self.axes / np.float32(self.length)
        return columns


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Columns as the model reads them: a block of rows at a time, as often as needed.

    `usable` (images) is false where a source has no numbers for an image.
    """

    projections: list[Projection]
    usable: NDArray[np.bool_]
    width: int
    kept: dict[int, NDArray[np.float16]] = field(default_factory=dict)
    """Blocks in half precision by their first image, where all together are few enough."""

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """Yield slices of images with their columns and a constant one (images x width + 1).

        They are in half precision however often they are read, so that it makes no difference
        whether they are kept.
        """
        keeps = len(self.usable) * (self.width + 1) * 2 <= MOST_KEPT_BYTES
        for start in range(0, len(self.usable), BLOCK_ROWS):
            rows = slice(start, min(start + BLOCK_ROWS, len(self.usable)))
            block = self.kept.get(start)
            if block is None:
                block = self._block(rows)
                if keeps:
                    self.kept[start] = block
            yield rows, block.astype(np.float32)

    def _block(self, rows: slice) -> NDArray[np.float16]:
        block = np.empty((rows.stop - rows.start, self.width + 1), np.float16)
        first = 0
        for projection in self.projections:
            columns = projection.of(projection.rows[rows])
            block[:, first : first + columns.shape[1]] = columns
            first += columns.shape[1]
        block[:, -1] = 1
        block[~self.usable[rows]] = 0
        return block


def features(columns: Columns) -> Features:
    """Return the columns ready to be read, with their scale taken from a sample of the rows."""
    usable = np.ones(len(columns), np.bool_)
    for rows in columns.sources:
        for start in range(0, len(rows), BLOCK_ROWS):
            lengths = _lengths(np.asarray(rows[start : start + BLOCK_ROWS], np.float32))[:, 0]
            # a number that is not finite makes a length that is not
            usable[start : start + BLOCK_ROWS] &= np.isfinite(lengths) & (lengths > SHORTEST)
    projections = [
        _project(rows, usable, is_embedding=rows is columns.embeddings) for rows in columns.sources
    ]
    width = sum(
        projection.rows.shape[1] if projection.axes is None else projection.axes.shape[1]
        for projection in projections
    )
    return Features(projections, usable, width)


def _project(rows: Rows, usable: NDArray[np.bool_], *, is_embedding: bool) -> Projection:
    """Return the map of a source, from an even sample of its usable rows."""
    ids = np.flatnonzero(usable)
    ids = ids[:: max(len(ids) // SAMPLE_ROWS, 1)]
    sample = _scaled(_take(rows, ids), is_embedding)
    mean = sample.mean(axis=0, dtype=np.float64) if len(ids) else np.zeros(rows.shape[1])
    centered = sample - mean.astype(np.float32)
    wide = rows.shape[1] > MAX_COLUMNS
    axes = principal_axes((centered.T @ centered).astype(np.float64)) if wide else None
    kept = centered if axes is None else centered @ axes
    length = float(np.sqrt((kept.astype(np.float64) ** 2).sum() / max(len(ids), 1)))
    return Projection(rows, is_embedding, mean.astype(np.float32), axes, length or 1.0)


def _take(rows: Rows, ids: NDArray[np.int64]) -> NDArray[np.floating]:
    """Return rows by rising number, with one block at a time in memory beside them."""
    parts = [np.empty((0, rows.shape[1]), np.float32)]
    for start in range(0, len(rows), BLOCK_ROWS):
        first, end = np.searchsorted(ids, (start, start + BLOCK_ROWS))
        if end > first:
            block = np.asarray(rows[start : start + BLOCK_ROWS])
            parts.append(block[ids[first:end] - start].astype(np.float32))
    return np.concatenate(parts)


def principal_axes(covariance: NDArray[np.float64]) -> Floats:
    """Return the `MAX_COLUMNS` axes (numbers x axes, float32) along which rows vary most.

    `covariance` (numbers x numbers) may be scaled by any number. An axis' sign is chosen so that
    its largest number is positive, since LAPACK leaves it open.
    """
    _, vectors = np.linalg.eigh(covariance)
    axes = vectors[:, ::-1][:, :MAX_COLUMNS]
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    chosen: Floats = (axes * np.sign(largest)).astype(np.float32)
    return chosen


def unit_rows(rows: NDArray[np.floating]) -> Floats:
    """Return rows (rows x numbers) at unit length in float32; zeros where one is not finite."""
    numbers = np.array(rows, np.float32)
    lengths = _lengths(numbers)
    numbers[~np.isfinite(lengths[:, 0])] = 0
    numbers /= np.where(np.isfinite(lengths), lengths, 1).astype(np.float32)
    return numbers


def _lengths(numbers: Floats) -> NDArray[np.float64]:
    """Return the lengths of rows (rows x 1), no shorter than `SHORTEST`."""
    squares = np.einsum("ij,ij->i", numbers, numbers, dtype=np.float64)
    lengths: NDArray[np.float64] = np.maximum(np.sqrt(squares), SHORTEST)[:, None]
    return lengths


def _scaled(rows: NDArray[np.floating], is_embedding: bool) -> Floats:
    """Return embeddings at unit length, and probabilities as centered logarithms, in float32."""
    if is_embedding:
        return unit_rows(rows)
    numbers = np.array(rows, np.float32)
    np.nan_to_num(numbers, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    np.log(np.maximum(numbers, MIN_PROBABILITY), out=numbers)
    numbers -= numbers.mean(axis=1, keepdims=True)
    return numbers
