"""Confidence allows for workers who make the same mistakes, and gold says how far they do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tessera.tiling.consensus import Consensus, consolidate
from tessera.tiling.consensus.confidence import (
    design_effect,
    expected_gain,
    max_confidence,
    temper,
)
from tessera.tiling.consolidation_rules import NEWEST_RULES, RULES
from tests.tiling.consensus.crowds import gold_of, simulated


@given(st.integers(1, 50), st.floats(0, 5), st.floats(0.05, 1))
def test_more_answers_never_count_for_less_nor_for_more_than_independent_ones(
    answers: int, rho: float, agreement: float
) -> None:
    worth = [depth / design_effect(depth - 1, rho, 1.0) for depth in (answers, answers + 1)]
    if rho <= 1:
        assert worth[0] <= worth[1] + 1e-9
    assert worth[0] <= answers
    assert design_effect(answers, rho, agreement) >= design_effect(answers, rho, 1.0)


@pytest.mark.parametrize(("depth", "rho", "gain"), [(1, 0.0, 0.3), (2, 0.5, 0.15), (4, 0.5, 0.1)])
def test_the_gain_of_an_answer_is_less_by_as_much_as_it_repeats_the_others(
    depth: int, rho: float, gain: float
) -> None:
    undecided = np.array([[0.5], [0.5]])
    four_of_five = np.array([[0.8, 0.2], [0.2, 0.8]])  # after one such answer the top is at 0.8
    assert expected_gain(undecided, four_of_five, depth, rho) == pytest.approx([gain])


MIN_GOLD = RULES[NEWEST_RULES].min_gold


def test_answers_that_disagree_count_for_less() -> None:
    scores = np.log(np.array([[0.8, 0.8], [0.2, 0.2]]))
    agreed, apart = temper(scores, 3, 0.5, np.array([1.0, 2 / 3]))[0]
    assert 0.5 < apart < agreed < 0.8


def test_nothing_is_ever_certain() -> None:
    highest = max_confidence(np.arange(1, 100))
    assert (np.diff(highest) >= 0).all()
    assert highest.max() < 1


def calibration_gap(consensus: Consensus, truth: NDArray[np.int64]) -> float:
    return abs(float(consensus.confidence.mean()) - float((consensus.label == truth).mean()))


def test_gold_brings_confidence_to_the_accuracy_of_independent_workers() -> None:
    answers, truth = simulated(4000, 40, accuracy=0.7)
    without = consolidate(answers)
    with_gold = consolidate(answers, evidence=gold_of(truth, 1000))
    assert (without.calibrated_on, with_gold.calibrated_on) == (0, 1000)
    assert with_gold.rho < without.rho
    assert calibration_gap(with_gold, truth) < calibration_gap(without, truth) / 2


def test_too_few_gold_images_leave_the_calibration_alone() -> None:
    answers, truth = simulated(400, 10)
    assert consolidate(answers, evidence=gold_of(truth, MIN_GOLD - 1)).calibrated_on == 0
    assert consolidate(answers, evidence=gold_of(truth, MIN_GOLD)).calibrated_on == MIN_GOLD


def test_a_third_answer_promises_more_where_two_disagree() -> None:
    answers, _ = simulated(500, 20, answers=2)
    consensus = consolidate(answers)
    disagree = consensus.agreement < 1
    assert np.median(consensus.gain[disagree]) > 0.05 > np.median(consensus.gain[~disagree])
