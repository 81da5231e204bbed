"""Advice says what to do about every gap and doubt, and nothing where there is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tessera.tiling.consolidation_rules import NEWEST_RULES, RULES
from tessera.tiling.report.next_steps import GOLD_NEEDED, next_steps
from tessera.tiling.settings import GOLD_UNUSED
from tests.tiling.report.small_run import figures


def test_a_run_that_went_well_is_advised_to_train() -> None:
    (only,) = next_steps(figures())

    assert only["do"].startswith("tessera export pets-may-0123456789ab")


def test_every_gap_and_doubt_has_its_next_steps() -> None:
    counts = {"lines": 10, "training": 7, "unlabeled": 2, "rejected": 1, "uncertain": 3}
    worker = figures()["workers"][0]
    weak = worker | {"worker": "bob", "accuracy": 0.5, "accuracy_high": 0.6}
    steps = next_steps(
        figures(
            images=figures()["images"] | counts,
            unlabeled={"no answer": 2},
            jobs=[{"name": "a", "status": "Stopped"}],
            agreement=figures()["agreement"] | {"alpha": 0.3},
            workers=[worker, weak],
            pages_to_look_at=[{}],
            confidence={"calibrated_by": "default"},
        )
    )

    assert len(steps) == 9
    assert "'cat' and 'dog' differ" in json.dumps(steps)


def test_a_worker_whose_interval_reaches_the_mean_is_not_called_weak() -> None:
    ann = figures()["workers"][0]
    bob = ann | {"worker": "bob", "accuracy": 0.5, "accuracy_high": 0.87, "answers": 2}
    assert "clearly below" not in json.dumps(next_steps(figures(workers=[ann, bob])))


def test_one_of_something_is_told_of_in_the_singular() -> None:
    images = figures()["images"] | {"unlabeled": 1, "rejected": 1}
    steps = next_steps(figures(images=images, unlabeled={"unreadable": 1}))
    assert [step["found"] for step in steps[:2]] == [
        "1 image could not be seen, as most workers say.",
        "1 line could not be used.",
    ]


def unloaded(**changed: Any) -> dict[str, Any]:
    """Figures of a run in which pictures did not load."""
    made = {
        "times": 3, "images": 1, "given_up": 0, "blocked_workers": [], "workers": [],
        "pictures": [{"index": 3, "source": "s3://pets/3.jpg", "times": 3}],
    }  # fmt: skip
    return figures(unloaded=made | changed)


def test_pictures_that_reach_nobody_are_to_be_mended_before_they_are_asked_again() -> None:
    run = unloaded(given_up=1)
    run["images"] = run["images"] | {"unlabeled": 1}
    run["unlabeled"] = {"did not load": 1}
    first, second, *_ = next_steps(run)
    assert first["found"] == "1 picture did not load for 3 people."
    assert "s3://pets/3.jpg" in first["do"]
    assert first["do"].endswith("tessera again pets-may-0123456789ab --unlabeled --mended")
    assert second["found"] == "10 images ready for training."


def test_a_worker_whom_pictures_do_not_reach_is_named() -> None:
    first = next_steps(unloaded(blocked_workers=["ann"]))[0]
    assert first["found"] == "Most pictures did not load for ann."
    assert "firewall" in first["do"]
    many = next_steps(unloaded(blocked_workers=["ann", "bob", "cid", "dan"]))[0]
    assert many["found"] == "Most pictures did not load for ann, bob, cid and others."


def test_pictures_that_came_at_the_second_try_are_told_of() -> None:
    assert "1 picture did not load at first" in next_steps(unloaded())[0]["found"]


def test_where_slow_answers_are_worse_weighing_seconds_is_advised_and_only_there() -> None:
    quarters = [{"answers": 50, "right": right} for right in (0.9, 0.85, 0.8, 0.6)]
    pace = {"quarters": quarters, "slow_is_worse": True}
    assert "weigh_seconds" in json.dumps(next_steps(figures(pace=pace)))
    assert "60% of the slowest" in json.dumps(next_steps(figures(pace=pace)))
    for other in ({"pace": pace | {"slow_is_worse": False}},
                  {"pace": pace, "settings": {"weigh_seconds": True}},
                  {"pace": pace, "settings": {"method": "majority"}}):  # fmt: skip
        assert "weigh_seconds" not in json.dumps(next_steps(figures(**other)))


@pytest.mark.parametrize(("alpha", "even", "advised"), [
    (0.3, 0.9, False), (0.3, 0.5, True), (0.85, 0.5, False), (0.3, None, True),
])  # fmt: skip
def test_a_low_alpha_is_blamed_on_instructions_only_if_it_is_low_with_even_labels_too(
    alpha: float, even: float | None, advised: bool
) -> None:
    agreement = figures()["agreement"] | {"alpha": alpha, "even_alpha": even}
    common = {"common_label": {"label": "cat", "share": 0.97}}
    steps = json.dumps(next_steps(figures(agreement=agreement, **common)))
    assert ("Say in the instructions" in steps) == advised
    assert ("97% of the images are 'cat'" in steps) == (advised and even is not None)
    without = json.dumps(next_steps(figures(agreement=agreement)))
    assert ("Say in the instructions" in without) == (alpha < 0.8)


UNUSED = f"{GOLD_UNUSED} and their images are asked as others are"
FEW = {"images": 12, "answered": 9}


@pytest.mark.parametrize(("changed", "sentence", "asks_for"), [
    ({"gold": {"images": 0}}, "No image with a known label", 100),
    ({"gold": {"images": 0}, "notices": [UNUSED]}, "gold labels were not used", None),
    ({"gold": FEW}, "9 of 12 gold images got an answer, and 20", 88),
    ({"gold": {"images": 300, "answered": 9}}, "9 of 300 gold images", None),
    ({"gold": FEW, "method": "majority"}, "the method majority follows no known labels", None),
])  # fmt: skip
def test_gold_is_asked_for_only_where_it_is_missing(
    changed: dict[str, Any], sentence: str, asks_for: int | None
) -> None:
    confidence = figures()["confidence"] | {"calibrated_by": "default"}
    steps = next_steps(figures(confidence=confidence, **changed))
    (step,) = [step for step in steps if sentence in step["found"]]
    (asked,) = [step for step in steps if "gold" in json.dumps(step) or "known" in step["found"]]
    assert asked == step
    assert (f"Give about {asks_for} lines" in step["do"]) == (asks_for is not None)
    assert ("lines" in step["do"]) == (asks_for is not None)


def test_the_gold_that_is_asked_for_is_what_confidences_are_fitted_to() -> None:
    assert RULES[NEWEST_RULES].min_gold == GOLD_NEEDED
