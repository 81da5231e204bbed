"""Temper probabilities, since workers who look at the same picture make the same mistakes.

If the answers to an image are correlated by `rho`, then `r` of them are worth

    r / (1 + rho (r - 1))

independent ones (Kish's effective sample size), and log probabilities, which were summed as if
answers were independent, are divided by the design effect 1 + rho (r - 1). Where answers disagree,
the picture itself is misleading, so rho is divided by the root of `a`, the share of the most common
answer:

    p[k] = softmax(scores[k] / (1 + rho f(r - 1) / sqrt(a)))

Each further answer repeats the others, but those from the fourth on a little less, so f(e) is e up
to e = 2, and from there on 2 (e / 2)^0.8, its power `later_power` in the rules
(docs/decisions/consensus-confidence-by-answers.md).

A model that learned from the answers repeats them as people repeat one another: it counts as one
more answer (docs/decisions/guesses-one-more-annotator.md).

With enough gold images `rho` is fitted to them: of all that make the gold labels nearly as likely
as any can, the nearest to `RHO`, which suits most crowds and is what it is without gold. Measured
in docs/decisions/consensus-evenest-prior.md and consensus-confidence-without-gold.md.

L. Kish: Survey Sampling. Wiley, 1965. Tempering: C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger: On
calibration of modern neural networks. ICML 2017. https://arxiv.org/abs/1706.04599
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus.crowd import EqualDepth, Floats, Ints, vote_counts
from tessera.tiling.consensus.em import Evidence, Model

RHO = 0.65
"""Correlation of answers without gold. Chosen on eight of nine image crowds, whichever is left out,
it is 0.65 or 0.7 (docs/decisions/consensus-evenest-prior.md)."""
LOG_RHO_SD = 0.5
"""Standard deviation of log rho over crowds: how far gold may move it from `RHO`, by rules without
`gold_slack`. Wider is worse for crowds of images, narrower where workers err independently
(docs/decisions/consensus-constants.md)."""
RHO_GRID = np.linspace(-8, 4, 121)
"""Standard deviations of log rho that are tried: rho from 0.012, nearly independent, to 4.8."""
MAX_NINES = 6
"""Nines of the highest confidence, which five or more answers give: see `max_confidence`."""


LATER = 2
"""Earlier answers up to which each counts alike; `later_power` is for more of them."""


def design_effect(
    earlier: int | Ints, rho: float, agreement: Floats | float, later_power: float = 1.0
) -> Floats | float:
    """Return how many times too much `earlier` answers and one more count, taken as independent.

    `agreement` is the share of the most common answer, `later_power` that of the rules.

    >>> design_effect(2, 0.5, 1.0), design_effect(2, 0.5, 0.25)
    (2.0, 3.0)
    >>> design_effect(8, 0.5, 1.0), design_effect(8, 0.5, 1.0, later_power=0.5)
    (5.0, 3.0)
    """
    counted: Ints | Floats | float = earlier
    if later_power != 1:  # Python's numbers stay such: numpy's would widen 32-bit scores
        least, most = (min, max) if isinstance(earlier, int) else (np.minimum, np.maximum)
        counted = least(earlier, LATER) * (most(earlier, LATER) / LATER) ** later_power
    effect: Floats | float = 1 + rho * counted / agreement**0.5
    return effect


def temper(
    scores: Floats,
    depth: int | Ints,
    rho: float,
    agreement: Floats | float = 1.0,
    later_power: float = 1.0,
) -> Floats:
    """Turn log scores from `depth` answers (classes x images) into probabilities, in place."""
    scores -= scores.max(axis=0)
    scores /= design_effect(depth - 1, rho, agreement, later_power)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=0)
    return scores


def max_confidence(answers: NDArray[np.integer]) -> Floats:
    """Return the highest confidence that so many answers can give: nothing is ever certain.

    >>> max_confidence(np.array([1, 3])).tolist()
    [0.99, 0.9999]
    """
    highest: Floats = 1 - 10.0 ** -(np.minimum(answers, MAX_NINES - 1) + 1)
    return highest


@dataclass(frozen=True, slots=True, eq=False)
class _GoldScores:
    """Gold images of equally many answers: agreement, scores (classes x images), true classes."""

    depth: int | Ints
    agreement: Floats
    scores: Floats
    truth: NDArray[np.int16]


def fit_rho(
    by_depth: list[EqualDepth], model: Model, evidence: Evidence, known: NDArray[np.int16]
) -> float:
    """Return the rho that the gold labels tell, by the rules of the evidence.

    That is the nearest to `RHO` of which the log likelihood is at most `gold_slack` below the
    highest: twenty images often tell little, and a rho that they cannot tell from the usual one is
    no reason to leave it. Under older rules it is the most probable one by a log-normal prior.
    `model` and `evidence` must not contain the gold labels: a model that was fitted to them is sure
    of them, and rho would come out too low.
    """
    gold: list[_GoldScores] = []
    for part in by_depth:
        columns = np.flatnonzero(known[part.ids] >= 0)
        if len(columns):
            images = part.columns(columns)
            agreement = vote_counts(images, len(model.log_prior)).max(axis=0) / part.depth
            scores = model.log_joint(images, evidence)
            depth = part.depth + evidence.guessed(images.ids)
            gold.append(_GoldScores(depth, agreement, scores, known[images.ids]))
    grid, rules = RHO * np.exp(LOG_RHO_SD * RHO_GRID), evidence.rules
    likely = np.array([_log_likelihood(gold, float(rho), rules.later_power) for rho in grid])
    if rules.gold_slack is None:
        return float(grid[np.argmax(likely - 0.5 * RHO_GRID**2)])
    as_good = likely >= likely.max() - rules.gold_slack
    return float(grid[np.where(as_good, np.abs(RHO_GRID), np.inf).argmin()])


def _log_likelihood(gold: list[_GoldScores], rho: float, later_power: float) -> float:
    """Return the log probability of the gold labels."""
    total = 0.0
    for images in gold:
        p = temper(images.scores.copy(), images.depth, rho, images.agreement, later_power)
        right = p[images.truth, np.arange(len(images.truth))]
        # a single gold image that nobody got right must not decide rho
        total += np.log(np.maximum(right, 1e-12)).sum(dtype=np.float64)
    return float(total)


def expected_gain(
    p: Floats,
    pooled_confusion: Floats,
    depth: int | Ints,
    rho: float,
    agreement: Floats | float = 1.0,
    later_power: float = 1.0,
) -> NDArray[np.float32]:
    """Return how much one more average answer should raise each image's highest probability.

    With `P` for the pooled confusion matrix, answer `l` comes with probability
    sum_k p[k] P[k, l] and leaves the highest class with max_k p[k] P[k, l] of that, so

        gain = (sum_l max_k p[k] P[k, l] - max_k p[k]) / (1 + rho f(depth) / sqrt(agreement))

    The divisor accounts for correlation: of depth + 1 answers each is worth 1 / (1 + rho f(depth))
    independent ones, so the new answer often only repeats the others. Expected and measured gains
    are compared in docs/decisions/consensus-expected-gain.md.
    """
    p32 = p.astype(np.float32)  # half the bytes to move; a gain loses no more than rounding
    after = np.zeros(p.shape[1], np.float32)
    for answer in pooled_confusion.T.astype(np.float32):
        after += (p32 * answer[:, None]).max(axis=0)
    independent = np.asarray(1 / design_effect(depth, rho, agreement, later_power), np.float32)
    gain: NDArray[np.float32] = np.maximum(after - p32.max(axis=0), 0) * independent
    return gain
