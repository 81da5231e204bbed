"""A run tells what would have helped it, by its own answers, and only where they can tell it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tessera.tiling.consensus import Crowd, Evidence
from tessera.tiling.report.what_helps import MIN_ANSWERS, help_figures
from tessera.tiling.settings import Settings, settings_from
from tests.tiling.consensus.crowds import simulated


def crowd_in_rounds(images: int = 600) -> tuple[Crowd, NDArray[np.int8]]:
    """Two answers to each image, and a third to every other one, of workers who differ much."""
    crowd, _ = simulated(images, 20, seed=5)
    order = np.argsort(crowd.image, kind="stable")
    turn = np.empty(len(crowd), int)
    turn[order] = np.arange(len(crowd)) - np.searchsorted(crowd.image[order], crowd.image[order])
    rows = np.flatnonzero((turn < 2) | ((turn == 2) & (crowd.image % 2 == 0)))
    return crowd.answers(rows), np.where(turn[rows] < 2, 1, 2).astype(np.int8)


def chosen(**keys: Any) -> Settings:
    return settings_from({"labels": [str(number) for number in range(4)]} | keys)


def test_each_way_is_worth_later_answers_and_no_more_than_there_were() -> None:
    crowd, round_ = crowd_in_rounds()
    helped = help_figures(crowd, round_, Evidence(), chosen())["would_have_helped"]
    later = helped["later_answers"]
    assert later == int((round_ == 2).sum())
    assert 0 <= helped["memory_saves"] <= later
    assert 0 < helped["first_offers_save"] < later
    assert 0.25 < helped["confidence_at_least"] < helped["confidence_at_most"] < 1


def test_what_the_run_has_used_is_left_out() -> None:
    crowd, round_ = crowd_in_rounds()
    used = chosen(remember_workers=True, offer_to="upper half")
    known = np.full(crowd.images, -1, np.int16)
    known[:30] = 0
    helped = help_figures(crowd, round_, Evidence(known), used)
    assert helped == {}


@pytest.mark.parametrize("keys", [{"method": "majority"}, {"method": "dawid-skene"}])
def test_methods_that_do_not_shrink_workers_tell_nothing(keys: dict[str, str]) -> None:
    crowd, round_ = crowd_in_rounds()
    assert help_figures(crowd, round_, Evidence(), chosen(**keys)) == {}


def test_a_run_with_hardly_any_later_answers_tells_nothing() -> None:
    crowd, round_ = crowd_in_rounds()
    few = np.where(np.cumsum(round_ == 2) < MIN_ANSWERS, round_, 1).astype(np.int8)
    assert help_figures(crowd, few, Evidence(), chosen()) == {}
    assert help_figures(crowd, np.ones_like(round_), Evidence(), chosen()) == {}
