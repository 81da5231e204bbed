"""With suggestions: only what is wrong takes a key, and every row takes a look."""

from __future__ import annotations

import pytest

from tests.ui.worker import Pictures, Sit

pytestmark = pytest.mark.browser

GUESSES = ["dog", "cat"] * 9 + ["neither", "cat"]


def test_suggestions_stand_in_blocks_least_sure_first(sit: Sit) -> None:
    confidences = [n / 20 for n in range(20, 0, -1)]
    worker = sit(20, prelabels=GUESSES, confidences=confidences)
    assert worker.labels == ["cat"] * 10 + ["dog"] * 9 + ["neither"]
    order = worker.page.evaluate("[...document.querySelectorAll('.tile')].map(t => +t.dataset.id)")
    assert order == [*range(19, 0, -2), *range(16, -1, -2), 18]
    assert worker.page.locator(".block").all_inner_texts() == [
        "should all be: cat", "should all be: dog", "should all be: neither",
    ]  # fmt: skip


def test_confidences_are_not_shown(sit: Sit) -> None:
    worker = sit(2, prelabels=["cat", "dog"], confidences=[0.731, 0.912])
    assert "731" not in worker.page.locator("body").inner_text()


def test_enter_confirms_row_by_row_and_hands_in_with_the_last(sit: Sit) -> None:
    worker = sit(20, prelabels=GUESSES)
    rows = -(-20 // worker.columns)
    worker.press("ArrowRight")
    for row in range(rows):
        assert worker.answers == []
        assert worker.at == (2 if row == 0 else row * worker.columns + 1)
        assert ("Enter confirms it and sends the page" in worker.note) == (row == rows - 1)
        worker.press("Enter")
    assert len(worker.answers) == 1
    assert [row["row"] for row in worker.meta["rows"]] == list(range(rows))
    assert {tile["by"] for tile in worker.meta["tiles"]} == {"suggestion"}


@pytest.mark.parametrize("images", [1, 20])
def test_the_first_enter_on_a_page_full_of_suggestions_hands_nothing_in(
    sit: Sit, images: int
) -> None:
    worker = sit(images, prelabels=["cat"] * images)
    worker.press("Enter")
    assert worker.answers == []


def test_the_last_rows_enter_hands_nothing_in_where_a_picture_did_not_load(sit: Sit) -> None:
    pictures = Pictures()
    pictures.refuse(0)
    worker = sit(20, prelabels=GUESSES, pictures=pictures, wait=False)
    worker.page.locator(".dead").wait_for()
    worker.press(*["Enter"] * -(-20 // worker.columns))
    assert worker.page.locator(".suggested").count() == 1
    assert worker.answers == []
    worker.press("Enter")
    assert worker.note == "Sending … 1 did not load and stay open."


@pytest.mark.parametrize(("later", "confirmed"), [(0, 0), (500, 5)])
def test_an_enter_for_the_page_before_confirms_nothing_on_one_fetched_ahead(
    sit: Sit, later: int, confirmed: int
) -> None:
    worker = sit(20, prelabels=GUESSES)
    # The clock is the page's own, so that the moment of the key does not hang on the machine.
    worker.page.evaluate(
        """later => {
          let time = performance.now();
          performance.now = () => time;
          document.dispatchEvent(new CustomEvent("tessera-show"));
          time += later;
          document.activeElement.dispatchEvent(
            new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
        }""",
        later,
    )
    assert worker.page.locator(".labeled").count() == confirmed


def test_submit_asks_for_the_rows_that_nobody_confirmed(sit: Sit) -> None:
    worker = sit(20, prelabels=GUESSES)
    worker.page.locator("#submit").click()
    assert worker.answers == []
    assert worker.note == "20 of 20 still need an answer. This is the first."


def test_a_wrong_suggestion_takes_one_key_and_its_row_is_finished_first(sit: Sit) -> None:
    worker = sit(20, prelabels=GUESSES)
    worker.press(*["ArrowRight"] * (worker.columns - 1), "3")
    assert worker.at <= worker.columns
    worker.press(*["Enter"] * -(-20 // worker.columns))
    judged = worker.judged(worker.columns)
    assert (judged["pre"], judged["label"], judged["by"]) == ("cat", "neither", "key")
    assert judged["prev"] == ["cat"]


def test_undo_takes_a_confirmed_row_back(sit: Sit) -> None:
    worker = sit(20, prelabels=GUESSES)
    worker.press("ArrowRight", "Enter")
    assert worker.page.locator(".labeled").count() == worker.columns
    worker.press("Backspace")
    assert worker.page.locator(".suggested").count() == 20
    assert worker.at == 2


def test_rows_are_confirmed_by_mouse_one_by_one_or_in_one_drag(sit: Sit) -> None:
    worker = sit(20, prelabels=GUESSES)
    buttons = worker.page.locator(".confirm")
    buttons.first.click()
    assert worker.page.locator(".labeled").count() == worker.columns
    last, second = (buttons.nth(n).bounding_box() for n in (buttons.count() - 1, 1))
    assert last
    assert second
    worker.page.mouse.move(last["x"] + 30, last["y"] + 60)
    worker.page.mouse.down()
    worker.page.mouse.move(second["x"] + 30, second["y"] + 60)
    worker.page.mouse.up()
    assert worker.page.locator(".labeled").count() == 20
    worker.page.locator("#submit").click()
    assert len(worker.meta["rows"]) == buttons.count()


def test_a_confirm_button_works_without_a_mouse(sit: Sit) -> None:
    worker = sit(4, prelabels=["cat"] * 4)
    worker.page.locator(".confirm").first.focus()
    worker.press("Enter")
    assert worker.page.locator(".labeled").count() == worker.columns


def test_the_first_click_on_a_suggestion_agrees_and_the_next_steps_on(sit: Sit) -> None:
    worker = sit(2, prelabels=["dog", "dog"])
    worker.picture(1).click()
    assert worker.label(1) == "dog"
    assert worker.page.locator(".suggested").count() == 1
    worker.picture(1).click()
    assert worker.label(1) == "neither"


def test_the_right_button_steps_back_from_a_suggestion_at_once(sit: Sit) -> None:
    worker = sit(2, prelabels=["dog", "dog"])
    worker.picture(1).click(button="right")
    assert worker.label(1) == "cat"


def test_a_press_on_the_suggested_digit_agrees(sit: Sit) -> None:
    worker = sit(2, prelabels=["dog", "dog"])
    worker.tile(1).locator("label").nth(1).click()
    assert worker.label(1) == "dog"
    assert worker.page.locator(".suggested").count() == 1
    worker.press("ArrowRight", "2")  # and so does its key
    assert worker.page.locator(".suggested").count() == 0
    worker.press("Enter")
    assert [tile["by"] for tile in worker.meta["tiles"]] == ["mouse", "key"]


@pytest.mark.parametrize("start", [0, 2, 19])
def test_a_key_an_image_labels_every_image_wherever_one_begins(sit: Sit, start: int) -> None:
    worker = sit(20, prelabels=GUESSES)
    worker.press(*["ArrowRight"] * start)
    worker.press(*["3"] * 20)
    assert worker.labels == ["neither"] * 20
    assert worker.page.locator(".suggested").count() == 0
    worker.press("Enter")
    assert [tile["changes"] for tile in worker.meta["tiles"] if tile["pre"] != "neither"] == [
        1
    ] * 19


def test_a_tap_agrees_and_a_rows_button_confirms_the_row(sit: Sit) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    worker = sit(20, prelabels=GUESSES, context=phone)
    worker.picture(1).tap()
    assert worker.label(1) == "cat"
    assert worker.page.locator(".labeled").count() == 1
    button = worker.page.locator(".confirm").nth(1)
    box = button.bounding_box()
    assert box
    assert min(box["width"], box["height"]) >= 44
    button.tap()
    assert worker.page.locator(".labeled").count() == 1 + worker.columns


def test_a_row_that_was_never_in_view_is_not_confirmed(sit: Sit) -> None:
    window = {"viewport": {"width": 500, "height": 420}}
    worker = sit(20, prelabels=["cat"] * 20, context=window)
    last = worker.page.locator(".confirm").last
    last.evaluate("button => button.click()")  # as a script or a reader of the screen may
    assert worker.page.locator(".labeled").count() == 0
    assert "was not in view yet" in worker.note
    last.click()
    assert worker.page.locator(".labeled").count() > 0


def test_pictures_without_a_suggestion_come_last_and_need_a_label(sit: Sit) -> None:
    worker = sit(4, prelabels=["cat", None, "a label of another run", "cat"])
    assert worker.labels == ["cat", "cat", None, None]
    assert worker.page.locator(".block").all_inner_texts()[-1] == "no suggestion"
    worker.press("ArrowRight", "Enter", "Enter")
    assert worker.at == 3
    worker.press("2", "2", "Enter")
    assert worker.answers[-1]["1"]["dog"] is True
    assert worker.judged(3)["pre"] is None


def test_the_order_shown_is_on_record(sit: Sit) -> None:
    worker = sit(3, prelabels=["dog", "cat", "dog"])
    worker.press("ArrowRight", "Enter", "Enter")
    assert worker.meta["order"] == ["1", "0", "2"]
    assert worker.meta["mode"] == "prelabel"
