"""Confidence allows for workers who make the same mistakes, and gold says how far they do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tessera.tiling.consensus import Consensus, Evidence, consolidate
from tessera.tiling.consensus.confidence import (
    RHO,
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


@given(st.integers(0, 40), st.floats(0, 3), st.floats(0.1, 1), st.floats(0.5, 1))
def test_answers_from_the_fourth_on_repeat_the_others_less(
    earlier: int, rho: float, agreement: float, power: float
) -> None:
    alike = design_effect(earlier, rho, agreement)
    less = design_effect(earlier, rho, agreement, power)
    assert less == pytest.approx(alike) if earlier <= 2 or power == 1 else less <= alike
    assert less <= design_effect(earlier + 1, rho, agreement, power)
    several = design_effect(np.array([earlier, earlier]), rho, np.full(2, agreement), power)
    np.testing.assert_allclose(several, less)


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


def rho_of(seed: int, gold: int, slack: float | None) -> float:
    answers, truth = simulated(400, 15, seed=seed)
    rules = replace(RULES[NEWEST_RULES], gold_slack=slack)
    return consolidate(answers, evidence=replace(gold_of(truth, gold), rules=rules)).rho


@pytest.mark.parametrize(("seed", "gold"), [(0, 20), (1, 20), (2, 100), (3, 300)])
def test_gold_moves_rho_no_further_than_it_surely_tells(seed: int, gold: int) -> None:
    likeliest = rho_of(seed, gold, 0.0)
    distances = [abs(np.log(rho_of(seed, gold, slack) / RHO)) for slack in (0.0, 0.7, 2.0)]
    assert distances == sorted(distances, reverse=True)
    nearer = rho_of(seed, gold, 0.7)
    assert min(RHO, likeliest) - 1e-9 <= nearer <= max(RHO, likeliest) + 1e-9


def test_gold_that_tells_nothing_leaves_rho_as_it_is() -> None:
    answers, truth = simulated(400, 15, answers=1)
    # an only answer is tempered by no rho, so each is as likely
    assert consolidate(answers, evidence=gold_of(truth, 100)).rho == pytest.approx(RHO)
    old = Evidence(known=gold_of(truth, 100).known, rules=RULES[4])
    assert consolidate(answers, evidence=old).rho == pytest.approx(RHO)


def test_many_answers_are_believed_more_than_before_and_few_are_not() -> None:
    for depth, is_same in ((3, True), (7, False)):
        answers, _ = simulated(400, 15, answers=depth)
        before, now = (
            consolidate(answers, evidence=Evidence(rules=RULES[number])) for number in (4, 5)
        )
        np.testing.assert_array_equal(before.label, now.label)
        assert np.array_equal(before.confidence, now.confidence) == is_same
        assert (now.confidence >= before.confidence - 1e-6).mean() > 0.99
