"""The methods by name, and what any of them gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tiling.consensus.crowd import Crowd, stack, votes
from tiling.consensus.ties import best, first_come

NONE = -1
"""The label of an image that got none."""


@dataclass(slots=True, eq=False)
class Consensus:
    """One label an image, and how far to believe it."""

    label: NDArray[np.int16]
    confidence: NDArray[np.float32]
    agreement: NDArray[np.float32]
    gain: NDArray[np.float32]
    answers: NDArray[np.uint16]
    unreadable: NDArray[np.bool_]

    @classmethod
    def empty(cls, images: int) -> Consensus:
        """No label for anything."""
        return cls(
            label=np.full(images, NONE, np.int16),
            confidence=np.zeros(images, np.float32),
            agreement=np.zeros(images, np.float32),
            gain=np.zeros(images, np.float32),
            answers=np.zeros(images, np.uint16),
            unreadable=np.zeros(images, np.bool_),
        )


def consolidate(crowd: Crowd, method: str = "majority") -> Consensus:
    """What the answers add up to, by one of `METHODS`."""
    found = Consensus.empty(crowd.images)
    found.answers[:] = np.minimum(np.bincount(crowd.image, minlength=crowd.images), 65_535)
    METHODS[method](crowd, found)
    blind = np.bincount(crowd.image[crowd.label < 0], minlength=crowd.images)
    found.unreadable[:] = 2 * blind > found.answers
    found.label[found.unreadable] = NONE
    return found


def _majority(crowd: Crowd, found: Consensus) -> None:
    """Most votes win; the confidence is their share, one even answer by nobody counted in."""
    stacks = stack(crowd)
    said = crowd.label[crowd.label >= 0]
    common = np.bincount(said, minlength=crowd.classes).astype(np.float64)
    tied: dict[int, NDArray[np.bool_]] = {}
    for block in (piece for pile in stacks for piece in pile.blocks()):
        count = votes(block, crowd.classes)
        label, still = best(count, count, common)
        found.label[block.ids] = label
        top = count.max(axis=0)
        found.agreement[block.ids] = top / block.depth
        found.confidence[block.ids] = (top + 1 / crowd.classes) / (block.depth + 1)
        for column in np.flatnonzero(still.any(axis=0)).tolist():
            tied[int(block.ids[column])] = still[:, column]
    first_come(crowd, found.label, tied)


def _first(crowd: Crowd, found: Consensus) -> None:
    """The answer that came first, as the post has it."""
    readable = np.flatnonzero(crowd.label >= 0)[::-1]
    found.label[crowd.image[readable]] = crowd.label[readable]
    same = crowd.label[readable] == found.label[crowd.image[readable]]
    total = np.bincount(crowd.image[readable], minlength=crowd.images)
    agreeing = np.bincount(crowd.image[readable[same]], minlength=crowd.images)
    found.agreement[:] = agreeing / np.maximum(total, 1)
    found.confidence[:] = np.where(total > 0, (agreeing + 1 / crowd.classes) / (total + 1), 0)


METHODS: dict[str, Callable[[Crowd, Consensus], None]] = {
    "first": _first,
    "majority": _majority,
    "dawid-skene": _majority,
    "hierarchical": _majority,
}
