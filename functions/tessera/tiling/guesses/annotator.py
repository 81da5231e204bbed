"""Learn a model of the answers, and weigh its guesses as those of one more annotator.

Twice in turn, the consensus of the answers teaches the model and the model's guesses enter the
consensus. The scores of the regression become probabilities by one temperature `T`, at which single
answers `l` are likeliest through the confusion matrix `P` of all workers:

    q[i] = softmax(scores[i] / T),   maximize sum of log sum_k q[i, k] P[k, l]

Answers are what can be observed; a temperature fitted to the consensus would make the model as sure
as the consensus that it is part of. The gain of that log likelihood over the mere shares of the
labels, in nats an answer, says whether the model knows anything at all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Consensus, Crowd, Evidence, Floats, consolidate
from tessera.tiling.guesses.columns import Columns, features
from tessera.tiling.guesses.ridge import Ridge, ridge, softmax

PASSES = 2
"""Times that the model is learned, the second time from labels that the first has mended
(docs/decisions/guesses-one-more-annotator.md)."""
MIN_NATS = 0.05
"""Nats an answer that a model must know to be used. Embeddings of other pictures have -0.03 to 0,
those of which a third is mixed up 0.5, sound ones more than 1."""
TEMPERATURES = np.exp(np.linspace(np.log(0.02), np.log(20), 60))
"""Temperatures tried, from almost certain to almost even."""
SAMPLE_ANSWERS = 20_000
"""Answers, evenly spaced, that the temperature is fitted to: one number needs no more."""
MIN_PROBABILITY = 1e-4
"""Least probability that a guess gives a class, so that no guess outweighs several people."""


@dataclass(frozen=True, slots=True, eq=False)
class Guesses:
    """Guesses of all images, out of fold, and what they are worth.

    `probabilities` (images x classes) are in float16, as they are stored; a row of zeros is an
    image without a guess. `nats` is what the model knows of an answer beyond the labels' shares,
    `answered` the number of images that taught it, `accuracy` the share of those that it guesses as
    the answers say. Below `MIN_NATS` the guesses are not `used`.
    """

    probabilities: NDArray[np.float16]
    nats: float
    accuracy: float
    answered: int
    l2: float
    temperature: float

    @property
    def used(self) -> bool:
        """Say whether the model knows enough to be weighed."""
        return self.nats >= MIN_NATS

    def evidence(self, beside: Evidence) -> Evidence:
        """Return what is known of the images beside their answers, with these guesses."""
        return replace(beside, log_ratio=log_ratio(self.probabilities)) if self.used else beside


def learn(
    columns: Columns, crowd: Crowd, evidence: Evidence | None = None
) -> tuple[Guesses, Consensus]:
    """Return the guesses of all images, and the consensus of the answers with them.

    Raises ValueError if there is not one row for each of the crowd's images.
    """
    if len(columns) != crowd.images:
        raise ValueError(f"{len(columns)} rows for {crowd.images} images")
    beside = evidence or Evidence()
    consensus = consolidate(crowd, evidence=beside, probabilities=True)
    regression = ridge(features(columns), _answered(crowd, beside))
    guesses = None
    for _ in range(PASSES):
        latest = _guess(regression, crowd, consensus)
        # what a model knows is measured before it has had a say in the labels it is compared with
        guesses = latest if guesses is None else replace(latest, nats=guesses.nats)
        if not guesses.used:
            break
        consensus = consolidate(crowd, evidence=guesses.evidence(beside), probabilities=True)
    assert guesses is not None
    return guesses, consensus


def _answered(crowd: Crowd, evidence: Evidence) -> NDArray[np.bool_]:
    """Return the images (images) that have a readable answer, or whose class is known."""
    answered = np.bincount(crowd.image[crowd.label >= 0], minlength=crowd.images) > 0
    if evidence.known is not None:
        answered |= evidence.known >= 0
    return answered


def _guess(regression: Ridge, crowd: Crowd, consensus: Consensus) -> Guesses:
    """Learn the consensus, and return what that says of every image."""
    targets, pooled = consensus.probabilities, consensus.pooled
    assert targets is not None
    assert pooled is not None
    weights, l2 = regression.fit(targets)
    scores, usable = regression.predict(weights)
    image, label = _sample(crowd, usable)
    likelihood = pooled[:, label].T
    temperature, known = _fit_temperature(scores[image], likelihood)
    shares = np.bincount(label, minlength=crowd.classes) / max(len(label), 1)
    nats = known - _mean_log(shares[label]) if len(label) else 0.0  # of no answer nothing is known
    taught = regression.taught
    same = scores[taught].argmax(axis=1) == targets[taught].argmax(axis=1)
    # numbers that half precision has in full, as the others take it ten times as long
    p = np.maximum(softmax(scores / np.float32(temperature)), np.float32(MIN_PROBABILITY))
    p[~usable] = 0
    return Guesses(
        probabilities=p.astype(np.float16),
        nats=nats,
        accuracy=float(same.mean()) if len(same) else 0.0,
        answered=len(taught),
        l2=l2,
        temperature=temperature,
    )


def _sample(
    crowd: Crowd, guessed: NDArray[np.bool_]
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Return image and label of readable answers to guessed images, evenly spaced, sorted."""
    kept = (crowd.label >= 0) & guessed[crowd.image]
    image, label = crowd.image[kept], crowd.label[kept]
    order = np.lexsort((label, image))  # so that the order of arrival does not change the sums
    order = order[:: max(len(order) // SAMPLE_ANSWERS, 1)]
    return image[order], label[order]


def _fit_temperature(scores: Floats, likelihood: Floats) -> tuple[float, float]:
    """Return the temperature at which answers are likeliest, and their mean log likelihood.

    `scores` and `likelihood`, the probability of the answer by class, are answers x classes.
    """
    highest = scores.max(axis=1, keepdims=True, initial=-np.inf)
    logs = []
    for temperature in TEMPERATURES:
        # a softmax whose division is that of the sum alone, as these are sixty
        p = np.exp((scores - highest) / np.float32(temperature))
        weighed = np.einsum("ij,ij->i", p, likelihood) / p.sum(axis=1)
        logs.append(_mean_log(weighed))
    best = int(np.argmax(logs))
    return float(TEMPERATURES[best]), logs[best]


def _mean_log(probabilities: Floats) -> float:
    """Return the mean of the logarithms, and minus infinity of no probability at all."""
    if not len(probabilities):
        return -np.inf
    return float(np.log(np.maximum(probabilities, 1e-12)).mean(dtype=np.float64))


def log_ratio(probabilities: NDArray[np.float16]) -> NDArray[np.float32]:
    """Return the log of each class's probability over its mean (images x classes).

    That is what the guess adds to the scores of the classes, whose prior is added once for all. An
    image without a guess has a row of zeros.
    """
    guessed = probabilities.any(axis=1)
    p = np.maximum(probabilities.astype(np.float32), MIN_PROBABILITY)
    mean = p[guessed].mean(axis=0, dtype=np.float64) if guessed.any() else np.ones(p.shape[1])
    np.log(p, out=p)
    p -= np.log(mean).astype(np.float32)
    p[~guessed] = 0
    return p
