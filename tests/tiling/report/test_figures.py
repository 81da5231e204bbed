"""The figures of a report, against values known from elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.consensus import Crowd, Evidence, consolidate
from tessera.tiling.report.agreement import agreement_figures, krippendorff
from tessera.tiling.report.charts import charts, columns, parts
from tessera.tiling.report.confidence import calibration, doubtful_images
from tessera.tiling.report.next_steps import advice
from tessera.tiling.report.render import render_report
from tessera.tiling.report.rounds import round_figures
from tessera.tiling.report.workers import too_fast

TEMPLATE = (Path(__file__).parents[3] / "ui" / "report.liquid.html").read_text("utf-8")
CHROMIUM = Path("/usr/bin/chromium")
SOME = ("cat", "dog", "fox")

KRIPPENDORFF = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)
"""The nominal example of Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability"."""


def crowd_of(*answers: tuple[int, int, int], classes: int = 3) -> Crowd:
    """A crowd of (image, worker, label)."""
    image, worker, label = (np.array(column, np.int32) for column in zip(*answers, strict=True))
    return Crowd(int(image.max()) + 1, int(worker.max()) + 1, classes, image, worker, label)


def test_alpha_is_the_one_that_its_author_computed() -> None:
    crowd = crowd_of(
        *(
            (image, worker, int(said) - 1)
            for worker, row in enumerate(KRIPPENDORFF)
            for image, said in enumerate(row.split())
            if said != "."
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
    consensus = consolidate(crowd)

    figures = agreement_figures(crowd, consensus, SOME)

    assert figures["alpha"] is None or -1 <= figures["alpha"] <= 1
    assert figures["agreeing"] <= figures["compared"] <= len(crowd)
    assert all(sum(row) <= 1.001 for row in figures["confusion"])
    shown = doubtful_images(crowd, consensus, SOME, "cannot see")
    assert [image["confidence"] for image in shown] == sorted(
        image["confidence"] for image in shown
    )
    assert all(sum(image["said"].values()) > 0 for image in shown)


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


def test_calibration_counts_known_images_by_confidence() -> None:
    crowd = crowd_of((0, 0, 0), (0, 1, 0), (1, 0, 1), (1, 1, 1), (2, 0, 2), (2, 1, 1))
    consensus = consolidate(crowd, "majority")

    bins = calibration(consensus, np.array([0, 2, -1], np.int16))

    assert sum(entry["images"] for entry in bins) == 2
    assert bins[0]["right"] == 0.5


def test_answers_far_faster_than_usual_are_counted_by_worker() -> None:
    crowd = crowd_of(*((image, worker, 0) for worker in range(2) for image in range(4)))
    seconds = np.array([2, 2, 2, 2, 0.1, 0.1, 2, np.nan], np.float32)

    assert too_fast(crowd, seconds) == [0, pytest.approx(0.6667)]
    assert too_fast(crowd, np.full(8, np.nan, np.float32)) == [None, None]


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=6))
def test_parts_fill_the_whole_and_columns_stay_in_the_plane(counts: list[int]) -> None:
    made = parts([(str(number), count) for number, count in enumerate(counts)])

    assert sum(part["count"] for part in made) == sum(counts)
    assert sum(part["width"] for part in made) == pytest.approx(600 if any(counts) else 0, abs=1)
    assert all(0 <= column["y"] <= 160 for column in columns(counts))


