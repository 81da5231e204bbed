"""Estimate the class prior as the flattest distribution that could have led to the votes.

Let `S[k]` be the mean share of votes of class `k` over `n` images, and `a` the accuracy of answers.
At least a share `a` of the votes on images of class `k` is for `k`, so the share of such images is
at most

    B[k] = (S[k] + z sqrt(S[k] (1 - S[k]) / n) + z^2 / 2n) / a,    z = STANDARD_ERRORS

The prior is the distribution closest to uniform below these bounds. `a` follows from how often two
answers to an image agree, not from the labels. So the estimate does not feed on itself, as it does
in plain EM, where rare classes vanish if images have few answers. Measured in
docs/decisions/consensus-evenest-prior.md.

Where one class is common, that prior is much too even: with errors at random, most of a rare
class's votes are errors. The more skewed the votes, the more the prior is then EM's own, the mean
probability of each class, smoothed by 2 images a class:

    M[k] = (n p[k] + 2) / (n + 2 K)
    skew = clip((z - 0.20) / 0.10, 0, 1),    z = (max S - 1 / K) / (1 - 1 / K) / c,
    c = (a K - 1) / (K - 1)

`c` is by how much errors level the shares of votes; S is taken two standard errors lower and `c`
two higher, so that small crowds are not taken for skewed by chance.
The skew comes from the votes, so it does not feed on itself either. Where it is full, no class has
less than 0.06 of the commonest one's share while workers are learned, and less than a
quarter of it when labels are chosen; confidences are by the shares as they are. With two answers
the prior alone decides where they differ; with three or more a majority says what an image is, and
labels are chosen by votes and E alone. Shares that the owner states replace all of this.

A label list may have labels that nobody gives. K counts those that somebody gave, two at least, in
`z`: two labels of twelve are no common class. The share of the others is never above what E allows
them, since EM would make of them doubles of classes that people do name.
Measured in docs/decisions/consensus-class-shares.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.class_shares import MIN_RANDOM_GOLD
from tessera.tiling.consensus.crowd import EqualDepth, Floats, vote_counts
from tessera.tiling.consensus.em import EPSILON, Evidence, ExpectedCounts, vote_shares
from tessera.tiling.consolidation_rules import NEWEST_RULES, RULES, Rules

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

MEANS_SMOOTHING = 2.0
"""Images of each class added to the mean probabilities, so that no class vanishes: 5 are nearly as
good (docs/decisions/consensus-class-shares.md)."""
MIN_SHARE = 1e-3
"""Smallest stated share: a class that is said not to occur may still, once in a thousand images."""
SKEWED_GOLD_SMOOTHING, EVEN_GOLD_SMOOTHING = 2.0, 20.0
"""Gold images at the flattest prior that are added to those drawn, on skewed and on even crowds: 50
tell shares that are nearly even no better than the votes
(docs/decisions/consensus-class-shares.md)."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassPrior:
    """Class prior but for what each pass of EM adds to it.

    `flattest` (classes) is `E`, `skew` is 0 where it is made of votes and `E` alone and 1 where it
    is the mean probability of each class, and `stated` (classes) replaces both. `fit_floor` and
    `label_floor` are those of the rules. `unnamed` (classes) tells what no answer names, where that
    has a share by `E` alone.
    """

    flattest: Floats
    skew: float = 0.0
    stated: Floats | None = None
    fit_floor: float = 0.0
    label_floor: float = 0.0
    unnamed: NDArray[np.bool_] | None = None

    def log_to_fit(self, counts: ExpectedCounts, vote_weight: float) -> Floats:
        """Return the log of the prior (classes) that workers are learned by."""
        return self._raise_to(self.fit_floor, self.log(counts, vote_weight))

    def log_to_label(self, log_prior: Floats) -> Floats:
        """Return the log of the prior that labels are chosen by, from that of confidences."""
        return self._raise_to(self.label_floor, log_prior)

    def log_even(self, counts: ExpectedCounts, vote_weight: float) -> Floats | None:
        """Return the log of votes and `E` alone, where the prior follows the skew."""
        if self.stated is not None or not self.skew:
            return None
        return replace(self, skew=0.0).log(counts, vote_weight)

    def _raise_to(self, floor: float, log_prior: Floats) -> Floats:
        """Return the prior, where skewed with no class below this part of the commonest one's."""
        if self.stated is not None or not self.skew * floor:
            return log_prior
        raised = np.maximum(log_prior, log_prior.max() + np.log(self.skew * floor))
        if self.unnamed is not None:
            raised = np.where(self.unnamed, log_prior, raised)
        return np.asarray(raised - np.log(np.exp(raised).sum()))

    def log(self, counts: ExpectedCounts, vote_weight: float) -> Floats:
        """Return the log of the prior (classes), with `vote_weight` for the votes beside `E`."""
        if self.stated is not None:
            return np.asarray(np.log(self.stated))
        prior = vote_weight * counts.vote_shares + (1 - vote_weight) * self.flattest
        if self.skew:
            means = counts.images * counts.class_means + MEANS_SMOOTHING
            means /= counts.images + MEANS_SMOOTHING * len(means)
            if self.unnamed is not None:
                means = np.where(self.unnamed, np.minimum(means, self.flattest), means)
                means /= means.sum()
            prior = (1 - self.skew) * prior + self.skew * means
        return np.asarray(np.log(prior))


