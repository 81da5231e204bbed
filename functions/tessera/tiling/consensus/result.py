"""Define what a consolidation method works on and what it returns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus.confidence import expected_gain, max_confidence
from tessera.tiling.consensus.crowd import Crowd, EqualDepth, Floats, vote_counts
from tessera.tiling.consensus.em import Evidence
from tessera.tiling.consensus.ties import best_labels

VOTES_AGAINST_ONE = 3
"""Agreeing answers that one other answer cannot overturn, whoever gave it. It costs no accuracy,
and no worker can flip what all others agree on (docs/decisions/consensus-constants.md)."""

NO_LABEL = -1
"""Label of an image that got none."""
ALL = slice(None)
"""Index of all images."""


@dataclass(slots=True, eq=False)
class Consensus:
    """Labels with their confidence, one row an image, and what was learned on the way.

    `label` is the class, or `NO_LABEL`; `confidence` the probability that it is right; `agreement`
    the share of readable answers that say it; `gain` how much one more answer should raise the
    confidence; `answers` the number of answers; `unreadable` whether most of them say that the
    image cannot be judged. `probabilities` (images x classes) are there if asked for.

    `rho` is the correlation of answers that confidences allow for, `calibrated_on` the number of
    gold images that it was fitted to, and `later_power` that of the rules (`confidence`). `skew` is
    how far the class prior follows one common class (`class_prior`), `copies` the groups of workers
    that count as one person and `experts` those whose answers are the same, too, and who count as
    they are (`copies`). `accuracy` (workers), `recall` (workers x classes, the
    chance of a right label of each class) and `pooled` (classes x labels, the confusion matrix of
    all workers) are there if the method estimates them. `converged` is false if it stopped at its
    last iteration while estimates still moved.
    """

    label: NDArray[np.int16]
    confidence: NDArray[np.float32]
    agreement: NDArray[np.float32]
    gain: NDArray[np.float32]
    answers: NDArray[np.uint16]
    unreadable: NDArray[np.bool_]
    probabilities: NDArray[np.float32] | None = None
    accuracy: Floats | None = None
    recall: Floats | None = None
    pooled: Floats | None = None
    rho: float = 0.0
    calibrated_on: int = 0
    later_power: float = 1.0
    skew: float = 0.0
    copies: list[list[int]] = field(default_factory=list)
    experts: list[list[int]] = field(default_factory=list)
    converged: bool = True


@dataclass(slots=True, eq=False)
class Consolidation:
    """Crowd on its way to a consensus: what a method reads, and where it writes.

    `tied` has, for each image whose label is still open, the classes that may get it (classes).
    """

    crowd: Crowd
    by_depth: list[EqualDepth]
    evidence: Evidence
    result: Consensus
    tied: dict[int, NDArray[np.bool_]] = field(default_factory=dict)

    def blocks(self) -> Iterator[EqualDepth]:
        """Yield all images that can be labeled, a block of equal depth at a time.

        Those are the images with readable answers, and, of depth zero, those that a model guessed
        though nobody has answered.
        """
        for part in self.by_depth:
            yield from part.blocks()
        if self.evidence.log_ratio is not None:
            # not those whose answers all say that the picture cannot be judged
            unasked = np.flatnonzero((self.result.answers == 0) & self.evidence.guessed(ALL))
            no_codes = np.empty((0, len(unasked)), np.int32)
            yield from EqualDepth(unasked.astype(np.int32), no_codes).blocks()

    def choose_labels(self, block: EqualDepth, scores: Floats, rank: Floats) -> Floats:
        """Write a block's labels by their scores (classes x images); ties go by votes, then rank.

        Returns the share that the most common answer to each image has (images).
        """
        if self.evidence.log_ratio is not None:
            return self._choose_with_model(block, scores, rank)
        result, classes = self.result, self.crowd.classes
        # most images are unanimous, so all get their first answer and only the others are decided
        labels = block.labels(classes).astype(np.int16)
        result.label[block.ids] = labels[0]
        result.agreement[block.ids] = 1
        largest_share = np.ones(len(block.ids), scores.dtype)
        differ = np.flatnonzero((labels[1:] != labels[0]).any(axis=0))
        if not len(differ):
            return largest_share
        disputed = EqualDepth(block.ids[differ], block.codes[:, differ])
        counts = vote_counts(disputed, classes)
        largest_share[differ] = counts.max(axis=0) / block.depth
        eligible = eligible_classes(counts, block.depth)
        candidates = np.where(eligible, scores[:, differ], -np.inf)
        label, remaining = best_labels(candidates, counts, rank)
        result.label[disputed.ids] = label
        result.agreement[disputed.ids] = counts[label, np.arange(len(differ))] / block.depth
        for column in np.flatnonzero(remaining.any(axis=0)).tolist():
            self.tied[int(disputed.ids[column])] = remaining[:, column]
        return largest_share

    def _choose_with_model(self, block: EqualDepth, scores: Floats, rank: Floats) -> Floats:
        """Write a block's labels where a model has a say: it may name a class that nobody named.

        It cannot overturn `VOTES_AGAINST_ONE` or more that all agree. Returns the share that the
        most common answer to each image has (images), 1 where there is no answer.
        """
        result, depth = self.result, block.depth
        counts = vote_counts(block, self.crowd.classes)
        highest = counts.max(axis=0)
        unanimous = (highest == depth) & (depth >= VOTES_AGAINST_ONE)
        candidates = np.where(unanimous & (counts < highest), -np.inf, scores)
        label, remaining = best_labels(candidates, counts, rank)
        result.label[block.ids] = label
        result.agreement[block.ids] = counts[label, np.arange(len(label))] / max(depth, 1)
        if depth:
            for column in np.flatnonzero(remaining.any(axis=0)).tolist():
                self.tied[int(block.ids[column])] = remaining[:, column]
        return highest / depth if depth else np.ones(len(label))

    def set_confidence(
        self,
        block: EqualDepth,
        p: Floats,
        pooled_confusion: Floats,
        rho: float,
        agreement: Floats | float = 1.0,
    ) -> None:
        """Write the confidence and gain of a block's labels, by `p` (classes x images)."""
        result, ids = self.result, block.ids
        depth = block.depth + np.asarray(self.evidence.guessed(ids))
        of_label = p[result.label[ids], np.arange(len(ids))]
        result.confidence[ids] = np.minimum(of_label, max_confidence(depth))
        power = result.later_power
        result.gain[ids] = expected_gain(p, pooled_confusion, depth, rho, agreement, power)
        if result.probabilities is not None:
            result.probabilities[ids] = p.T


def eligible_classes(counts: Floats, depth: int) -> NDArray[np.bool_]:
    """Return the classes that each image may get, by its votes (both classes x images).

    These are the classes that somebody named, but not one that a single answer names against
    `VOTES_AGAINST_ONE` or more that agree.
    """
    highest = counts.max(axis=0)
    one_against_all = (highest >= VOTES_AGAINST_ONE) & (highest == depth - 1)
    eligible: NDArray[np.bool_] = counts >= np.where(one_against_all, highest, 1)
    return eligible
