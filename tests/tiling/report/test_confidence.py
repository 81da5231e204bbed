"""Confidences, gold and doubtful images are summed up from the answers themselves."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.consensus import consolidate
from tessera.tiling.report.confidence import (
    DOUBTFUL,
    answer_figures,
    calibration_figures,
    confidence_figures,
    doubtful_figures,
    gold_figures,
    most_doubtful,
)
from tests.tiling.report.small_run import crowd_of

CHOICES = ("cat", "dog", "fox", "cannot see")
CROWD = crowd_of((0, 0, 0), (0, 1, 0), (1, 0, 1), (1, 1, 1), (2, 0, 2), (2, 1, 1))


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(-1, 2)),
        min_size=1,
        unique_by=lambda answer: answer[:2],
    )
)
def test_doubtful_images_come_least_sure_first_with_all_their_answers(
    answers: list[tuple[int, int, int]],
) -> None:
    crowd = crowd_of(*answers)
    sources = {image: f"s3://pets/{image}.jpg" for image in range(10)}

    images = doubtful_figures(crowd, consolidate(crowd), CHOICES, sources)

    confidences = [image["confidence"] for image in images]
    assert confidences == sorted(confidences)
    assert len(images) <= DOUBTFUL
    for image in images:
        given_answers = [label for index, _, label in answers if index == image["index"]]
        assert sum(image["said"].values()) == len(given_answers)
        assert image["said"].keys() == {CHOICES[label] for label in given_answers}


def test_an_image_that_was_never_asked_is_not_shown_as_doubtful() -> None:
    consensus = consolidate(CROWD, "majority")
    assert most_doubtful(consensus).tolist() == [2, 0, 1]
    doubtful = doubtful_figures(CROWD, consensus, CHOICES, {0: "s3://pets/0.jpg"})
    assert [(image["index"], image["source"]) for image in doubtful] == [(0, "s3://pets/0.jpg")]


def test_calibration_counts_known_images_by_confidence() -> None:
    consensus = consolidate(CROWD, "majority")

    bins = calibration_figures(consensus, np.array([0, 2, -1], np.int16))

    assert sum(entry["images"] for entry in bins) == 2
    assert bins[0]["right"] == 0.5


def test_gold_images_are_compared_with_the_label_that_workers_alone_give() -> None:
    consensus = consolidate(CROWD, "majority")
    figures = gold_figures(consensus, np.array([0, 2, -1], np.int16))
    assert (figures["images"], figures["answered"], figures["right"]) == (2, 2, 1)
    assert gold_figures(consensus, np.full(3, -1, np.int16))["mean_confidence"] is None


def test_labels_are_counted_by_tenths_of_confidence() -> None:
    figures = confidence_figures(consolidate(CROWD, "majority"))
    assert sum(figures["tenths"]) == 3
    assert (figures["unanimous"], figures["one_answer"]) == (2, 0)
    assert (figures["calibrated_by"], figures["calibrated_on"]) == ("default", 0)


def test_answers_are_counted_by_kind_and_round_and_timed_where_somebody_measured() -> None:
    crowd = crowd_of((0, 0, 0), (0, 1, -1), (1, 0, 1), (1, 1, 1))
    figures = answer_figures(
        crowd,
        seconds=np.array([2, np.nan, 4, np.nan], np.float32),
        submission=np.array([0, 1, 0, 3], np.int32),
        round_=np.array([1, 1, 1, 3], np.int8),
        noted={"odd": 2, "early": 1},
    )
    assert figures == {
        "used": 4,
        "unreadable": 1,
        "by_round": {"1": 3, "3": 1},
        "submissions": 3,
        "seconds_per_image": 3.0,
        "timed": 2,
        "noted": {"early": 1, "odd": 2},
    }


def test_a_crowd_without_answers_has_figures_too() -> None:
    empty = np.empty(0)
    crowd = crowd_of((0, 0, 0))
    crowd = type(crowd)(1, 0, 3, *(empty.astype(np.int32) for _ in range(3)))
    figures = answer_figures(
        crowd,
        seconds=empty.astype(np.float32),
        submission=empty.astype(np.int32),
        round_=empty.astype(np.int8),
        noted={},
    )
    assert (figures["used"], figures["by_round"], figures["seconds_per_image"]) == (0, {}, None)
