"""How many images of each class there may be: the evenest shares that could have led to the votes.

Of a class's images at least those get its votes that are answered rightly. So its share of the
images is at most its share of the votes over the accuracy of answers; within that, nothing speaks
against even shares. The accuracy comes from how often two answers to an image agree, which tells
nothing of who is right and so cannot feed on an estimate.
"""

from __future__ import annotations

import numpy as np

from tessera.tiling.consensus.crowd import Floats, Stack, votes
from tessera.tiling.consensus.em import vote_shares

PART = 25_000
"""Images that are enough to tell."""
ERRORS = 2.0
"""Standard errors by which a class may have had fewer votes than it should have."""
AGREEMENT, AGREEMENT_PAIRS = 0.68, 10.0
"""The share of agreeing pairs before anything is known, and how many images it counts as."""


def evenest(stacks: list[Stack], classes: int) -> Floats:
    """The evenest shares of the classes that the votes allow."""
    images = sum(len(pile.ids) for pile in stacks)
    piles = [pile.every(max(images // PART, 1)) for pile in stacks]
    images = max(sum(len(pile.ids) for pile in piles), 1)
    shares = vote_shares(piles, classes)
    slack = ERRORS * np.sqrt(shares * (1 - shares) / images) + ERRORS**2 / (2 * images)
    return leveled((shares + slack) / accuracy(agreement(piles, classes), classes))


def leveled(most: Floats) -> Floats:
    """Shares as even as possible, none above its `most`: water in vessels of such heights.

    >>> leveled(np.array([0.1, 0.7, 0.9])).tolist()
    [0.1, 0.45, 0.45]
    """
    heights = np.sort(most)
    below = np.cumsum(heights) - heights
    levels = (1 - below) / np.arange(len(most), 0, -1)
    fits = np.flatnonzero(levels <= heights)
    level = levels[fits[0]] if len(fits) else heights[-1]
    shares = np.minimum(most, level)
    full: Floats = shares / shares.sum()
    return full


def agreement(stacks: list[Stack], classes: int) -> float:
    """How often two answers to the same image agree."""
    agreeing, images = AGREEMENT * AGREEMENT_PAIRS, AGREEMENT_PAIRS
    for pile in stacks:
        if pile.depth > 1:
            for block in pile.blocks():
                count = votes(block, classes)
                agreeing += (count * (count - 1)).sum() / (pile.depth * (pile.depth - 1))
            images += len(pile.ids)
    return float(agreeing / images)


def accuracy(agreeing: float, classes: int) -> float:
    """The accuracy at which two answers agree so often, if all errors are equally likely.

    That is a in a^2 + (1 - a)^2 / (classes - 1), and chance where they agree more rarely.

    >>> round(accuracy(0.68, 2), 6), round(accuracy(0.1, 4), 6)
    (0.8, 0.25)
    """
    chance = 1 / classes
    return float(chance + np.sqrt(max(agreeing - chance, 0.0) * (1 - chance)))
