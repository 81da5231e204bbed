"""The layout fits by construction: any labels, any window, any shape of pictures, any zoom."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page

from tests.examples import examples
from tests.ui.conftest import FIRST_SCREEN_LOADED
from tests.ui.worker import PICTURES, Pictures, page_html, settings

pytestmark = pytest.mark.browser

COUNTS = [
    # labels below the pictures, and in a list at the side: the others lie between these two
    pytest.param(count, marks=[] if count in {9, 24} else pytest.mark.slow)
    for count in (2, 3, 5, 6, 7, 8, 9, 10, 12, 16, 24, 36, 50)
]
BLOCKS = [
    pytest.param(blocks, marks=[] if blocks == 4 else pytest.mark.slow) for blocks in (1, 4, 8)
]
NAMES = ("kind {}", "a rather long name of kind {}, seen from its left side")
SHAPES = {
    "wide": ((900, 500),),
    "tall": ((300, 480),),
    "panorama": ((900, 200), (900, 240)),
    "mixed": ((480, 360), (300, 480), (400, 400), (900, 300), (360, 480)),
}
MOUSE = [
    (1366, 768), (1536, 864), (1440, 900), (1920, 1080), (2560, 1440), (3840, 2160), (1280, 720),
    (1024, 768), (1000, 1200),
    (683, 384), (768, 432), (640, 360), (960, 540),  # the common ones at 200 %
    (320, 256),  # 1280 × 1024 at 400 %
]  # fmt: skip
TOUCH = [(320, 568), (568, 320), (390, 844), (844, 390), (768, 1024), (1024, 768)]
SCREENS = [(1366, 768), (1536, 864), (1920, 1080), (2560, 1440)]
ZOOMS = [80, 110, 125, 150, 175, 250, 300]  # percent; 100 and 200 are in the table above

SETTLED = """async ([width, height]) => {
  const frame = () => new Promise(requestAnimationFrame);
  const look = () => [innerWidth, innerHeight, ...[...document.querySelectorAll("main, .tile")]
    .flatMap(element => Object.values(element.getBoundingClientRect().toJSON()))].join();
  for (let before, same = 0, frames = 0; same < 2 && frames < 120; frames++) {
    await frame();
    const now = look(), isThere = innerHeight === height || frames > 60;
    same = isThere && now === before ? same + 1 : 0;
    before = now;
  }
}"""
"""Wait until the window has its size and two frames on end look alike: a busy machine may be late
with either, and a phone's window is as wide as what it shows."""

FAULTS = """labels => {
  const faults = [], box = element => element.getBoundingClientRect();
  const all = selector => [...document.querySelectorAll(selector)];
  const inside = (a, b) => a.left >= b.left - 1 && a.right <= b.right + 1
    && a.top >= b.top - 1 && a.bottom <= b.bottom + 1;
  const apart = (a, b) => a.right <= b.left + 1 || b.right <= a.left + 1
    || a.bottom <= b.top + 1 || b.bottom <= a.top + 1;
  const screen = { left: 0, top: 0, right: innerWidth, bottom: innerHeight };
  const main = document.querySelector("main"), view = box(main);
  const list = box(document.querySelector("#labels"));
  const target = matchMedia("(hover: none)").matches ? 44 : 24;
  const tiles = all(".tile");
  for (const tile of tiles) {
    const strip = tile.querySelector(".answers"), picture = box(tile.querySelector(".picture"));
    if (getComputedStyle(strip).clipPath === "none") for (const part of [strip, ...strip.children])
      if (!inside(box(part), box(tile))) faults.push("a strip outside its tile");
    if (!inside(picture, box(tile))) faults.push("a picture outside its tile");
    if (Math.min(picture.width, picture.height) < 96) faults.push("a picture under 96 px");
    if (box(tile).height > view.height) faults.push("a tile higher than the screen");
    for (const other of tiles) if (tile !== other && !apart(box(tile), box(other)))
      faults.push("a tile over another");
  }
  for (const part of [document.documentElement, document.querySelector("#page"), main])
    if (part.scrollWidth > part.clientWidth) faults.push("something is too wide");
  for (const element of [...all("#tools > *"), document.querySelector("#labels")]) {
    if (!element.checkVisibility()) continue;
    if (!inside(box(element), screen)) faults.push(`${element.id} leaves the screen`);
    if (!apart(box(element), view)) faults.push(`${element.id} covers pictures`);
  }
  for (const button of all("#labels button")) {
    const { left, right, height } = box(button);
    if (left < list.left - 1 || right > list.right + 1) faults.push("a label is cut off");
    if (height < target) faults.push("a label is too low");
    if (!inside(box(button.querySelector("span")), box(button)))
      faults.push("a label's name leaves its button");
  }
  const laptop = innerWidth >= 1366 && innerHeight >= 768 && labels <= 9;
  if (laptop && !tiles.every(tile => inside(box(tile), view))) faults.push("not all in view");
  return [...new Set(faults)];
}"""


