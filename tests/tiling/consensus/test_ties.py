"""Ties go by votes, then by rank, then to the answer that came first."""

from __future__ import annotations

import numpy as np
import pytest

from tessera.tiling.consensus import Method, consolidate
from tessera.tiling.consensus.ties import TIE_TOLERANCE, best_labels, break_ties_by_arrival
from tests.tiling.consensus.crowds import crowd

RANK = np.array([0.5, 0.3, 0.3])


def decided(scores: list[float], votes: list[float]) -> tuple[int, list[bool]]:
    label, remaining = best_labels(np.array([scores]).T, np.array([votes]).T, RANK)
    return int(label[0]), remaining[:, 0].tolist()


def test_the_best_score_wins() -> None:
    assert decided([0.1, 0.2, 0.0], [5.0, 1.0, 5.0]) == (1, [False] * 3)


def test_among_equal_scores_more_votes_win() -> None:
    assert decided([0.2, 0.2 - TIE_TOLERANCE / 2, 0.0], [1.0, 2.0, 9.0]) == (1, [False] * 3)


def test_among_equal_votes_the_higher_rank_wins() -> None:
    assert decided([0.2, 0.2, 0.2], [1.0, 1.0, 1.0]) == (0, [False] * 3)


def test_what_is_equal_in_all_remains_tied() -> None:
    assert decided([0.1, 0.2, 0.2], [9.0, 1.0, 1.0])[1] == [False, True, True]


def test_the_earliest_answer_among_the_tied_classes_breaks_the_tie() -> None:
    answers = crowd((0, 0, 0), (1, 0, 1), (0, 1, -1), (0, 2, 2), (0, 3, 1))
    label = np.array([1, 1], np.int16)
    break_ties_by_arrival(answers, label, {0: np.array([False, True, True])})
    assert label.tolist() == [2, 1]


@pytest.mark.parametrize("method", ["majority", "hierarchical"])
@pytest.mark.parametrize("first", [1, 2])
def test_a_full_tie_goes_to_the_answer_that_came_first(method: Method, first: int) -> None:
    consensus = consolidate(crowd((0, 0, first), (0, 1, 3 - first)), method)
    assert consensus.label.tolist() == [first]
    assert consensus.confidence[0] <= 0.5
