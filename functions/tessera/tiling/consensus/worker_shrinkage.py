"""How much the workers of a crowd differ: what says how far each may be judged by own answers.

Each answer is compared with what the image's other answers let expect of anybody. If workers are
all alike, what is left over is chance, and a worker's own answers tell nothing; if they differ, it
repeats itself from image to image. The share of the variance that repeats itself, within a worker,
is the `s` answers by which that worker's matrix should lean on everybody's: share = 1 / (1 + s).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tessera.tiling.consensus.class_prior import evenest
from tessera.tiling.consensus.confidence import RHO, tempered
from tessera.tiling.consensus.crowd import Floats, Ints, Stack
from tessera.tiling.consensus.em import vote_probabilities, vote_shares, weigh
from tessera.tiling.consensus.hierarchical import LEARNING, NOTHING, pool, prior

USUAL, USUAL_PAIRS = 0.1, 30.0
"""The share in crowds so far, and how many pairs of answers it counts as beside a crowd's own."""
LEAST, MOST = 2.0, 16.0
"""Bounds of the weight: about so many answers tell something of a worker in any crowd."""
PART = 25_000
"""Images that are enough to tell."""


def worker_weight(stacks: list[Stack], workers: int, classes: int) -> float:
    """The answers by which each worker's matrix should lean on everybody's."""
    piles = [pile for pile in stacks if pile.depth > 1]
    images = sum(len(pile.ids) for pile in piles)
    piles = [pile.every(max(images // PART, 1)) for pile in piles]
    repeated, pairs = _repeated(piles, workers, classes) if images else (0.0, 0.0)
    share = (repeated + USUAL * USUAL_PAIRS) / (pairs + USUAL_PAIRS)
    return min(max(1 / max(share, 1 / (1 + MOST)) - 1, LEAST), MOST)


def _repeated(piles: list[Stack], workers: int, classes: int) -> tuple[float, float]:
    """The variance within workers that repeats itself, in shares of all, and from how many pairs.

    A worker's surplus of a label, over what anybody says of the same class, is squared; what an
    answer adds to that all by itself is taken off. An uncertain class counts by its probability
    twice: for the answer, and for how much of a difference it lets through.
    """
    weights, squares = np.zeros((2, classes, workers * classes))
    fourth = 0.0
    for block, p in _by_others(piles, classes):
        weigh(weights, p, block)
        p *= p
        weigh(squares, p, block)
        p *= p
        fourth += float(p.sum())
    said = weights.reshape(classes, workers, classes)
    square = squares.reshape(classes, workers, classes)
    rows, together, alone = said.sum(axis=2), said.sum(axis=1), square.sum(axis=1)
    anybody = together / np.maximum(together.sum(axis=1, keepdims=True), NOTHING)
    surplus = said - rows[:, :, None] * anybody[:, None, :]
    by_itself = (alone * (1 - 2 * anybody + (anybody**2).sum(axis=1, keepdims=True))).sum()
    variance = max(float(by_itself / alone.sum()), NOTHING)
    pairs = float((square.sum(axis=2) ** 2).sum()) - fourth
    return float((surplus**2).sum() - by_itself) / variance, pairs


def _by_others(piles: list[Stack], classes: int) -> Iterator[tuple[Ints, Floats]]:
    """Answers, and for each what the image's other answers make of its class (class by answer)."""
    blocks = [block for pile in piles for block in pile.blocks()]
    joint = np.zeros((classes, classes))
    for block in blocks:
        p = vote_probabilities(block, classes)
        weigh(joint, np.tile(p, block.depth), block.labels(classes).ravel())
    log = np.log(pool(joint))
    lean = prior(vote_shares(piles, classes), evenest(piles, classes), LEARNING)
    for block in blocks:
        each = [log[:, labels] for labels in block.labels(classes)]
        total = sum(each, lean[:, None])
        for cells, own in zip(block.cells, each, strict=True):
            yield cells, tempered(total - own, block.depth - 1, RHO)
