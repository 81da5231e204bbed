"""Expectation maximization over one confusion matrix a worker, for the methods that learn.

Arrays are class by image (`scores`), class by worker x label (`counts`) and worker x label by
class (`table`), so that each pass runs along memory, in blocks. A method is a function from what
was counted to a `Model`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus.crowd import Floats, Ints, Stack, highest, votes

ROUNDS = 30
ENOUGH = 1e-4
"""Rise of the log likelihood an answer below which the estimate stands still."""
FULL = 1
"""Passes over all images after that: enough to learn the workers whom the part had little of."""
GUESS_WEIGHT = 0.7
"""How much of a model's probability is believed."""
SAMPLE = 50_000
"""Images that the estimate is first made on, where there are more than twice as many."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What is known of images beside their answers.

    `known` holds the class of each image that is known beforehand, else -1. `guess` and `odds`
    hold the class that a model guessed, else -1, and the weight of that guess in log odds.
    """

    known: NDArray[np.int16] | None = None
    guess: NDArray[np.int16] | None = None
    odds: NDArray[np.float32] | None = None

    def pin(self, p: Floats, ids: NDArray[np.int32]) -> None:
        """Make the known images certain."""
        if self.known is None:
            return
        known = self.known[ids]
        columns = np.flatnonzero(known >= 0)
        p[:, columns] = 0
        p[known[columns], columns] = 1

    def lean(self, scores: Floats, ids: NDArray[np.int32]) -> None:
        """Add the guesses to the scores."""
        if self.guess is None or self.odds is None:
            return
        guess = self.guess[ids]
        columns = np.flatnonzero(guess >= 0)
        scores[guess[columns], columns] += self.odds[ids[columns]]


def guesses(guess: NDArray[np.int16], probability: Floats, classes: int) -> Evidence:
    """A model's guesses as evidence: its class for each image, else -1, and how sure it was.

    Workers who were shown a guess lean towards it, and it would count twice; so nothing uses this
    unless it is told to.
    """
    p = np.clip(probability, 0.001, 0.999)
    odds = GUESS_WEIGHT * np.log(p / (1 - p) * max(classes - 1, 1))
    return Evidence(guess=guess, odds=odds.astype(np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """What one pass over the answers counted, by the probabilities that it held for right.

    `answers` is class by worker by label. `mean` is the mean probability of each class, `shares`
    its mean share of votes.
    """

    answers: Floats
    mean: Floats
    shares: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """What is believed of a crowd: log class prior, log table of answers, everybody's matrix.

    The table has a row for each worker and label, which holds a log probability a class.
    """

    prior: Floats
    table: Floats
    pooled: Floats
    counted: Counted

    def scores(self, block: Stack, evidence: Evidence) -> Floats:
        """Log joint probability of each class (down) and the answers of each image (across)."""
        first, *others = block.cells
        total = self.table.take(first, axis=0)
        for cells in others:
            total += self.table.take(cells, axis=0)
        total += self.prior.astype(total.dtype)
        across = np.ascontiguousarray(total.T)
        evidence.lean(across, block.ids)
        return across


Learn = Callable[[Counted], Model]


def by_cell(table: Floats) -> Floats:
    """A table of class by worker by label as one of worker x label by class."""
    return np.ascontiguousarray(table.reshape(len(table), -1).T)


def normalize(scores: Floats) -> float:
    """Turn log scores into probabilities, in place; gives the log likelihood."""
    top = highest(scores)
    scores -= top
    np.exp(scores, out=scores)
    total = scores.sum(axis=0)
    scores /= total
    return float((np.log(total) + top).sum(dtype=np.float64))


def fit(
    stacks: list[Stack],
    learn: Learn,
    *,
    workers: int,
    classes: int,
    evidence: Evidence,
    alone: bool,
    enough: float,
    rounds: int,
) -> Model:
    """What `learn` makes of the crowd; `alone` says whether an image's only answer teaches.

    A large crowd is first learned from a part, evenly taken, so that few passes go over all.
    """
    images = sum(len(pile.ids) for pile in stacks)
    model: Model | None = None
    steps = [1] if images <= 2 * SAMPLE else [images // SAMPLE, 1]
    for step in steps:
        piles = [pile.every(step) for pile in stacks]
        shares = vote_shares(piles, classes)
        answers = sum(pile.cells.size for pile in piles)
        before = -np.inf
        for _ in range(rounds if step > 1 or len(steps) == 1 else FULL):
            first = model is None
            counts = np.zeros((classes, workers * classes))
            mean, likelihood = np.zeros(classes), 0.0
            for block in (piece for pile in piles for piece in pile.blocks()):
                if model is None:
                    p = vote_probabilities(block, classes)
                else:
                    p = model.scores(block, evidence)
                    likelihood += normalize(p)
                evidence.pin(p, block.ids)
                mean += p.sum(axis=1, dtype=np.float64)
                _count(counts, p, block, evidence, alone)
            total = sum(len(pile.ids) for pile in piles)
            shaped = counts.reshape(classes, workers, classes)
            model = learn(Counted(shaped, mean / max(total, 1), shares))
            if not first:
                if likelihood - before < enough * answers:
                    break
                before = likelihood
    assert model is not None
    return model


def _count(counts: Floats, p: Floats, block: Stack, evidence: Evidence, alone: bool) -> None:
    """Add a block's answers to the counts."""
    cells = block.cells
    if block.depth == 1 and not alone:
        if evidence.known is None:
            return
        telling = evidence.known[block.ids] >= 0
        p, cells = p[:, telling], cells[:, telling]
    weigh(counts, np.tile(p, len(cells)), cells.ravel())


def weigh(counts: Floats, p: Floats, cells: Ints) -> None:
    """Add to the counts (class by cell) answers in these cells, each with its probabilities."""
    for row, weights in zip(counts, p, strict=True):
        row += np.bincount(cells, weights, len(row))


def vote_probabilities(block: Stack, classes: int) -> Floats:
    """The shares of votes (class by image), none of them quite nothing."""
    p = votes(block, classes)
    p += 0.01 / classes
    p /= block.depth + 0.01
    return p


def vote_shares(stacks: list[Stack], classes: int) -> Floats:
    """The mean share of votes of each class."""
    shares = np.zeros(classes)
    images = 0
    for pile in stacks:
        for block in pile.blocks():
            said = np.bincount(block.labels(classes).ravel(), minlength=classes)
            shares += said / pile.depth
        images += len(pile.ids)
    return shares / max(images, 1)
