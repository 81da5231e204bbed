"""What holds for every method, and for any crowd."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.tiling.consensus import METHODS, Crowd, Method, consolidate
from tests.examples import examples
from tests.tiling.consensus.crowds import crowd, crowds, reordered


@pytest.mark.parametrize("method", METHODS)
def test_everybody_agreeing_is_right(method: Method) -> None:
    answers = crowd(*[(i, w, i % 3) for i in range(9) for w in range(3)])
    consensus = consolidate(answers, method)
    assert consensus.label.tolist() == [i % 3 for i in range(9)]
    assert consensus.agreement.tolist() == [1.0] * 9
    assert (consensus.confidence > 0.8).all()


@pytest.mark.parametrize("method", METHODS)
def test_one_answer_alone_is_believed_but_never_wholly(method: Method) -> None:
    consensus = consolidate(crowd((0, 0, 2)), method)
    assert consensus.label.tolist() == [2]
    assert 0.3 < consensus.confidence[0] < 1


@pytest.mark.parametrize("method", METHODS)
def test_most_saying_cannot_see_leaves_an_image_without_label(method: Method) -> None:
    answers = crowd((0, 0, -1), (0, 1, -1), (0, 2, 1), (1, 0, -1), (1, 1, 1))
    consensus = consolidate(answers, method)
    assert consensus.label.tolist() == [-1, 1]
    assert consensus.unreadable.tolist() == [True, False]
    assert consensus.gain[0] == 0
    assert consensus.answers.tolist() == [3, 2]


@pytest.mark.parametrize("method", METHODS)
def test_no_answers_at_all_are_no_labels(method: Method) -> None:
    consensus = consolidate(crowd(images=3, workers=1), method)
    assert consensus.label.tolist() == [-1, -1, -1]
    assert not consensus.unreadable.any()


@pytest.mark.parametrize("method", METHODS)
def test_one_class_is_labeled_without_complaint(method: Method) -> None:
    consensus = consolidate(crowd((0, 0, 0), (0, 1, 0), (1, 0, 0), classes=1), method)
    assert consensus.label.tolist() == [0, 0]
    assert (consensus.confidence < 1).all()


@pytest.mark.parametrize("method", METHODS)
def test_one_worker_is_followed(method: Method) -> None:
    consensus = consolidate(crowd((0, 0, 0), (1, 0, 1), (2, 0, 2)), method)
    assert consensus.label.tolist() == [0, 1, 2]


def test_a_method_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(ValueError, match="no consolidation method 'best'; there are hierarchical"):
        consolidate(crowd((0, 0, 0)), cast("Method", "best"))


@pytest.mark.thorough
@given(crowds(), st.integers(0, 2**32))
@settings(max_examples=examples(30))
@pytest.mark.parametrize("method", METHODS)
def test_order_of_arrival_changes_nothing_but_ties(
    method: Method, answers: Crowd, seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(len(answers))
    one, other = consolidate(answers, method), consolidate(reordered(answers, order), method)
    assert one.gain.tobytes() == other.gain.tobytes()
    same = one.label == other.label
    assert one.confidence[same].tobytes() == other.confidence[same].tobytes() or method == "first"
    if method != "first":
        assert (one.confidence[~same] <= 0.5).all()


@pytest.mark.thorough
@given(crowds(), st.integers(0, 2**32))
@settings(max_examples=examples(30))
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


@pytest.mark.thorough
@given(crowds())
@settings(max_examples=examples(30))
@pytest.mark.parametrize("method", METHODS)
def test_confidence_lies_between_nothing_and_certainty(method: Method, answers: Crowd) -> None:
    consensus = consolidate(answers, method)
    labeled = consensus.label >= 0
    assert (consensus.confidence[labeled] > 0).all()
    assert (consensus.confidence < 1).all()
    assert (consensus.gain >= 0).all()
    assert (consensus.gain <= 1).all()


@pytest.mark.thorough
@given(crowds())
@settings(max_examples=examples(30))
@pytest.mark.parametrize("method", METHODS)
def test_a_label_is_one_that_somebody_gave(method: Method, answers: Crowd) -> None:
    consensus = consolidate(answers, method)
    labeled = consensus.label >= 0
    readable = np.zeros(answers.images, bool)
    readable[answers.image[answers.label >= 0]] = True
    assert (labeled == (readable & ~consensus.unreadable)).all()
    given_labels = set(zip(answers.image.tolist(), answers.label.tolist(), strict=True))
    for image in np.flatnonzero(labeled).tolist():
        assert (image, int(consensus.label[image])) in given_labels


@pytest.mark.thorough
@given(crowds())
@settings(max_examples=examples(30))
@pytest.mark.parametrize("method", METHODS)
def test_probabilities_sum_to_one_and_are_there_only_if_asked_for(
    method: Method, answers: Crowd
) -> None:
    p = consolidate(answers, method, probabilities=True).probabilities
    assert p is not None
    assert p.shape == (answers.images, answers.classes)
    assert p.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert consolidate(answers, method).probabilities is None
