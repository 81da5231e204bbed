"""Crowds to test with: written by hand, simulated, and any at all."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from tessera.tiling.consensus import Crowd, Evidence


def crowd(
    *answers: tuple[int, int, int], images: int = 0, workers: int = 0, classes: int = 3
) -> Crowd:
    """Return a crowd of these (image, worker, label), in order of arrival."""
    table = np.array(answers, np.int32).reshape(-1, 3)
    return Crowd(
        images or int(table[:, 0].max(initial=-1)) + 1,
        workers or int(table[:, 1].max(initial=-1)) + 1,
        classes,
        table[:, 0],
        table[:, 1],
        table[:, 2].astype(np.int8),
    )


def simulated(
    images: int,
    workers: int,
    classes: int = 4,
    *,
    answers: int = 3,
    accuracy: float = 0.75,
    skew: float = 0.0,
    seed: int = 0,
) -> tuple[Crowd, NDArray[np.int64]]:
    """Simulate workers who err independently, each about as often; also returns the truth.

    A share `skew` of the images is of the first class, whatever else they would be of.
    """
    chance = np.random.default_rng(seed)
    truth = chance.integers(0, classes, images)
    if skew:
        truth[chance.random(images) < skew] = 0
    skill = np.clip(chance.normal(accuracy, 0.1, workers), 0.3, 0.98)
    image = np.repeat(np.arange(images, dtype=np.int32), answers)
    worker = np.concatenate(
        [chance.choice(workers, answers, replace=False) for _ in range(images)]
    ).astype(np.int32)
    wrong = (truth[image] + chance.integers(1, classes, len(image))) % classes
    right = chance.random(len(image)) < skill[worker]
    label = np.where(right, truth[image], wrong).astype(np.int8)
    return Crowd(images, workers, classes, image, worker, label), truth


@st.composite
def crowds(draw: st.DrawFn) -> Crowd:
    """Draw any crowd of up to 12 images, 6 workers and 5 classes."""
    images, workers = draw(st.integers(1, 12)), draw(st.integers(1, 6))
    classes = draw(st.integers(1, 5))
    answers = draw(
        st.lists(
            st.tuples(
                st.integers(0, images - 1),
                st.integers(0, workers - 1),
                st.integers(-1, classes - 1),
            ),
            max_size=60,
        )
    )
    return crowd(*answers, images=images, workers=workers, classes=classes)


def reordered(answers: Crowd, order: NDArray[np.int64]) -> Crowd:
    """Return the crowd with its answers in another order."""
    return Crowd(
        answers.images,
        answers.workers,
        answers.classes,
        answers.image[order],
        answers.worker[order],
        answers.label[order],
    )


def rows_where(answers: Crowd, kept: NDArray[np.bool_]) -> Crowd:
    """Return the crowd with some of its answers alone."""
    return reordered(answers, np.flatnonzero(kept))


def gold_of(truth: NDArray[np.int64], known: int) -> Evidence:
    """Return the truth of the first images as evidence."""
    gold = np.full(len(truth), -1, np.int16)
    gold[:known] = truth[:known]
    return Evidence(gold)
