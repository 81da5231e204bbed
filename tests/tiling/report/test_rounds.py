"""Rounds are told apart by what they asked and what they changed."""

from __future__ import annotations

import numpy as np

from tessera.tiling.consensus import Evidence, consolidate
from tessera.tiling.report.rounds import round_figures
from tests.tiling.report.small_run import crowd_of


def test_rounds_say_what_they_changed() -> None:
    first = [(0, 0, 0), (0, 1, 0), (1, 0, 1), (1, 1, 2)]
    crowd = crowd_of(*first, (1, 2, 2))
    consensus = consolidate(crowd, "first")
    consensus.label[1] = 2

    rounds = round_figures(
        crowd,
        consensus,
        np.array([1, 1, 1, 1, 2], np.int8),
        method="first",
        evidence=Evidence(),
        tasks={1: 1, 2: 1},
    )

    assert [entry["images"] for entry in rounds] == [2, 1]
    assert [entry["answers"] for entry in rounds] == [4, 1]
    assert [entry["labels_changed"] for entry in rounds] == [0, 1]


def test_a_round_that_nobody_answered_changed_nothing() -> None:
    crowd = crowd_of((0, 0, 0), (0, 1, 0))
    consensus = consolidate(crowd, "first")

    first, second = round_figures(
        crowd,
        consensus,
        np.array([1, 1], np.int8),
        method="first",
        evidence=Evidence(),
        tasks={1: 1, 2: 3},
    )

    assert (second["tasks"], second["images"], second["answers"]) == (3, 0, 0)
    assert second["labels_changed"] == 0
    assert second["mean_confidence"] == first["mean_confidence"]
