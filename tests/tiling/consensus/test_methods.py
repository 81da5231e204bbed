"""The methods on crowds small enough to check by hand, and what holds for any crowd."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tessera.tiling.consensus import (
    METHODS,
    Consensus,
    Crowd,
    Evidence,
    Method,
    consolidate,
    guesses,
)
from tessera.tiling.consensus.confidence import expected_gain, temper


def crowd(
    *answers: tuple[int, int, int], images: int = 0, workers: int = 0, classes: int = 3
) -> Crowd:
    """A crowd from (image, worker, label) in order of arrival."""
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
    seed: int = 0,
) -> tuple[Crowd, NDArray[np.int64]]:
    """Workers who err independently, each with an accuracy around the one given, and the truth."""
    chance = np.random.default_rng(seed)
    truth = chance.integers(0, classes, images)
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
    return Crowd(
        answers.images,
        answers.workers,
        answers.classes,
        answers.image[order],
        answers.worker[order],
        answers.label[order],
    )


# --- by hand --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_everybody_agreeing_is_right(method: Method) -> None:
    found = consolidate(crowd(*[(i, w, i % 3) for i in range(9) for w in range(3)]), method)
    assert found.label.tolist() == [i % 3 for i in range(9)]
    assert found.agreement.tolist() == [1.0] * 9
    assert (found.confidence > 0.8).all()


@pytest.mark.parametrize("method", METHODS)
def test_one_answer_alone_is_believed_but_never_wholly(method: Method) -> None:
    found = consolidate(crowd((0, 0, 2)), method)
    assert found.label.tolist() == [2]
    assert 0.3 < found.confidence[0] < 1


def test_two_against_one_is_the_majority() -> None:
    found = consolidate(crowd((0, 0, 1), (0, 1, 2), (0, 2, 2)), "majority")
    assert found.label.tolist() == [2]
    assert found.confidence[0] == pytest.approx((2 + 1 / 3) / 4)


def test_the_first_answer_stands_whatever_the_others_say() -> None:
    found = consolidate(crowd((0, 0, 1), (0, 1, 2), (0, 2, 2)), "first")
    assert found.label.tolist() == [1]
    assert found.agreement[0] == pytest.approx(1 / 3)


def test_a_tie_of_votes_goes_to_the_rarer_class_since_people_overuse_the_common_one() -> None:
    many = [(i, w, 0) for i in range(1, 4) for w in range(2)]
    found = consolidate(crowd((0, 0, 0), (0, 1, 1), *many), "majority")
    assert found.label[0] == 1


@pytest.mark.parametrize("method", ["majority", "hierarchical"])
@pytest.mark.parametrize("first", [1, 2])
def test_a_full_tie_goes_to_the_answer_that_came_first(method: Method, first: int) -> None:
    found = consolidate(crowd((0, 0, first), (0, 1, 3 - first)), method)
    assert found.label.tolist() == [first]
    assert found.confidence[0] <= 0.5


@pytest.mark.parametrize("method", METHODS)
def test_most_saying_cannot_see_leaves_an_image_without_label(method: Method) -> None:
    found = consolidate(crowd((0, 0, -1), (0, 1, -1), (0, 2, 1), (1, 0, -1), (1, 1, 1)), method)
    assert found.label.tolist() == [-1, 1]
    assert found.unreadable.tolist() == [True, False]
    assert found.gain[0] == 0
    assert found.answers.tolist() == [3, 2]


@pytest.mark.parametrize("method", METHODS)
def test_no_answers_at_all_are_no_labels(method: Method) -> None:
    found = consolidate(crowd(images=3, workers=1), method)
    assert found.label.tolist() == [-1, -1, -1]
    assert not found.unreadable.any()


@pytest.mark.parametrize("method", METHODS)
def test_one_class_is_labeled_without_complaint(method: Method) -> None:
    found = consolidate(crowd((0, 0, 0), (0, 1, 0), (1, 0, 0), classes=1), method)
    assert found.label.tolist() == [0, 0]
    assert (found.confidence < 1).all()


@pytest.mark.parametrize("method", METHODS)
def test_one_worker_is_followed(method: Method) -> None:
    found = consolidate(crowd((0, 0, 0), (1, 0, 1), (2, 0, 2)), method)
    assert found.label.tolist() == [0, 1, 2]


def test_workers_who_are_known_to_err_lose_against_one_who_does_not() -> None:
    answers, truth = simulated(300, 6, accuracy=0.9)
    clickers = [(i, 6 + w, (i * 7 + w) % 4) for i in range(300) for w in range(2)]
    both = crowd(
        *zip(answers.image.tolist(), answers.worker.tolist(), answers.label.tolist(), strict=True),
        *clickers,
        classes=4,
    )
    found = consolidate(both)
    assert (found.label == truth).mean() > (consolidate(both, "majority").label == truth).mean()
    assert found.accuracy is not None
    assert found.accuracy[6:].max() < 0.5 < found.accuracy[:6].min()


# --- gold, guesses and gain -----------------------------------------------------------------


@pytest.mark.parametrize(("depth", "rho", "gain"), [(1, 0.0, 0.3), (2, 0.5, 0.15), (4, 0.5, 0.1)])
def test_the_gain_of_an_answer_is_less_by_as_much_as_it_repeats_the_others(
    depth: int, rho: float, gain: float
) -> None:
    undecided = np.array([[0.5], [0.5]])
    four_of_five = np.array([[0.8, 0.2], [0.2, 0.8]])  # after one such answer the top is at 0.8
    assert expected_gain(undecided, four_of_five, depth, rho) == pytest.approx([gain])


def test_answers_that_disagree_count_for_less() -> None:
    scores = np.log(np.array([[0.8, 0.8], [0.2, 0.2]]))
    agreed, apart = temper(scores, 3, 0.5, np.array([1.0, 2 / 3]))[0]
    assert 0.5 < apart < agreed < 0.8


def gold_of(truth: NDArray[np.int64], known: int) -> Evidence:
    gold = np.full(len(truth), -1, np.int16)
    gold[:known] = truth[:known]
    return Evidence(gold)


def calibration_gap(found: Consensus, truth: NDArray[np.int64]) -> float:
    return abs(float(found.confidence.mean()) - float((found.label == truth).mean()))


def test_gold_brings_confidence_to_the_accuracy_of_independent_workers() -> None:
    answers, truth = simulated(4000, 40, accuracy=0.7)
    without, told = consolidate(answers), consolidate(answers, evidence=gold_of(truth, 1000))
    assert (without.calibrated_on, told.calibrated_on) == (0, 1000)
    assert told.rho < without.rho
    assert calibration_gap(told, truth) < calibration_gap(without, truth) / 2


def test_fewer_than_fifty_gold_images_leave_the_calibration_alone() -> None:
    answers, truth = simulated(400, 10)
    assert consolidate(answers, evidence=gold_of(truth, 49)).calibrated_on == 0


def test_gold_is_no_answer_to_itself() -> None:
    answers = crowd(*[(i, w, 0) for i in range(60) for w in range(3)], classes=2)
    gold = np.full(60, -1, np.int16)
    gold[0] = 1
    found = consolidate(answers, evidence=Evidence(gold))
    assert found.label[0] == 0  # what the crowd says; the training manifest has the known label


def test_a_models_guess_decides_between_two_and_is_not_used_unless_given() -> None:
    answers = crowd((0, 0, 1), (0, 1, 2), (1, 0, 0), (1, 1, 0))
    guess = guesses(np.array([2, -1], np.int16), np.array([0.9, 0.0]), 3)
    assert consolidate(answers).label[0] == 1
    assert consolidate(answers, evidence=guess).label[0] == 2


def test_a_third_answer_promises_more_where_two_disagree() -> None:
    answers, _ = simulated(500, 20, answers=2)
    found = consolidate(answers)
    disagree = found.agreement < 1
    assert np.median(found.gain[disagree]) > 0.05 > np.median(found.gain[~disagree])


# --- for any crowd --------------------------------------------------------------------------


@given(crowds(), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
@pytest.mark.parametrize("method", METHODS)
def test_order_of_arrival_changes_nothing_but_ties(
    method: Method, answers: Crowd, shuffle: object
) -> None:
    order = np.argsort(np.random.default_rng(len(answers)).random(len(answers)), kind="stable")
    one, other = consolidate(answers, method), consolidate(reordered(answers, order), method)
    assert one.gain.tobytes() == other.gain.tobytes()
    same = one.label == other.label
    assert one.confidence[same].tobytes() == other.confidence[same].tobytes() or method == "first"
    if method != "first":
        assert (one.confidence[~same] <= 0.5).all()


@given(crowds(), st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
@pytest.mark.parametrize("method", METHODS)
def test_names_of_workers_images_and_labels_do_not_matter(
    method: Method, answers: Crowd, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    images, workers = chance.permutation(answers.images), chance.permutation(answers.workers)
    labels = chance.permutation(answers.classes)
    renamed = Crowd(
        answers.images,
        answers.workers,
        answers.classes,
        images[answers.image].astype(np.int32),
        workers[answers.worker].astype(np.int32),
        np.where(answers.label < 0, -1, labels[answers.label]).astype(np.int8),
    )
    one, other = consolidate(answers, method), consolidate(renamed, method)
    expected = np.where(one.label < 0, -1, labels[one.label])
    sure = one.confidence > 0.5 + 1e-6  # elsewhere rounding may decide between equals
    assert other.label[images][sure].tolist() == expected[sure].tolist()
    assert np.allclose(one.confidence[sure], other.confidence[images][sure], atol=1e-4)


@given(crowds())
@settings(max_examples=30, deadline=None)
@pytest.mark.parametrize("method", METHODS)
def test_confidence_lies_between_nothing_and_certainty(method: Method, answers: Crowd) -> None:
    found = consolidate(answers, method)
    labeled = found.label >= 0
    assert (found.confidence[labeled] > 0).all()
    assert (found.confidence < 1).all()
    assert (found.gain >= 0).all()
    assert (found.gain <= 1).all()
    said = np.zeros(answers.images, bool)
    said[answers.image[answers.label >= 0]] = True
    assert (labeled == (said & ~found.unreadable)).all()
    winners = set(zip(answers.image.tolist(), answers.label.tolist(), strict=True))
    assert all((i, int(found.label[i])) in winners for i in np.flatnonzero(labeled).tolist())


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("method", ["majority", "hierarchical"])
def test_a_random_clicker_never_flips_a_unanimous_image(method: Method, seed: int) -> None:
    answers, _ = simulated(60, 8, seed=seed)
    before = consolidate(answers, method)
    unanimous = before.agreement == 1
    chance = np.random.default_rng(seed + 1)
    clicker = Crowd(
        60,
        9,
        4,
        np.r_[answers.image, np.arange(60)].astype(np.int32),
        np.r_[answers.worker, np.full(60, 8)].astype(np.int32),
        np.r_[answers.label, chance.integers(0, 4, 60)].astype(np.int8),
    )
    after = consolidate(clicker, method)
    assert (after.label[unanimous] == before.label[unanimous]).all()
