"""Estimate what would have helped the run: memory of workers, first offers, gold.

Everything is estimated from the run's own answers. A label is right as often as all answers
together say, `p` of that label; so each way is worth the labels that it would have set right after
the first round, and as many later answers as were bought for as many.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Consensus, Crowd, Evidence, Floats, consolidate
from tessera.tiling.consensus.confidence import design_effect
from tessera.tiling.consensus.crowd import Ints
from tessera.tiling.consensus.memory import count_answers
from tessera.tiling.report.figures import mean_figure
from tessera.tiling.settings import Settings

MAX_ANSWERS = 300_000
"""Answers of a run of which it is told: three consolidations more, which are a second by then."""
MIN_ANSWERS = 100
"""Answers in later rounds below which they tell nothing of what an answer is worth."""
REMEMBERED = 0.5
"""Weight of an earlier run's answers, as memory has it (docs/decisions/consensus-memory.md)."""
LOW_RHO, HIGH_RHO = 0.3, 1.0
"""Correlations of answers that public crowds have, two in three of them in between
(docs/decisions/consensus-confidence-without-gold.md)."""


def help_figures(
    crowd: Crowd, round_: NDArray[np.int8], evidence: Evidence, settings: Settings
) -> dict[str, Any]:
    """Return the answers that each way would have saved, of those in later rounds.

    `round_` has a row for each answer. Nothing is returned of small runs, of very large ones, and
    of those whose method knows no workers.
    """
    later = int((round_ > 1).sum())
    if settings.method != "hierarchical" or len(crowd) > MAX_ANSWERS or later < MIN_ANSWERS:
        return {}
    all_answers = consolidate(crowd, evidence=evidence, probabilities=True)
    first_crowd = crowd.answers(round_ <= 1)
    first = consolidate(first_crowd, evidence=evidence, probabilities=True)
    p = all_answers.probabilities
    assert p is not None
    figures: dict[str, Any] = {"later_answers": later}
    if not settings.remember_workers:
        counts = REMEMBERED * count_answers(crowd, all_answers, evidence.known)
        known = consolidate(first_crowd, evidence=replace(evidence, earlier=counts))
        bought = _right(p, all_answers.label) - _right(p, first.label)
        set_right = _right(p, known.label) - _right(p, first.label)
        figures["memory_saves"] = _share_of(later, set_right, bought)
    if not settings.offer_share:
        asked = np.unique(crowd.image[round_ > 1])
        figures["first_offers_save"] = _offers_save(later, first, crowd, asked)
    if not all_answers.calibrated_on:
        figures["confidence_at_least"], figures["confidence_at_most"] = (
            mean_figure(_confidence(all_answers, rho)) for rho in (HIGH_RHO, LOW_RHO)
        )
    return {"would_have_helped": figures} if len(figures) > 1 else {}


def _right(p: Floats, label: NDArray[np.int16]) -> float:
    """Return how many labels are right, by the probabilities of all classes."""
    labeled = np.flatnonzero(label >= 0)
    return float(p[labeled, label[labeled]].sum())


def _share_of(later: int, set_right: float, bought: float) -> int:
    """Return how many later answers set so many labels right; all of them at most."""
    return round(later * min(max(set_right / bought, 0.0), 1.0)) if bought > 0 else 0


def _offers_save(later: int, first: Consensus, crowd: Crowd, asked: Ints) -> int:
    """Return the answers saved if the better half of the workers had given the later ones.

    A worker's answer to an image gains sum_l max_k p[k] P[k, l] - max_k p[k], where `P` has their
    own chance of being right and errors as all workers make them.
    """
    assert first.probabilities is not None
    if first.recall is None or first.pooled is None:
        return 0
    answers = np.bincount(crowd.worker, minlength=crowd.workers)
    workers = np.flatnonzero(answers)
    right = first.recall[workers].mean(axis=1)
    better = right >= np.median(right)
    p = first.probabilities[asked].astype(np.float64)
    anyone = np.average(first.recall[workers], axis=0, weights=answers[workers])
    best = np.average(first.recall[workers][better], axis=0, weights=answers[workers][better])
    gains = [_gain(p, first.pooled, recall) for recall in (anyone, best)]
    return round(later * max(1 - gains[0] / gains[1], 0.0)) if gains[1] > 0 else 0


def _gain(p: Floats, pooled: Floats, recall: Floats) -> float:
    """Return what an answer by somebody with this recall should gain, summed over images."""
    off = np.maximum(1 - np.diag(pooled), 1e-9)
    matrix = pooled * ((1 - recall) / off)[:, None]
    np.fill_diagonal(matrix, recall)
    after = np.zeros(len(p))
    for answer in matrix.T:
        after += (p * answer).max(axis=1)
    return float(np.maximum(after - p.max(axis=1), 0).sum())


def _confidence(consensus: Consensus, rho: float) -> NDArray[np.float64]:
    """Return the confidences that labels would have if answers were correlated by `rho`."""
    assert consensus.probabilities is not None
    labeled = np.flatnonzero(consensus.label >= 0)
    p = np.maximum(consensus.probabilities[labeled].astype(np.float64), 1e-12)
    earlier = np.maximum(consensus.answers[labeled].astype(np.int64) - 1, 0)
    agreement = np.maximum(consensus.agreement[labeled].astype(np.float64), 1e-6)
    power = consensus.later_power
    ratio = design_effect(earlier, consensus.rho, agreement, power) / design_effect(
        earlier, rho, agreement, power
    )
    scores = np.log(p) * np.asarray(ratio)[:, None]
    scores -= scores.max(axis=1, keepdims=True)
    again = np.exp(scores)
    again /= again.sum(axis=1, keepdims=True)
    return np.asarray(again[np.arange(len(labeled)), consensus.label[labeled]])
