"""Define what a consolidation method works on and what it returns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus.confidence import (
    ceiling,
    expected_gain,
)
from tessera.tiling.consensus.crowd import Crowd, Floats, Stack, highest, votes
from tessera.tiling.consensus.em import Evidence
from tessera.tiling.consensus.ties import best

LONE_AGAINST = 3
"""Agreeing answers that a single one cannot overturn."""


NONE = -1
"""The label of an image that got none."""


@dataclass(slots=True, eq=False)
class Consensus:
    """One label an image, how far to believe it, and what was learned on the way.

    `answers` counts all answers to an image, `agreement` is the share of the readable ones that
    say its label. `probabilities`, if asked for, is image by class. `rho` is the correction that
    confidences carry and `calibrated_on` the number of known images that it was fitted to.
    `accuracy` is each worker's, as far as the method estimates it.
    """

    label: NDArray[np.int16]
    confidence: NDArray[np.float32]
    agreement: NDArray[np.float32]
    gain: NDArray[np.float32]
    answers: NDArray[np.uint16]
    unreadable: NDArray[np.bool_]
    probabilities: NDArray[np.float32] | None = None
    accuracy: Floats | None = None
    pooled: Floats | None = None
    rho: float = 0.0
    calibrated_on: int = 0


@dataclass(slots=True, eq=False)
class _Work:
    """A crowd on its way to a consensus."""

    crowd: Crowd
    stacks: list[Stack]
    evidence: Evidence
    found: Consensus
    tied: dict[int, NDArray[np.bool_]] = field(default_factory=dict)

    def blocks(self) -> Iterator[Stack]:
        for pile in self.stacks:
            yield from pile.blocks()

    def decide(self, block: Stack, scores: Floats, common: Floats) -> Floats:
        """Write down a block's labels by their scores; gives each most common answer's share."""
        found, classes = self.found, self.crowd.classes
        said = block.labels(classes).astype(np.int16)
        found.label[block.ids] = said[0]
        found.agreement[block.ids] = 1
        largest = np.ones(len(block.ids), scores.dtype)
        differ = np.flatnonzero((said[1:] != said[0]).any(axis=0))
        if not len(differ):  # where all say the same there is nothing to decide
            return largest
        part = Stack(block.ids[differ], block.cells[:, differ])
        count = votes(part, classes)
        largest[differ] = highest(count) / block.depth
        eligible = _eligible(count, block.depth)
        label, still = best(np.where(eligible, scores[:, differ], -np.inf), count, common)
        found.label[part.ids] = label
        found.agreement[part.ids] = count[label, np.arange(len(differ))] / block.depth
        for column in np.flatnonzero(still.any(axis=0)).tolist():
            self.tied[int(part.ids[column])] = still[:, column]
        return largest

    def believe(
        self, block: Stack, p: Floats, pooled: Floats, rho: float, agreement: Floats | float = 1.0
    ) -> None:
        """Write down how far a block's labels are believed, by the probabilities of classes."""
        found, ids = self.found, block.ids
        sure = p[found.label[ids], np.arange(len(ids))]
        found.confidence[ids] = np.minimum(sure, ceiling(np.array(block.depth)))
        found.gain[ids] = expected_gain(p, pooled, block.depth, rho, agreement)
        if found.probabilities is not None:
            found.probabilities[ids] = p.T


def _eligible(count: Floats, depth: int) -> NDArray[np.bool_]:
    """The classes (down) that each image (across) may get, by its votes.

    A label that nobody gave would be made up; and one answer alone against three or more that agree
    is a slip, whoever gave it.
    """
    top = highest(count)
    lone = (top >= LONE_AGAINST) & (top == depth - 1)
    eligible: NDArray[np.bool_] = count >= np.where(lone, top, 1)
    return eligible
