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

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Floats
from tessera.tiling.guesses.columns import Features
from tessera.tiling.pseudo_random import pseudo_random

FOLDS = 5
"""Folds of the images: each is guessed by what four fifths of the answered images teach."""
L2_GRID = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Shrinkages tried, for columns of unit length and a thousand images: wide enough that neither end
is chosen on any measured set."""
CONSTANT_L2 = 1e-6
"""Shrinkage of the constant column: only enough that the sums can be solved without any image."""


def folds_of(images: int) -> NDArray[np.uint8]:
    """Return each image's fold, by a hash of its index: neither order nor chance decide it."""
    hashes = pseudo_random(np.arange(images, dtype=np.uint64))
    return (hashes % np.uint64(FOLDS)).astype(np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Ridge:
    """Out-of-fold regression on the columns of images, of which some are `answered` (images).

    `grams` (folds x width x width) are the sums of squares of the answered images of each fold.
    """

    features: Features
    answered: NDArray[np.bool_]
    folds: NDArray[np.uint8]
    grams: NDArray[np.float64]

    def fit(self, targets: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
        """Return the weights (folds x width x classes) for targets (images x classes), and l2."""
        width, classes = self.grams.shape[1], targets.shape[1]
        sums = np.zeros((FOLDS, width, classes))
        for rows, block in self.features.blocks():
            order, parts = self._by_fold(rows, self.answered[rows])
            columns, wanted = block[order], targets[rows][order]
            for fold, part in enumerate(parts):
                sums[fold] += columns[part].T @ wanted[part]
        return self._solve(sums)

    def predict(self, weights: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return scores (images x classes), each image's by the weights of its fold."""
        scores = np.zeros((len(self.answered), weights.shape[2]), np.float32)
        narrow = weights.astype(np.float32)
        for rows, block in self.features.blocks():
            order, parts = self._by_fold(rows)
            columns = block[order]
            for fold, part in enumerate(parts):
                scores[rows][order[part]] = columns[part] @ narrow[fold]
        return scores

    def _by_fold(
        self, rows: slice, among: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.intp], list[slice]]:
        """Return an order of a block's images in which each fold is one slice, and the slices."""
        order = np.argsort(self.folds[rows], kind="stable")
        order = order if among is None else order[among[order]]
        ends = np.searchsorted(self.folds[rows][order], np.arange(FOLDS + 1))
        return order, [slice(ends[fold], ends[fold + 1]) for fold in range(FOLDS)]

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
    """Return the regression on the answered images (images), with its sums of squares."""
    answered = answered & features.usable
    folds = folds_of(len(answered))
    grams = np.zeros((FOLDS, features.width + 1, features.width + 1))
    regression = Ridge(features, answered, folds, grams)
    for rows, block in features.blocks():
        order, parts = regression._by_fold(rows, answered[rows])
        columns = block[order]
        for fold, part in enumerate(parts):
            mine = columns[part]  # one array twice, of which half is computed and mirrored
            grams[fold] += mine.T @ mine
    return regression


def softmax(scores: Floats) -> Floats:
    """Turn scores (images x classes) into probabilities."""
    p: Floats = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return p
