"""The page shows every figure, runs nothing, and can be read by everybody."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from tessera.tiling.report.charts import charts
from tessera.tiling.report.render import render_html, render_json
from tests.tiling.report.small_run import FACTS, figures, full_figures

if TYPE_CHECKING:
    from playwright.sync_api import Browser

UI = Path(__file__).parents[3] / "ui"
TEMPLATE = (UI / "report.liquid.html").read_text("utf-8")
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def test_the_page_says_every_figure_and_needs_nothing_from_elsewhere() -> None:
    page = render_html(TEMPLATE, figures(), {3: "data:image/png;base64,AA=="})

    for text in ("pets-may-0123456789ab", "0.950", "93.0%", "s3://inbox/3.png"):
        assert text in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert 'src="data:image/png;base64,AA=="' in page


def test_the_page_shows_what_a_requester_wrote_and_runs_none_of_it() -> None:
    page = render_html(
        TEMPLATE, figures(question="<img src=x onerror=alert(1)> {{ report }} {% raw %}")
    )

    assert "&lt;img src=x onerror=alert(1)&gt; {{ report }} {% raw %}" in page


@pytest.mark.parametrize("name", ["report.liquid.html", "custom-report.liquid.html"])
def test_a_browser_is_told_to_run_no_script_of_a_report_and_to_send_nothing(name: str) -> None:
    text = TEMPLATE if name == "report.liquid.html" else (UI / name).read_text("utf-8")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert "script-src" not in directives
    assert text.index(policy) < text.index("<style")


def test_the_page_tells_what_was_noticed_when_the_run_began() -> None:
    notice = "seed: 4 has no effect, because only <shuffle> follows it"
    assert "follows it" not in render_html(TEMPLATE, figures())
    assert "only &lt;shuffle&gt; follows it" in render_html(TEMPLATE, figures(notices=[notice]))


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

    page = render_html(TEMPLATE, figures(**empty))

    assert "–" in page
    assert charts(figures(**empty))["effort"] == []


SQUARE = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='90' height='60'%3E"
    "%3Crect width='90' height='60' fill='%238ad'/%3E%3C/svg%3E"
)


def page_of_everything(pictures: dict[int, str]) -> str:
    """A report in which no section is left out."""
    return render_html(TEMPLATE, full_figures(), pictures, FACTS)


def test_a_report_of_everything_has_every_section_of_the_template() -> None:
    sections = set(re.findall(r'<section aria-labelledby="([a-z]+)"', TEMPLATE))
    page = page_of_everything(dict.fromkeys(range(4), SQUARE))
    assert set(re.findall(r'<section aria-labelledby="([a-z]+)"', page)) == sections


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("pictures", [4, 0])
def test_axe_finds_nothing_in_any_section_and_nothing_overflows(
    chromium: Browser, tmp_path: Path, pictures: int
) -> None:
    from axe_playwright_python.sync_playwright import Axe  # late: only this test needs it

    path = tmp_path / "report.html"
    path.write_text(page_of_everything(dict.fromkeys(range(pictures), SQUARE)), "utf-8")
    page = chromium.new_page()
    page.goto(path.as_uri())
    # Pictures below the fold wait for it, and one that the page's own policy forbids never comes.
    page.eval_on_selector_all("img", "all => all.forEach(each => { each.loading = 'eager'; })")
    page.wait_for_function("[...document.images].every(each => each.naturalWidth === 90)")
    assert page.locator("img").count() == (11 if pictures else 0)
    for scheme, width in itertools.product(SCHEMES, (320, 390, 1280)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        violations = Axe().run(page).response["violations"]
        assert [(entry["id"], entry["nodes"][0]["target"]) for entry in violations] == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
    page.close()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 390, 1280])
def test_how_often_a_worker_is_right_is_seen_without_scrolling(
    chromium: Browser, tmp_path: Path, width: int
) -> None:
    path = tmp_path / "report.html"
    path.write_text(page_of_everything({}), "utf-8")
    page = chromium.new_page(viewport={"width": width, "height": 800})
    page.goto(path.as_uri())
    box = page.locator("section[aria-labelledby=workers] th", has_text="accuracy").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= width
    page.close()


def test_report_json_is_the_figures_indented() -> None:
    data = render_json(figures())
    assert json.loads(data) == figures()
    assert data.startswith(b'{\n  "version": 1,\n')
    assert data.endswith(b"}\n")
