"""Bring embeddings and probabilities into the columns that the model learns from.

An embedding `e` becomes `(e / |e| - m) / s`, with the mean `m` of the rows of unit length and `s`
such that a row has a mean square length of one; beyond `MAX_COLUMNS` numbers it is projected on its
first principal axes. Of probabilities their logarithms are used, less their mean over the classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Floats

MAX_COLUMNS = 256
"""Principal axes kept, so that ten million images of any encoder stay at 5 GB in float16."""
SAMPLE_ROWS = 50_000
"""Rows that mean, scale and axes are computed from: more move no axis of weight."""
SAMPLE_BLOCKS = 200
"""Evenly spaced blocks of neighboring rows that the sample is made of: spread, as manifests are
often sorted by class, and few, as each may be a request."""
BLOCK_ROWS = 8_192
"""Rows computed at a time, which bounds temporary arrays."""
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

    @property
    def width(self) -> int:
        """Return the number of columns."""
        return self.rows.shape[1] if self.axes is None else self.axes.shape[1]

    def of(
        self, rows: NDArray[np.floating], weights: Floats | None = None
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Return the columns (rows x columns, float32) of a block of rows, and which are usable.

        With `weights` (columns x classes) their product. Hot path: what is done to each number of a
        wide row is done after it is projected, where there are fewer; and a product needs no
        columns, as the axes are multiplied by the weights before. Rows not usable are zeros.
        """
        matrix = self.axes if weights is None or self.axes is None else self.axes @ weights
        matrix = weights if matrix is None else matrix
        numbers = in_single_precision(rows)
        lengths = _lengths(numbers, rows.dtype)
        # a number that is not finite makes a length that is not
        usable = np.isfinite(lengths[:, 0]) & (lengths[:, 0] > SHORTEST)
        numbers[~usable] = 0
        scale = 1 / (lengths if self.is_embedding else np.ones_like(lengths))
        scale[~usable] = 0
        if not self.is_embedding:
            numbers = _scaled(numbers, self.is_embedding)
        columns = numbers if matrix is None else numbers @ matrix
        columns *= (scale / self.length).astype(np.float32)
        center = self.mean if matrix is None else self.mean @ matrix
        columns -= usable[:, None] * (center / np.float32(self.length))
        return columns, usable


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Columns as the model reads them, `width` of all sources and a constant one."""

    projections: list[Projection]
    width: int

    def __len__(self) -> int:
        """Count the images."""
        return len(self.projections[0].rows)

    def of(self, images: NDArray[np.int64]) -> tuple[Floats, NDArray[np.bool_]]:
        """Return the columns (images x width + 1) of images by rising index, and which are usable.

        Those are the ones for which each source has numbers; rows of others are zeros.
        """
        columns = np.empty((len(images), self.width + 1), np.float32)
        usable = np.ones(len(images), np.bool_)
        for start in range(0, len(self), BLOCK_ROWS):
            first, end = np.searchsorted(images, (start, start + BLOCK_ROWS))
            if end == first:
                continue
            for projection, part in self._parts():
                block = projection.rows[start : start + BLOCK_ROWS][images[first:end] - start]
                columns[first:end, part], of_source = projection.of(block)
                usable[first:end] &= of_source
        columns[:, -1] = 1
        columns[~usable] = 0
        return columns, usable

    def scores(
        self, weights: NDArray[np.float64], folds: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return scores (images x classes) by the weights of each image's fold, and who has some.

        `weights` are folds x width + 1 x classes, and `folds` the fold of each image. The scores of
        an image that is not usable are zeros.
        """
        scores = np.empty((len(self), weights.shape[2]), np.float32)
        usable = np.ones(len(self), np.bool_)
        narrow = weights.astype(np.float32)
        for start in range(0, len(self), BLOCK_ROWS):
            rows = slice(start, min(start + BLOCK_ROWS, len(self)))
            blocks = [(p, part, p.rows[rows]) for p, part in self._parts()]
            for fold, of_fold in enumerate(narrow):
                images = np.flatnonzero(folds[rows] == fold)
                total = np.broadcast_to(of_fold[-1], (len(images), len(of_fold[-1]))).copy()
                for projection, part, block in blocks:
                    columns, of_source = projection.of(block[images], of_fold[part])
                    total += columns
                    usable[start + images] &= of_source
                scores[start + images] = total
        scores[~usable] = 0
        return scores, usable

    def _parts(self) -> Iterator[tuple[Projection, slice]]:
        """Yield the sources' projections with their place among the columns."""
        first = 0
        for projection in self.projections:
            yield projection, slice(first, first + projection.width)
            first += projection.width