@pytest.fixture(scope="module", params=["mouse", "touch"])
def window(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[tuple[Page, str]]:
    """One window for all pages of this module: with a mouse, or a touch screen."""
    touch: dict[str, Any] = {"has_touch": True, "is_mobile": True}
    context = chromium.new_context(**touch if request.param == "touch" else {})
    yield context.new_page(), request.param
    context.close()


def show(page: Page, count: int, name: str, shape: str, prelabels: tuple[str | None, ...]) -> None:
    run = settings(*(name.format(at) for at in range(count - 1)), "cannot see")
    html = page_html(run, 20, prelabels=prelabels)
    page.unroute_all(behavior="ignoreErrors")
    page.route(PICTURES + "**", Pictures(*SHAPES[shape]))
    page.route(
        "https://page.test/", lambda route: route.fulfill(body=html, content_type="text/html")
    )
    page.goto("https://page.test/")
    page.wait_for_function(FIRST_SCREEN_LOADED)


def faults_at(page: Page, width: int, height: int, count: int) -> list[str]:
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate(SETTLED, [width, height])
    return list(page.evaluate(FAULTS, count))


@pytest.mark.parametrize("count", COUNTS)
def test_everything_fits(window: tuple[Page, str], count: int) -> None:
    page, pointer = window
    faults = {}
    for name, shape in product(NAMES, SHAPES):
        show(page, count, name, shape, ())
        for width, height in MOUSE if pointer == "mouse" else TOUCH:
            if broken := faults_at(page, width, height, count):
                faults[name, shape, width, height] = broken
    assert faults == {}


@pytest.mark.slow  # the table of common windows is the faster half
@pytest.mark.parametrize("count", [3, 6, 9, 12, 30, 50])
def test_everything_fits_at_every_zoom(window: tuple[Page, str], count: int) -> None:
    page, pointer = window
    if pointer == "touch":
        pytest.skip("fingers zoom the picture of a page, not its layout")
    faults = {}
    for name, shape in product(NAMES, SHAPES):
        show(page, count, name, shape, ())
        for (width, height), zoom in product(SCREENS, ZOOMS):
            size = round(width * 100 / zoom), round(height * 100 / zoom)
            if broken := faults_at(page, *size, count):
                faults[name, shape, zoom, size] = broken
    assert faults == {}


@pytest.mark.parametrize("blocks", BLOCKS)
def test_suggestions_fit_with_their_headings(window: tuple[Page, str], blocks: int) -> None:
    page, pointer = window
    guesses = tuple(f"kind {at % blocks}" for at in range(20))
    faults = {}
    for shape in SHAPES:
        show(page, 9, "kind {}", shape, guesses)
        for width, height in MOUSE if pointer == "mouse" else TOUCH:
            if broken := faults_at(page, width, height, 9):
                faults[shape, width, height] = broken
    assert faults == {}


@pytest.mark.slow  # the table of common windows is the faster half
@pytest.mark.parametrize("count", [4, 9, 30])
def test_everything_fits_in_windows_nobody_thought_of(window: tuple[Page, str], count: int) -> None:
    page, pointer = window
    show(page, count, "kind {}", "mixed", ())
    lowest = 256 if pointer == "mouse" else 320  # a laptop's at 400 %, a phone held sideways

    @hypothesis_settings(
        max_examples=examples(60),
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(st.integers(320, 3840), st.integers(lowest, 2160))
    def fits(width: int, height: int) -> None:
        assert faults_at(page, width, height, count) == []

    fits()
