"""Run the consolidation methods by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import dawid_skene, hierarchical
from tessera.tiling.consensus.class_prior import ClassPrior, estimate_prior
from tessera.tiling.consensus.confidence import RHO, fit_rho, temper
from tessera.tiling.consensus.copies import find_alike, merge_copies
from tessera.tiling.consensus.crowd import Crowd, Floats, split_by_depth
from tessera.tiling.consensus.em import EM, Evidence, Model
from tessera.tiling.consensus.majority import first_answer, majority
from tessera.tiling.consensus.result import NO_LABEL, Consensus, Consolidation
from tessera.tiling.consensus.ties import break_ties_by_arrival
from tessera.tiling.consensus.worker_shrinkage import estimate_shrinkage
from tessera.tiling.consolidation_rules import Rules
from tessera.tiling.method_names import DEFAULT_METHOD, Method


def consolidate(
    crowd: Crowd,
    method: Method = DEFAULT_METHOD,
    *,
    evidence: Evidence | None = None,
    probabilities: bool = False,
) -> Consensus:
    """Return the labels that a crowd's answers add up to, by one of `METHODS`.

    `evidence` is what is known beside the answers; only `hierarchical` and `dawid-skene` use it.
    With `probabilities` the result has those of all classes, 4 bytes for each image and class.

    The same answers give the same labels and confidences, whatever order they come in, except where
    an image's first answer decides a tie. Raises ValueError for a method that does not exist.
    """
    if method not in METHODS:
        raise ValueError(f"no consolidation method {method!r}; there are {', '.join(METHODS)}")
    state = start(crowd, evidence or Evidence(), probabilities=probabilities)
    METHODS[method](state)
    return finish(state)


def start(crowd: Crowd, evidence: Evidence, *, probabilities: bool = False) -> Consolidation:
    """Return a consolidation before any label is chosen."""
    result = _empty_result(crowd, probabilities)
    return Consolidation(crowd, split_by_depth(crowd), evidence, result)


def finish(state: Consolidation) -> Consensus:
    """Decide what is still tied, take labels from unreadable images, and return the result."""
    result = state.result
    break_ties_by_arrival(state.crowd, result.label, state.tied)
    result.label[result.unreadable] = NO_LABEL
    result.confidence[result.unreadable] = 0
    result.gain[result.unreadable] = 0
    return result


def _empty_result(crowd: Crowd, probabilities: bool) -> Consensus:
    """Return the result before any label is chosen; without answers all classes are as likely."""
    images, classes = crowd.images, crowd.classes
    answers = np.bincount(crowd.image, minlength=images)
    unreadable_answers = np.bincount(crowd.image[crowd.label < 0], minlength=images)
    uniform = np.full((images, classes), 1 / classes, np.float32) if probabilities else None
    return Consensus(
        label=np.full(images, NO_LABEL, np.int16),
        confidence=np.zeros(images, np.float32),
        agreement=np.zeros(images, np.float32),
        gain=np.zeros(images, np.float32),
        answers=np.minimum(answers, 65_535).astype(np.uint16),
        unreadable=2 * unreadable_answers > answers,
        probabilities=uniform,
    )


def _hierarchical(state: Consolidation) -> None:
    """Fit the workers' matrices, fit rho if there is enough gold, then label every image."""
    rules = state.evidence.rules
    if rules.weigh_copies:
        merge_found_copies(state)
    crowd, result = state.crowd, state.result
    gold = answered_gold(state)
    prior = estimate_prior(state.by_depth, crowd.classes, state.evidence, gold)
    shrinkage = estimate_shrinkage(state.by_depth, crowd.workers, crowd.classes)
    em = EM(
        partial(hierarchical.m_step, shrinkage=shrinkage, class_prior=prior),
        crowd.workers,
        crowd.classes,
        state.evidence,
        # a model's guess is the second opinion that says how good a single answer is
        use_single_answers=state.evidence.log_ratio is not None,
    )
    result.rho, result.skew = RHO, prior.skew
    result.later_power = rules.later_power
    known = state.evidence.known
    if known is not None:
        answered = (known >= 0) & (np.bincount(crowd.image, minlength=crowd.images) > 0)
        if int(answered.sum()) >= rules.min_gold:
            # a model fitted to the gold labels is sure of them, and rho would come out too low
            blind = replace(state.evidence, known=None)
            model = to_predict(replace(em, evidence=blind).fit(state.by_depth), prior, rules)
            result.rho = fit_rho(state.by_depth, model, blind, known)
            result.calibrated_on = int(answered.sum())
    # the final model does know the gold labels, which tell more about the workers
    label_by(state, to_predict(em.fit(state.by_depth), prior, rules), result.rho)
    for group in result.copies:  # the group's matrix is in its first worker's place
        for estimates in (result.accuracy, result.recall):
            assert estimates is not None
            estimates[group] = estimates[group[0]]


