"""By mouse and by finger: click, drag, hold; afterwards the keys are live again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.ui.worker import Pictures, Sit, Worker, settings

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def test_a_click_on_a_picture_steps_through_the_labels(sit: Sit) -> None:
    worker = sit(2)
    seen = []
    for _ in range(5):
        worker.picture(2).click()
        seen.append(worker.label(2))
    assert seen == ["cat", "dog", "neither", "invalid image", "cat"]


@pytest.mark.parametrize("back", [{"button": "right"}, {"modifiers": ["Shift"]}])
def test_the_right_button_and_shift_step_back(sit: Sit, back: dict[str, Any]) -> None:
    worker = sit(2)
    worker.picture(1).click()
    worker.picture(1).click(**back)
    assert worker.label(1) == "invalid image"


def test_a_press_on_a_label_gives_it_to_the_framed_picture_and_goes_on(sit: Sit) -> None:
    worker = sit(4)
    worker.page.locator("#labels button").nth(1).click(click_count=2)
    assert worker.labels == ["dog", "dog", None, None]
    assert worker.at == 3


def drag(worker: Worker, *numbers: int) -> None:
    mouse = worker.page.mouse
    mouse.move(*worker.point(numbers[0]))
    mouse.down()
    for number in numbers[1:]:
        mouse.move(*worker.point(number), steps=8)
    mouse.up()


def test_a_drag_gives_the_first_pictures_label_to_those_it_passes(sit: Sit) -> None:
    worker = sit(20)
    worker.press("2")
    drag(worker, 1, 3)
    assert worker.labels[:4] == ["dog", "dog", "dog", None]
    assert worker.at == 3


def test_a_drag_from_a_picture_without_a_label_starts_with_the_first_label(sit: Sit) -> None:
    worker = sit(20)
    drag(worker, 2, 3)
    assert worker.labels[:4] == [None, "cat", "cat", None]


def test_one_undo_takes_a_whole_drag_back(sit: Sit) -> None:
    worker = sit(20)
    drag(worker, 1, 4)
    worker.press("Backspace")
    assert worker.labels == [None] * 20


def click_picture(worker: Worker) -> None:
    worker.picture(2).click()


def click_digit(worker: Worker) -> None:
    worker.tile(2).locator(".answers label").nth(2).click()


def click_label(worker: Worker) -> None:
    worker.page.locator("#labels button").nth(0).click()


def click_size(worker: Worker) -> None:
    worker.page.locator("#sizes button").nth(2).click()


def click_progress(worker: Worker) -> None:
    worker.page.locator("#progress").click()


def click_background(worker: Worker) -> None:
    worker.page.mouse.click(4, 760)


def zoom_and_back(worker: Worker) -> None:
    worker.picture(2).hover()
    worker.tile(2).locator(".glass").click()
    worker.page.locator("#lens").click()


def look_at_help(worker: Worker) -> None:
    worker.page.locator("#open-help").click()
    worker.page.locator("#close-help").click()


def click_undo(worker: Worker) -> None:
    worker.page.locator("#undo").click()


def click_flag(worker: Worker) -> None:
    worker.page.locator("#flag").click()
    worker.page.get_by_role("button", name="Two things in it").click()


def press_submit_too_early(worker: Worker) -> None:
    worker.page.locator("#submit").click()


def drag_over_some(worker: Worker) -> None:
    drag(worker, 1, 3)


# one action for each way in which the page could lose the focus; the slow ones are like these
ACTIONS = [click_picture, click_size, click_background, look_at_help, drag_over_some]
MORE_ACTIONS = [
    click_digit, click_label, click_progress, zoom_and_back, click_undo, click_flag,
    press_submit_too_early,
]  # fmt: skip


@pytest.mark.parametrize(
    "action",
    [*ACTIONS, *(pytest.param(action, marks=pytest.mark.slow) for action in MORE_ACTIONS)],
    ids=lambda action: action.__name__.replace("_", " "),
)
def test_digits_live_on_after_the_mouse(sit: Sit, action: Callable[[Worker], None]) -> None:
    worker = sit(20)
    action(worker)
    at = worker.at
    assert at > 0
    worker.press("2")
    assert worker.label(at) == "dog"


def test_pressing_a_label_arms_nothing(sit: Sit) -> None:
    worker = sit(4)
    worker.page.locator("#labels button").nth(2).click()
    worker.press("1")
    worker.picture(4).click()
    assert worker.labels == ["neither", "cat", None, "cat"]


def test_a_click_on_a_tiles_digit_answers_it(sit: Sit) -> None:
    worker = sit(4)
    worker.tile(3).locator(".answers label").nth(1).click()
    assert worker.labels == [None, None, "dog", None]
    assert worker.at == 3


def test_a_tap_steps_and_a_held_finger_zooms(sit: Sit) -> None:
    worker = sit(8, context=PHONE)
    worker.picture(2).tap()
    assert worker.label(2) == "cat"
    touch = worker.page.context.new_cdp_session(worker.page)
    x, y = worker.point(3)
    touch.send(
        "Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]}
    )
    worker.page.wait_for_selector("#lens", state="visible")
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    worker.page.wait_for_selector("#lens", state="hidden")
    assert worker.label(3) is None


def test_a_phone_has_two_columns_and_targets_for_thumbs(sit: Sit) -> None:
    worker = sit(20, context=PHONE)
    assert worker.columns == 2
    small = worker.page.evaluate(
        """[...document.querySelectorAll("button")].filter(e => e.checkVisibility()).map(e =>
        [e.textContent, e.getBoundingClientRect()]).filter(([, r]) => r.width < 44 || r.height < 44)
        .map(([text]) => text)"""
    )
    assert small == []
    bar = worker.page.locator("#labels").bounding_box()
    assert bar
    assert bar["y"] + bar["height"] == 844
    assert bar["height"] < 110  # two rows of thumbs' height: no name is broken within a word
    assert worker.page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_phone_gives_its_width_to_the_pictures_with_many_labels_too(sit: Sit) -> None:
    worker = sit(4, context=PHONE, run=settings(*(f"kind {n}" for n in range(30))))
    box = worker.picture(1).bounding_box()
    assert box
    assert box["width"] > 160


def test_a_phone_labels_from_the_bar_without_reaching_up(sit: Sit) -> None:
    worker = sit(20, context=PHONE)
    for _ in range(20):
        worker.page.locator("#labels button").nth(1).tap()
    assert worker.labels == ["dog"] * 20
    worker.page.locator("#submit").tap()
    assert worker.meta["touch"] is True


def test_many_labels_are_pressed_in_the_list_at_the_side(sit: Sit) -> None:
    worker = sit(20, run=settings(*(f"kind {n}" for n in range(30))))
    worker.page.locator("#labels button").nth(29).click()
    assert worker.label(1) == "kind 29"


@pytest.mark.parametrize("rest", ["#labels button", "#progress", "h1"])
def test_a_thumb_that_rests_beside_the_pictures_makes_no_pinch_of_a_tap(
    sit: Sit, rest: str
) -> None:
    worker = sit(20, context=PHONE)
    touch = worker.page.context.new_cdp_session(worker.page)
    box = worker.page.locator(rest).first.bounding_box()
    assert box
    thumb = {"x": box["x"] + 4, "y": box["y"] + box["height"] / 2, "id": 0}
    x, y = worker.point(2)
    for kind, points in [
        ("touchStart", [thumb]),
        ("touchStart", [thumb, {"x": x, "y": y, "id": 1}]),
        ("touchEnd", [thumb]),
        ("touchEnd", []),
    ]:
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert worker.page.locator("#lens").is_hidden()
    assert worker.labels[:3] == [None, "cat", None]


@pytest.mark.parametrize("by", ["finger", "mouse"])
def test_a_double_press_that_leaves_the_zoom_labels_no_picture_below_it(sit: Sit, by: str) -> None:
    worker = sit(20, context=PHONE)
    x, y = worker.point(2)
    press = worker.page.touchscreen.tap if by == "finger" else worker.page.mouse.click
    worker.page.clock.install(time=0)
    worker.page.clock.pause_at(1000)
    worker.press("z")
    press(x, y)
    assert worker.page.locator("#lens").is_hidden()
    press(x, y)
    assert worker.labels == [None] * 20
    worker.page.clock.fast_forward(1000)
    press(x, y)
    assert worker.labels[:3] == [None, "cat", None]


IN_VIEW = """(() => {
  const [main, tile] = ["main", ".tile[tabindex='0']"].map(
    each => document.querySelector(each).getBoundingClientRect());
  return innerWidth === WIDTH && tile.top >= main.top && tile.bottom <= main.bottom;
})()"""


@pytest.mark.parametrize(("width", "height"), [(360, 640), (768, 1024), (1024, 600)])
@pytest.mark.parametrize("at", [1, 26, 60])
def test_a_screen_that_is_turned_keeps_the_framed_picture_in_view(
    sit: Sit, width: int, height: int, at: int
) -> None:
    viewport = {"width": width, "height": height}
    worker = sit(60, context={**PHONE, "viewport": viewport}, pictures=Pictures((480, 360)))
    worker.press(*["ArrowRight"] * (at - 1))
    for wide, high in [(height, width), (width, height)] * 2:
        worker.page.set_viewport_size({"width": wide, "height": high})
        worker.page.wait_for_function(IN_VIEW.replace("WIDTH", str(wide)))
        assert worker.at == at
