"""How strongly workers' matrices are shrunk depends on how much workers differ."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tessera.tiling.consensus import Crowd, consolidate
from tessera.tiling.consensus.crowd import split_by_depth
from tessera.tiling.consensus.worker_shrinkage import (
    MAX_SHRINKAGE,
    MIN_SHRINKAGE,
    estimate_shrinkage,
)


def answered(skill: NDArray[np.float64], images: int = 3000) -> tuple[Crowd, NDArray[np.int64]]:
    """Three answers an image, of four classes, by workers of these accuracies."""
    chance = np.random.default_rng(0)
    truth = chance.integers(0, 4, images)
    image = np.repeat(np.arange(images, dtype=np.int32), 3)
    worker = chance.permuted(np.tile(np.arange(len(skill), dtype=np.int32), (images, 1)), axis=1)
    worker = worker[:, :3].ravel()
    wrong = (truth[image] + chance.integers(1, 4, len(image))) % 4
    label = np.where(chance.random(len(image)) < skill[worker], truth[image], wrong)
    return Crowd(images, len(skill), 4, image, worker, label.astype(np.int8)), truth


def shrinkage(crowd: Crowd) -> float:
    return estimate_shrinkage(split_by_depth(crowd), crowd.workers, crowd.classes)


def test_workers_who_are_all_alike_are_judged_by_everybody() -> None:
    crowd, _ = answered(np.full(60, 0.7))
    assert shrinkage(crowd) == pytest.approx(MAX_SHRINKAGE)


def test_workers_who_differ_are_judged_by_their_own_answers() -> None:
    crowd, _ = answered(np.tile([0.95, 0.3], 30))
    assert MIN_SHRINKAGE <= shrinkage(crowd) < 0.7 * MAX_SHRINKAGE


def test_names_that_mean_nothing_make_workers_alike() -> None:
    crowd, _ = answered(np.tile([0.95, 0.3], 30))
    shuffled = np.random.default_rng(1).permutation(crowd.worker)
    mixed = Crowd(crowd.images, 60, 4, crowd.image, shuffled, crowd.label)
    assert shrinkage(mixed) == pytest.approx(MAX_SHRINKAGE)
    assert shrinkage(crowd) < 0.7 * MAX_SHRINKAGE


def test_without_a_second_answer_the_usual_shrinkage_holds() -> None:
    lone = Crowd(2, 1, 3, np.arange(2), np.zeros(2, np.int32), np.array([0, 1], np.int8))
    assert shrinkage(lone) == pytest.approx(9)


def test_knowing_who_is_good_pays_where_workers_differ() -> None:
    crowd, truth = answered(np.tile([0.95, 0.3], 30))
    by_skill = (consolidate(crowd).label == truth).mean()
    assert by_skill > (consolidate(crowd, "majority").label == truth).mean() + 0.02
