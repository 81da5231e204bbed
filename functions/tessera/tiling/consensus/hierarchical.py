"""Hierarchical Dawid-Skene: each worker's mistakes, leaning on everybody's until known better.

What plain Dawid-Skene lacks is added as pseudo-answers: everybody's pooled matrix leans on one
that knows only how often people err and what they say then, and each worker's matrix leans on the
pooled one at that worker's own rate of errors: the more, the less workers of this crowd differ
beyond chance (`worker_shrinkage`). The class prior is no estimate that feeds on itself:
it lies between the votes and the evenest shares that could have led to them
(`class_prior`), without which the rarer classes vanish when images have few answers.
"""

from __future__ import annotations

import numpy as np

from tessera.tiling.consensus.crowd import Floats
from tessera.tiling.consensus.em import Counted, Model, by_cell

POOLED_WEIGHT = 40.0
"""Pseudo-answers a class of the plausible matrix that the pooled one leans on."""
HABIT_WEIGHT = 10.0
"""Errors that the habit of erring towards some classes leans on."""
PLAUSIBLE = 0.8
"""The accuracy that stands for a crowd before anything is known of it."""
SKILL_WEIGHT = 10.0
"""Errors that a worker's rate of errors leans on."""
WORKER_SHARE = 0.03
"""The share of a worker's own answers that is added to those that the worker's matrix leans on."""
LEARNING, JUDGING = 1 / 3, 2 / 3
"""The votes' share of the class prior while workers are learned, and when images are judged."""
NOTHING = 1e-10


def learn(counted: Counted, weight: float, even: Floats) -> Model:
    """The matrices and the prior that the counted answers make plausible.

    Each worker's matrix leans on the pooled one with `weight` answers, the prior on `even`.
    """
    answers = counted.answers
    pooled = pool(answers.sum(axis=1))
    rows = answers.sum(axis=2)
    own = rows.sum(axis=0)
    right = np.einsum("kwk->w", answers)
    expected = (rows * (1 - np.diag(pooled))[:, None]).sum(axis=0)
    skill = (own - right + SKILL_WEIGHT) / (expected + SKILL_WEIGHT)
    weights = weight + WORKER_SHARE * own
    table = leaning(pooled, skill)
    table *= weights[:, None]
    table += answers
    table /= (rows + weights)[:, :, None]
    np.log(table, out=table)
    # an estimate from some dozens of answers has fewer digits than half as wide a number holds
    cells = by_cell(table.astype(np.float32))
    return Model(prior(counted.shares, even, LEARNING), cells, pooled, counted)


def prior(shares: Floats, even: Floats, votes: float) -> Floats:
    """Log class prior: so much of it by the shares of votes, the rest as even as may be."""
    log: Floats = np.log(votes * shares + (1 - votes) * even)
    return log


def pool(answers: Floats) -> Floats:
    """Everybody's matrix, leaning on everybody's accuracy and on what people say when they err."""
    classes = len(answers)
    right = np.diag(answers)
    sure = right.sum() + PLAUSIBLE * POOLED_WEIGHT
    accuracy = sure / (answers.sum() + POOLED_WEIGHT)
    wrong = answers.sum(axis=0) - right
    habit = (wrong + HABIT_WEIGHT / classes) / (wrong.sum() + HABIT_WEIGHT)
    plain = np.tile((1 - accuracy) * habit, (classes, 1))
    plain /= np.maximum(1 - habit, NOTHING)[:, None]
    np.fill_diagonal(plain, accuracy)
    pooled: Floats = answers + POOLED_WEIGHT * plain
    pooled /= answers.sum(axis=1, keepdims=True) + POOLED_WEIGHT
    return pooled


def leaning(pooled: Floats, skill: Floats) -> Floats:
    """For each worker the pooled matrix with its odds of an error times the worker's `skill`.

    Class by worker by label.
    """
    right = np.diag(pooled)[:, None]
    odds = (1 - right) / right * skill
    wrong = odds / (1 + odds)
    lean: Floats = (pooled / (1 - right))[:, None, :] * wrong[:, :, None]
    for number, row in enumerate(lean):
        row[:, number] = 1 - wrong[number]
    return lean
