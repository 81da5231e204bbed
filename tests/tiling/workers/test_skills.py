"""Who is offered a page first: those who are likely to be right about it, of those who may."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from tessera.tiling.consensus import Evidence, consolidate
from tessera.tiling.consensus.memory import count_answers
from tessera.tiling.workers.skills import (
    Skills,
    decode_skills,
    estimate_skills,
    first_offers,
    remembered_skills,
)
from tests.tiling.consensus.crowds import simulated

SHARES = st.sampled_from([1 / 2, 1 / 3, 1 / 4, 1 / 9])


@given(
    right=arrays.arrays(np.float64, (7, 3), elements=st.floats(0.1, 1)),
    doubts=arrays.arrays(np.float64, (5, 3), elements=st.floats(0, 1)),
    excluded=arrays.arrays(np.bool_, (7, 5)),
    share=SHARES,
)
def test_the_best_share_of_those_who_may_have_a_task_is_offered_it_first(
    right: NDArray[np.float64],
    doubts: NDArray[np.float64],
    excluded: NDArray[np.bool_],
    share: float,
) -> None:
    offered = first_offers(doubts, right, right.mean(axis=0), excluded, share)
    assert offered.shape == (8, 5)
    expected = right @ doubts.T
    for task in range(5):
        able = np.flatnonzero(~excluded[:, task])
        chosen = [worker for worker in able if offered[worker, task]]
        assert len(chosen) >= np.ceil(len(able) * share)
        others = [worker for worker in able if not offered[worker, task]]
        if chosen and others:
            assert expected[chosen, task].min() > expected[others, task].max()
        if not len(able):  # then it is for whoever comes
            assert offered[-1, task]


def test_the_order_goes_by_the_labels_that_are_in_doubt() -> None:
    right = np.array([[0.9, 0.3], [0.3, 0.9]])
    doubts = np.array([[0.8, 0.2], [0.1, 0.9]])
    offered = first_offers(doubts, right, np.array([0.5, 0.5]), np.zeros((2, 2), bool), 0.5)
    assert offered.tolist() == [[True, False], [False, True], [False, False]]


def test_good_workers_of_a_crowd_are_in_the_upper_half() -> None:
    crowd, _ = simulated(400, 20, seed=3)
    consensus = consolidate(crowd, probabilities=True)
    names = [f"w{number}" for number in range(20)]
    skills = estimate_skills(consensus, crowd, names, [1, 5])
    assert skills is not None
    assert skills.doubts.shape == (2, crowd.classes)
    assert consensus.accuracy is not None
    order = np.argsort(skills.right.mean(axis=1))
    assert consensus.accuracy[order[-5:]].mean() > consensus.accuracy[order[:5]].mean() + 0.05


def test_a_consensus_that_knows_no_workers_offers_nothing() -> None:
    crowd, _ = simulated(40, 5, seed=3)
    consensus = consolidate(crowd, "majority", probabilities=True)
    assert estimate_skills(consensus, crowd, ["w"] * 5, [1]) is None
    assert estimate_skills(consolidate(crowd), crowd, ["w"] * 5, [1]) is None


def test_memory_alone_ranks_workers_for_a_first_round() -> None:
    crowd, _ = simulated(400, 20, seed=3)
    consensus = consolidate(crowd, evidence=Evidence(), probabilities=True)
    skills = remembered_skills([str(n) for n in range(20)], count_answers(crowd, consensus) / 2)
    assert consensus.recall is not None
    now = (consensus.recall * skills.doubts).sum(axis=1)
    remembered = (skills.right * skills.doubts).sum(axis=1)
    assert np.corrcoef(now, remembered)[0, 1] > 0.8


@given(common=st.floats(0.5, 0.95), classes=st.integers(2, 6))
def test_who_always_gives_the_common_label_is_not_offered_the_first_round_first(
    common: float, classes: int
) -> None:
    shares = np.full(classes, (1 - common) / (classes - 1))
    shares[0] = common
    earlier = np.zeros((classes, 2, classes))
    earlier[:, 0, 0] = 400 * shares  # one label, whatever the picture shows
    earlier[:, 1] = 400 * np.diag(shares) * 0.9
    earlier[:, 1] += 400 * 0.1 * shares[:, None] / classes
    skills = remembered_skills(["clicker", "worker"], earlier)
    excluded = np.zeros((2, 1), np.bool_)
    offered = first_offers(skills.doubts, skills.right, skills.anyone, excluded, 1 / 2)
    assert offered[:2, 0].tolist() == [False, True]


def test_skills_are_the_same_bytes_again_and_lose_nothing_that_counts() -> None:
    skills = Skills(
        ["private.us-east-1.ann", "bén"],
        np.array([[0.5, 0.25], [1.0, 0.125]]),
        np.array([0.5, 0.75]),
        np.array([[0.25, 0.75]], np.float32),
    )
    again = decode_skills(skills.encode())
    assert again.workers == skills.workers
    assert (again.right == skills.right).all()
    assert (again.doubts == skills.doubts).all()
    assert again.encode() == skills.encode()
