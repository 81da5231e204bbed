"""Votes are counted; who gave them does not matter, or only who was first."""

from __future__ import annotations

import pytest

from tessera.tiling.consensus import consolidate
from tests.tiling.consensus.crowds import crowd


def test_two_against_one_is_the_majority() -> None:
    consensus = consolidate(crowd((0, 0, 1), (0, 1, 2), (0, 2, 2)), "majority")
    assert consensus.label.tolist() == [2]
    assert consensus.confidence[0] == pytest.approx((2 + 1 / 3) / 4)


def test_a_tie_of_votes_goes_to_the_rarer_class_since_people_overuse_the_common_one() -> None:
    many = [(i, w, 0) for i in range(1, 4) for w in range(2)]
    consensus = consolidate(crowd((0, 0, 0), (0, 1, 1), *many), "majority")
    assert consensus.label[0] == 1


def test_the_first_answer_stands_whatever_the_others_say() -> None:
    consensus = consolidate(crowd((0, 0, 1), (0, 1, 2), (0, 2, 2)), "first")
    assert consensus.label.tolist() == [1]
    assert consensus.agreement[0] == pytest.approx(1 / 3)


def test_an_unreadable_answer_is_passed_over_for_the_next() -> None:
    consensus = consolidate(crowd((0, 0, -1), (0, 1, 2), (0, 2, 1)), "first")
    assert consensus.label.tolist() == [2]
