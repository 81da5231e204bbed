"""Fit a confusion matrix for each worker by expectation maximization (EM).

The model is that of Dawid and Skene (1979). Image `i` is of class `k` with probability `prior[k]`,
and worker `j` labels an image of class `k` as `l` with probability `confusion[j, k, l]`,
independently of other workers. With `l_ij` for the answer of worker `j` to image `i`:

    log p(k, answers to i) = log prior[k] + sum over j of log confusion[j, k, l_ij]

The E-step turns this into `p[k, i]`, the probability that image `i` is of class `k`, and counts the
answers weighted by it. The M-step estimates matrices and prior from these counts; the methods
differ in their M-steps.

Shapes: `p` is classes x images, counts are classes x workers x labels, and matrices are (workers x
labels) x classes, so that looking up an answer reads one row and each pass runs along memory.

A. P. Dawid, A. M. Skene: Maximum likelihood estimation of observer error-rates using the EM
algorithm. Applied Statistics 28(1), 1979. https://doi.org/10.2307/2346806
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus.crowd import EqualDepth, Floats, Ints, vote_counts
from tessera.tiling.consolidation_rules import NEWEST_RULES, RULES, Rules

MAX_ITERATIONS = 30
"""EM iterations at most: half of the public crowds take 11 or fewer, none more than 24
(docs/decisions/consensus-constants.md)."""
TOLERANCE = 1e-4
"""Rise of the log likelihood per answer below which EM has converged: ten times more or less moves
accuracy by 0.1 points (docs/decisions/consensus-constants.md)."""
SAMPLE_IMAGES = 50_000
"""Images that EM runs on if there are more than twice as many. For a million images, half as many
cost 0.1 points of accuracy, ten times as many three times the time (consensus-constants.md)."""
FINAL_PASSES = 1
"""EM iterations over all images after fitting on a sample, to learn the workers of whom the sample
has few answers: of a million, a second gains less than 0.1 points (consensus-constants.md)."""
GUESS_WEIGHT = 0.7
"""Weight of a model's log odds, since models are usually overconfident: a judgment, not a
measurement (docs/decisions/consensus-constants.md)."""
VOTE_SMOOTHING = 0.01
"""Votes added to each image, spread over the classes, so that EM starts with no class excluded
(docs/decisions/consensus-constants.md)."""
EPSILON = 1e-10
"""Smallest probability or divisor: keeps logarithms and quotients finite, changes nothing else."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Knowledge of images beside their answers, one row an image.

    `known` is the class of an image that is known beforehand, else -1. `guess` is the class that a
    model guessed, else -1, and `log_odds` the weight of that guess. `log_ratio` (images x classes)
    is the log of a class's probability, by a model that learned from the answers, over its mean; a
    row of zeros is an image without a guess. That model counts as one more annotator.

    `earlier` (classes x workers x labels) are answers of the workers that were counted before, by
    the classes of their images; they count towards the workers' matrices as those of now.

    `shares` (classes) are the classes' shares of all images, where the owner knows them; with
    `random_gold` the known images were drawn at random, and tell them. `rules` are those that the
    answers are consolidated by, the newest unless a run began under older ones.
    """

    known: NDArray[np.int16] | None = None
    guess: NDArray[np.int16] | None = None
    log_odds: NDArray[np.float32] | None = None
    log_ratio: NDArray[np.float32] | None = None
    earlier: Floats | None = None
    shares: Floats | None = None
    random_gold: bool = False
    rules: Rules = RULES[NEWEST_RULES]

    def guessed(self, ids: NDArray[np.int32] | slice) -> NDArray[np.bool_] | int:
        """Return which of the images have a guess of the model, or 0 if there is no model."""
        if self.log_ratio is None:
            return 0
        return np.asarray(self.log_ratio[ids].any(axis=1))

    def clamp_known(self, p: Floats, ids: NDArray[np.int32]) -> None:
        """Set the probabilities (classes x images) of known images to one and zero, in place."""
        if self.known is None:
            return
        known = self.known[ids]
        columns = np.flatnonzero(known >= 0)
        p[:, columns] = 0
        p[known[columns], columns] = 1

    def add_guesses(self, scores: Floats, ids: NDArray[np.int32]) -> None:
        """Add the guesses to the log scores (classes x images), in place."""
        if self.guess is None or self.log_odds is None:
            return
        guess = self.guess[ids]
        columns = np.flatnonzero(guess >= 0)
        scores[guess[columns], columns] += self.log_odds[ids[columns]]


def guesses(guess: NDArray[np.int16], probability: Floats, classes: int) -> Evidence:
    """Turn a model's guesses into evidence: its class for each image, else -1, and how sure it is.

    A guess of probability `p` adds `GUESS_WEIGHT * log(p / ((1 - p) / (classes - 1)))` to the score
    of its class. Workers who saw a guess are swayed by it, and it would count twice; so nothing
    uses this unless the caller passes it.
    """
    p = np.clip(probability, 0.001, 0.999)
    log_odds = GUESS_WEIGHT * np.log(p / (1 - p) * max(classes - 1, 1))
    return Evidence(guess=guess, log_odds=log_odds.astype(np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class ExpectedCounts:
    """Outcome of an E-step: answers counted by the probabilities of their images' classes.

    `answers` (classes x workers x labels) is the expected number of answers. `class_means`
    (classes) is the mean probability of each class over `images`, `vote_shares` (classes) its share
    of the votes.
    """

    answers: Floats
    class_means: Floats
    vote_shares: Floats
    images: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Parameters that an M-step estimated.

    `log_prior` (classes) and `log_confusion` ((workers x labels) x classes) are natural logarithms.
    `pooled_confusion` (classes x labels) is the matrix of all workers together. `counts` are what
    it was estimated from, `converged` whether EM stopped because nothing changed any more.
    `log_label_prior` is the prior that labels are chosen by, where that is not `log_prior`, and
    `log_even_prior` that of images with as many answers as `even_labels_from` or more.
    """

    log_prior: Floats
    log_confusion: Floats
    pooled_confusion: Floats
    counts: ExpectedCounts
    converged: bool = True
    log_label_prior: Floats | None = None
    log_even_prior: Floats | None = None
    even_labels_from: int = 0

    def log_joint(self, block: EqualDepth, evidence: Evidence) -> Floats:
        """Return the log joint probability of class and answers (classes x images)."""
        if block.depth and block.weights is not None:
            total = np.zeros((len(block.ids), len(self.log_prior)), self.log_confusion.dtype)
            for codes, weights in zip(block.codes, block.weights, strict=True):
                total += self.log_confusion.take(codes, axis=0) * weights[:, None]
        elif block.depth:
            first, *others = block.codes
            total = self.log_confusion.take(first, axis=0)
            for codes in others:
                total += self.log_confusion.take(codes, axis=0)
        else:  # nobody was asked
            total = np.zeros((len(block.ids), len(self.log_prior)), self.log_confusion.dtype)
        total += self.log_prior.astype(total.dtype)
        if evidence.log_ratio is not None:
            total += evidence.log_ratio[block.ids]
        scores = np.ascontiguousarray(total.T)
        evidence.add_guesses(scores, block.ids)
        return scores


