"""Estimate the class prior as the flattest distribution that could have led to the votes.

Let `S[k]` be the mean share of votes of class `k` over `n` images, and `a` the accuracy of answers.
At least a share `a` of the votes on images of class `k` is for `k`, so the share of such images is
at most

    B[k] = (S[k] + z sqrt(S[k] (1 - S[k]) / n) + z^2 / 2n) / a,    z = STANDARD_ERRORS

The prior is the distribution closest to uniform below these bounds. `a` follows from how often two
answers to an image agree, not from the labels. So the estimate does not feed on itself, as it does
in plain EM, where rare classes vanish if images have few answers. Measured in
docs/decisions/consensus-evenest-prior.md.
"""

from __future__ import annotations

import numpy as np

from tessera.tiling.consensus.crowd import EqualDepth, Floats, vote_counts
from tessera.tiling.consensus.em import vote_shares

SAMPLE_IMAGES = 25_000
"""Images that the prior is estimated from: a share is then known to 0.3 points
(docs/decisions/consensus-constants.md)."""
STANDARD_ERRORS = 2.0
"""Standard errors by which a class may have received too few votes by chance: 98 % of classes are
within (docs/decisions/consensus-evenest-prior.md)."""
PRIOR_AGREEMENT, PRIOR_AGREEMENT_IMAGES = 0.68, 10.0
"""Agreement of two answers before any are seen, as if observed on so many images. It is that of two
classes at `hierarchical.PRIOR_ACCURACY`, and matters only to the smallest crowds
(docs/decisions/consensus-constants.md)."""


def flattest_prior(by_depth: list[EqualDepth], classes: int) -> Floats:
    """Return the distribution (classes) closest to uniform that is consistent with the votes."""
    images = sum(len(part.ids) for part in by_depth)
    sample = [part.every(max(images // SAMPLE_IMAGES, 1)) for part in by_depth]
    images = max(sum(len(part.ids) for part in sample), 1)
    shares = vote_shares(sample, classes)
    slack = STANDARD_ERRORS * np.sqrt(shares * (1 - shares) / images)
    slack = slack + STANDARD_ERRORS**2 / (2 * images)
    accuracy = accuracy_from_agreement(pairwise_agreement(sample, classes), classes)
    return water_fill((shares + slack) / accuracy)


def water_fill(bounds: Floats) -> Floats:
    """Return the distribution closest to uniform of which no part is above its bound.

    That is min(bound, level), with the level at which it sums to one: water poured into vessels as
    high as the bounds. Bounds that sum to less than one are scaled up.

    >>> water_fill(np.array([0.1, 0.7, 0.9])).tolist()
    [0.1, 0.45, 0.45]
    """
    # With the i lowest vessels full, the others stand at the level levels[i]; the first level that
    # is below the next rim is the one.
    heights = np.sort(bounds)
    below = np.cumsum(heights) - heights
    levels = (1 - below) / np.arange(len(bounds), 0, -1)
    fits = np.flatnonzero(levels <= heights)
    level = levels[fits[0]] if len(fits) else heights[-1]
    shares = np.minimum(bounds, level)
    prior: Floats = shares / shares.sum()
    return prior


def pairwise_agreement(by_depth: list[EqualDepth], classes: int) -> float:
    """Estimate the probability that two answers to the same image agree.

    That is the mean over images of sum_k c[k] (c[k] - 1) / (r (r - 1)), for `c` of `r` votes.
    """
    agreeing, images = PRIOR_AGREEMENT * PRIOR_AGREEMENT_IMAGES, PRIOR_AGREEMENT_IMAGES
    for part in by_depth:
        if part.depth > 1:
            for block in part.blocks():
                counts = vote_counts(block, classes)
                agreeing += (counts * (counts - 1)).sum() / (part.depth * (part.depth - 1))
            images += len(part.ids)
    return float(agreeing / images)


def accuracy_from_agreement(agreement: float, classes: int) -> float:
    """Return the accuracy at which two answers agree so often, if all errors are equally likely.

    That is the `a` of `agreement = a^2 + (1 - a)^2 / (classes - 1)`, and that of random guesses if
    answers agree more rarely than those do.

    >>> round(accuracy_from_agreement(0.68, 2), 6), round(accuracy_from_agreement(0.1, 4), 6)
    (0.8, 0.25)
    """
    chance = 1 / classes
    return float(chance + np.sqrt(max(agreement - chance, 0.0) * (1 - chance)))
