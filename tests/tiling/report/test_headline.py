"""The sentence about a run says what a person would repeat, and claims no more than is known."""

from __future__ import annotations

import pytest

from tessera.tiling.report.headline import headline
from tests.tiling.report.small_run import figures


def test_the_sentence_says_who_how_long_how_right_and_what_is_missing() -> None:
    workers = [figures()["workers"][0] | {"worker": name} for name in ("ann", "ben", "cid")]
    counts = {"lines": 510, "training": 498, "unlabeled": 12}
    run = figures(
        images=figures()["images"] | counts,
        unlabeled={"unreadable": 12},
        workers=workers,
        confidence=figures()["confidence"] | {"mean": 0.968},
    )
    assert headline(run, 16.4) == (
        "498 of 510 labeled by 3 people in 16 minutes; about 97 % right; 12 could not be seen."
    )


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({}, "10 of 10 labeled by 1 person with less than a minute of work; about 93 % right."),
        ({"workers": []}, "10 of 10 labeled; about 93 % right."),
        (
            {"time": {"measured": False, "hours": 2}, "confidence": {"mean": None}},
            "10 of 10 labeled by 1 person.",
        ),
        (
            {"time": {"measured": True, "hours": 2}, "confidence": {"mean": 0.9999}},
            "10 of 10 labeled by 1 person with 2 hours of work; about 99 % right.",
        ),
    ],
)
def test_what_nobody_knows_is_not_said(changed: dict[str, object], sentence: str) -> None:
    assert headline(figures(**changed)) == sentence


def test_a_report_between_two_rounds_says_first_that_another_follows_and_calls_nothing_ready() -> (
    None
):
    between = figures(next_round={"round": 2, "images": 1})
    follows = "Round 2 follows this report and asks 1 image again."
    assert headline(between) == f"{follows} So far {headline(figures())}"
    assert between["next"][0] == {
        "found": follows, "do": f"Wait for the run's end: tessera watch {between['run']}"
    }  # fmt: skip
    assert not any("ready" in step["found"] for step in between["next"])
