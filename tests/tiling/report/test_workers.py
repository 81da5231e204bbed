"""Workers are described by their answers, and odd pages are found among usual ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tessera.tiling.consensus import Crowd, consolidate
from tessera.tiling.method_names import METHOD_NAMES, Method
from tessera.tiling.report.agreement import common_label
from tessera.tiling.report.next_steps import clearly_below_average
from tessera.tiling.report.workers import (
    SHOWN_PAGES,
    page_figures,
    wilson_interval,
    worker_figures,
)
from tests.tiling.consensus.crowds import crowds, simulated
from tests.tiling.report.small_run import crowd_of

UNKNOWN: NDArray[np.int16] = np.full(100, -1, np.int16)


def workers(crowd: Crowd, seconds: NDArray[np.float32]) -> list[dict[str, Any]]:
    """The figures of workers named a, b, … after their numbers."""
    names = [chr(ord("a") + worker) for worker in range(crowd.workers)]
    consensus = consolidate(crowd, "majority")
    return worker_figures(crowd, consensus, names, seconds=seconds, known=UNKNOWN)


def unmeasured(crowd: Crowd) -> NDArray[np.float32]:
    return np.full(len(crowd), np.nan, np.float32)


def test_answers_far_faster_than_usual_are_counted_by_worker() -> None:
    crowd = crowd_of(*((image, worker, 0) for worker in range(2) for image in range(4)))
    seconds = np.array([2, 2, 2, 2, 0.1, 0.1, 2, np.nan], np.float32)

    assert [worker["too_fast"] for worker in workers(crowd, seconds)] == [0, 0.6667]
    figures = workers(crowd, unmeasured(crowd))
    assert [worker["too_fast"] for worker in figures] == [None, None]
    assert [worker["seconds_per_image"] for worker in figures] == [None, None]


def test_workers_with_most_answers_come_first_and_equals_by_name() -> None:
    crowd = crowd_of((0, 1, 0), (0, 0, 0), (0, 2, 0), (1, 2, 0))
    figures = workers(crowd, unmeasured(crowd))
    assert [worker["worker"] for worker in figures] == ["c", "a", "b"]


def test_a_worker_who_could_judge_nothing_has_no_accuracy_but_an_interval() -> None:
    crowd = crowd_of((0, 0, 0), (0, 1, 0), (0, 2, -1))
    blind = workers(crowd, unmeasured(crowd))[2]
    assert (blind["unreadable"], blind["agreement"]) == (1, None)
    assert (blind["accuracy_low"], blind["accuracy_high"]) == (0.0, 1.0)


def test_gold_answers_are_compared_with_known_labels() -> None:
    crowd = crowd_of((0, 0, 0), (0, 1, 1), (1, 0, 0), (1, 1, 0))
    consensus = consolidate(crowd, "majority")
    known = np.array([0, -1], np.int16)
    figures = worker_figures(crowd, consensus, ["a", "b"], seconds=unmeasured(crowd), known=known)
    assert [worker["gold_answers"] for worker in figures] == [1, 1]
    assert [worker["gold_accuracy"] for worker in figures] == [1.0, 0.0]


@given(
    st.lists(st.tuples(st.integers(0, 4), st.floats(0, 1000, width=32)), min_size=1, max_size=40)
)
def test_a_worker_s_pace_is_the_median_of_their_own_seconds(
    answers: list[tuple[int, float]],
) -> None:
    crowd = crowd_of(*((image, worker, 0) for image, (worker, _) in enumerate(answers)))
    seconds = np.array([spent for _, spent in answers], np.float32)
    for figures in workers(crowd, seconds):
        own = sorted(spent for worker, spent in answers if chr(97 + worker) == figures["worker"])
        if own:
            assert figures["seconds_per_image"] == pytest.approx(own[len(own) // 2], abs=1e-3)
        else:
            assert figures["seconds_per_image"] is None


@given(st.floats(0, 1), st.integers(0, 10**6))
def test_an_interval_holds_its_share_and_stays_between_0_and_1(share: float, answers: int) -> None:
    low, high = wilson_interval(share, answers)
    assert 0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1


def test_more_answers_make_an_interval_narrower() -> None:
    widths = [high - low for low, high in (wilson_interval(0.9, n) for n in (0, 5, 50, 500))]
    assert widths == sorted(widths, reverse=True)


def pages(labels: list[int], seconds: list[float], size: int = 20) -> list[dict[str, Any]]:
    """The odd pages where three workers agree, and a fourth gives these labels so quickly."""
    images = range(len(labels))
    agreeing = [(image, worker, 0) for worker in range(3) for image in images]
    crowd = crowd_of(*agreeing, *((image, 3, labels[image]) for image in images))
    worker = np.repeat(np.arange(4), len(labels))
    per_worker = -(-len(labels) // size)
    submission = worker * per_worker + np.tile(np.arange(len(labels)) // size, 4)
    usual = [2.0] * (3 * len(labels))
    return page_figures(
        crowd,
        consolidate(crowd, "majority"),
        ["a", "b", "c", "d"],
        submission=submission,
        seconds=np.array(usual + seconds, np.float32),
    )


def test_a_page_like_the_others_is_not_worth_a_look() -> None:
    assert pages([0] * 20, [2.0] * 20) == []


def test_a_page_that_took_far_longer_is_slow() -> None:
    (page,) = pages([0] * 20, [9.0] * 20)
    assert (page["worker"], page["why"], page["seconds_per_image"]) == ("d", ["slow"], 9.0)


def test_a_page_that_agrees_far_less_disagrees() -> None:
    (page,) = pages([1] * 20, [0.1] * 20)
    assert (page["worker"], page["why"], page["agreement"]) == ("d", ["disagrees"], 0.0)


def test_a_page_may_be_odd_in_both_ways_and_the_oddest_comes_first() -> None:
    first, second = pages([1] * 20 + [0] * 20, [40.0] * 20 + [9.0] * 20)
    assert (first["why"], first["first_image"]) == (["slow", "disagrees"], 0)
    assert (second["why"], second["first_image"]) == (["slow"], 20)


def test_only_so_many_pages_are_listed() -> None:
    count = SHOWN_PAGES + 10
    assert len(pages([0] * count, [30.0] * count, size=1)) == SHOWN_PAGES


def test_a_crowd_without_answers_has_no_pages() -> None:
    empty = np.empty(0, np.int32)
    crowd = Crowd(1, 0, 3, empty, empty, empty)
    consensus = consolidate(crowd, "majority")
    assert page_figures(crowd, consensus, [], submission=empty, seconds=empty.astype("f")) == []


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_whoever_always_gives_the_common_label_is_right_often_but_not_with_labels_alike(
    method: Method,
) -> None:
    crowd, _ = simulated(600, 12, 2, answers=4, accuracy=0.9, skew=0.9)
    label = np.where(crowd.worker == 3, 0, crowd.label).astype(np.int8)
    crowd = replace(crowd, label=label)
    names = [f"w{worker}" for worker in range(12)]
    consensus = consolidate(crowd, method)
    figures = worker_figures(
        crowd, consensus, names, seconds=unmeasured(crowd), known=np.full(600, -1, np.int16)
    )
    of = {worker["worker"]: worker for worker in figures}
    median = sorted(worker["balanced_accuracy"] for worker in figures)[6]
    assert of["w3"]["accuracy"] > 0.85
    assert of["w3"]["balanced_accuracy"] < 0.65 < median
    common = common_label(consensus, ("ok", "scratch"))
    assert common["common_label"]["label"] == "ok"
    weak = {"workers": figures} | common
    assert "w3" in clearly_below_average(weak)
    assert "w3" not in clearly_below_average({"workers": figures})


@given(crowd=crowds(), method=st.sampled_from(METHOD_NAMES))
def test_a_balanced_accuracy_is_a_share_within_its_interval(crowd: Crowd, method: Method) -> None:
    names = [chr(ord("a") + worker) for worker in range(crowd.workers)]
    consensus = consolidate(crowd, method)
    known = np.full(crowd.images, -1, np.int16)
    for worker in worker_figures(crowd, consensus, names, seconds=unmeasured(crowd), known=known):
        low, high = worker["balanced_low"], worker["balanced_high"]
        assert 0 <= low <= high <= 1
        if worker["balanced_accuracy"] is not None:
            assert low - 1e-4 <= worker["balanced_accuracy"] <= high + 1e-4
    common = common_label(consensus, "abcde"[: crowd.classes])
    assert not common or common["common_label"]["share"] >= 0.5


@pytest.mark.parametrize("method", METHOD_NAMES)
def test_a_run_without_workers_has_no_figures_of_any(method: Method) -> None:
    nobody = Crowd(3, 0, 2, *np.empty((3, 0), np.int32))
    consensus = consolidate(nobody, method)
    known = np.zeros(3, np.int16)
    assert worker_figures(nobody, consensus, [], seconds=unmeasured(nobody), known=known) == []
