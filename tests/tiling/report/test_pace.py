"""The report tells whether slow answers are worse, by gold images, and only if it can know it."""

from __future__ import annotations

import numpy as np
import pytest

from tessera.tiling.consensus import Crowd
from tessera.tiling.report.pace import MIN_ANSWERS, pace_figures


def crowd_of(images: int, *, slow_right: float) -> tuple[Crowd, np.ndarray, np.ndarray]:
    """One worker whose answers to gold images take longer and longer, all of class 0."""
    chance = np.random.default_rng(1)
    right = chance.random(images) < np.where(np.arange(images) < images / 2, 0.95, slow_right)
    label = np.where(right, 0, 1)
    crowd = Crowd(images, 1, 2, np.arange(images), np.zeros(images, int), label)
    return crowd, np.arange(images, dtype=np.float32) + 1, np.zeros(images, np.int16)


@pytest.mark.parametrize(("slow_right", "worse"), [(0.5, True), (0.95, False)])
def test_quarters_tell_whether_slow_answers_are_worse(slow_right: float, worse: bool) -> None:
    pace = pace_figures(*crowd_of(400, slow_right=slow_right))["pace"]
    assert [quarter["answers"] for quarter in pace["quarters"]] == pytest.approx([100] * 4, abs=2)
    assert pace["slow_is_worse"] is worse
    fast, slow = pace["quarters"][0]["right"], pace["quarters"][3]["right"]
    assert (fast - slow > 0.2) is worse


def test_few_answers_or_no_gold_tell_nothing() -> None:
    crowd, seconds, known = crowd_of(MIN_ANSWERS - 1, slow_right=0.5)
    assert pace_figures(crowd, seconds, known) == {}
    crowd, seconds, known = crowd_of(400, slow_right=0.5)
    assert pace_figures(crowd, seconds, known - 1) == {}
    assert pace_figures(crowd, np.full(400, np.nan, np.float32), known) == {}