@dataclass(frozen=True, slots=True, eq=False)
class EM:
    """Expectation maximization with one method's M-step.

    `use_single_answers` says whether an image's only answer counts towards its worker's matrix. In
    the published method it does, though only the answer itself supports it.
    """

    m_step: Callable[[ExpectedCounts], Model]
    workers: int
    classes: int
    evidence: Evidence
    use_single_answers: bool = False
    tolerance: float = TOLERANCE
    max_iterations: int = MAX_ITERATIONS

    def fit(self, by_depth: list[EqualDepth]) -> Model:
        """Return the model of the crowd; a large one is fitted on a sample, then once on all."""
        images = sum(len(part.ids) for part in by_depth)
        if images <= 2 * SAMPLE_IMAGES:
            return self.iterate(by_depth, None, self.max_iterations)
        sample = [part.every(images // SAMPLE_IMAGES) for part in by_depth]
        model = self.iterate(sample, None, self.max_iterations)
        whole = self.iterate(by_depth, model, FINAL_PASSES)
        return replace(whole, converged=model.converged)

    def iterate(self, by_depth: list[EqualDepth], model: Model | None, iterations: int) -> Model:
        """Repeat E-step and M-step; without a model the first E-step goes by the votes.

        Where workers were known before, it goes by what was known of them.
        """
        shares = vote_shares(by_depth, self.classes)
        earlier = self.evidence.earlier
        if model is None and earlier is not None:
            model = self.m_step(ExpectedCounts(earlier, shares, shares))
        answers = sum(part.codes.size for part in by_depth)
        before = -np.inf
        for _ in range(iterations):
            counts, log_likelihood = self.e_step(by_depth, model, shares)
            if earlier is not None:
                counts = replace(counts, answers=counts.answers + earlier)
            started_from_votes = model is None
            model = self.m_step(counts)
            if started_from_votes:  # votes have no likelihood to compare with
                continue
            if log_likelihood - before < self.tolerance * answers:
                return model
            before = log_likelihood
        assert model is not None
        return replace(model, converged=False)

    def e_step(
        self, by_depth: list[EqualDepth], model: Model | None, shares: Floats
    ) -> tuple[ExpectedCounts, float]:
        """Count the answers by what the model says of their images; also its log likelihood."""
        answers = np.zeros((self.classes, self.workers * self.classes))
        class_sums, log_likelihood = np.zeros(self.classes), 0.0
        # block by block, so that probabilities of all images are never in memory at once
        for block in (block for part in by_depth for block in part.blocks()):
            if model is None:
                p = vote_probabilities(block, self.classes)
            else:
                p = model.log_joint(block, self.evidence)
                log_likelihood += normalize(p)
            self.evidence.clamp_known(p, block.ids)
            class_sums += p.sum(axis=1, dtype=np.float64)
            self._accumulate_block(answers, p, block)
        images = sum(len(part.ids) for part in by_depth)
        by_worker = answers.reshape(self.classes, self.workers, self.classes)
        means = class_sums / max(images, 1)
        return ExpectedCounts(by_worker, means, shares, images), log_likelihood

    def _accumulate_block(self, counts: Floats, p: Floats, block: EqualDepth) -> None:
        """Add a block's answers to the counts, unless they say nothing about their workers."""
        codes = block.codes
        if block.depth == 1 and not self.use_single_answers:
            if self.evidence.known is None:
                return
            known = self.evidence.known[block.ids] >= 0
            p, codes = p[:, known], codes[:, known]
        accumulate(counts, np.tile(p, len(codes)), codes.ravel())


def by_code(confusion: Floats) -> Floats:
    """Lay out matrices (classes x workers x labels) by code: (workers x labels) x classes."""
    return np.ascontiguousarray(confusion.reshape(len(confusion), -1).T)


def normalize(scores: Floats) -> float:
    """Turn log joint probabilities (classes x images) into `p`, in place; return their log sum.

    The sum over images of log sum over classes is the log likelihood of the answers.
    """
    highest = scores.max(axis=0)
    scores -= highest  # so that no exponential overflows
    np.exp(scores, out=scores)
    total = scores.sum(axis=0)
    scores /= total
    return float((np.log(total) + highest).sum(dtype=np.float64))


def accumulate(counts: Floats, p: Floats, codes: Ints) -> None:
    """Add answers to the counts (classes x codes), each by its probability of every class.

    `p` is classes x answers, `codes` has one number an answer.
    """
    # bincount by class: several times faster than np.add.at on the whole table
    for row, weights in zip(counts, p, strict=True):
        row += np.bincount(codes, weights, len(row))


def vote_probabilities(block: EqualDepth, classes: int) -> Floats:
    """Return the share of each class in an image's votes (classes x images), none of them zero."""
    p = vote_counts(block, classes)
    p += VOTE_SMOOTHING / classes
    p /= block.depth + VOTE_SMOOTHING
    return p


def vote_shares(by_depth: list[EqualDepth], classes: int) -> Floats:
    """Return the mean over images of each class's share of the votes (classes)."""
    shares = np.zeros(classes)
    images = 0
    for part in by_depth:
        for block in part.blocks():
            counts = np.bincount(block.labels(classes).ravel(), minlength=classes)
            shares += counts / part.depth
        images += len(part.ids)
    return shares / max(images, 1)
