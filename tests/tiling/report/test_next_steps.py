"""Advice says what to do about every gap and doubt, and nothing where there is none."""

from __future__ import annotations

import json

from tessera.tiling.report.next_steps import next_steps
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
        "1 image without a label (1 unreadable).",
        "1 line could not be used.",
    ]
