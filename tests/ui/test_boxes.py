"""The page of boxes: each tile a part of a picture, the zoom all of it with the box drawn."""

from __future__ import annotations

from typing import Any

import pytest

from tessera.tiling.settings import read_settings
from tests.ui.worker import Pictures, Sit, Worker

pytestmark = pytest.mark.browser

RUN = read_settings(b'{"task": "verify"}')
BOXES = (
    "180,140,120,80,480,360", "0,0,60,200,480,360", "400,330,80,30,480,360",
    "100.5,20,3,2,480,360", "0,0,480,360,480,360",
)  # fmt: skip
"""Boxes in the middle, at two corners, of three pixels, and all of the picture."""


def place(worker: Worker, selector: str) -> dict[str, float]:
    """Return left, top, width and height of an element on the screen."""
    result: dict[str, float] = worker.page.evaluate(
        "s => { const {left, top, width, height} = document.querySelector(s)"
        ".getBoundingClientRect(); return {left, top, width, height}; }",
        selector,
    )
    return result


def middle_of(rectangle: dict[str, float]) -> tuple[float, float]:
    return (
        rectangle["left"] + rectangle["width"] / 2,
        rectangle["top"] + rectangle["height"] / 2,
    )


def test_a_box_fills_its_tile_and_lies_on_its_part_of_the_picture(sit: Sit) -> None:
    worker = sit(len(BOXES), run=RUN, boxes=BOXES)
    for number, text in enumerate(BOXES, 1):
        left, top, width, height, all_width, all_height = map(float, text.split(","))
        tile = f".tile[data-id='{number - 1}'] .picture"
        box, image = place(worker, f"{tile} > b"), place(worker, f"{tile} img")
        around = place(worker, tile)
        pixel = image["width"] / all_width
        assert image["height"] == pytest.approx(pixel * all_height, abs=1)
        assert box["width"] == pytest.approx(width * pixel, abs=1.5)
        assert box["height"] == pytest.approx(height * pixel, abs=1.5)
        assert box["left"] == pytest.approx(image["left"] + left * pixel, abs=1.5)
        assert box["top"] == pytest.approx(image["top"] + top * pixel, abs=1.5)
        # all of it is in view, in the middle
        assert box["width"] < around["width"]
        assert box["height"] < around["height"]
        middle = around["left"] + around["width"] / 2
        assert box["left"] + box["width"] / 2 == pytest.approx(middle, abs=1.5)
    assert worker.tile(1).locator("em").inner_text() == "cat?"


def test_the_zoom_shows_the_whole_picture_with_the_box_and_enlarges_both(sit: Sit) -> None:
    worker = sit(2, run=RUN, boxes=BOXES)
    worker.press("z")
    assert worker.page.locator("#frame i").get_attribute("data-name") == "cat?"
    image, frame = place(worker, "#lens img"), place(worker, "#frame i")
    fitted = min(image["width"] / 480, image["height"] / 360)
    assert frame["width"] == pytest.approx(480 * fitted, abs=1)
    assert frame["height"] == pytest.approx(360 * fitted, abs=1)
    assert middle_of(frame) == pytest.approx(middle_of(image), abs=1)
    worker.press("+")
    larger = place(worker, "#frame i")
    assert larger["width"] == pytest.approx(1.5 * frame["width"], rel=0.01)
    moved = place(worker, "#lens img")
    assert middle_of(larger) == pytest.approx(middle_of(moved), abs=1)
    worker.press("1")  # answered in the zoom, which goes on to the next box
    style = worker.page.locator("#frame i").get_attribute("style") or ""
    assert "--bh: 200" in style or "--bh:200" in style


def test_boxes_are_answered_by_the_keys_of_the_tiles(sit: Sit) -> None:
    worker = sit(3, run=RUN, boxes=BOXES)
    worker.press("1", "2", "3", "Enter")
    answer: dict[str, Any] = worker.answers[-1]
    chosen = [[name for name, yes in answer[key].items() if yes] for key in "012"]
    assert chosen == [["yes"], ["no"], ["cannot tell"]]


def test_a_picture_that_is_turned_against_its_box_is_none_to_answer_for(sit: Sit) -> None:
    worker = sit(2, run=RUN, boxes=BOXES, pictures=Pictures((480, 360), (360, 480)), wait=False)
    dead = worker.tile(2).locator(".dead")
    dead.wait_for()
    assert "did not load" in dead.inner_text()
    worker.press("1", "Enter")
    assert "1" not in worker.answers[-1] or not any(worker.answers[-1]["1"].values())
