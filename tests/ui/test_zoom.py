"""The zoom: from all of a picture down to its pixels, by wheel, keys, drag and two fingers."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.ui.worker import ORIGINAL, PICTURES, Pictures, Sit, Worker

pytestmark = pytest.mark.browser

MIDDLE = (683, 400)
PLACE = """() => {
  const lens = document.querySelector("#lens"), image = lens.firstChild, style = getComputedStyle(image);
  const { a: scale, e: x, f: y } = new DOMMatrix(style.transform);
  const fitted = Math.min(image.clientWidth / image.naturalWidth, image.clientHeight / image.naturalHeight);
  return { open: !lens.hidden, scale, x, y, pixel: fitted * scale, rendering: style.imageRendering };
}"""  # noqa: E501  # a script reads better on long lines


def place(worker: Worker) -> dict[str, Any]:
    """Where the picture lies in the lens, and how large one of its pixels is on the screen."""
    return dict(worker.page.evaluate(PLACE))


def zoomed(sit: Sit, width: int = 4000, height: int = 40) -> Worker:
    """A worker with the first picture in the zoom."""
    worker = sit(2, pictures=Pictures((width, height)))
    worker.press("z")
    worker.page.wait_for_function("document.querySelector('#lens img').naturalWidth")
    return worker


@pytest.mark.parametrize("shape", [(4000, 40), (6000, 4000), (480, 360), (8, 8), (40, 4000)])
def test_every_picture_can_be_enlarged_to_its_pixels(sit: Sit, shape: tuple[int, int]) -> None:
    worker = zoomed(sit, *shape)
    for _ in range(20):
        worker.press("+")
    at = place(worker)
    assert at["pixel"] >= 15.9
    assert at["rendering"] == "pixelated"
    for _ in range(20):
        worker.press("-")
    assert (place(worker)["scale"], place(worker)["x"]) == (1, 0)


def test_the_wheel_enlarges_what_is_under_the_pointer(sit: Sit) -> None:
    worker = zoomed(sit, 480, 360)
    worker.page.mouse.move(MIDDLE[0] + 100, MIDDLE[1] + 50)
    before = place(worker)
    worker.page.mouse.wheel(0, -500)
    worker.page.wait_for_function(f"({PLACE})().scale > 2")
    after = place(worker)
    box = worker.page.locator("#lens img").evaluate(
        "({ offsetLeft, offsetTop, clientWidth, clientHeight }) => "
        "[offsetLeft + clientWidth / 2, offsetTop + clientHeight / 2]"
    )
    lens = worker.page.locator("#lens").bounding_box()
    assert lens
    pointer = [MIDDLE[0] + 100 - lens["x"] - box[0], MIDDLE[1] + 50 - lens["y"] - box[1]]
    for axis, side in (("x", 0), ("y", 1)):
        was = (pointer[side] - before[axis]) / before["scale"]
        assert was == pytest.approx((pointer[side] - after[axis]) / after["scale"], abs=0.5)
    worker.page.mouse.wheel(0, 5000)
    worker.page.wait_for_function(f"({PLACE})().scale == 1")


def test_a_drag_moves_the_enlarged_picture_and_is_no_press(sit: Sit) -> None:
    worker = zoomed(sit, 480, 360)
    worker.press("+", "+", "+")
    worker.page.mouse.move(*MIDDLE)
    worker.page.mouse.down()
    worker.page.mouse.move(MIDDLE[0] - 120, MIDDLE[1] + 60, steps=5)
    worker.page.mouse.up()
    at = place(worker)
    assert (at["open"], round(at["x"]), round(at["y"])) == (True, -120, 60)
    worker.page.mouse.click(*MIDDLE)
    assert place(worker)["open"] is False
    assert worker.at == 1


def test_arrows_move_the_enlarged_picture_and_else_go_on(sit: Sit) -> None:
    worker = zoomed(sit, 480, 360)
    worker.press("+", "+", "ArrowRight", "ArrowDown")
    at = place(worker)
    assert at["x"] < 0
    assert at["y"] < 0
    assert worker.at == 1
    worker.press("-", "-", "-", "ArrowRight")
    assert worker.at == 2
    assert worker.page.locator("#lens p").inner_text().startswith("Picture 2")


def test_the_picture_never_leaves_the_lens(sit: Sit) -> None:
    worker = zoomed(sit, 480, 360)
    worker.press("+", *["ArrowLeft"] * 30, *["ArrowUp"] * 30)
    at = place(worker)
    image = worker.page.locator("#lens img").evaluate(
        "image => [image.clientWidth, image.clientHeight]"
    )
    assert at["x"] == pytest.approx(image[0] * (at["scale"] - 1) / 2)
    assert at["y"] == pytest.approx(image[1] * (at["scale"] - 1) / 2)


def test_labels_are_given_in_the_zoom_and_the_next_picture_is_whole_again(sit: Sit) -> None:
    worker = zoomed(sit, 480, 360)
    worker.press("+", "1")
    assert worker.label(1) == "cat"
    assert (place(worker)["open"], place(worker)["scale"]) == (True, 1)
    assert worker.at == 2


def filters(page: Page) -> list[str]:
    """How the first tile's picture and the one in the zoom are toned."""
    return list(
        page.evaluate(
            "[...document.querySelectorAll('.tile:first-child img, #lens img')]"
            ".map(image => getComputedStyle(image).filter)"
        )
    )


