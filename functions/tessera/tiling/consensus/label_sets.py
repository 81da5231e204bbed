"""Consolidate sets of labels: one yes-or-no consensus for each label, by the same methods.

Where an image may have several labels, each label is a question of its own: a worker who chose
"cat" and "dog" of three labels answered yes, yes and no. People who are good at one label need not
be good at another, and a rare label has another prior than a common one, so that nothing is shared
between the questions (docs/decisions/multi-label-binary.md).

A page of a later round asks only the labels in doubt, and an answer on it says nothing of the
others: a label that was not asked is no "no" (docs/decisions/multi-label-doubts.md).
"""

from __future__ import annotations

from collections.abc import Mapping
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

Asked = NDArray[np.int64]
"""Labels that the page of each answer asked: a bit a label, all of them set (-1) for all labels."""


@dataclass(frozen=True, slots=True, eq=False)
class SetConsensus:
    """Sets of labels with what they rest on (images x labels), and what holds for whole images.

    `has` tells which labels an image has, `confidence` how probable each yes or no is, `agreement`
    the share of answers that say so, `gain` what one more answer should add: all of it for a label
    that nobody was asked for. `answers` and `unreadable` have a row an image. `accuracy` (labels x
    workers) is NaN where a method estimates none, and `converged` is false if that of any label has
    not. `decided` tells which of `has` a reviewer decided, None if none of them.
    """

    has: NDArray[np.bool_]
    confidence: NDArray[np.float32]
    agreement: NDArray[np.float32]
    gain: NDArray[np.float32]
    answers: NDArray[np.uint16]
    unreadable: NDArray[np.bool_]
    accuracy: Floats
    converged: bool
    decided: NDArray[np.bool_] | None = None

    def in_doubt(self, gain: float) -> NDArray[np.bool_]:
        """Return the labels of each image of which one more answer is worth more than `gain`."""
        return np.asarray(self.gain > gain, np.bool_)

    @property
    def labeled(self) -> NDArray[np.bool_]:
        """Return which images have an answer that counts, be it that no label fits (images).

        So have those of which a reviewer decided every label.
        """
        known = self.answers > 0
        if self.decided is not None:
            known |= self.decided.all(axis=1)
        return known & ~self.unreadable

    def with_decisions(self, decisions: Mapping[int, Mapping[int, bool]]) -> SetConsensus:
        """Return the consensus with the yes and no that reviewers decided, which are sure.

        By image and label; under `UNREADABLE` that the image cannot be judged. An image that the
        workers could not judge, or did not answer, has labels once all of them are decided: of the
        others nothing is known.
        """
        if not decisions:
            return self
        decided = np.zeros_like(self.has)
        has, confidence, gain = self.has.copy(), self.confidence.copy(), self.gain.copy()
        unreadable = self.unreadable.copy()
        for image, labels in decisions.items():
            if UNREADABLE in labels:
                unreadable[image] = True
                for column in (has, confidence, gain):
                    column[image] = 0
                continue
            places = list(labels)
            decided[image, places] = True
            unreadable[image] &= not decided[image].all()
            if not unreadable[image]:
                has[image, places], gain[image, places] = list(labels.values()), 0
                confidence[image, places] = 1
        return replace(
            self,
            has=has,
            confidence=confidence,
            gain=gain,
            unreadable=unreadable,
            decided=decided,
        )

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


def asks(asked: Asked | None, label: int) -> NDArray[np.bool_]:
    """Return of each answer whether its page asked a label; true of all where `asked` is None."""
    return np.asarray(True if asked is None else asked >> label & 1, np.bool_)


def answers_to(crowd: Crowd, label: int, asked: Asked | None = None) -> Crowd:
    """Return the yes and no of a crowd's sets to one label, by its bit.

    Answers whose page did not ask the label, by the bits of `asked`, are left out. That an image
    cannot be judged is about the image, and no answer to a label: such answers are left out, too.
    """
    rows = (crowd.label >= 0) & asks(asked, label)
    answers = crowd if rows.all() else crowd.answers(rows)
    return replace(answers, classes=2, label=(answers.label >> label & 1).astype(np.int8))


def consolidate_sets(
    crowd: Crowd,
    method: Method = DEFAULT_METHOD,
    *,
    evidence: Evidence | None = None,
    asked: Asked | None = None,
) -> SetConsensus:
    """Return the labels that a crowd's sets add up to; `crowd.classes` is the number of labels.

    A set is a number with one bit for each label, -1 where the image cannot be judged. `asked` has
    the labels that each answer's page asked, None where all pages asked all. Two of three workers
    see label 0, all of them label 1 and nobody label 2:

    >>> image, worker = np.zeros(3, np.int32), np.arange(3, dtype=np.int32)
    >>> crowd = Crowd(1, 3, 3, image, worker, np.array([0b011, 0b010, 0b011]))
    >>> consolidate_sets(crowd, "majority").has.tolist()
    [[True, True, False]]
    """
    evidence = evidence or Evidence()
    # on a rare label everybody agrees, so that agreement on one label says nothing of copies
    evidence = replace(evidence, rules=replace(evidence.rules, weigh_copies=False))
    parts = [
        consolidate(answers_to(crowd, label, asked), method, evidence=evidence)
        for label in range(crowd.classes)
    ]
    answers, unreadable = _judged(crowd)
    unknown = np.full(crowd.workers, np.nan)
    sets = SetConsensus(
        has=np.stack([part.label == YES for part in parts], axis=1),
        confidence=np.stack([part.confidence for part in parts], axis=1),
        agreement=np.stack([part.agreement for part in parts], axis=1),
        gain=np.stack([part.gain for part in parts], axis=1),
        answers=answers,
        unreadable=unreadable,
        accuracy=np.stack([unknown if p.accuracy is None else p.accuracy for p in parts]),
        converged=all(part.converged for part in parts),
    )
    # an image that can be judged, with a label that no answer is to: the next one says it all
    unknown_labels = np.stack([part.label == NO_LABEL for part in parts], axis=1)
    sets.gain[unknown_labels & sets.labeled[:, None]] = 1
    # of an image that nobody can judge nothing is known, whatever single workers see in it
    for column in (sets.has, sets.confidence, sets.gain):
        column[unreadable] = 0
    return sets


def _judged(crowd: Crowd) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """Count each image's answers, and tell whether most say that it cannot be judged (images)."""
    answers = np.bincount(crowd.image, minlength=crowd.images)
    unreadable = np.bincount(crowd.image[crowd.label < 0], minlength=crowd.images)
    return np.minimum(answers, 65_535).astype(np.uint16), 2 * unreadable > answers
