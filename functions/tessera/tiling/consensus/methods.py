"""The methods by name, and what any of them gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from tessera.tiling.consensus import dawid_skene, hierarchical
from tessera.tiling.consensus.class_prior import evenest
from tessera.tiling.consensus.confidence import (
    GOLD_NEEDED,
    RHO,
    calibrated_rho,
    tempered,
)
from tessera.tiling.consensus.crowd import Crowd, Floats, stack
from tessera.tiling.consensus.em import ENOUGH, ROUNDS, Evidence, Learn, Model, fit
from tessera.tiling.consensus.majority import _first, _majority
from tessera.tiling.consensus.result import NONE, Consensus, _Work
from tessera.tiling.consensus.ties import first_come
from tessera.tiling.consensus.worker_shrinkage import worker_weight
from tessera.tiling.method_names import DEFAULT_METHOD, Method


def consolidate(
    crowd: Crowd,
    method: Method = DEFAULT_METHOD,
    *,
    evidence: Evidence | None = None,
    probabilities: bool = False,
) -> Consensus:
    """What the answers add up to, by one of `METHODS`.

    The same answers give the same labels and confidences, whatever order they come in, except
    where an image's first answer decides a tie.
    """
    if method not in METHODS:
        raise ValueError(f"no consolidation method {method!r}; there are {', '.join(METHODS)}")
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


METHODS: dict[Method, Callable[[_Work], None]] = {
    "hierarchical": _hierarchical,
    "dawid-skene": _dawid_skene,
    "majority": _majority,
    "first": _first,
}
