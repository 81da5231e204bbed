"""Majority vote and first answer: the methods that learn nothing of the workers."""

from __future__ import annotations

import numpy as np

from tessera.tiling.consensus import hierarchical
from tessera.tiling.consensus.confidence import (
    ceiling,
)
from tessera.tiling.consensus.crowd import Crowd, Floats, votes
from tessera.tiling.consensus.result import _Work


def _majority(work: _Work) -> None:
    """Most votes win; the confidence is their share, one even answer by nobody counted in."""
    classes = work.crowd.classes
    common = -_common(work.crowd)
    matrix = hierarchical.pool(np.zeros((classes, classes)))
    for block in work.blocks():
        count = votes(block, classes)
        work.decide(block, count, common)
        work.believe(block, (count + 1 / classes) / (block.depth + 1), matrix, 0.0)


def _first(work: _Work) -> None:
    """The answer that came first, as if it were twice as good as the others together."""
    crowd, found = work.crowd, work.found
    _majority(work)
    work.tied.clear()
    readable = np.flatnonzero(crowd.label >= 0)[::-1]
    image, said = crowd.image[readable], crowd.label[readable]
    found.label[image] = said  # backwards, so that the first to come writes last
    total = np.bincount(image, minlength=crowd.images)
    agreeing = np.bincount(image[said == found.label[image]], minlength=crowd.images)
    found.agreement[:] = agreeing / np.maximum(total, 1)
    share = (agreeing + 1 / crowd.classes) / (total + 1)
    found.confidence[:] = np.where(total, np.minimum(share, ceiling(total)), 0)


def _common(crowd: Crowd) -> Floats:
    """How often each class was said."""
    said = crowd.label[crowd.label >= 0]
    return np.bincount(said, minlength=crowd.classes).astype(np.float64)