def estimate_prior(
    by_depth: list[EqualDepth], classes: int, beside: Evidence, gold: NDArray[np.int16]
) -> ClassPrior:
    """Return the prior of a crowd; `gold` are the classes of the known images with answers."""
    sample = sample_images(by_depth)
    flattest = flattest_prior(sample, classes)
    if beside.shares is not None:
        stated = np.maximum(beside.shares, MIN_SHARE)
        return ClassPrior(flattest, stated=stated / stated.sum())
    rules = beside.rules
    skew = estimate_skew(sample, classes, rules) if rules.follow_skew else 0.0
    if beside.random_gold and len(gold) >= MIN_RANDOM_GOLD:
        smoothing = skew * SKEWED_GOLD_SMOOTHING + (1 - skew) * EVEN_GOLD_SMOOTHING
        counts = np.bincount(gold, minlength=classes)
        return ClassPrior(
            flattest, stated=(counts + smoothing * flattest) / (len(gold) + smoothing)
        )
    # a model of the owner's may know labels that no worker gave
    unnamed = None
    if rules.unnamed_apart and beside.log_ratio is None:
        unnamed = vote_shares(sample, classes) == 0
    return ClassPrior(flattest, skew, None, rules.fit_floor, rules.label_floor, unnamed)


def estimate_skew(
    sample: list[EqualDepth], classes: int, rules: Rules = RULES[NEWEST_RULES]
) -> float:
    """Return how far votes follow one common class: 0 for even votes, 1 for skewed ones."""
    images = max(sum(len(part.ids) for part in sample), 1)
    shares = vote_shares(sample, classes)
    largest = float(shares.max())
    agreement = pairwise_agreement(sample, classes)
    if classes == 1 or not largest:
        return 0.0
    if rules.unnamed_apart:
        classes = max(int(np.count_nonzero(shares)), 2)
    largest -= STANDARD_ERRORS * float(np.sqrt(largest * (1 - largest) / images))
    agreement += STANDARD_ERRORS * float(np.sqrt(agreement * (1 - agreement) / images))
    accuracy = accuracy_from_agreement(min(agreement, 1.0), classes)
    excess = skew_of(largest, accuracy, classes)
    return min(max((excess - rules.even_skew) / (rules.full_skew - rules.even_skew), 0.0), 1.0)


def skew_of(largest: float, accuracy: float, classes: int) -> float:
    """Return `z` of votes of which the commonest class has this share.

    >>> skew_of(0.5, 0.8, 2), round(skew_of(0.68, 0.8, 2), 6)
    (0.0, 0.6)
    """
    even = 1 / classes
    leveled = max((accuracy - even) / (1 - even), EPSILON)
    return (largest - even) / (1 - even) / leveled


def sample_images(by_depth: list[EqualDepth]) -> list[EqualDepth]:
    """Return every so manieth image, enough of them to estimate the prior from."""
    images = sum(len(part.ids) for part in by_depth)
    return [part.every(max(images // SAMPLE_IMAGES, 1)) for part in by_depth]


def flattest_prior(sample: list[EqualDepth], classes: int) -> Floats:
    """Return the distribution (classes) closest to uniform that is consistent with the votes."""
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
