"""How far to believe a label: answers that repeat each other count for less than they say.

Workers who look at the same picture make the same mistakes, so the evidence of `r` answers is
tempered as if there were only r / (1 + rho (r - 1)) of them where all agree. Where they do not, the
picture itself misleads, and they count for less: rho is divided by the root of the share that the
most common answer has. With known images `rho` is set to what makes their labels most likely;
without, it is what suited most crowds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus.crowd import Floats, Stack, highest, votes
from tessera.tiling.consensus.em import Evidence, Model

RHO = 0.65
SPREAD = 0.5
"""Standard deviation of log rho over crowds: how far gold images may move it from `RHO`."""
GOLD_NEEDED = 50


def repetition(before: int, rho: float, agreement: Floats | float) -> Floats | float:
    """How many times an answer counts that `before` others repeat; they agree so far.

    >>> repetition(2, 0.5, 1.0), repetition(2, 0.5, 0.25)
    (2.0, 3.0)
    """
    repeated: Floats | float = 1 + rho * before / agreement**0.5
    return repeated


def tempered(scores: Floats, depth: int, rho: float, agreement: Floats | float = 1.0) -> Floats:
    """Probabilities for log scores from `depth` answers, in place."""
    scores -= highest(scores)
    scores /= repetition(depth - 1, rho, agreement)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=0)
    return scores


def ceiling(answers: NDArray[np.integer]) -> Floats:
    """The most that so many answers can say: nothing is ever certain.

    >>> ceiling(np.array([1, 3])).tolist()
    [0.99, 0.9999]
    """
    most: Floats = 1 - 10.0 ** -(np.minimum(answers, 5) + 1)
    return most


def calibrated_rho(
    stacks: list[Stack], model: Model, evidence: Evidence, known: NDArray[np.int16]
) -> float:
    """The rho that makes the known labels likeliest; `model` must not have been told them."""
    told: list[_Told] = []
    for pile in stacks:
        telling = np.flatnonzero(known[pile.ids] >= 0)
        if len(telling):
            part = Stack(pile.ids[telling], pile.cells[:, telling])
            agreement = highest(votes(part, len(model.prior))) / pile.depth
            scores = model.scores(part, evidence)
            told.append((pile.depth, agreement, scores, known[part.ids]))
    grid = RHO * np.exp(SPREAD * np.linspace(-8, 4, 121))
    return float(max(grid, key=lambda rho: _plausibility(told, float(rho))))


_Told = tuple[int, Floats, Floats, NDArray[np.int16]]
"""Known images of equally many answers: how many, their agreement, their scores, the truth."""


def _plausibility(told: list[_Told], rho: float) -> float:
    """Log likelihood of the known labels, and of such a rho beforehand."""
    total = -0.5 * (np.log(rho / RHO) / SPREAD) ** 2
    for depth, agreement, scores, truth in told:
        p = tempered(scores.copy(), depth, rho, agreement)
        total += np.log(np.maximum(p[truth, np.arange(len(truth))], 1e-12)).sum(dtype=np.float64)
    return float(total)


def expected_gain(
    p: Floats, pooled: Floats, depth: int, rho: float, agreement: Floats | float = 1.0
) -> NDArray[np.float32]:
    """How much the top probability of each image should rise by one more average answer.

    The next answer `l` comes with probability sum_k p(k) pooled(k, l), and leaves the top class
    with max_k p(k) pooled(k, l) of it: so it would be if the answer were all news. As `depth`
    answers and one count for (depth + 1) / (1 + rho depth), a new one repeats what is known but
    for 1 / (1 + rho depth) of the time, and is expected to raise as much less; where the answers
    so far disagree, rho is larger by as much as it is for `tempered`.
    """
    narrow = p.astype(np.float32)  # rounding is all that a gain can lose by it
    after = np.zeros(p.shape[1], np.float32)
    for answer in pooled.T.astype(np.float32):
        after += highest(narrow * answer[:, None])
    news = np.asarray(1 / repetition(depth, rho, agreement), np.float32)
    gain: NDArray[np.float32] = np.maximum(after - highest(narrow), 0) * news
    return gain
