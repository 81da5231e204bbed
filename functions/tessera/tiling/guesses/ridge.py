"""Fit a linear model of the labels by ridge regression, out of fold and in closed form.

With rows `x` (columns and a constant one) and targets `t` (the probabilities of the classes by the
people's answers) the weights of a fold are those of all other folds' images:

    W = (G + l2 n / 1000 I)^-1 B,   G = sum of x x',   B = sum of x t'

so that no image is guessed by a model that has seen its own answers. `l2` is the one of `L2_GRID`
at which the folds' squared error is least, which follows from the sums alone:

    sum |x' W - t|^2 = tr(W' G W) - 2 tr(W' B) + sum |t|^2

A. E. Hoerl, R. W. Kennard: Ridge regression. Technometrics 12(1), 1970. Logistic regression is as
accurate but has no closed form (docs/decisions/guesses-one-more-annotator.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Floats
from tessera.tiling.guesses.columns import BLOCK_ROWS, Features
from tessera.tiling.pseudo_random import pseudo_random

FOLDS = 5
"""Folds of the images: each is guessed by what four fifths of the answered images teach."""
L2_GRID = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Shrinkages tried, for columns of unit length and a thousand images: wide enough that neither end
is chosen on any measured set."""
MOST_TAUGHT = 200_000
"""Images that teach at most. What so many leave to chance is 257 / 200,000 of the answers' noise;
their columns take 206 MB (docs/decisions/guesses-one-more-annotator.md)."""
CONSTANT_L2 = 1e-6
"""Shrinkage of the constant column: only enough that the sums can be solved without any image."""


def folds_of(images: int) -> NDArray[np.uint8]:
    """Return each image's fold, by a hash of its index: neither order nor chance decide it."""
    hashes = pseudo_random(np.arange(images, dtype=np.uint64))
    return (hashes % np.uint64(FOLDS)).astype(np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Ridge:
    """Out-of-fold regression on the columns of the images that teach it.

    `taught` are the indexes of those images, fold by fold and rising within each, `columns` (taught
    x width) theirs, and `parts` the folds' slices of both; `folds` (images) are the folds of all
    images, and `grams` (folds x width x width) the sums of squares of each fold.
    """

    features: Features
    folds: NDArray[np.uint8]
    taught: NDArray[np.int64]
    columns: Floats
    parts: list[slice]
    grams: NDArray[np.float64]

    def fit(self, targets: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
        """Return the weights (folds x width x classes) for targets (images x classes), and l2."""
        sums = np.zeros((FOLDS, self.grams.shape[1], targets.shape[1]))
        for fold, part in enumerate(self.parts):
            for rows in _blocks(part):
                sums[fold] += self.columns[rows].T @ targets[self.taught[rows]]
        return self._solve(sums)

    def predict(
        self, weights: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return scores (images x classes), each image's by the weights of its fold.

        And which images have some; the scores of others are zeros.
        """
        return self.features.scores(weights, self.folds)

    def _solve(self, sums: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """Return the weights at the l2 of the least squared error out of fold, and that l2."""
        gram, total = self.grams.sum(axis=0), sums.sum(axis=0)
        images = gram[-1, -1]  # the constant column's sum of squares
        best = (np.inf, np.zeros_like(sums), 0.0)
        for l2 in L2_GRID:
            penalty = np.full(len(gram), l2 * images / 1000)
            penalty[-1] = CONSTANT_L2
            weights = np.linalg.solve(
                gram - self.grams + np.diag(penalty + CONSTANT_L2), total - sums
            )
            error = np.einsum("fik,fij,fjk->", weights, self.grams, weights, optimize=True)
            error -= 2 * (weights * sums).sum()
            if error < best[0]:
                best = (float(error), weights, l2)
        return best[1], best[2]


def ridge(features: Features, answered: NDArray[np.bool_]) -> Ridge:
    """Return the regression on the answered images (images), with its sums of squares.

    Of more than `MOST_TAUGHT` the ones of the least hashes teach, whatever the order of answers.
    """
    images = np.flatnonzero(answered)
    if len(images) > MOST_TAUGHT:
        chance = pseudo_random(images.astype(np.uint64) + np.uint64(len(answered)))
        images = np.sort(images[np.argpartition(chance, MOST_TAUGHT)[:MOST_TAUGHT]])
    columns, usable = features.of(images)
    folds = folds_of(len(answered))
    order = np.argsort(folds[images], kind="stable")
    order = order[usable[order]]
    taught = images[order]
    columns = columns[order]
    ends = np.searchsorted(folds[taught], np.arange(FOLDS + 1))
    parts = [slice(ends[fold], ends[fold + 1]) for fold in range(FOLDS)]
    grams = np.zeros((FOLDS, features.width + 1, features.width + 1))
    for fold, part in enumerate(parts):
        for rows in _blocks(part):
            mine = columns[rows]  # one array twice, of which half is computed and mirrored
            grams[fold] += mine.T @ mine
    return Ridge(features, folds, taught, columns, parts, grams)


def _blocks(part: slice) -> Iterator[slice]:
    """Yield a slice's blocks of rows: single precision within one, double from one to the next."""
    for start in range(part.start, part.stop, BLOCK_ROWS):
        yield slice(start, min(start + BLOCK_ROWS, part.stop))


def softmax(scores: Floats) -> Floats:
    """Turn scores (images x classes) into probabilities."""
    p: Floats = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return p
