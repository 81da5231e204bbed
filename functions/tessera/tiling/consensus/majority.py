"""Label by majority vote or first answer: the methods that estimate nothing about workers."""

from __future__ import annotations

import numpy as np

from tessera.tiling.consensus.confidence import max_confidence
from tessera.tiling.consensus.crowd import Crowd, Floats, vote_counts
from tessera.tiling.consensus.hierarchical import pooled_confusion
from tessera.tiling.consensus.result import Consolidation


def majority(state: Consolidation) -> None:
    """Give each image the class with most votes.

    Confidence is the vote share with one pseudo-vote, spread evenly over the classes (additive
    smoothing): (votes + 1 / classes) / (answers + 1). A tie goes to the class that is rarer among
    all answers, since people who guess overuse the common one: at two answers an image that gives
    70.0 instead of 67.1 % accuracy (docs/decisions/consensus-prior-and-habits.md).
    """
    classes = state.crowd.classes
    rarity = -label_counts(state.crowd)
    # without counts the pooled matrix is the plain one; only the expected gain needs it
    confusion = pooled_confusion(np.zeros((classes, classes)))
    for block in state.blocks():
        counts = vote_counts(block, classes)
        state.choose_labels(block, counts, rarity)
        state.set_confidence(block, (counts + 1 / classes) / (block.depth + 1), confusion, 0.0)


def first_answer(state: Consolidation) -> None:
    """Give each image the label of the answer that came first, however many contradict it.

    Confidence is as for `majority`, by the votes for that label.
    """
    crowd, result = state.crowd, state.result
    majority(state)  # for gain and probabilities
    state.tied.clear()
    readable = np.flatnonzero(crowd.label >= 0)[::-1]
    image, label = crowd.image[readable], crowd.label[readable]
    result.label[image] = label  # backwards, so that the first to come writes last
    total = np.bincount(image, minlength=crowd.images)
    agreeing = np.bincount(image[label == result.label[image]], minlength=crowd.images)
    result.agreement[:] = agreeing / np.maximum(total, 1)
    share = (agreeing + 1 / crowd.classes) / (total + 1)
    result.confidence[:] = np.where(total, np.minimum(share, max_confidence(total)), 0)


def label_counts(crowd: Crowd) -> Floats:
    """Count the answers for each class (classes)."""
    readable = crowd.label[crowd.label >= 0]
    return np.bincount(readable, minlength=crowd.classes).astype(np.float64)
