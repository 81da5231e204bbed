"""Workers' matrices are shrunk to everybody's, which is shrunk to a plain one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.consensus import Crowd, Evidence, consolidate
from tessera.tiling.consensus.class_prior import ClassPrior
from tessera.tiling.consensus.crowd import Floats, split_by_depth
from tessera.tiling.consensus.em import EM, ExpectedCounts
from tessera.tiling.consensus.hierarchical import (
    PRIOR_ACCURACY,
    m_step,
    pooled_confusion,
    worker_prior,
)
from tests.tiling.consensus.crowds import crowd, simulated

matrices = st.integers(2, 5).flatmap(
    lambda classes: st.lists(
        st.lists(st.floats(0, 1e4), min_size=classes, max_size=classes),
        min_size=classes,
        max_size=classes,
    ).map(np.array)
)


@given(matrices)
def test_the_pooled_matrix_says_what_is_answered_to_each_class(answers: Floats) -> None:
    pooled = pooled_confusion(answers)
    assert pooled.sum(axis=1) == pytest.approx(1)
    assert (pooled > 0).all()


def test_without_answers_the_pooled_matrix_is_the_plain_one() -> None:
    pooled = pooled_confusion(np.zeros((3, 3)))
    assert np.diag(pooled) == pytest.approx(PRIOR_ACCURACY)
    assert pooled[0, 1] == pytest.approx((1 - PRIOR_ACCURACY) / 2)


def test_errors_lean_towards_what_people_say_in_error() -> None:
    answers = np.diag([50.0, 50.0, 50.0])
    answers[0, 2] = answers[1, 2] = 20
    pooled = pooled_confusion(answers)
    # nobody took the first class for another but the third; of the second's errors most are too
    assert pooled[1, 2] > pooled[1, 0]


@given(matrices, st.floats(0.1, 10))
def test_a_worker_errs_at_their_own_rate_in_everybodys_proportions(
    answers: Floats, ratio: float
) -> None:
    pooled = pooled_confusion(answers)
    right = np.diag(pooled)
    prior = worker_prior(pooled, np.array([1.0, ratio]))
    assert prior[:, 0] == pytest.approx(pooled)
    assert prior.sum(axis=2) == pytest.approx(1)
    own = np.diag(prior[:, 1])
    assert (1 - own) / own == pytest.approx((1 - right) / right * ratio)


def counts_of(answers: Crowd) -> ExpectedCounts:
    em = EM(
        lambda counts: m_step(
            counts, 4.0, ClassPrior(np.full(answers.classes, 1 / answers.classes))
        ),
        answers.workers,
        answers.classes,
        Evidence(),
    )
    return em.fit(split_by_depth(answers)).counts


def test_the_more_shrinkage_the_more_alike_workers_are() -> None:
    counts = counts_of(simulated(300, 8)[0])
    flattest = ClassPrior(np.full(4, 1 / 4))
    spreads = []
    for shrinkage in (0.1, 10.0, 1000.0):
        confusion = np.exp(m_step(counts, shrinkage, flattest).log_confusion)
        by_worker = confusion.reshape(8, 4, 4)
        assert by_worker.sum(axis=1) == pytest.approx(1, abs=1e-5)
        spreads.append(float(by_worker.std(axis=0).mean()))
    assert spreads == sorted(spreads, reverse=True)


def test_the_class_prior_lies_between_votes_and_the_flattest() -> None:
    votes, flattest = np.array([0.9, 0.1]), np.array([0.5, 0.5])
    counts = ExpectedCounts(np.zeros((2, 1, 2)), votes, votes, 100)
    assert np.exp(ClassPrior(flattest).log(counts, 0.25)) == pytest.approx([0.6, 0.4])


def test_workers_who_are_known_to_err_lose_against_one_who_does_not() -> None:
    answers, truth = simulated(300, 6, accuracy=0.9)
    clickers = [(i, 6 + w, (i * 7 + w) % 4) for i in range(300) for w in range(2)]
    both = crowd(
        *zip(answers.image.tolist(), answers.worker.tolist(), answers.label.tolist(), strict=True),
        *clickers,
        classes=4,
    )
    consensus = consolidate(both)
    majority = consolidate(both, "majority")
    assert (consensus.label == truth).mean() > (majority.label == truth).mean()
    assert consensus.accuracy is not None
    assert consensus.accuracy[6:].max() < 0.5 < consensus.accuracy[:6].min()


def test_gold_is_no_answer_to_itself() -> None:
    answers = crowd(*[(i, w, 0) for i in range(60) for w in range(3)], classes=2)
    gold = np.full(60, -1, np.int16)
    gold[0] = 1
    consensus = consolidate(answers, evidence=Evidence(gold))
    assert consensus.label[0] == 0  # what the crowd says; the training manifest has the known label
