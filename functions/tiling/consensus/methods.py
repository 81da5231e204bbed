"""The methods by name, and what any of them gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tiling.consensus import dawid_skene, hierarchical
from tiling.consensus.confidence import (
    GOLD_NEEDED,
    RHO,
    calibrated_rho,
    ceiling,
    expected_gain,
    tempered,
)
from tiling.consensus.crowd import Crowd, Floats, Stack, highest, stack, votes
from tiling.consensus.model import ENOUGH, ROUNDS, Evidence, Learn, Model, fit
from tiling.consensus.shares import evenest
from tiling.consensus.spread import worker_weight
from tiling.consensus.ties import best, first_come

LONE_AGAINST = 3
"""Agreeing answers that a single one cannot overturn."""
NONE = -1
"""The label of an image that got none."""


@dataclass(slots=True, eq=False)
class Consensus:
    """One label an image, how far to believe it, and what was learned on the way.

    `answers` counts all answers to an image, `agreement` is the share of the readable ones that
    say its label. `probabilities`, if asked for, is image by class. `rho` is the correction that
    confidences carry and `calibrated_on` the number of known images that it was fitted to.
    `accuracy` is each worker's, as far as the method estimates it.
    """

    label: NDArray[np.int16]
    confidence: NDArray[np.float32]
    agreement: NDArray[np.float32]
    gain: NDArray[np.float32]
    answers: NDArray[np.uint16]
    unreadable: NDArray[np.bool_]
    probabilities: NDArray[np.float32] | None = None
    accuracy: Floats | None = None
    pooled: Floats | None = None
    rho: float = 0.0
    calibrated_on: int = 0


@dataclass(slots=True, eq=False)
class _Work:
    """A crowd on its way to a consensus."""

    crowd: Crowd
    stacks: list[Stack]
    evidence: Evidence
    found: Consensus
    tied: dict[int, NDArray[np.bool_]] = field(default_factory=dict)

    def blocks(self) -> Iterator[Stack]:
        for pile in self.stacks:
            yield from pile.blocks()

    def decide(self, block: Stack, scores: Floats, common: Floats) -> Floats:
        """Write down a block's labels by their scores; gives each most common answer's share."""
        found, classes = self.found, self.crowd.classes
        said = block.labels(classes).astype(np.int16)
        found.label[block.ids] = said[0]
        found.agreement[block.ids] = 1
        largest = np.ones(len(block.ids), scores.dtype)
        differ = np.flatnonzero((said[1:] != said[0]).any(axis=0))
        if not len(differ):  # where all say the same there is nothing to decide
            return largest
        part = Stack(block.ids[differ], block.cells[:, differ])
        count = votes(part, classes)
        largest[differ] = highest(count) / block.depth
        eligible = _eligible(count, block.depth)
        label, still = best(np.where(eligible, scores[:, differ], -np.inf), count, common)
        found.label[part.ids] = label
        found.agreement[part.ids] = count[label, np.arange(len(differ))] / block.depth
        for column in np.flatnonzero(still.any(axis=0)).tolist():
            self.tied[int(part.ids[column])] = still[:, column]
        return largest

    def believe(
        self, block: Stack, p: Floats, pooled: Floats, rho: float, agreement: Floats | float = 1.0
    ) -> None:
        """Write down how far a block's labels are believed, by the probabilities of classes."""
        found, ids = self.found, block.ids
        sure = p[found.label[ids], np.arange(len(ids))]
        found.confidence[ids] = np.minimum(sure, ceiling(np.array(block.depth)))
        found.gain[ids] = expected_gain(p, pooled, block.depth, rho, agreement)
        if found.probabilities is not None:
            found.probabilities[ids] = p.T


def consolidate(
    crowd: Crowd,
    method: str = "hierarchical",
    *,
    evidence: Evidence | None = None,
    probabilities: bool = False,
) -> Consensus:
    """What the answers add up to, by one of `METHODS`.

    The same answers give the same labels and confidences, whatever order they come in, except
    where an image's first answer decides a tie.
    """
    images = crowd.images
    answers = np.bincount(crowd.image, minlength=images)
    blind = np.bincount(crowd.image[crowd.label < 0], minlength=images)
    found = Consensus(
        label=np.full(images, NONE, np.int16),
        confidence=np.zeros(images, np.float32),
        agreement=np.zeros(images, np.float32),
        gain=np.zeros(images, np.float32),
        answers=np.minimum(answers, 65_535).astype(np.uint16),
        unreadable=2 * blind > answers,
        probabilities=(
            np.full((images, crowd.classes), 1 / crowd.classes, np.float32)
            if probabilities
            else None
        ),
    )
    work = _Work(crowd, stack(crowd), evidence or Evidence(), found)
    METHODS[method](work)
    first_come(crowd, found.label, work.tied)
    found.label[found.unreadable] = NONE
    found.confidence[found.unreadable] = 0
    found.gain[found.unreadable] = 0
    return found


