"""Gold labels that several workers surely contradict are named, and nothing else is changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tessera.tiling.consensus import Crowd, Evidence, gold_doubts
from tessera.tiling.consensus.gold_doubts import SURE, contradicted_images, find_gold_doubts
from tests.tiling.consensus.crowds import crowd, crowds, gold_of, reordered, simulated

GOLD, WRONG = 60, 12


def with_wrong_gold(seed: int, *, accuracy: float = 0.9) -> tuple[Crowd, NDArray[np.int16]]:
    """Simulate a crowd with gold of which the first twelve are wrong."""
    answers, truth = simulated(400, 15, answers=4, accuracy=accuracy, seed=seed)
    known = gold_of(truth, GOLD).known
    assert known is not None
    known[:WRONG] = (known[:WRONG] + 1) % 4
    return answers, known


@pytest.mark.parametrize("seed", range(5))
def test_most_wrong_gold_labels_are_in_doubt_and_hardly_any_right_one(seed: int) -> None:
    answers, known = with_wrong_gold(seed)
    images = find_gold_doubts(answers, Evidence(known)).image
    assert (images < WRONG).sum() >= WRONG / 2
    assert (images >= WRONG).sum() <= 1


@given(answers=crowds(), data=st.data())
def test_doubts_are_gold_that_people_label_otherwise_the_surest_first(
    answers: Crowd, data: st.DataObject
) -> None:
    classes = st.integers(-1, answers.classes - 1)
    column = st.lists(classes, min_size=answers.images, max_size=answers.images)
    known = np.array(data.draw(column), np.int16)
    doubts = find_gold_doubts(answers, Evidence(known))
    assert {*doubts.image.tolist()} <= {*contradicted_images(answers, known).tolist()}
    assert (known[doubts.image] >= 0).all()
    assert (known[doubts.image] != doubts.label).all()
    assert (doubts.confidence >= SURE).all()
    assert (np.diff(doubts.confidence) <= 0).all()
    for image, label in zip(doubts.image, doubts.label, strict=True):
        agree = (answers.image == image) & (answers.label == label)
        assert len(np.unique(answers.worker[agree])) >= 2


@pytest.mark.parametrize("seed", range(3))
def test_a_doubt_depends_on_no_other_gold_label_and_on_no_order(seed: int) -> None:
    answers, known = with_wrong_gold(seed, accuracy=0.75)
    every = find_gold_doubts(answers, Evidence(known))
    alone = np.where(np.arange(len(known)) == every.image[0], known, -1).astype(np.int16)
    one = find_gold_doubts(answers, Evidence(alone))
    assert (one.image[0], one.label[0]) == (every.image[0], every.label[0])
    assert one.confidence[0] == every.confidence[0]
    order = np.random.default_rng(seed).permutation(len(answers))
    mixed = find_gold_doubts(reordered(answers, order), Evidence(known))
    assert (mixed.image.tolist(), mixed.label.tolist()) == (
        every.image.tolist(),
        every.label.tolist(),
    )


def test_without_gold_answers_or_contradiction_nothing_is_in_doubt() -> None:
    answers, known = with_wrong_gold(0)
    assert not len(find_gold_doubts(answers, Evidence()))
    assert not len(find_gold_doubts(crowd(images=3), Evidence(np.zeros(3, np.int16))))
    agreed = crowd(*((image, worker, 1) for image in range(5) for worker in range(5)))
    assert not len(find_gold_doubts(agreed, Evidence(np.full(5, 1, np.int16))))
    assert contradicted_images(agreed, np.zeros(5, np.int16)).tolist() == [0, 1, 2, 3, 4]
    assert not len(contradicted_images(agreed.answers(agreed.worker == 0), known[:5]))


def test_copies_of_one_another_contradict_as_one_person() -> None:
    answers, truth = simulated(800, 30, seed=6)
    random = np.random.default_rng(6).integers(0, 4, len(truth))
    label = np.where(answers.worker < 6, random[answers.image], answers.label).astype(np.int8)
    answers = replace(answers, label=label)
    by_copies = answers.answers(answers.worker >= 6)
    known = gold_of(truth, len(truth)).known
    assert known is not None
    named = find_gold_doubts(answers, Evidence(known)).image
    for image in named.tolist():
        others = by_copies.label[by_copies.image == image]
        assert (others != truth[image]).any()


@pytest.mark.parametrize("seed", range(3))
def test_of_very_many_answers_a_part_is_learned_from_and_gold_is_all_there(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, known = with_wrong_gold(seed)
    every = {*find_gold_doubts(answers, Evidence(known)).image.tolist()}
    monkeypatch.setattr(gold_doubts, "MAX_ANSWERS", len(answers) // 2)
    part = {*find_gold_doubts(answers, Evidence(known)).image.tolist()}
    assert len(every ^ part) <= 3