def merge_found_copies(state: Consolidation) -> None:
    """Weigh each group of workers who hand in the same answers as one person from here on."""
    rules = state.evidence.rules
    groups, state.result.experts = find_alike(
        state.by_depth, state.crowd.workers, state.crowd.classes, rules
    )
    if groups:
        state.result.copies = groups
        state.crowd = merge_copies(state.crowd, groups)
        state.by_depth = split_by_depth(state.crowd)


def answered_gold(state: Consolidation) -> NDArray[np.int16]:
    """Return the classes of the known images that have a readable answer."""
    known = state.evidence.known
    if known is None:
        return np.empty(0, np.int16)
    classes = np.concatenate([known[part.ids] for part in state.by_depth] or [known[:0]])
    return np.asarray(classes[classes >= 0], np.int16)


def to_predict(model: Model, prior: ClassPrior, rules: Rules) -> Model:
    """Return the model with the class prior that images are labeled by.

    It follows the votes more closely than the prior of the fit, which errs on the flat side so that
    rare classes survive the iterations. Where one class is common, labels are chosen by a prior
    that is flatter again: it errs on the side of rare classes, and confidences tell by how much;
    from some answers on by that of even crowds.
    """
    log_prior = prior.log(model.counts, hierarchical.PREDICT_VOTE_WEIGHT)
    to_label = prior.log_to_label(log_prior)
    labeled = replace(
        model, log_prior=log_prior, log_label_prior=None if to_label is log_prior else to_label
    )
    even = prior.log_even(model.counts, hierarchical.PREDICT_VOTE_WEIGHT)
    if rules.even_labels_from is None or even is None:
        return labeled
    return replace(labeled, log_even_prior=even, even_labels_from=rules.even_labels_from)


def _dawid_skene(state: Consolidation) -> None:
    """Run the published method: every answer counts, and nothing is tempered."""
    em = EM(
        dawid_skene.m_step,
        state.crowd.workers,
        state.crowd.classes,
        state.evidence,
        use_single_answers=True,
        tolerance=dawid_skene.TOLERANCE,
        max_iterations=dawid_skene.MAX_ITERATIONS,
    )
    label_by(state, em.fit(state.by_depth), rho=0.0)


def label_by(state: Consolidation, model: Model, rho: float) -> None:
    """Label every image by the model, with tempered probabilities."""
    classes, workers = state.crowd.classes, state.crowd.workers
    prior = np.exp(model.log_prior)
    power = state.result.later_power
    for block in state.blocks():
        scores = model.log_joint(block, state.evidence)
        to_label = scores_to_label(scores, model, block.depth)
        agreement = state.choose_labels(block, to_label, prior)
        p = temper(scores, block.depth + state.evidence.guessed(block.ids), rho, agreement, power)
        state.set_confidence(block, p, model.pooled_confusion, rho, agreement)
    if state.evidence.earlier is not None:
        state.result.gain *= state.evidence.rules.memory_gain
    confusion = model.log_confusion.reshape(workers, classes, classes)
    right = np.exp(np.einsum("wkk->wk", confusion))
    state.result.recall = right
    state.result.accuracy = (right * (prior / prior.sum())).sum(axis=1)
    state.result.pooled = model.pooled_confusion
    state.result.converged = model.converged


def scores_to_label(scores: Floats, model: Model, depth: int) -> Floats:
    """Return the log scores (classes x images) that labels of `depth` answers are chosen by."""
    prior = model.log_label_prior
    if model.log_even_prior is not None and depth >= model.even_labels_from:
        prior = model.log_even_prior
    if prior is None:
        return scores
    raised = (prior - model.log_prior).astype(scores.dtype)
    return np.asarray(scores + raised[:, None])


METHODS: dict[Method, Callable[[Consolidation], None]] = {
    "hierarchical": _hierarchical,
    "dawid-skene": _dawid_skene,
    "majority": majority,
    "first": first_answer,
}
