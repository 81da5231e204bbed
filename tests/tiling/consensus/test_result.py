"""A single answer flips nothing that all others agree on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.tiling.consensus import Crowd, Method, consolidate
from tessera.tiling.consensus.result import eligible_classes
from tests.examples import examples
from tests.tiling.consensus.crowds import simulated


@pytest.mark.parametrize(
    ("votes", "eligible"),
    [
        ([1, 0, 0], [True, False, False]),
        ([2, 1, 0], [True, True, False]),
        ([3, 1, 0], [True, False, False]),
        ([3, 2, 0], [True, True, False]),
        ([3, 1, 1], [True, True, True]),
    ],
)
def test_a_label_must_have_been_given_and_not_by_one_against_three(
    votes: list[int], eligible: list[bool]
) -> None:
    counts = np.array([votes], float).T
    assert eligible_classes(counts, sum(votes))[:, 0].tolist() == eligible


@pytest.mark.thorough
@given(st.integers(0, 10_000))
@settings(max_examples=examples(25))
@pytest.mark.parametrize("method", ["majority", "hierarchical"])
def test_a_random_clicker_never_flips_a_unanimous_image(method: Method, seed: int) -> None:
    answers, _ = simulated(60, 8, seed=seed)
    before = consolidate(answers, method)
    unanimous = before.agreement == 1
    chance = np.random.default_rng(seed + 1)
    with_clicker = Crowd(
        60,
        9,
        4,
        np.r_[answers.image, np.arange(60)].astype(np.int32),
        np.r_[answers.worker, np.full(60, 8)].astype(np.int32),
        np.r_[answers.label, chance.integers(0, 4, 60)].astype(np.int8),
    )
    after = consolidate(with_clicker, method)
    assert (after.label[unanimous] == before.label[unanimous]).all()
