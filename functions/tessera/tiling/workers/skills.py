"""Estimate who is likely to be right about which images, for the next round's first offers.

The estimates are those that labels are made by: each worker's chance of labeling an image of a
class right, shrunk to that of all workers. For an image in doubt it is the mean over the classes
that the image may be of. They lie in `round-N/skills.npz` beside unsure.csv, a row of doubts for
each of its rows, until the next round is grouped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Consensus, Crowd, Floats
from tessera.tiling.consensus.hierarchical import worker_confusion
from tessera.tiling.consensus.worker_shrinkage import PRIOR_CORRELATION

SKILLS_NAME = "skills.npz"
MAX_WORKERS = 1000
"""Workers who are ranked, those with the most answers: a page waits for one who is at work, and the
portal's file of a job of 100,000 tasks stays below 13 MB."""
MEMORY_SHRINKAGE = 1 / PRIOR_CORRELATION - 1
"""Pseudo-answers of the pooled matrix where no crowd says how much its workers differ."""
TASKS_AT_ONCE = 4096
"""Tasks ranked at a time: with a thousand workers 32 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class Skills:
    """Chances of right labels: `right` of each worker (workers x classes), `anyone`'s (classes).

    `doubts` are the classes' probabilities of the images that are asked (images x classes); without
    any image it is one row that holds for all.
    """

    workers: Sequence[str]
    right: Floats
    anyone: Floats
    doubts: NDArray[np.float32]

    def encode(self) -> bytes:
        """Return the skills as a file's bytes."""
        file = BytesIO()
        np.savez(
            file,
            workers=np.array(list(self.workers), np.str_),
            right=self.right.astype(np.float32),
            anyone=self.anyone.astype(np.float32),
            doubts=self.doubts.astype(np.float16),
        )
        return file.getvalue()


def decode_skills(data: bytes) -> Skills:
    """Return the skills in a file's bytes."""
    # Without pickles, which could run anything.
    with np.load(BytesIO(data), allow_pickle=False) as file:
        workers = [str(name) for name in file["workers"]]
        doubts = file["doubts"].astype(np.float32)
        return Skills(workers, file["right"], file["anyone"], doubts)


def estimate_skills(
    consensus: Consensus, crowd: Crowd, names: Sequence[str], images: Sequence[int]
) -> Skills | None:
    """Return what a consensus tells of its workers and of these images.

    None is where it tells nothing: its method knows no workers, or it has no probabilities.
    """
    if consensus.recall is None or consensus.pooled is None or consensus.probabilities is None:
        return None
    answers = np.bincount(crowd.worker, minlength=crowd.workers)
    busiest = np.argsort(-answers, kind="stable")[:MAX_WORKERS]
    busiest = np.sort(busiest[answers[busiest] > 0])  # of the others nothing is known
    return Skills(
        [names[worker] for worker in busiest],
        consensus.recall[busiest],
        np.diag(consensus.pooled),
        consensus.probabilities[np.asarray(images, np.int64)],
    )


def remembered_skills(names: Sequence[str], earlier: Floats) -> Skills:
    """Return what earlier runs tell of workers, for images of which nothing is known yet.

    `earlier` are their answers by class and label (classes x workers x labels). All classes count
    the same: by their shares, whoever always gives the common label would be among the best.
    """
    confusion, pooled = worker_confusion(earlier, MEMORY_SHRINKAGE)
    right = np.einsum("kwk->wk", confusion)
    even = np.full((1, len(earlier)), 1 / len(earlier), np.float32)
    return Skills(names, right, np.diag(pooled), even)


def first_offers(
    doubts: Floats, right: Floats, anyone: Floats, excluded: NDArray[np.bool_], share: float
) -> NDArray[np.bool_]:
    """Return which tasks are offered to whom first (workers and one more x tasks).

    That is to the given share of those who may have a task, rounded up, who are most likely to be
    right about its images; `doubts` (tasks x classes) are the mean probabilities of their classes,
    `excluded` (workers x tasks) tells who may not have it. The last row is for people of whom
    nothing is known.
    """
    offered = np.ones((len(right) + 1, len(doubts)), np.bool_)
    if not len(right):
        return offered
    for start in range(0, len(doubts), TASKS_AT_ONCE):
        tasks = slice(start, start + TASKS_AT_ONCE)
        expected = right @ doubts[tasks].T
        expected[excluded[:, tasks]] = -np.inf
        able = (~excluded[:, tasks]).sum(axis=0)
        chosen = np.ceil(able * share).astype(np.int64)
        # Equal skills are equal chances: ties are on the better side.
        sorted_ = -np.sort(-expected, axis=0)
        bound = sorted_[np.maximum(chosen - 1, 0), np.arange(len(chosen))]
        offered[:-1, tasks] = expected >= bound
        offered[-1, tasks] = anyone @ doubts[tasks].T >= bound
    return offered