def features(columns: Columns) -> Features:
    """Return the columns ready to be read, with their scale taken from a sample of the rows."""
    projections = [
        _project(rows, is_embedding=rows is columns.embeddings) for rows in columns.sources
    ]
    return Features(projections, sum(projection.width for projection in projections))


def _project(rows: Rows, *, is_embedding: bool) -> Projection:
    """Return the map of a source, from an even sample of its usable rows."""
    taken = _sample(rows)
    lengths = _lengths(taken, np.dtype(np.float32))[:, 0]
    sample = _scaled(taken[np.isfinite(lengths) & (lengths > SHORTEST)], is_embedding)
    count = len(sample)
    mean = sample.mean(axis=0, dtype=np.float64) if count else np.zeros(rows.shape[1])
    sample -= mean.astype(np.float32)
    axes = None
    if rows.shape[1] > MAX_COLUMNS:
        axes = principal_axes((sample.T @ sample).astype(np.float64))
        sample = sample @ axes
    squares = np.einsum("ij,ij->", sample, sample, dtype=np.float64)
    length = float(np.sqrt(squares / max(count, 1)))
    return Projection(rows, is_embedding, mean.astype(np.float32), axes, length or 1.0)


def _sample(rows: Rows) -> Floats:
    """Return all rows of few, and of many evenly spaced blocks of neighbors, in float32."""
    if len(rows) <= SAMPLE_ROWS:
        step = size = SAMPLE_ROWS
    else:
        step, size = len(rows) // SAMPLE_BLOCKS, SAMPLE_ROWS // SAMPLE_BLOCKS
    starts = range(0, len(rows), step)
    return np.concatenate([in_single_precision(rows[start : start + size]) for start in starts])


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
    numbers = in_single_precision(rows)
    lengths = _lengths(numbers, rows.dtype)
    numbers[~np.isfinite(lengths[:, 0])] = 0
    numbers /= np.where(np.isfinite(lengths), lengths, 1).astype(np.float32)
    return numbers


def in_single_precision(rows: NDArray[np.floating]) -> Floats:
    """Return a copy of the rows in float32.

    Hot path: numpy's own way of reading half precision takes three times as long. The bits
    of a half are those of a single with an exponent less by 112, subnormal ones too; numbers that
    are not finite are converted by numpy.
    """
    if rows.dtype != np.float16 or not rows.flags.c_contiguous:
        return np.array(rows, np.float32)
    bits = rows.view(np.int16)
    if ((bits & _HALF_EXPONENT) == _HALF_EXPONENT).any():
        return rows.astype(np.float32)
    wide = bits.astype(np.int32)  # the sign is extended to the left ...
    wide <<= 13
    wide &= ~(0b111 << 28)  # ... and cleared where the exponent of a single begins
    numbers: Floats = wide.view(np.float32)
    numbers *= np.float32(2.0**112)
    return numbers


_HALF_EXPONENT = np.int16(0x7C00)
"""Bits of a half's exponent, all of which are one where it is not a finite number."""


def _lengths(numbers: Floats, dtype: np.dtype[np.floating]) -> NDArray[np.float64]:
    """Return the lengths of rows (rows x 1), no shorter than `SHORTEST`, that came as a `dtype`.

    Squares of halves cannot overflow in single precision, and are summed in a third of the time.
    """
    precision = np.float32 if dtype == np.float16 else np.float64
    squares = np.einsum("ij,ij->i", numbers, numbers, dtype=precision)
    lengths: NDArray[np.float64] = np.maximum(np.sqrt(squares.astype(np.float64)), SHORTEST)
    return lengths[:, None]


def _scaled(numbers: Floats, is_embedding: bool) -> Floats:
    """Return embeddings at unit length, and probabilities as centered logarithms, in float32."""
    if is_embedding:
        return unit_rows(numbers)
    numbers = np.array(numbers, np.float32)
    np.nan_to_num(numbers, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    np.log(np.maximum(numbers, MIN_PROBABILITY), out=numbers)
    numbers -= numbers.mean(axis=1, keepdims=True)
    return numbers