def _eligible(count: Floats, depth: int) -> NDArray[np.bool_]:
    """The classes (down) that each image (across) may get, by its votes.

    A label that nobody gave would be made up; and one answer alone against three or more that agree
    is a slip, whoever gave it.
    """
    top = highest(count)
    lone = (top >= LONE_AGAINST) & (top == depth - 1)
    eligible: NDArray[np.bool_] = count >= np.where(lone, top, 1)
    return eligible


def _majority(work: _Work) -> None:
    """Most votes win; the confidence is their share, one even answer by nobody counted in."""
    classes = work.crowd.classes
    common = -_common(work.crowd)
    matrix = hierarchical.pool(np.zeros((classes, classes)))
    for block in work.blocks():
        count = votes(block, classes)
        work.decide(block, count, common)
        work.believe(block, (count + 1 / classes) / (block.depth + 1), matrix, 0.0)


def _first(work: _Work) -> None:
    """The answer that came first, as if it were twice as good as the others together."""
    crowd, found = work.crowd, work.found
    _majority(work)
    work.tied.clear()
    readable = np.flatnonzero(crowd.label >= 0)[::-1]
    image, said = crowd.image[readable], crowd.label[readable]
    found.label[image] = said  # backwards, so that the first to come writes last
    total = np.bincount(image, minlength=crowd.images)
    agreeing = np.bincount(image[said == found.label[image]], minlength=crowd.images)
    found.agreement[:] = agreeing / np.maximum(total, 1)
    share = (agreeing + 1 / crowd.classes) / (total + 1)
    found.confidence[:] = np.where(total, np.minimum(share, ceiling(total)), 0)


def _common(crowd: Crowd) -> Floats:
    """How often each class was said."""
    said = crowd.label[crowd.label >= 0]
    return np.bincount(said, minlength=crowd.classes).astype(np.float64)


def _hierarchical(work: _Work) -> None:
    """Learn the workers, calibrate if enough is known, then judge every image."""
    crowd, evidence, found = work.crowd, work.evidence, work.found
    known = evidence.known
    found.rho = RHO
    even = evenest(work.stacks, crowd.classes)
    weight = worker_weight(work.stacks, crowd.workers, crowd.classes)
    learn = partial(hierarchical.learn, weight=weight, even=even)
    if known is not None:
        answered = (known >= 0) & (np.bincount(crowd.image, minlength=crowd.images) > 0)
        if int(answered.sum()) >= GOLD_NEEDED:
            untold = replace(evidence, known=None)
            model = _judging(_learned(work, learn, untold), even)
            found.rho = calibrated_rho(work.stacks, model, untold, known)
            found.calibrated_on = int(answered.sum())
    _judge(work, _judging(_learned(work, learn, evidence), even), found.rho)


def _judging(model: Model, even: Floats) -> Model:
    """The model with the prior that images are judged by."""
    shares = model.counted.shares
    return replace(model, prior=hierarchical.prior(shares, even, hierarchical.JUDGING))


def _dawid_skene(work: _Work) -> None:
    """The published method: every answer teaches, nothing is tempered."""
    model = _learned(work, dawid_skene.learn, work.evidence, alone=True, enough=1e-7, rounds=200)
    _judge(work, model, 0.0)


def _learned(
    work: _Work,
    learn: Learn,
    evidence: Evidence,
    *,
    alone: bool = False,
    enough: float = ENOUGH,
    rounds: int = ROUNDS,
) -> Model:
    return fit(
        work.stacks,
        learn,
        workers=work.crowd.workers,
        classes=work.crowd.classes,
        evidence=evidence,
        alone=alone,
        enough=enough,
        rounds=rounds,
    )


def _judge(work: _Work, model: Model, rho: float) -> None:
    """Every image's label by the model, with tempered probabilities."""
    classes, workers = work.crowd.classes, work.crowd.workers
    common = np.exp(model.prior)
    for block in work.blocks():
        scores = model.scores(block, work.evidence)
        agreement = work.decide(block, scores, common)
        p = tempered(scores, block.depth, rho, agreement)
        work.believe(block, p, model.pooled, rho, agreement)
    right = np.exp(np.einsum("wkk->wk", model.table.reshape(workers, classes, classes)))
    work.found.accuracy = (right * (common / common.sum())).sum(axis=1)
    work.found.pooled = model.pooled


METHODS: dict[str, Callable[[_Work], None]] = {
    "first": _first,
    "majority": _majority,
    "dawid-skene": _dawid_skene,
    "hierarchical": _hierarchical,
}
