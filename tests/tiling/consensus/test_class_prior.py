"""The flattest_prior shares of classes that votes allow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from tessera.tiling.consensus import Crowd, Evidence, consolidate
from tessera.tiling.consensus.class_prior import (
    ClassPrior,
    accuracy_from_agreement,
    estimate_prior,
    estimate_skew,
    flattest_prior,
    pairwise_agreement,
    water_fill,
)
from tessera.tiling.consensus.crowd import Floats, split_by_depth
from tessera.tiling.consensus.em import ExpectedCounts
from tessera.tiling.consolidation_rules import NEWEST_RULES, OLDEST_RULES, RULES
from tests.tiling.consensus.crowds import crowds, simulated


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


def one_in(rarity: int, images: int = 4000) -> NDArray[np.int64]:
    """Return the classes of images of which one in so many is of the second class."""
    return np.asarray(np.arange(images) % rarity == 0, np.int64)


@pytest.mark.parametrize(
    ("truth", "right", "classes", "skew"),
    [
        (np.arange(4000) % 2, 0.8, 2, 0.0),
        (np.arange(4000) % 5, 0.6, 5, 0.0),
        (one_in(20), 0.8, 2, 1.0),
        (one_in(20), 0.65, 2, 1.0),  # errors level the votes, and agreement tells by how much
        (one_in(100), 0.95, 3, 1.0),
    ],
)
def test_votes_tell_whether_one_class_is_common(
    truth: NDArray[np.int64], right: float, classes: int, skew: float
) -> None:
    by_depth = split_by_depth(answered(truth, right, classes))
    assert estimate_skew(by_depth, classes) == skew


def test_a_few_votes_are_no_skew() -> None:
    few = answered(np.zeros(8, np.int64), 0.8, 2)
    assert estimate_skew(split_by_depth(few), 2) < 1
    assert estimate_skew([], 2) == estimate_skew([], 1) == 0


def workers_of(crowd: Crowd, workers: int) -> Crowd:
    return replace(crowd, workers=workers, worker=(crowd.worker % workers).astype(np.int32))


def right_of(truth: NDArray[np.int64], evidence: Evidence, depth: int = 2) -> float:
    crowd = workers_of(answered(truth, 0.8, 2, depth), 40)
    return float((consolidate(crowd, evidence=evidence).label == truth).mean())


@pytest.mark.parametrize("depth", [3, 5])
def test_a_rare_class_is_labeled_better_by_the_skew_and_best_by_its_share(depth: int) -> None:
    truth = one_in(50)
    old = right_of(truth, Evidence(rules=RULES[OLDEST_RULES]), depth)
    rule = right_of(truth, Evidence(), depth)
    stated = right_of(truth, Evidence(shares=np.array([0.98, 0.02])), depth)
    assert old < rule <= stated + 0.005
    assert stated > 0.95


@given(
    shares=arrays.arrays(np.float64, 4, elements=st.floats(0.001, 1)),
    skew=st.sampled_from([0.5, 1.0]),
    floor=st.sampled_from([0.05, 0.25]),
)
def test_floors_raise_rare_classes_alone_and_keep_the_order(
    shares: NDArray[np.float64], skew: float, floor: float
) -> None:
    log_prior = np.log(shares / shares.sum())
    even = np.full(4, 1 / 4)
    raised = np.exp(ClassPrior(even, skew, label_floor=floor).log_to_label(log_prior))
    assert raised.sum() == pytest.approx(1)
    assert raised.min() >= skew * floor * raised.max() * (1 - 1e-9)
    assert (np.diff(raised[np.argsort(shares)]) >= -1e-12).all()
    for same in (ClassPrior(even, 0.0, label_floor=floor), ClassPrior(even, skew)):
        assert same.log_to_label(log_prior) is log_prior
    stated = ClassPrior(even, skew, stated=shares / shares.sum(), label_floor=floor)
    assert stated.log_to_label(log_prior) is log_prior


def differing(truth: NDArray[np.int64], depth: int) -> Crowd:
    """Return the answers of forty workers, right about 75 to 95 % of two classes."""
    chance, images = np.random.default_rng(1), len(truth)
    image = np.repeat(np.arange(images, dtype=np.int32), depth)
    worker = np.argsort(chance.random((images, 40)), axis=1)[:, :depth].ravel().astype(np.int32)
    right = chance.random(len(image)) < np.linspace(0.75, 0.95, 40)[worker]
    label = np.where(right, truth[image], 1 - truth[image]).astype(np.int8)
    return Crowd(images, 40, 2, image, worker, label)


@pytest.mark.parametrize("depth", [2, 3])
def test_a_prior_that_follows_the_skew_costs_fewer_rare_images_with_floors(depth: int) -> None:
    truth = one_in(20)
    crowd = differing(truth, depth)
    right = {
        number: consolidate(crowd, evidence=Evidence(rules=RULES[number])).label == truth
        for number in (OLDEST_RULES, 3, 4)
    }
    assert right[4][truth == 1].mean() > right[3][truth == 1].mean()
    assert right[4].mean() > right[OLDEST_RULES].mean()


@pytest.mark.parametrize("rarity", [5, 20, 50])
def test_three_answers_miss_hardly_more_rare_images_than_where_skew_is_not_followed(
    rarity: int,
) -> None:
    truth = one_in(rarity)
    crowd = differing(truth, 3)
    rules = RULES[NEWEST_RULES]
    right = {
        skewed: consolidate(
            crowd, evidence=Evidence(rules=replace(rules, follow_skew=skewed))
        ).label
        == truth
        for skewed in (True, False)
    }
    assert right[True][truth == 1].mean() >= right[False][truth == 1].mean() - 0.02
    assert right[True].mean() >= right[False].mean() - 0.005


def test_a_third_answer_changes_whose_prior_labels_not_what_they_are_believed() -> None:
    crowd = differing(one_in(20), 3)
    newest = consolidate(crowd)
    floored = replace(RULES[NEWEST_RULES], even_labels_from=None)
    before = consolidate(crowd, evidence=Evidence(rules=floored), probabilities=True)
    same = newest.label == before.label
    assert 0.9 < same.mean() < 1
    np.testing.assert_array_equal(newest.confidence[same], before.confidence[same])


def test_confidences_follow_the_shares_as_they_are() -> None:
    crowd = differing(one_in(20), 2)
    consensus = consolidate(crowd, probabilities=True)
    assert consensus.skew == 1
    assert consensus.probabilities is not None
    of_label = consensus.probabilities[np.arange(crowd.images), consensus.label]
    np.testing.assert_allclose(consensus.confidence, np.minimum(of_label, 0.999), atol=1e-6)
    # a rare label may be the less probable one: missing it would cost more than a false one
    assert (consensus.label[of_label < 0.5] == 1).all()


@given(crowds(), st.integers(1, 30))
def test_labels_that_nobody_gives_make_no_crowd_a_skewed_one(answers: Crowd, more: int) -> None:
    wider = replace(answers, classes=answers.classes + more)
    if len(set(answers.label[answers.label >= 0].tolist())) > 1:
        before = estimate_skew(split_by_depth(answers), answers.classes)
        assert estimate_skew(split_by_depth(wider), wider.classes) == before


@pytest.mark.parametrize(("more", "moved"), [(1, 0.03), (20, 0.15)])
@pytest.mark.parametrize("skew", [0.0, 0.7, 0.95])
@pytest.mark.parametrize("classes", [2, 4])
def test_labels_that_nobody_gives_change_hardly_any_label_or_confidence(
    classes: int, skew: float, more: int, moved: float
) -> None:
    answers, _ = simulated(1000, 20, classes, skew=skew)
    one = consolidate(answers)
    other = consolidate(replace(answers, classes=classes + more))
    assert (one.label == other.label).mean() > 0.99
    assert one.confidence.mean() == pytest.approx(other.confidence.mean(), abs=moved)


def test_runs_that_began_before_keep_their_labels_where_a_label_is_never_given() -> None:
    answers, _ = simulated(1000, 20, 2, skew=0.95)
    wider = replace(answers, classes=22)
    before = consolidate(wider, evidence=Evidence(rules=RULES[5]))
    assert before.confidence.mean() < 0.6 * consolidate(wider).confidence.mean()


@pytest.mark.parametrize("classes", [2, 4])
def test_even_crowds_are_labeled_as_under_the_oldest_rules(classes: int) -> None:
    crowd, _ = simulated(400, 20, classes)
    new, old = consolidate(crowd), consolidate(crowd, evidence=Evidence(rules=RULES[OLDEST_RULES]))
    assert new.skew == 0
    np.testing.assert_array_equal(new.label, old.label)
    np.testing.assert_array_equal(new.confidence, old.confidence)


def test_gold_drawn_at_random_tells_the_shares() -> None:
    truth = one_in(50)
    known = np.where(np.arange(len(truth)) % 40 == 3, truth, -1).astype(np.int16)
    without = right_of(truth, Evidence(known, rules=RULES[OLDEST_RULES]), 3)
    assert right_of(truth, Evidence(known, random_gold=True), 3) > without + 0.02


def test_too_little_gold_tells_no_shares() -> None:
    by_depth = split_by_depth(answered(one_in(50), 0.8, 2))
    gold = np.zeros(49, np.int16)
    assert estimate_prior(by_depth, 2, Evidence(random_gold=True), gold).stated is None
    gold = np.zeros(50, np.int16)
    assert estimate_prior(by_depth, 2, Evidence(random_gold=True), gold).stated is not None


def test_stated_shares_are_the_prior_whatever_the_votes_and_none_is_zero() -> None:
    by_depth = split_by_depth(answered(np.arange(40) % 2, 0.8, 2))
    prior = estimate_prior(
        by_depth, 2, Evidence(shares=np.array([1.0, 0.0])), np.empty(0, np.int16)
    )
    votes = np.array([0.5, 0.5])
    log_prior = prior.log(ExpectedCounts(np.zeros((2, 1, 2)), votes, votes, 40), 0.5)
    assert np.exp(log_prior) == pytest.approx([0.999, 0.001], abs=1e-5)


def test_the_mean_of_the_probabilities_is_smoothed_and_enters_by_the_skew() -> None:
    counts = ExpectedCounts(np.zeros((2, 1, 2)), np.array([1.0, 0.0]), np.array([0.5, 0.5]), 8)
    flattest = np.array([0.5, 0.5])
    assert np.exp(ClassPrior(flattest, 1.0).log(counts, 0.3)) == pytest.approx([10 / 12, 2 / 12])
    assert np.exp(ClassPrior(flattest, 0.5).log(counts, 0.3)) == pytest.approx([2 / 3, 1 / 3])
