"""Answers that took somebody longer than usual are believed less, where settings say so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.consensus import Crowd, consolidate
from tessera.tiling.consensus.copies import merge_copies
from tessera.tiling.consensus.crowd import split_by_depth
from tessera.tiling.consensus.pace import MIN_TIMED, answer_weights, quantiles, slow_answers
from tests.tiling.consensus.crowds import simulated

SECONDS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([float("nan"), -1.0, 0.5, 1.0, 2.0, 9.0])),
    max_size=80,
)


@given(rows=SECONDS)
def test_quantiles_are_of_the_worker_alone_and_do_not_know_who_came_first(
    rows: list[tuple[int, float]],
) -> None:
    worker = np.array([row[0] for row in rows], int)
    seconds = np.array([row[1] for row in rows])
    q = quantiles(worker, seconds)
    assert ((q > 0) & (q <= 1) | np.isnan(q)).all()
    for one in np.unique(worker):
        own = (worker == one) & (seconds >= 0)
        timed = q[own]
        assert np.isnan(timed).all() if own.sum() < MIN_TIMED else abs(timed.mean() - 0.5) < 0.1
        assert np.isnan(q[(worker == one) & ~(seconds >= 0)]).all()
        for value in np.unique(seconds[own]):
            assert len(set(q[own & (seconds == value)].round(12).tolist()) - {None}) <= own.sum()
    shuffled = np.random.default_rng(3).permutation(len(rows))
    again = quantiles(worker[shuffled], seconds[shuffled])
    assert np.array_equal(again, q[shuffled], equal_nan=True)


def test_the_fastest_count_more_the_slowest_less_and_what_nobody_measured_once() -> None:
    worker, seconds = np.zeros(101, int), np.arange(101.0)
    weights = answer_weights(worker, seconds)
    assert weights[0] > 1.24
    assert weights[-1] < 0.76
    assert abs(weights.mean() - 1) < 0.01
    assert (answer_weights(worker, np.full(101, np.nan)) == 1).all()
    assert slow_answers(worker, seconds, 0.2).sum() == 20
    assert not slow_answers(worker, seconds, 0).any()


def test_a_slow_answer_loses_against_a_fast_one_and_weights_of_one_change_nothing() -> None:
    crowd, _ = simulated(300, 12, seed=1)
    plain = consolidate(crowd, probabilities=True)
    ones = consolidate(replace(crowd, weight=np.ones(len(crowd), np.float32)), probabilities=True)
    assert plain.probabilities is not None
    assert ones.probabilities is not None
    assert np.allclose(plain.probabilities, ones.probabilities, atol=1e-4)
    light = replace(crowd, weight=np.where(crowd.worker < 6, 1.25, 0.75).astype(np.float32))
    consensus = consolidate(light, probabilities=True)
    heavy = np.zeros((crowd.images, crowd.classes))
    np.add.at(heavy, (crowd.image, crowd.label), light.weight - 1)  # type: ignore[operator]
    favored = heavy.argmax(axis=1)
    rows = np.arange(crowd.images)
    assert consensus.probabilities is not None
    change = consensus.probabilities[rows, favored] - plain.probabilities[rows, favored]
    assert change.mean() > 0.005


@given(order=st.integers(0, 1000))
def test_weights_follow_their_answers_whatever_order_they_come_in(order: int) -> None:
    crowd, _ = simulated(40, 6, seed=2)
    weight = np.random.default_rng(order).random(len(crowd)).astype(np.float32) + 0.5
    weighted = replace(crowd, weight=weight)
    shuffled = weighted.answers(np.random.default_rng(order).permutation(len(crowd)))
    for one, other in zip(split_by_depth(weighted), split_by_depth(shuffled), strict=True):
        assert (one.codes == other.codes).all()
        assert one.weights is not None
        assert (one.weights == other.weights).all()
        sums = np.zeros(crowd.images)
        np.add.at(sums, np.broadcast_to(one.ids, one.weights.shape), one.weights)
        expected = np.bincount(crowd.image, weight, crowd.images)
        assert np.allclose(sums[one.ids], expected[one.ids])


def test_unreadable_answers_and_copies_take_their_weights_along() -> None:
    crowd = Crowd(
        2,
        3,
        2,
        np.array([0, 0, 1, 1, 0]),
        np.array([0, 1, 0, 1, 2]),
        np.array([1, 1, 0, 0, -1]),
        weight=np.array([0.8, 0.9, 1.0, 1.1, 1.2], np.float32),
    )
    (part,) = split_by_depth(crowd)
    assert part.weights is not None
    assert part.weights.ravel().tolist() == pytest.approx([0.8, 1.0, 0.9, 1.1])
    merged = merge_copies(crowd, [[0, 1]])
    assert merged.weight is not None
    assert merged.weight.tolist() == pytest.approx([0.8, 1.0, 1.2])
