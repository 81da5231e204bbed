"""A model of the answers as one more annotator."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tessera.tiling.consensus import Consensus, Crowd, Evidence, consolidate
from tessera.tiling.guesses import Columns, Guesses, learn
from tessera.tiling.guesses.annotator import MIN_NATS, log_ratio
from tests.examples import examples
from tests.tiling.consensus.crowds import crowds, gold_of, reordered, rows_where, simulated

CLASSES = 4


def embedded(
    truth: NDArray[np.int64], spread: float = 0.6, numbers: int = 12, seed: int = 1
) -> Columns:
    """Return embeddings that scatter about a center for each class."""
    chance = np.random.default_rng(seed)
    centers = chance.normal(size=(int(truth.max()) + 1, numbers))
    rows = centers[truth] + spread * chance.normal(size=(len(truth), numbers))
    return Columns(rows.astype(np.float16))


def same(one: Consensus, other: Consensus) -> bool:
    """Say whether two consolidations agree to the last bit."""
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("label", "confidence", "gain", "agreement", "answers")
    )


def right(consensus: Consensus, truth: NDArray[np.int64]) -> float:
    return float((consensus.label == truth).mean())


def test_a_model_that_knows_the_pictures_makes_better_labels_of_the_same_answers() -> None:
    answers, truth = simulated(800, 20, CLASSES, answers=2, accuracy=0.7)
    guesses, consensus = learn(embedded(truth), answers)
    assert guesses.used
    assert right(consensus, truth) > right(consolidate(answers), truth) + 0.05


def test_images_that_nobody_was_asked_about_are_guessed_and_labeled() -> None:
    answers, truth = simulated(800, 20, CLASSES, answers=2, accuracy=0.8)
    asked = rows_where(answers, answers.image % 4 == 0)
    _, consensus = learn(embedded(truth), asked)
    unasked = consensus.answers == 0
    assert unasked.mean() == 0.75
    assert (consensus.label[unasked] == truth[unasked]).mean() > 0.9
    assert (consensus.agreement[unasked] == 0).all()
    assert consensus.confidence[unasked].max() <= 0.99


@pytest.mark.thorough
@given(st.integers(0, 9))
@settings(max_examples=10)
def test_embeddings_of_other_pictures_are_not_used_and_change_nothing(seed: int) -> None:
    answers, truth = simulated(600, 20, CLASSES, answers=2, seed=seed)
    rows = embedded(truth).embeddings
    assert isinstance(rows, np.ndarray)
    shuffled = Columns(np.random.default_rng(seed).permutation(rows))
    guesses, consensus = learn(shuffled, answers)
    assert not guesses.used
    assert guesses.nats < MIN_NATS
    assert same(consensus, consolidate(answers))


@given(st.randoms(use_true_random=False))
@settings(max_examples=examples(20))
def test_the_order_of_answers_changes_no_bit(random: object) -> None:
    answers, truth = simulated(200, 12, CLASSES, answers=3)
    order = np.random.default_rng(hash(random) % 2**32).permutation(len(answers))
    guesses, consensus = learn(embedded(truth), answers)
    again, reordered_consensus = learn(embedded(truth), reordered(answers, order))
    assert np.array_equal(guesses.probabilities, again.probabilities)
    assert same(consensus, reordered_consensus)


@given(crowds())
def test_any_crowd_with_any_embeddings_gives_sound_labels(answers: Crowd) -> None:
    rows = np.random.default_rng(answers.images).normal(size=(answers.images, 3))
    guesses, consensus = learn(Columns(rows), answers)
    assert ((consensus.label >= -1) & (consensus.label < answers.classes)).all()
    assert ((consensus.confidence >= 0) & (consensus.confidence < 1)).all()
    assert np.isfinite(consensus.gain).all()
    assert np.isfinite(guesses.probabilities).all()
    assert (consensus.label[consensus.unreadable] == -1).all()


@given(crowds(), st.integers(0, 99))
def test_nothing_that_a_model_says_overturns_three_who_agree(answers: Crowd, seed: int) -> None:
    p = np.random.default_rng(seed).dirichlet([0.1] * answers.classes, answers.images)
    evidence = Evidence(log_ratio=log_ratio(p.astype(np.float16)))
    consensus = consolidate(answers, evidence=evidence)
    for image in range(answers.images):
        labels = answers.label[(answers.image == image) & (answers.label >= 0)]
        if len(labels) >= 3 and len(set(labels)) == 1 and not consensus.unreadable[image]:
            assert consensus.label[image] == labels[0]


def test_images_whose_embedding_is_missing_are_labeled_by_their_answers_alone() -> None:
    answers, truth = simulated(600, 20, CLASSES, answers=2)
    columns = embedded(truth)
    assert isinstance(columns.embeddings, np.ndarray)
    columns.embeddings[::3] = np.nan
    asked = rows_where(answers, answers.image >= 60)
    guesses, consensus = learn(columns, asked)
    assert guesses.used
    assert not guesses.probabilities[::3].any()
    nothing_known = np.arange(0, 60, 3)
    assert (consensus.label[nothing_known] == -1).all()
    assert (consensus.confidence[nothing_known] == 0).all()


def test_a_model_that_is_surely_wrong_of_a_class_is_learned_from_not_believed() -> None:
    answers, truth = simulated(1500, 30, CLASSES, answers=2, accuracy=0.9)
    claimed = np.where(truth == 1, 2, truth)  # every image of class 1 is called 2
    p = np.full((len(truth), CLASSES), 0.0015)
    p[np.arange(len(truth)), claimed] = 0.9955
    _, consensus = learn(Columns(probabilities=p.astype(np.float32)), answers)
    recall = [(consensus.label == truth)[truth == k].mean() for k in range(CLASSES)]
    before = [(consolidate(answers).label == truth)[truth == k].mean() for k in range(CLASSES)]
    assert min(recall) > min(before) - 0.05


def test_the_order_of_a_models_classes_does_not_matter() -> None:
    answers, truth = simulated(500, 20, CLASSES, answers=2)
    p = np.random.default_rng(3).dirichlet([0.3] * CLASSES, len(truth))
    p[np.arange(len(truth)), truth] += 1
    p /= p.sum(axis=1, keepdims=True)
    turned = p[:, [2, 0, 3, 1]]
    _, one = learn(Columns(probabilities=p), answers)
    _, other = learn(Columns(probabilities=turned), answers)
    assert (one.label == other.label).mean() > 0.995


def test_gold_images_teach_without_an_answer() -> None:
    answers, truth = simulated(600, 20, CLASSES, answers=1, accuracy=0.6)
    few = rows_where(answers, answers.image >= 300)
    without, _ = learn(embedded(truth), few)
    with_gold, _ = learn(embedded(truth), few, gold_of(truth, 300))
    assert with_gold.answered == without.answered + 300


def test_a_row_for_each_image_is_required() -> None:
    answers, truth = simulated(50, 5, CLASSES)
    with pytest.raises(ValueError, match="49 rows for 50 images"):
        learn(embedded(truth[:49]), answers)


def test_guesses_that_are_not_used_are_no_evidence() -> None:
    nothing = Guesses(np.ones((3, 2), np.float16), 0.01, 0.5, 3, 1.0, 1.0)
    beside = Evidence()
    assert nothing.evidence(beside) is beside
