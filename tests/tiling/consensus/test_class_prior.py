"""The flattest_prior shares of classes that votes allow."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tessera.tiling.consensus import Crowd
from tessera.tiling.consensus.class_prior import (
    accuracy_from_agreement,
    flattest_prior,
    pairwise_agreement,
    water_fill,
)
from tessera.tiling.consensus.crowd import Floats, split_by_depth


def answered(truth: NDArray[np.int64], right: float, classes: int, depth: int = 3) -> Crowd:
    """So many answers an image, right so often, each by a worker of its own."""
    chance = np.random.default_rng(0)
    image = np.repeat(np.arange(len(truth), dtype=np.int32), depth)
    wrong = (truth[image] + chance.integers(1, classes, len(image))) % classes
    label = np.where(chance.random(len(image)) < right, truth[image], wrong)
    worker = np.arange(len(image), dtype=np.int32)
    return Crowd(len(truth), len(image), classes, image, worker, label.astype(np.int8))


def shares(crowd: Crowd) -> Floats:
    return flattest_prior(split_by_depth(crowd), crowd.classes)


@pytest.mark.parametrize(("right", "classes"), [(0.6, 2), (0.9, 2), (0.7, 5)])
def test_agreement_tells_how_often_answers_are_right(right: float, classes: int) -> None:
    crowd = answered(np.zeros(20_000, np.int64), right, classes)
    estimate = accuracy_from_agreement(pairwise_agreement(split_by_depth(crowd), classes), classes)
    assert estimate == pytest.approx(right, abs=0.02)


def test_votes_that_chance_explains_leave_the_prior_flat() -> None:
    crowd = answered(np.arange(300) % 4, 0.7, 4)
    assert shares(crowd) == pytest.approx(np.full(4, 0.25))


def test_a_class_is_not_more_common_than_its_votes_allow() -> None:
    truth = (np.arange(20_000) % 20 == 0).astype(np.int64)  # one in twenty
    common, rare = shares(answered(truth, 0.9, 2))
    votes = 0.05 * 0.9 + 0.95 * 0.1
    assert rare == pytest.approx(votes / 0.9, abs=0.01)
    assert common == pytest.approx(1 - rare)


def test_a_class_that_nobody_named_keeps_a_share() -> None:
    crowd = answered(np.zeros(50, np.int64), 1.0, 3)
    assert shares(crowd).min() > 0


def test_single_answers_and_none_are_enough() -> None:
    lone = answered(np.zeros(10, np.int64), 1.0, 2, depth=1)
    assert shares(lone).sum() == pytest.approx(1)
    assert flattest_prior([], 3) == pytest.approx(np.full(3, 1 / 3))


def test_where_most_is_too_little_for_all_it_is_scaled() -> None:
    assert water_fill(np.array([0.2, 0.2])) == pytest.approx([0.5, 0.5])
