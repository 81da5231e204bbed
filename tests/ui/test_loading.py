"""No picture is judged before it can be seen, and a dead one holds nobody up."""

from __future__ import annotations

import pytest

from tests.ui.worker import PICTURES, Pictures, Sit

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


def test_a_failure_is_tried_again_by_itself_with_the_same_address(sit: Sit) -> None:
    pictures = Pictures()
    pictures.refuse(0, times=1)
    worker = sit(2, pictures=pictures)
    assert pictures.asked.count(f"{PICTURES}0.svg") == 2
    worker.press("1", "1", "Enter")
    assert worker.judged(1)["retries"] == 1
    assert worker.judged(1)["load"] == "ok"


def test_a_dead_picture_is_marked_and_holds_nobody_up(sit: Sit) -> None:
    pictures = Pictures()
    pictures.refuse(0)
    worker = sit(2, pictures=pictures)
    assert worker.label(1) == "invalid image"
    assert worker.tile(1).get_by_text("did not load").is_visible()
    worker.press("ArrowRight", "1", "Enter")
    assert worker.answers[0]["0"]["invalid image"] is True
    assert worker.judged(1)["by"] == "auto-error"
    assert worker.judged(1)["load"] == "error"


def test_a_dead_picture_takes_no_other_label(sit: Sit) -> None:
    pictures = Pictures()
    pictures.refuse(0)
    worker = sit(2, pictures=pictures)
    worker.press("1")
    worker.tile(1).locator(".answers label").nth(1).click()
    worker.picture(1).click(position={"x": 4, "y": 40})
    assert worker.label(1) == "invalid image"
    assert "did not load" in worker.note


def test_a_picture_that_comes_back_loses_the_automatic_label(sit: Sit) -> None:
    pictures = Pictures()
    pictures.refuse(0, times=2)
    worker = sit(2, pictures=pictures)
    worker.tile(1).get_by_role("button", name="Try again").click()
    worker.tile(1).locator(".wait").wait_for(state="detached")
    assert worker.label(1) is None
    assert worker.at == 1
    worker.press("2", "1", "Enter")
    assert worker.judged(1)["label"] == "dog"
    assert worker.judged(1)["retries"] == 2


def test_a_picture_that_comes_back_gets_its_suggestion_back(sit: Sit) -> None:
    pictures = Pictures()
    pictures.refuse(0, times=2)
    worker = sit(1, pictures=pictures, prelabels=["dog"])
    assert worker.label(1) == "invalid image"
    worker.tile(1).get_by_role("button", name="Try again").click()
    worker.tile(1).locator(".wait").wait_for(state="detached")
    assert worker.label(1) == "dog"
    assert worker.page.locator(".suggested").count() == 1


def test_trying_again_in_vain_keeps_the_automatic_label(sit: Sit) -> None:
    pictures = Pictures()
    pictures.refuse(0)
    worker = sit(1, pictures=pictures)
    asked = len(pictures.asked)
    worker.tile(1).get_by_role("button", name="Try again").click()
    worker.tile(1).get_by_role("button", name="Try again").wait_for()
    assert len(pictures.asked) == asked + 1
    assert worker.label(1) == "invalid image"


def test_a_suggestion_nobody_can_see_is_not_confirmed(sit: Sit) -> None:
    pictures = Pictures()
    pictures.hold(1)
    worker = sit(2, pictures=pictures, wait=False, prelabels=["cat", "cat"])
    worker.tile(1).locator(".wait").wait_for(state="detached")
    worker.press("ArrowRight", "Enter")
    assert worker.page.locator(".suggested").count() == 2
    assert worker.note == "Picture 2 is still loading."