def test_brightness_and_contrast_go_by_keys_and_by_sliders(sit: Sit) -> None:
    worker = zoomed(sit, 480, 360)
    assert filters(worker.page) == ["none", "none"]
    worker.press(".", ".", ";")
    assert filters(worker.page) == ["brightness(1.4) contrast(0.8)"] * 2
    worker.press(",", ",", ":")
    assert filters(worker.page) == ["none", "none"]
    worker.page.locator("#contrast").fill("200")
    assert filters(worker.page)[0] == "brightness(1) contrast(2)"
    worker.page.locator("#contrast").dispatch_event("change")
    worker.press("2")
    assert worker.label(1) == "dog"


def test_two_fingers_on_a_tile_open_the_zoom_and_enlarge(sit: Sit) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    worker = sit(6, context=phone)
    wire = worker.page.context.new_cdp_session(worker.page)
    x, y = worker.point(1)

    def touch(kind: str, *apart: float) -> None:
        points = [
            {"x": x + side * gap, "y": y, "id": number}
            for gap in apart
            for number, side in enumerate((-1, 1))
        ]
        wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    wire.send(
        "Input.dispatchTouchEvent",
        {"type": "touchStart", "touchPoints": [{"x": x - 20, "y": y, "id": 0}]},
    )
    touch("touchStart", 20)
    for gap in (30, 45, 60):
        touch("touchMove", gap)
    touch("touchEnd")
    at = place(worker)
    assert at["open"]
    assert at["scale"] == pytest.approx(3, rel=0.2)
    assert worker.labels == [None] * 6
    worker.page.locator("#lens p").tap()
    assert place(worker)["open"] is False


SOURCE = "document.querySelector('#lens img').src"


def asked_originals(worker: Worker) -> list[int]:
    """The numbers of the pictures whose original was asked for."""
    numbers = [int(url.rpartition("/")[2].partition(".")[0]) for url in worker.pictures.asked]
    return [number - ORIGINAL for number in numbers if number >= ORIGINAL]


def test_the_zoom_shows_the_original_as_soon_as_it_is_enlarged(sit: Sit) -> None:
    worker = sit(2, originals=True)
    worker.press("z")
    assert asked_originals(worker) == []
    worker.press("+", "+")
    worker.page.wait_for_function(f"{SOURCE}.endsWith('/100.svg')")
    assert place(worker)["scale"] == pytest.approx(2.25)
    worker.press("z", "z")
    assert worker.page.evaluate(SOURCE).endswith("/100.svg")
    assert asked_originals(worker).count(0) <= 2  # the second is for the lens, from the cache
    assert worker.tile(1).locator("img").get_attribute("src") == PICTURES + "0.svg"


def test_a_copy_stays_in_the_zoom_where_its_original_does_not_come(sit: Sit) -> None:
    pictures = Pictures()
    pictures.refuse(ORIGINAL)
    worker = sit(2, originals=True, pictures=pictures)
    worker.press("z")
    with worker.page.expect_response(f"{PICTURES}100.svg"):
        worker.press("+")
    assert worker.page.evaluate(SOURCE).endswith("/0.svg")
    pictures.dead.clear()
    new = {"0": PICTURES + "0.svg?1", "0-original": PICTURES + "100.svg?1"}
    worker.page.evaluate(
        "detail => document.dispatchEvent(new CustomEvent('tessera-addresses', { detail }))", new
    )
    worker.press("+")
    worker.page.wait_for_function(f"{SOURCE}.endsWith('/100.svg?1')")