def figures(**changed: Any) -> dict[str, Any]:
    """The figures of a small run that went well."""
    made: dict[str, Any] = {
        "version": 1,
        "run": "pets-may-0123456789ab",
        "question": "Is this cat or dog?",
        "method": "hierarchical",
        "settings": {"images_per_task": 20, "answers_per_image": 2, "max_answers": 3},
        "manifest": "s3://inbox/pets/may.manifest",
        "started": "2026-11-23T01:51:01Z",
        "images": {
            "lines": 10, "training": 10, "unlabeled": 0, "rejected": 0,
            "labeled_before": 0, "gold": 0, "repeats": 0, "uncertain": 0,
        },
        "unlabeled": {},
        "labels": {"cat": 6, "dog": 4},
        "answers": {"used": 20},
        "confidence": {"mean": 0.93, "tenths": [0] * 9 + [10], "calibrated_by": "gold",
                       "calibrated_on": 60, "unanimous": 10, "one_answer": 0},
        "calibration": [{"from": 0.9, "images": 6, "mean_confidence": 0.93, "right": 1.0}],
        "gold": {"right": 6, "answered": 6, "mean_confidence": 0.93},
        "agreement": {"alpha": 0.95, "compared": 20, "agreeing": 19, "labels": ["cat", "dog"],
                      "confusion": [[0.9, 0.1], [0.0, 1.0]], "confused": [
                          {"label": "cat", "taken_for": "dog", "answers": 1, "share": 0.08}]},
        "rounds": [{"round": 1, "images": 10, "tasks": 1, "answers": 20, "labels_changed": 0,
                    "labeled": 10, "mean_confidence": 0.93}],
        "workers": [{"worker": "ann", "answers": 20, "accuracy": 0.9, "accuracy_low": 0.8,
                     "accuracy_high": 0.95, "gold_answers": 0, "gold_accuracy": None,
                     "agreement": 0.95, "seconds_per_image": 2.5, "too_fast": 0.0}],
        "pages_to_look_at": [],
        "time": {"measured": True, "seconds_per_image": 2.5, "seconds_per_image_alone": 8.1,
                 "hours": 0.01, "hours_alone": 0.04},
        "cost": {"service": "portal", "price_per_page": 0, "pages": 1, "pages_alone": 10,
                 "fees": 0, "fees_alone": 0},
        "doubtful": [{"index": 3, "source": "s3://inbox/3.png", "label": "cat",
                      "confidence": 0.6, "said": {"cat": 1, "dog": 1}}],
        "jobs": [{"name": "pets-r1-000", "status": "Completed"}],
    }  # fmt: skip
    made |= changed
    return made | {"next": advice(made)}


def test_a_run_that_went_well_is_advised_to_train() -> None:
    (only,) = advice(figures())

    assert only["do"].startswith("tessera export pets-may-0123456789ab")


def test_every_gap_and_doubt_has_its_advice() -> None:
    counts = {"lines": 10, "training": 7, "unlabeled": 2, "rejected": 1, "uncertain": 3}
    worker = figures()["workers"][0]
    weak = worker | {"worker": "bob", "accuracy": 0.5, "accuracy_high": 0.6}
    told = advice(
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

    assert len(told) == 9
    assert "'cat' and 'dog' differ" in json.dumps(told)


def test_the_page_says_every_figure_and_needs_nothing_from_elsewhere() -> None:
    page = render_report(TEMPLATE, figures(), {3: "data:image/png;base64,AA=="})

    for said in ("pets-may-0123456789ab", "0.950", "93.0%", "s3://inbox/3.png"):
        assert said in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert 'src="data:image/png;base64,AA=="' in page


def test_the_page_shows_what_a_requester_wrote_and_runs_none_of_it() -> None:
    page = render_report(
        TEMPLATE, figures(question="<img src=x onerror=alert(1)> {{ report }} {% raw %}")
    )

    assert "&lt;img src=x onerror=alert(1)&gt; {{ report }} {% raw %}" in page


def test_a_run_without_any_answer_has_a_page_too() -> None:
    empty: dict[str, Any] = {
        "labels": {"cat": 0, "dog": 0},
        "answers": {"used": 0},
        "confidence": {"mean": None, "tenths": [0] * 10, "calibrated_by": "default",
                       "unanimous": 0, "one_answer": 0},
        "agreement": {"alpha": None, "compared": 0, "agreeing": 0, "labels": ["cat", "dog"],
                      "confusion": [[0, 0], [0, 0]], "confused": []},
        "calibration": [], "rounds": [], "workers": [], "doubtful": [], "time": {}, "cost": {},
    }  # fmt: skip

    page = render_report(TEMPLATE, figures(**empty))

    assert "–" in page
    assert charts(figures(**empty))["effort"] == []


@pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium")
@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_overflows(tmp_path: Path, scheme: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    path = tmp_path / "report.html"
    path.write_text(render_report(TEMPLATE, figures()), "utf-8")
    switches = "--no-sandbox --disable-gpu --disable-quic --no-first-run"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=switches.split())
        page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme=scheme)
        page.goto(path.as_uri())
        found = Axe().run(page).response["violations"]
        width = page.evaluate("document.documentElement.scrollWidth")
        browser.close()

    assert [(entry["id"], entry["nodes"][0]["target"]) for entry in found] == []
    assert width == 390
