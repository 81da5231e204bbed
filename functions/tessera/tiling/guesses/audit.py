"""Audit the labels that a model gives to images which nobody was asked about.

Of the images that the model is sure of, some are asked all the same, drawn evenly over the classes
that it guesses, so that a rare one is audited too. What the model would have called each, had
nobody been asked, is compared with what people call it, by their answers alone; the classes are
weighed by their number of images:

    accuracy = sum_k w[k] right[k] / n[k],   variance as of n = 1 / sum_k w[k]^2 / n[k] images

the effective sample size of a stratified sample (L. Kish: Survey Sampling. Wiley, 1965).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Consensus, Crowd, Evidence, consolidate
from tessera.tiling.pseudo_random import pseudo_random

Bools = NDArray[np.bool_]
Indexes = NDArray[np.int64]

AUDIT_ANSWERS = 2
"""Answers after which an audited image counts if they agree: one alone is wrong about as often as
the model is where it is sure (docs/decisions/guesses-audit.md)."""


@dataclass(frozen=True, slots=True, eq=False)
class Audit:
    """Audited images, and how many of them the model would have labeled as people do.

    `images` are their indexes, rising. `compared` of them have people's label and are such as the
    model is still sure of. `accuracy` is the weighed share that the model has right and `effective`
    the number of images that its variance is that of; both are 0 until something is compared.
    """

    images: Indexes
    is_settled: bool = False
    compared: int = 0
    accuracy: float = 0.0
    effective: float = 0.0


def draw_audit(label: NDArray[np.int16], sure: Bools, count: int) -> Indexes:
    """Return so many of the `sure` images (images), evenly over their labels, rising.

    A hash of the index decides which. Classes with fewer images leave their share to the others.
    """
    candidates = np.flatnonzero(sure)
    # a random order within each class, then the first of all classes, the second of all, ...
    chance = pseudo_random(candidates.astype(np.uint64))
    order = np.lexsort((chance, label[candidates]))
    ordered = label[candidates][order]
    starts = np.searchsorted(ordered, ordered, side="left")
    turn = np.arange(len(order)) - starts
    drawn = order[np.lexsort((chance[order], turn))[:count]]
    return np.sort(candidates[drawn]).astype(np.int64)


def unsettled(crowd: Crowd, images: Indexes, most: int) -> Bools:
    """Return which audited images need one answer more, of `most` at most.

    Those are the ones with fewer than `AUDIT_ANSWERS`, and those whose likeliest label is tied.
    """
    place = np.full(crowd.images, -1, np.int64)
    place[images] = np.arange(len(images))
    rows = place[crowd.image] >= 0
    counts = np.zeros((len(images), crowd.classes + 1), np.int64)
    # the last column is that of -1: answers that say that the image cannot be judged
    np.add.at(counts, (place[crowd.image[rows]], crowd.label[rows].astype(np.int64)), 1)
    answers = counts.sum(axis=1)
    first_two = np.sort(counts, axis=1)[:, -2:]
    tied = first_two[:, 0] == first_two[:, 1]
    open_: Bools = ((answers < AUDIT_ANSWERS) | tied) & (answers < most)
    return open_


def measure_audit(
    crowd: Crowd, beside: Evidence, weighed: Evidence, images: Indexes, gain: float
) -> tuple[Consensus, Consensus, Indexes]:
    """Return the labels without the audit's answers, people's labels, and the images to compare.

    `weighed` is the evidence `beside` with the model's guesses.
    """
    audited = np.isin(crowd.image, images)
    others = replace(
        crowd, image=crowd.image[~audited], worker=crowd.worker[~audited],
        label=crowd.label[~audited],
    )  # fmt: skip
    machine = consolidate(others, evidence=weighed)
    people = consolidate(crowd, evidence=beside)
    # of others people's answers would have been asked in the meantime
    still_sure = (machine.label[images] >= 0) & (machine.gain[images] <= gain)
    return machine, people, images[still_sure & (people.label[images] >= 0)]


def weigh_audit(
    machine: NDArray[np.int16],
    people: NDArray[np.int16],
    images: Indexes,
    labeled: NDArray[np.int16],
    classes: int,
) -> tuple[float, float]:
    """Return the accuracy of the images that the model labels, and the effective sample size.

    `images` are compared; `labeled` are the labels of all images that the model alone labels, by
    which the classes are weighed. Classes without an audited image have no weight.
    """
    strata = machine[images]
    audited = np.bincount(strata, minlength=classes)
    right = np.bincount(strata[people[images] == strata], minlength=classes)
    sizes = (np.bincount(labeled, minlength=classes) + audited) * (audited > 0)
    if not sizes.sum():
        return 0.0, 0.0
    weights = sizes / sizes.sum()
    of = np.maximum(audited, 1)
    return float((weights * right / of).sum()), float(1 / (weights**2 / of).sum())
