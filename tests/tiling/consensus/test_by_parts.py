"""A crowd in parts gets the labels that it gets as one, wherever it is cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tessera.tiling.consensus import (
    Consensus,
    Crowd,
    Evidence,
    class_prior,
    consolidate,
    em,
    worker_shrinkage,
)
from tessera.tiling.consensus.by_parts import Part, consolidate_by_parts
from tessera.tiling.consolidation_rules import RULES, Rules
from tests.tiling.consensus.crowds import crowds, simulated

SAMPLES = {em: 60, class_prior: 40, worker_shrinkage: 30}
"""Sizes of the samples at which a crowd of some hundred images is sampled, and counted in parts."""


def split_crowd(crowd: Crowd, known: NDArray[np.int16] | None, ends: Sequence[int]) -> list[Part]:
    """Cut a crowd into parts that end before these images; the last part ends with the crowd."""
    parts = []
    bounds = [0, *ends, crowd.images]
    for start_, end in pairwise(bounds):
        rows = (crowd.image >= start_) & (crowd.image < end)
        own = Crowd(
            end - start_,
            crowd.workers,
            crowd.classes,
            crowd.image[rows] - start_,
            crowd.worker[rows],
            crowd.label[rows],
        )
        parts.append(Part(own, None if known is None else known[start_:end]))
    return parts


def by_parts(
    crowd: Crowd,
    known: NDArray[np.int16] | None,
    ends: Sequence[int],
    beside: Evidence | None = None,
) -> list[Consensus]:
    def loaded(part: Part) -> Part:
        return part

    loads: list[Callable[[], Part]] = [
        partial(loaded, part) for part in split_crowd(crowd, known, ends)
    ]
    return list(consolidate_by_parts(loads, crowd.workers, crowd.classes, beside or Evidence()))


def assert_same(parts: Sequence[Consensus], whole: Consensus) -> None:
    for name in ("label", "answers", "unreadable"):
        values = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(values, getattr(whole, name), name)
    for name in ("confidence", "agreement", "gain"):
        values = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_allclose(values, getattr(whole, name), rtol=1e-4, atol=1e-5)
    for part in parts:
        assert part.rho == pytest.approx(whole.rho)
        assert part.calibrated_on == whole.calibrated_on
        assert part.converged == whole.converged
        assert part.skew == pytest.approx(whole.skew)
        assert part.accuracy == pytest.approx(whole.accuracy, rel=1e-5)


@pytest.fixture
def small_samples() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module, size in SAMPLES.items():
            patch.setattr(module, "SAMPLE_IMAGES", size)
        yield


ENDS = [[], [1], [250], [100, 101, 400], [0, 0, 700], [77 * part for part in range(1, 9)]]


@pytest.mark.thorough
@pytest.mark.usefixtures("small_samples")
@pytest.mark.parametrize("gold", [0, 30, 120])
@pytest.mark.parametrize("answers", [1, 2, 5])
@pytest.mark.parametrize("ends", ENDS)
def test_a_crowd_that_is_sampled_gets_the_same_labels_wherever_it_is_cut(
    ends: list[int], answers: int, gold: int
) -> None:
    crowd, truth = simulated(700, 20, answers=answers, seed=answers)
    unread = np.random.default_rng(7).random(len(crowd)) < 0.1
    crowd = replace(crowd, label=np.where(unread, -1, crowd.label).astype(np.int8))
    known = np.full(700, -1, np.int16)
    if gold:
        known[:: 700 // gold] = truth[:: 700 // gold]

    whole = consolidate(crowd, evidence=Evidence(known))

    assert_same(by_parts(crowd, known, ends), whole)


@pytest.mark.thorough
@pytest.mark.usefixtures("small_samples")
@pytest.mark.parametrize("gold", [0, 120])
@pytest.mark.parametrize("rules", [*RULES.values()])
@pytest.mark.parametrize("beside", [{}, {"shares": np.array([0.9, 0.1, 0, 0])}, {"random_gold": 1}])
def test_a_skewed_crowd_does_too_and_with_stated_shares(
    beside: dict[str, Any], rules: Rules, gold: int
) -> None:
    crowd, truth = simulated(700, 20, answers=2 if gold else 4, skew=0.9)
    known = np.where(np.arange(700) < gold, truth, -1).astype(np.int16)
    evidence = Evidence(rules=rules, **beside)
    whole = consolidate(crowd, evidence=replace(evidence, known=known))
    assert_same(by_parts(crowd, known, [100, 450], evidence), whole)


@given(crowd=crowds(), cuts=st.lists(st.integers(0, 12), max_size=4))
def test_any_small_crowd_does_too_and_without_gold(crowd: Crowd, cuts: list[int]) -> None:
    ends = sorted(min(cut, crowd.images) for cut in cuts)
    assert_same(by_parts(crowd, None, ends), consolidate(crowd))


@pytest.mark.usefixtures("small_samples")
def test_no_part_is_in_memory_beside_another() -> None:
    crowd, _ = simulated(500, 12, answers=2)
    alive = most = loads = 0

    class Watched(Part):
        """A part that tells when it is dropped."""

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def load(part: Part) -> Part:
        nonlocal alive, most, loads
        alive, loads = alive + 1, loads + 1
        most = max(most, alive)
        return Watched(part.crowd, part.known)

    parts = split_crowd(crowd, None, [100, 200, 300, 400])
    labels = list(consolidate_by_parts([partial(load, part) for part in parts], 12, 4))

    assert len(labels) == 5
    assert most == 1
    assert loads == 4 * 5
