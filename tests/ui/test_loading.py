"""No picture is judged before it can be seen, and a dead one holds nobody up."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.ui.worker import PICTURES, Pictures, Sit, Worker

pytestmark = pytest.mark.browser


def test_a_picture_on_its_way_cannot_be_labeled(sit: Sit) -> None:
    pictures = Pictures()
    pictures.hold(0)
    worker = sit(2, pictures=pictures, wait=False)
    worker.press("1")
    worker.picture(1).click()
    assert worker.label(1) is None
    assert worker.at == 1
    assert worker.note == "Picture 1 is still loading."
    pictures.release(0)
    worker.tile(1).locator(".wait").wait_for(state="detached")
    worker.press("1", "2", "Enter")
    assert worker.judged(1)["beforeLoad"] == 2
    assert worker.judged(1)["load"] == "ok"
    assert (worker.judged(1)["w"], worker.judged(1)["h"]) == (480, 360)


def test_a_drag_passes_over_what_has_not_loaded(sit: Sit) -> None:
    pictures = Pictures()
    pictures.hold(1)
    worker = sit(3, pictures=pictures, wait=False)
    for number in (1, 3):
        worker.tile(number).locator(".wait").wait_for(state="detached")
    worker.page.mouse.move(*worker.point(1))
    worker.page.mouse.down()
    worker.page.mouse.move(*worker.point(3), steps=20)
    worker.page.mouse.up()
    assert worker.labels == ["cat", None, "cat"]


def test_a_failure_is_tried_again_by_itself(sit: Sit) -> None:
    pictures = Pictures()
    pictures.refuse(0, times=1)
    worker = sit(2, pictures=pictures)
    assert pictures.asked.count(f"{PICTURES}0.svg") == 2
    worker.press("1", "1", "Enter")
    assert worker.judged(1)["failures"] == 1
    assert worker.judged(1)["load"] == "ok"


def test_a_picture_that_did_not_load_gets_no_answer_and_holds_nobody_up(sit: Sit) -> None:
    pictures = Pictures()
    pictures.refuse(0)
    worker = sit(3, pictures=pictures)
    assert worker.tile(1).get_by_text("did not load").is_visible()
    assert worker.label(1) is None
    worker.press("ArrowRight", "1", "2", "Enter")
    (answer,) = worker.answers
    assert answer.keys() == {"1", "2", "meta"}
    assert worker.judged(1)["label"] is None
    assert worker.judged(1)["load"] == "error"
    assert worker.judged(1)["failures"] == 2


def press_a_key(worker: Worker) -> None:
    worker.press("4")


def press_a_digit(worker: Worker) -> None:
    worker.tile(1).locator(".answers label").nth(1).click(force=True)


def press_the_picture(worker: Worker) -> None:
    worker.picture(1).click(position={"x": 4, "y": 40})


@pytest.mark.parametrize("act", [press_a_key, press_a_digit, press_the_picture])
def test_a_picture_that_did_not_load_takes_no_label(
    sit: Sit, act: Callable[[Worker], None]
) -> None:
    pictures = Pictures()
    pictures.refuse(0)
    worker = sit(2, pictures=pictures)
    act(worker)
    worker.tile(1).get_by_role("button", name="Try again").wait_for()
    assert worker.label(1) is None


def test_a_key_on_a_picture_that_did_not_load_tries_it_again(sit: Sit) -> None:
    pictures = Pictures()
    pictures.refuse(0, times=2)
    worker = sit(2, pictures=pictures)
    worker.press("4")
    assert "did not load" in worker.note
    worker.page.wait_for_function("!document.querySelector('.dead, .wait')")


def test_keys_go_past_pictures_that_did_not_load(sit: Sit) -> None:
    pictures = Pictures()
    pictures.refuse(1)
    worker = sit(3, pictures=pictures)
    worker.press("1", "2", "Enter")
    assert worker.labels == ["cat", None, "dog"]
    assert len(worker.answers) == 1


def test_a_page_with_pictures_that_did_not_load_is_ready_once_the_others_are_labeled(
    sit: Sit,
) -> None:
    pictures = Pictures()
    pictures.refuse(1)
    worker = sit(2, pictures=pictures)
    submit = worker.page.locator("#submit")
    assert "ready" not in str(submit.get_attribute("class"))
    worker.press("1")
    assert "ready" in str(submit.get_attribute("class"))


def test_a_picture_that_comes_back_can_be_labeled(sit: Sit) -> None:
    pictures = Pictures()
    pictures.refuse(0, times=2)
    worker = sit(2, pictures=pictures)
    worker.tile(1).get_by_role("button", name="Try again").click()
    worker.tile(1).locator(".wait").wait_for(state="detached")
    assert worker.at == 1
    worker.press("2", "1", "Enter")
    assert worker.judged(1)["label"] == "dog"
    assert worker.judged(1)["failures"] == 2


def test_a_suggestion_for_a_picture_that_did_not_load_is_no_answer(sit: Sit) -> None:
    pictures = Pictures()
    pictures.refuse(0)
    worker = sit(2, pictures=pictures, prelabels=["dog", "dog"])
    worker.press("ArrowRight", "Enter", "Enter")
    (answer,) = worker.answers
    assert answer.keys() == {"1", "meta"}


def test_trying_again_in_vain_leaves_the_picture_open(sit: Sit) -> None:
    pictures = Pictures()
    pictures.refuse(0)
    worker = sit(2, pictures=pictures)
    asked = len(pictures.asked)
    worker.tile(1).get_by_role("button", name="Try again").click()
    worker.tile(1).get_by_role("button", name="Try again").wait_for()
    assert len(pictures.asked) == asked + 1
    assert worker.label(1) is None


BACK = {
    "the network is back": "dispatchEvent(new Event('online'))",
    "the page is looked at again": "document.dispatchEvent(new Event('visibilitychange'))",
    "the page is shown": "document.dispatchEvent(new Event('tessera-show'))",
}


@pytest.mark.parametrize("event", BACK.values(), ids=BACK.keys())
def test_pictures_are_tried_again_when(sit: Sit, event: str) -> None:
    pictures = Pictures()
    pictures.refuse(0, times=2)
    pictures.refuse(2, times=2)
    worker = sit(3, pictures=pictures)
    assert worker.page.locator(".dead").count() == 2
    worker.page.evaluate(event)
    worker.page.wait_for_function("!document.querySelector('.dead, .wait')")
    worker.press("1", "1", "1", "Enter")
    assert len(worker.answers) == 1


def test_a_new_address_is_asked_for_and_used(sit: Sit) -> None:
    pictures = Pictures()
    pictures.hold(0)
    worker = sit(2, pictures=pictures, wait=False)
    worker.page.evaluate(
        """document.addEventListener("tessera-refresh", () => document.dispatchEvent(
        new CustomEvent("tessera-addresses", { detail: { 0: `${location.origin}/5.svg` } })))"""
    )
    worker.page.route("https://page.test/5.svg", pictures)
    pictures.lose(0)
    worker.page.wait_for_function("!document.querySelector('.dead, .wait')")
    assert "https://page.test/5.svg" in pictures.asked
    worker.press("1", "1", "Enter")
    assert worker.judged(1)["failures"] == 1


def test_new_addresses_leave_alone_what_has_loaded(sit: Sit) -> None:
    pictures = Pictures()
    worker = sit(2, pictures=pictures)
    worker.page.evaluate(
        """document.dispatchEvent(new CustomEvent("tessera-addresses",
        { detail: {0: "https://pictures.test/5.svg", 1: "https://pictures.test/6.svg"} }))"""
    )
    assert len(pictures.asked) == 2


def test_a_page_none_of_whose_pictures_came_cannot_be_sent_and_says_what_to_do(sit: Sit) -> None:
    pictures = Pictures()
    pictures.refuse(*range(4), times=2)
    worker = sit(4, pictures=pictures)
    panel = worker.page.locator("#unreachable")
    panel.wait_for()
    assert "The pictures cannot be reached from here" in panel.inner_text()
    assert "pictures.test" in panel.inner_text()
    assert "ready" not in str(worker.page.locator("#submit").get_attribute("class"))
    worker.press("Enter")
    assert worker.answers == []
    assert "Nothing to send" in worker.note
    panel.get_by_role("button").click()
    panel.wait_for(state="hidden")
    worker.page.wait_for_function("!document.querySelector('.dead, .wait')")
    worker.press("1", "2", "3", "4", "Enter")
    assert len(worker.answers) == 1


def test_a_damaged_picture_counts_as_one_that_did_not_load(sit: Sit) -> None:
    pictures = Pictures()
    pictures.damage(0)
    worker = sit(2, pictures=pictures)
    assert worker.tile(1).get_by_text("did not load").is_visible()
    worker.press("ArrowRight", "1", "Enter")
    assert worker.answers[0].keys() == {"1", "meta"}


def test_the_single_pixel_of_a_blocker_counts_as_one_that_did_not_load(sit: Sit) -> None:
    pictures = Pictures((480, 360), (1, 1))
    worker = sit(3, pictures=pictures)
    worker.tile(2).get_by_text("did not load").wait_for()
    worker.press("1", "2", "Enter")
    (answer,) = worker.answers
    assert answer.keys() == {"0", "2", "meta"}
    assert worker.judged(2)["load"] == "error"


def test_a_suggestion_nobody_can_see_is_not_confirmed(sit: Sit) -> None:
    pictures = Pictures()
    pictures.hold(1)
    worker = sit(2, pictures=pictures, wait=False, prelabels=["cat", "cat"])
    worker.tile(1).locator(".wait").wait_for(state="detached")
    worker.press("ArrowRight", "Enter")
    assert worker.page.locator(".suggested").count() == 2
    assert worker.note == "Picture 2 is still loading."
