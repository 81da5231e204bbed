"""Estimate between-worker variance: it sets how strongly each matrix is shrunk to the pooled one.

Each answer is compared with what the image's other answers predict for an average worker. If all
workers are alike, the residual is chance. If they differ, the residuals of the same worker are
correlated. This intraclass correlation `c` is estimated by the method of moments. The best linear
estimate of a worker's mean residual shrinks it by `s = 1 / c - 1` pseudo-observations, so that is
how many pseudo-answers of the pooled matrix each worker's matrix gets. Measured in
docs/decisions/consensus-spread.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tessera.tiling.consensus.class_prior import flattest_prior, sample_images
from tessera.tiling.consensus.confidence import RHO, temper
from tessera.tiling.consensus.crowd import EqualDepth, Floats, Ints
from tessera.tiling.consensus.em import EPSILON, accumulate, vote_probabilities, vote_shares
from tessera.tiling.consensus.hierarchical import FIT_VOTE_WEIGHT, pooled_confusion

PRIOR_CORRELATION, PRIOR_PAIRS = 0.1, 30.0
"""Correlation within workers before anything is known, as if observed on so many pairs of answers:
nine crowds of images have 0.02 to 0.3 (docs/decisions/consensus-spread.md)."""
MIN_SHRINKAGE, MAX_SHRINKAGE = 2.0, 16.0
"""Bounds of the pseudo-answers: wider ones cost accuracy where images have many answers
(docs/decisions/consensus-spread.md)."""
SAMPLE_IMAGES = 25_000
"""Images that the correlation is estimated from: four times as many label no image better
(docs/decisions/consensus-constants.md)."""


def estimate_shrinkage(by_depth: list[EqualDepth], workers: int, classes: int) -> float:
    """Return the pseudo-answers a class of the pooled matrix that each worker's matrix gets."""
    several = [part for part in by_depth if part.depth > 1]
    images = sum(len(part.ids) for part in several)
    sample = [part.every(max(images // SAMPLE_IMAGES, 1)) for part in several]
    correlated, pairs = _correlated_pairs(sample, workers, classes) if images else (0.0, 0.0)
    correlation = (correlated + PRIOR_CORRELATION * PRIOR_PAIRS) / (pairs + PRIOR_PAIRS)
    return min(max(1 / max(correlation, 1 / (1 + MAX_SHRINKAGE)) - 1, MIN_SHRINKAGE), MAX_SHRINKAGE)


def _correlated_pairs(
    by_depth: list[EqualDepth], workers: int, classes: int
) -> tuple[float, float]:
    """Return the sum of correlations over pairs of answers of the same worker, and their number.

    Method of moments: with `q` for the probability that an answer's image is of class `k`, by the
    image's other answers, `n[k, j, l]` for the sum of `q` over the answers `l` of worker `j`, and
    `A[k, l]` for the share of label `l` among all answers to class `k`, the squared residuals are

        sum over k, j, l of (n[k, j, l] - n[k, j, +] A[k, l])^2

    Independent answers contribute sum q^2 (1 - 2 A[k, l] + sum_l A[k, l]^2) to that. The remainder,
    divided by the variance of an answer, is the sum of correlations. An uncertain class counts with
    `q` twice: once for the answer, and once because it dilutes the residual.
    """
    sums, squares = np.zeros((2, classes, workers * classes))
    fourth_powers = 0.0
    for codes, q in _leave_one_out(by_depth, classes):
        accumulate(sums, q, codes)
        q *= q
        accumulate(squares, q, codes)
        q *= q
        fourth_powers += float(q.sum())
    counts = sums.reshape(classes, workers, classes)
    squared = squares.reshape(classes, workers, classes)
    by_worker, by_label, squared_by_label = (
        counts.sum(axis=2),
        counts.sum(axis=1),
        squared.sum(axis=1),
    )
    anybody = by_label / np.maximum(by_label.sum(axis=1, keepdims=True), EPSILON)
    residuals = counts - by_worker[:, :, None] * anybody[:, None, :]
    one_answer = 1 - 2 * anybody + (anybody**2).sum(axis=1, keepdims=True)
    independent = (squared_by_label * one_answer).sum()
    variance = max(float(independent / squared_by_label.sum()), EPSILON)
    pairs = float((squared.sum(axis=2) ** 2).sum()) - fourth_powers
    return float((residuals**2).sum() - independent) / variance, pairs


def _leave_one_out(by_depth: list[EqualDepth], classes: int) -> Iterator[tuple[Ints, Floats]]:
    """Yield answers with the probabilities of their class by the other answers (classes x answers).

    Here all workers have the pooled matrix, counted by the votes.
    """
    blocks = [block for part in by_depth for block in part.blocks()]
    joint = np.zeros((classes, classes))
    for block in blocks:
        p = vote_probabilities(block, classes)
        accumulate(joint, np.tile(p, block.depth), block.labels(classes).ravel())
    log_confusion = np.log(pooled_confusion(joint))
    shares, flattest = (
        vote_shares(by_depth, classes),
        flattest_prior(sample_images(by_depth), classes),
    )
    log_prior = np.log(FIT_VOTE_WEIGHT * shares + (1 - FIT_VOTE_WEIGHT) * flattest)
    for block in blocks:
        each = [log_confusion[:, labels] for labels in block.labels(classes)]
        total = sum(each, log_prior[:, None])
        for codes, own in zip(block.codes, each, strict=True):
            yield codes, temper(total - own, block.depth - 1, RHO)
