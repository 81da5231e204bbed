"""EM alternates counting and estimating until the answers get no likelier."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.consensus import Crowd, Evidence, consolidate, dawid_skene, em, guesses
from tessera.tiling.consensus.crowd import split_by_depth
from tessera.tiling.consensus.em import EM, ExpectedCounts, Model, normalize, vote_shares
from tests.tiling.consensus.crowds import crowd, crowds, simulated

BLIND = Evidence()


def estimator(answers: Crowd, *, tolerance: float = 1e-7, max_iterations: int = 200) -> EM:
    return EM(
        dawid_skene.m_step,
        answers.workers,
        answers.classes,
        BLIND,
        use_single_answers=True,
        tolerance=tolerance,
        max_iterations=max_iterations,
    )


def log_likelihood(answers: Crowd, model: Model) -> float:
    blocks = (block for part in split_by_depth(answers) for block in part.blocks())
    return sum(normalize(model.log_joint(block, BLIND)) for block in blocks)


@given(st.lists(st.lists(st.floats(-50, 50), min_size=3, max_size=3), min_size=1))
def test_log_scores_become_probabilities_and_their_log_sum(rows: list[list[float]]) -> None:
    scores = np.array(rows).T
    expected = np.exp(scores)
    total = normalize(scores)
    assert scores == pytest.approx(expected / expected.sum(axis=0))
    assert total == pytest.approx(np.log(expected.sum(axis=0)).sum())


@given(crowds())
def test_every_iteration_makes_the_answers_likelier(answers: Crowd) -> None:
    by_depth = split_by_depth(answers)
    models = [
        estimator(answers, max_iterations=number, tolerance=-np.inf).fit(by_depth)
        for number in range(2, 6)
    ]
    likelihoods = [log_likelihood(answers, model) for model in models]
    assert (np.diff(likelihoods) >= -1e-6).all()


def test_em_says_whether_it_converged() -> None:
    answers, _ = simulated(200, 8)
    by_depth = split_by_depth(answers)
    assert estimator(answers).fit(by_depth).converged
    assert not estimator(answers, max_iterations=2).fit(by_depth).converged


def test_a_consensus_says_whether_em_converged(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, _ = simulated(200, 8)
    assert consolidate(answers, "dawid-skene").converged
    assert consolidate(answers, "majority").converged
    monkeypatch.setattr(dawid_skene, "MAX_ITERATIONS", 2)
    assert not consolidate(answers, "dawid-skene").converged


def test_a_large_crowd_is_fitted_on_a_sample_then_once_on_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(em, "SAMPLE_IMAGES", 100)
    answers, _ = simulated(300, 8)
    counted: list[float] = []

    def m_step(counts: ExpectedCounts) -> Model:
        counted.append(counts.answers.sum())
        return dawid_skene.m_step(counts)

    model = EM(m_step, answers.workers, answers.classes, BLIND).fit(split_by_depth(answers))
    assert counted[:-1] == pytest.approx([300.0] * (len(counted) - 1))
    assert counted[-1] == pytest.approx(900)
    assert model.converged


def test_the_only_answer_to_an_image_counts_if_the_method_says_so_or_the_image_is_known() -> None:
    lone = crowd((0, 0, 1), (1, 0, 2))
    by_depth = split_by_depth(lone)
    unused = EM(dawid_skene.m_step, 1, 3, BLIND)
    assert unused.fit(by_depth).counts.answers.sum() == 0
    gold = Evidence(np.array([2, -1], np.int16))
    known = EM(dawid_skene.m_step, 1, 3, gold).fit(by_depth)
    assert known.counts.answers[2, 0].tolist() == [0, 1, 0]
    assert known.counts.answers.sum() == 1
    assert estimator(lone).fit(by_depth).counts.answers.sum() == pytest.approx(2)


def test_known_images_are_certain_and_others_stay() -> None:
    p = np.full((3, 4), 1 / 3)
    Evidence(np.array([9, -1, 2, -1, 0], np.int16)).clamp_known(p, np.array([1, 2, 3, 4], np.int32))
    assert p.T.tolist() == [[1 / 3] * 3, [0, 0, 1], [1 / 3] * 3, [1, 0, 0]]


def test_a_models_guess_decides_between_two_and_is_not_used_unless_given() -> None:
    answers = crowd((0, 0, 1), (0, 1, 2), (1, 0, 0), (1, 1, 0))
    guess = guesses(np.array([2, -1], np.int16), np.array([0.9, 0.0]), 3)
    assert consolidate(answers).label[0] == 1
    assert consolidate(answers, evidence=guess).label[0] == 2


@given(crowds())
def test_shares_of_votes_are_means_over_images(answers: Crowd) -> None:
    by_image = [answers.label[answers.image == image] for image in range(answers.images)]
    readable = [labels[labels >= 0] for labels in by_image]
    counts = [np.bincount(labels, minlength=answers.classes) for labels in readable if len(labels)]
    expected = np.mean([count / count.sum() for count in counts], axis=0) if counts else 0
    assert vote_shares(split_by_depth(answers), answers.classes) == pytest.approx(expected)
