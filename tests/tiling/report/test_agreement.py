"""Agreement is measured as its author does, and confusions are counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.consensus import consolidate
from tessera.tiling.report.agreement import (
    CONFUSED,
    agreement_figures,
    common_label,
    even_alpha,
    krippendorff,
)
from tests.tiling.consensus.crowds import simulated
from tests.tiling.report.small_run import crowd_of

LABELS = ("cat", "dog", "fox")

KRIPPENDORFF = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)
"""The nominal example of Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability"."""


def test_alpha_is_the_one_that_its_author_computed() -> None:
    crowd = crowd_of(
        *(
            (image, worker, int(label) - 1)
            for worker, row in enumerate(KRIPPENDORFF)
            for image, label in enumerate(row.split())
            if label != "."
        ),
        classes=5,
    )

    assert krippendorff(crowd) == pytest.approx(0.743, abs=0.0005)


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 3), st.integers(-1, 2)),
        min_size=1,
        unique_by=lambda answer: answer[:2],
    )
)
def test_the_figures_of_any_crowd_are_numbers_that_add_up(
    answers: list[tuple[int, int, int]],
) -> None:
    crowd = crowd_of(*answers)

    figures = agreement_figures(crowd, consolidate(crowd), LABELS)

    assert figures["alpha"] is None or -1 <= figures["alpha"] <= 1
    assert figures["agreeing"] <= figures["compared"] <= len(crowd)
    assert all(sum(row) <= 1.001 for row in figures["confusion"])
    confusions = [pair["answers"] for pair in figures["confused"]]
    assert confusions == sorted(confusions, reverse=True)
    assert len(confusions) <= CONFUSED
    assert sum(confusions) <= figures["compared"] - figures["agreeing"]


def test_the_most_frequent_confusion_comes_first_with_its_share_of_the_label_s_answers() -> None:
    cats = [(0, 0, 0), (0, 1, 0), (0, 2, 1), (1, 0, 0), (1, 1, 0), (1, 2, 1)]
    foxes = [(2, 0, 2), (2, 1, 2), (2, 2, 0)]
    crowd = crowd_of(*cats, *foxes)

    first, second = agreement_figures(crowd, consolidate(crowd, "majority"), LABELS)["confused"]

    assert first == {"label": "cat", "taken_for": "dog", "answers": 2, "share": 0.3333}
    assert (second["label"], second["taken_for"]) == ("fox", "cat")


def test_a_crowd_of_which_no_two_answered_the_same_image_has_no_alpha() -> None:
    crowd = crowd_of((0, 0, 0), (1, 1, 1))
    assert agreement_figures(crowd, consolidate(crowd), LABELS)["alpha"] is None


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("accuracy", [0.8, 0.95])
def test_alpha_of_even_labels_stays_where_one_label_is_common(
    classes: int, accuracy: float
) -> None:
    alphas = {}
    for skew in (0.0, 0.9):
        crowd, truth = simulated(3000, 20, classes, answers=5, accuracy=accuracy, skew=skew)
        consensus = consolidate(crowd)
        figures = agreement_figures(crowd, consensus, "abcd"[:classes])
        alphas[skew] = figures["alpha"], figures["even_alpha"]
        common = common_label(consensus, "abcd"[:classes])
        assert bool(common) == bool(skew)
        for label in common.values():
            assert label == {"label": "a", "share": pytest.approx((truth == 0).mean(), abs=0.05)}
    (alpha, even), (alpha_of_skewed, even_of_skewed) = alphas[0.0], alphas[0.9]
    assert even == pytest.approx(alpha, abs=0.05)
    assert even_of_skewed == pytest.approx(even, abs=0.1)
    assert alpha_of_skewed < alpha - 0.05


def test_alpha_of_even_labels_is_1_without_confusion_and_0_of_answers_that_tell_nothing() -> None:
    assert even_alpha(np.eye(3)) == 1
    assert even_alpha(np.array([[0.9, 0.1]] * 2)) == pytest.approx(0)
    assert np.isnan(even_alpha(np.eye(3)[:1]))
    assert np.isnan(even_alpha(np.array([[1.0, 0.0]] * 2)))
