"""Find gold images whose known label may be wrong, because the answers alone say another one.

A wrong gold label makes workers and confidences look worse than they are, so a consensus that knows
the gold labels is sure of nothing any more where a fifth of them are wrong. What the answers say is
therefore consolidated once more as if no label were known, by the default method. A gold label is
in doubt where `SEVERAL` people or more gave the label that comes out, and it is as probable as
`SURE`. Labels and confidences of the run stay as they are: a person decides which of the two is
wrong. Measured in docs/decisions/consensus-gold-doubts.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus.crowd import Crowd
from tessera.tiling.consensus.em import Evidence
from tessera.tiling.consensus.methods import consolidate

SURE = 0.9
"""Probability of another label from which on gold is in doubt: at 0.8 three times as many right
gold labels are, at 0.95 a quarter fewer wrong ones (docs/decisions/consensus-gold-doubts.md)."""
SEVERAL = 2
"""People who gave the other label, at least: one against a known label may have slipped."""
MAX_ANSWERS = 300_000
"""Answers that workers are learned from here: of more images only every so manieth counts, beside
the gold ones."""


@dataclass(frozen=True, slots=True, eq=False)
class GoldDoubts:
    """Gold images whose label is in doubt, and the label that the answers say with what confidence.

    The surest contradiction is first.
    """

    image: NDArray[np.int64]
    label: NDArray[np.int16]
    confidence: NDArray[np.float32]

    def __len__(self) -> int:
        """Count the images."""
        return len(self.image)


def find_gold_doubts(crowd: Crowd, evidence: Evidence) -> GoldDoubts:
    """Return the known images that several workers surely label otherwise.

    Of the evidence only what was known of workers and of the labels' shares counts: a model's
    guesses are no answers, and may be learned from the gold labels.
    """
    known = evidence.known
    candidates = contradicted_images(crowd, known)
    if known is None or not len(candidates):
        return GoldDoubts(candidates, np.empty(0, np.int16), np.empty(0, np.float32))
    alone = Evidence(earlier=evidence.earlier, shares=evidence.shares, rules=evidence.rules)
    consensus = consolidate(_sample(crowd, known), evidence=alone)
    people = np.arange(crowd.workers)
    for group in consensus.copies:
        people[group] = group[0]
    label, confidence = consensus.label[candidates], consensus.confidence[candidates]
    several = _people(crowd, people, candidates, label) >= SEVERAL
    doubted = np.flatnonzero((label >= 0) & (label != known[candidates]) & several)
    doubted = doubted[confidence[doubted] >= SURE]
    doubted = doubted[np.argsort(-confidence[doubted], kind="stable")]
    return GoldDoubts(candidates[doubted], label[doubted], confidence[doubted])


def contradicted_images(crowd: Crowd, known: NDArray[np.int16] | None) -> NDArray[np.int64]:
    """Return the known images to which `SEVERAL` workers or more gave one and the same other label.

    Those in doubt are among them. It takes one look at the answers, and no estimates.
    """
    if known is None:
        return np.empty(0, np.int64)
    rows = np.flatnonzero((crowd.label >= 0) & (known[crowd.image] >= 0))
    rows = rows[crowd.label[rows] != known[crowd.image[rows]]]
    given = np.stack([crowd.image[rows], crowd.label[rows], crowd.worker[rows]], axis=1)
    each = np.unique(given.astype(np.int64), axis=0)  # a worker may have answered an image twice
    pairs, workers = np.unique(each[:, :2], axis=0, return_counts=True)
    return np.unique(pairs[workers >= SEVERAL, 0])


def _sample(crowd: Crowd, known: NDArray[np.int16]) -> Crowd:
    """Return the answers to known images and as many others as workers are learned from."""
    step = -(-len(crowd) // MAX_ANSWERS)
    if step <= 1:
        return crowd
    return crowd.answers((crowd.image % step == 0) | (known[crowd.image] >= 0))


def _people(
    crowd: Crowd, people: NDArray[np.int64], images: NDArray[np.int64], label: NDArray[np.int16]
) -> NDArray[np.int64]:
    """Count for each image the people who gave it this label; which are in order."""
    place = np.full(crowd.images, -1, np.int64)
    place[images] = np.arange(len(images))
    rows = np.flatnonzero(place[crowd.image] >= 0)
    rows = rows[crowd.label[rows] == label[place[crowd.image[rows]]]]
    pairs = np.stack([place[crowd.image[rows]], people[crowd.worker[rows]]], axis=1)
    each = np.unique(pairs, axis=0)
    return np.bincount(each[:, 0], minlength=len(images))
