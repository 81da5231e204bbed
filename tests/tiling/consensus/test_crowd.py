"""Answers are sorted into rectangles without losing or mixing any."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.consensus import Crowd
from tessera.tiling.consensus.crowd import split_by_depth, vote_counts
from tests.tiling.consensus.crowds import crowd, crowds

CROWD = crowd((2, 1, 2), (0, 0, 1), (2, 0, 0), (1, 1, -1), (4, 1, 1), (4, 0, 1))


@given(crowds())
def test_each_readable_answer_is_in_the_rectangle_of_its_image_once(answers: Crowd) -> None:
    expected = sorted(
        (image, worker, label)
        for image, worker, label in zip(
            answers.image.tolist(), answers.worker.tolist(), answers.label.tolist(), strict=True
        )
        if label >= 0
    )
    split = []
    for part in split_by_depth(answers):
        workers = part.codes // answers.classes
        for column, image in enumerate(part.ids.tolist()):
            pairs = zip(workers[:, column], part.labels(answers.classes)[:, column], strict=True)
            split += [(image, int(worker), int(label)) for worker, label in pairs]
    assert sorted(split) == expected


@given(crowds())
def test_images_with_equally_many_answers_are_together_and_in_order(answers: Crowd) -> None:
    parts = split_by_depth(answers)
    assert len({part.depth for part in parts}) == len(parts)
    for part in parts:
        assert (np.diff(part.ids) > 0).all()
        assert (np.diff(part.codes, axis=0) >= 0).all()


def test_images_without_readable_answers_are_left_out() -> None:
    assert [part.ids.tolist() for part in split_by_depth(CROWD)] == [[0], [2, 4]]


@given(crowds(), st.integers(1, 5))
def test_blocks_are_the_whole_in_pieces(answers: Crowd, size: int) -> None:
    for part in split_by_depth(answers):
        blocks = list(part.blocks(size))
        assert all(len(block.ids) <= size for block in blocks)
        assert np.concatenate([block.ids for block in blocks]).tolist() == part.ids.tolist()
        assert np.hstack([block.codes for block in blocks]).tolist() == part.codes.tolist()


@pytest.mark.parametrize(("step", "images"), [(1, [2, 4]), (2, [2]), (3, [2])])
def test_a_sample_takes_every_nth_image(step: int, images: list[int]) -> None:
    sample = split_by_depth(CROWD)[1].every(step)
    assert sample.ids.tolist() == images
    assert sample.codes.shape == (2, len(images))


def test_votes_are_counted_by_class_and_image() -> None:
    assert vote_counts(split_by_depth(CROWD)[1], 3).T.tolist() == [[1, 0, 1], [0, 2, 0]]
