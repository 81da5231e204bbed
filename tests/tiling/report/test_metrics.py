"""A run is measured by its report's figures, each in its unit."""

from __future__ import annotations

from typing import Any

from tessera.tiling.report.metrics import METRICS, measure_run, pace_by_order

FIGURES: dict[str, Any] = {
    "images": {"lines": 7, "training": 6, "unlabeled": 0, "rejected": 1, "uncertain": 3},
    "agreement": {"agreeing": 11, "compared": 12},
    "answers": {"used": 12},
    "confidence": {"mean": 0.9},
    "guesses": {"labeled": 2},
    "time": {"measured": True, "seconds_per_image": 2.5, "hours": 1, "hours_alone": 3.5},
    "cost": {"pages": 4, "fees": 0.32, "fees_alone": 0.96},
}


def test_a_run_has_every_metric_in_its_unit() -> None:
    measured = {name: (unit, value) for name, unit, value in measure_run(FIGURES)}
    assert measured.keys() == METRICS.keys()
    assert measured["Agreement"] == ("Percent", 91.6667)
    assert measured["UnsureShare"] == ("Percent", 50.0)
    assert measured["HoursSaved"] == ("Count", 2.5)
    assert measured["CostSaved"] == ("Count", 0.64)


def test_what_a_run_does_not_know_is_not_measured() -> None:
    nothing: dict[str, Any] = FIGURES | {
        "images": FIGURES["images"] | {"training": 0, "uncertain": 0},
        "agreement": {"agreeing": 0, "compared": 0},
        "confidence": {"mean": None},
        "time": {"measured": False, "seconds_per_image": 2.5, "hours": 1, "hours_alone": 3},
    }
    unknown = {"Agreement", "Confidence", "UnsureShare", "SecondsPerImage", "HoursSaved"}
    assert {name for name, *_ in measure_run(nothing)} == METRICS.keys() - unknown


def test_the_pace_is_told_with_the_order_and_only_where_it_was_measured() -> None:
    figures = FIGURES | {"settings": {"order": "similar"}}
    assert pace_by_order(figures) == {"order": "similar", "seconds_per_image": 2.5}
    guessed = figures | {"time": figures["time"] | {"measured": False}}
    assert pace_by_order(guessed)["seconds_per_image"] is None
