"""Consolidate sets of labels: one yes-or-no consensus for each label, by the same methods.

Where an image may have several labels, each label is a question of its own: a worker who chose
"cat" and "dog" of three labels answered yes, yes and no. People who are good at one label need not
be good at another, and a rare label has another prior than a common one, so that nothing is shared
between the questions (docs/decisions/multi-label-binary.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus.crowd import Crowd, Floats
from tessera.tiling.consensus.em import Evidence
from tessera.tiling.consensus.methods import consolidate
from tessera.tiling.consensus.result import NO_LABEL, Consensus
from tessera.tiling.method_names import DEFAULT_METHOD, Method

YES = 1
"""Class of a yes; a no is 0."""
UNREADABLE = -1
"""Set of an answer that says the image cannot be judged."""


@dataclass(frozen=True, slots=True, eq=False)
class SetConsensus:
    """Sets of labels with what they rest on (images x labels), and what holds for whole images.

    `has` tells which labels an image has, `confidence` how probable each yes or no is, `agreement`
    the share of answers that say so, `gain` what one more answer should add. `answers` and
    `unreadable` have a row an image. `accuracy` (labels x workers) is NaN where a method estimates
    none, and `converged` is false if that of any label has not.
    """

    has: NDArray[np.bool_]
    confidence: NDArray[np.float32]
    agreement: NDArray[np.float32]
    gain: NDArray[np.float32]
    answers: NDArray[np.uint16]
    unreadable: NDArray[np.bool_]
    accuracy: Floats
    converged: bool

    @property
    def labeled(self) -> NDArray[np.bool_]:
        """Return which images have an answer that counts, be it that no label fits (images)."""
        return (self.answers > 0) & ~self.unreadable

    def of_images(self) -> Consensus:
        """Return one row an image: the least sure of its labels speaks for the whole set.

        The label is 0 where there is a set, be it an empty one.
        """
        return Consensus(
            label=np.where(self.labeled, 0, NO_LABEL).astype(np.int16),
            confidence=np.where(self.labeled, self.confidence.min(axis=1), 0).astype(np.float32),
            agreement=self.agreement.min(axis=1),
            gain=self.gain.max(axis=1),
            answers=self.answers,
            unreadable=self.unreadable,
            converged=self.converged,
        )


def answers_to(crowd: Crowd, label: int) -> Crowd:
    """Return the yes and no of a crowd's sets to one label, by its bit."""
    yes = (crowd.label >> label & 1).astype(np.int8)
    return replace(crowd, classes=2, label=np.where(crowd.label < 0, np.int8(UNREADABLE), yes))


def consolidate_sets(
    crowd: Crowd, method: Method = DEFAULT_METHOD, *, evidence: Evidence | None = None
) -> SetConsensus:
    """Return the labels that a crowd's sets add up to; `crowd.classes` is the number of labels.

    A set is a number with one bit for each label, -1 where the image cannot be judged. Two of three
    workers see label 0, all of them label 1 and nobody label 2:

    >>> image, worker = np.zeros(3, np.int32), np.arange(3, dtype=np.int32)
    >>> crowd = Crowd(1, 3, 3, image, worker, np.array([0b011, 0b010, 0b011]))
    >>> consolidate_sets(crowd, "majority").has.tolist()
    [[True, True, False]]
    """
    evidence = evidence or Evidence()
    # on a rare label everybody agrees, so that agreement on one label says nothing of copies
    evidence = replace(evidence, rules=replace(evidence.rules, weigh_copies=False))
    parts = [
        consolidate(answers_to(crowd, label), method, evidence=evidence)
        for label in range(crowd.classes)
    ]
    unknown = np.full(crowd.workers, np.nan)
    return SetConsensus(
        has=np.stack([part.label == YES for part in parts], axis=1),
        confidence=np.stack([part.confidence for part in parts], axis=1),
        agreement=np.stack([part.agreement for part in parts], axis=1),
        gain=np.stack([part.gain for part in parts], axis=1),
        answers=parts[0].answers,
        unreadable=parts[0].unreadable,
        accuracy=np.stack([unknown if p.accuracy is None else p.accuracy for p in parts]),
        converged=all(part.converged for part in parts),
    )
