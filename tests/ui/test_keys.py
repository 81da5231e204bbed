"""By keyboard: one key a picture, and every way to mend what one did."""

from __future__ import annotations

import pytest

from tests.ui.worker import Sit, Worker, settings, strike_key

pytestmark = pytest.mark.browser


def given(answer: dict[str, dict[str, bool]], index: int) -> list[str]:
    return [label for label, chosen in answer[str(index)].items() if chosen]


@pytest.mark.smoke
def test_one_key_labels_and_goes_on_and_enter_hands_in(sit: Sit) -> None:
    worker = sit(4)
    worker.press("1", "2", "3", "4", "Enter")
    (answer,) = worker.answers
    assert [given(answer, index) for index in range(4)] == [
        ["cat"], ["dog"], ["neither"], ["invalid image"],
    ]  # fmt: skip


def test_the_number_pad_labels_too(sit: Sit) -> None:
    worker = sit(2)
    keyboard = worker.page.context.new_cdp_session(worker.page)
    for digit in "21":
        event = {"type": "keyDown", "key": digit, "code": f"Numpad{digit}", "isKeypad": True}
        keyboard.send("Input.dispatchKeyEvent", event)
    assert worker.labels == ["dog", "cat"]


def strike(worker: Worker, key: str, code: str) -> None:
    """Press a key of some keyboard."""
    strike_key(worker.page, key, code)


def test_digits_are_where_they_are_printed_on_every_keyboard(sit: Sit) -> None:
    french, czech, persian = ("&", "é"), ("+", "ě"), ("۱", "۲")
    worker = sit(6)
    for one, two in (french, czech, persian):
        strike(worker, two, "Digit2")
        strike(worker, one, "Digit1")
    assert worker.labels == ["dog", "cat"] * 3


def test_a_sign_on_a_letters_place_is_no_letter_and_another_scripts_letter_is(sit: Sit) -> None:
    worker = sit(3, run=settings("mule", "wolf", *(f"{letter}x" for letter in "abcefhi")))
    for sign, place in ((",", "KeyM"), (",", "KeyW"), (".", "KeyE"), ("@", "KeyQ")):
        strike(worker, sign, place)
    strike(worker, "ь", "KeyM")  # Russian
    strike(worker, "ς", "KeyW")  # Greek
    assert worker.labels == ["mule", "wolf", None]
    strike(worker, "?", "KeyM")  # French, with Shift
    assert worker.page.locator("#help").is_visible()


LETTERS_IN_THE_PLACE_OF_H = {
    "Hebrew": "י", "Russian": "р", "Arabic": "ا", "Thai, a mark": "้", "Hindi, a vowel's mark": "प",
    "an input method": "Process",
}  # fmt: skip


def test_letters_of_labels_work_in_every_script(sit: Sit) -> None:
    worker = sit(9, run=settings("hare", "quail", *(f"{letter}x" for letter in "abcdefg")))
    for letter in LETTERS_IN_THE_PLACE_OF_H.values():
        strike(worker, letter, "KeyH")
    strike(worker, "/", "KeyQ")  # Hebrew
    strike(worker, "ौ", "KeyQ")  # Hindi, a vowel's mark
    assert worker.labels == ["hare"] * 6 + ["quail"] * 2 + [None]


SIGNS_ON_DIGITS = {  # Russian and Ukrainian, with Shift
    ";": "Digit4", ":": "Digit6", "?": "Digit7",
}  # fmt: skip


@pytest.mark.parametrize(("sign", "place"), [*SIGNS_ON_DIGITS.items(), ("؟", "Slash")])
def test_a_sign_that_means_something_is_no_label_where_it_stands_on_a_digit(
    sit: Sit, sign: str, place: str
) -> None:
    worker = sit(2, run=settings(*"abcdefgh"))
    strike(worker, sign, place)
    assert worker.labels == [None, None]
    assert worker.page.locator("#help").is_visible() == (sign in "?؟")
    assert bool(worker.page.evaluate("page.style.getPropertyValue('--tone')")) == (sign in ";:")


def test_a_digit_labels_in_the_zoom_though_plus_or_minus_stands_on_it(sit: Sit) -> None:
    worker = sit(3, run=settings(*"abcdefgh"))
    worker.press("z")
    strike(worker, "+", "Digit1")  # Czech
    strike(worker, "-", "Digit6")  # French
    strike(worker, "=", "Equal")
    assert worker.labels == ["a", "f", None]
    scale = worker.page.locator("#lens img").first.evaluate("image => image.style.transform")
    assert "scale(1.5)" in scale


def test_a_key_held_down_labels_one_picture(sit: Sit) -> None:
    worker = sit(4)
    for _ in range(3):
        worker.page.keyboard.down("1")
    assert worker.labels == ["cat", None, None, None]


def test_a_key_goes_on_to_the_next_picture_without_an_answer(sit: Sit) -> None:
    worker = sit(4)
    worker.press("ArrowRight", "1", "Home", "1")
    assert worker.at == 3
    worker.press("1", "1")
    assert None not in worker.labels


@pytest.mark.smoke
def test_arrows_move_in_two_dimensions_and_stop_at_the_edges(sit: Sit) -> None:
    worker = sit(20)
    columns = int(
        worker.page.evaluate("getComputedStyle(tiles).gridTemplateColumns.split(' ').length")
    )
    worker.press("ArrowDown", "ArrowRight")
    assert worker.at == columns + 2
    worker.press("ArrowUp", "ArrowUp", "ArrowLeft", "ArrowLeft")
    assert worker.at == 1
    worker.press("End", "ArrowRight", "ArrowDown")
    assert worker.at == 20
    worker.press("Home")
    assert worker.at == 1


def test_the_grid_is_one_stop_for_tab(sit: Sit) -> None:
    worker = sit(4)
    worker.press("Shift+Tab")
    assert worker.page.evaluate("document.activeElement.id") == "submit"
    worker.press("Tab")
    assert worker.at == 1


def test_digits_outside_the_pictures_mean_nothing(sit: Sit) -> None:
    worker = sit(4)
    worker.press("Shift+Tab", "1")
    assert worker.labels == [None] * 4


@pytest.mark.parametrize("key", ["Backspace", "Control+z"])
def test_undo_brings_back_the_label_and_the_place(sit: Sit, key: str) -> None:
    worker = sit(4)
    worker.press("1", "2", "Home", "3", key)
    assert worker.at == 1
    assert worker.labels == ["cat", "dog", None, None]
    worker.press(key, key, key)
    assert worker.labels == [None] * 4
    assert worker.note == "Nothing to undo."


@pytest.mark.smoke
def test_enter_with_gaps_jumps_to_the_first_and_says_how_many(sit: Sit) -> None:
    worker = sit(20)
    worker.press("1", "1", "ArrowRight", "1", "End", "Enter")
    assert worker.answers == []
    assert worker.at == 3
    assert worker.note == "17 of 20 still need an answer. This is the first."
    assert worker.page.locator(".missing").count() == 17
    worker.press(*"1" * 17, "Enter")
    assert len(worker.answers) == 1
    assert worker.meta["blockedSubmits"] == 1


def test_a_second_enter_does_not_hand_in_twice(sit: Sit) -> None:
    worker = sit(2)
    worker.press("1", "1", "Enter", "Enter")
    assert len(worker.answers) == 1


def test_enter_held_since_the_last_page_does_nothing(sit: Sit) -> None:
    worker = sit(1)
    worker.page.keyboard.down("Enter")
    worker.page.reload()
    worker.page.wait_for_function("!document.querySelector('.wait')")
    for _ in range(5):
        worker.page.keyboard.down("Enter")
    assert worker.note == ""
    assert worker.page.locator(".missing").count() == 0


def test_space_zooms_while_it_is_held(sit: Sit) -> None:
    worker = sit(4)
    lens = worker.page.locator("#lens")
    worker.page.keyboard.down(" ")
    assert lens.is_visible()
    worker.press("ArrowRight")
    assert "Picture 2" in lens.inner_text()
    worker.page.keyboard.up(" ")
    assert lens.is_hidden()
    assert worker.at == 2


def test_z_zooms_until_it_is_pressed_again_and_labels_go_on(sit: Sit) -> None:
    worker = sit(2)
    worker.press("z", "1")
    assert worker.page.locator("#lens").is_visible()
    assert "Picture 2" in worker.page.locator("#lens").inner_text()
    worker.press("2", "z", "Enter")
    assert worker.page.locator("#lens").is_hidden()
    assert [worker.judged(number)["zooms"] for number in (1, 2)] == [1, 1]


def test_escape_leaves_the_zoom(sit: Sit) -> None:
    worker = sit(2)
    worker.press("z", "Escape")
    assert worker.page.locator("#lens").is_hidden()
    assert worker.at == 1


def test_u_flags_a_picture_for_a_reason_of_the_page_or_of_ones_own(sit: Sit) -> None:
    worker = sit(4)
    worker.press("u", "Enter", "ArrowRight", "u", "Tab", "Tab")
    worker.page.keyboard.type("1 is blurred")
    worker.press("Enter", "ArrowRight", "u", "Escape")
    assert worker.at == 3
    assert worker.page.locator(".flagged").count() == 2
    worker.press("Home", "1", "1", "1", "1", "Enter")
    flags = [worker.judged(number).get("flag", "none") for number in (1, 2, 3, 4)]
    assert flags == ["wrong question", "1 is blurred", "none", "none"]


def test_a_flag_is_taken_back_by_undo_or_by_an_empty_reason(sit: Sit) -> None:
    worker = sit(2)
    worker.press("u", "Enter", "Backspace", "ArrowRight", "u", "Tab", "Enter", "u")
    reason = worker.page.locator("#why textarea")
    assert reason.input_value() == "two things in it"
    reason.fill(" ")
    worker.press("Enter", "Home", "1", "1", "Enter")
    assert all("flag" not in worker.judged(number) for number in (1, 2))


def test_help_opens_on_a_key_and_gives_the_focus_back(sit: Sit) -> None:
    worker = sit(2)
    worker.press("ArrowRight", "?")
    assert worker.page.locator("#help").is_visible()
    assert "Look at the main animal." in worker.page.locator("#help").inner_text()
    worker.press("1", "Escape")
    assert worker.page.locator("#help").is_hidden()
    assert worker.at == 2
    assert worker.labels == [None, None]


def test_keys_can_be_switched_off_and_the_radios_still_answer(sit: Sit) -> None:
    worker = sit(2)
    worker.press("?")
    worker.page.locator("#shortcuts").uncheck()
    worker.press("Escape", "2")
    assert worker.labels == [None, None]
    worker.press("Tab")
    worker.page.keyboard.press("Tab")
    worker.tile(1).locator("input").nth(1).focus()
    worker.press("Space")
    worker.tile(2).locator("input").nth(0).focus()
    worker.press("Space")
    assert worker.labels == ["dog", "cat"]
    worker.page.locator("#submit").click()
    assert worker.meta["shortcutsOff"] is True


@pytest.mark.smoke
def test_nine_labels_have_the_nine_digits(sit: Sit) -> None:
    run = settings(*(f"kind {n}" for n in range(1, 9)), "cannot see")
    worker = sit(9, run=run)
    worker.press(*"123456789")
    assert worker.labels == list(run.choices)


def test_labels_that_javascript_has_names_for_are_labels(sit: Sit) -> None:
    worker = sit(3, run=settings("__proto__", "constructor", "toString"))
    worker.press("1", "2", "3", "Enter")
    (answer,) = worker.answers
    assert [given(answer, index) for index in range(3)] == [
        ["__proto__"], ["constructor"], ["toString"],
    ]  # fmt: skip


def test_more_than_nine_labels_take_one_or_two_letters(sit: Sit) -> None:
    animals = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship")
    worker = sit(4, run=settings(*animals, "truck"))
    worker.press("b", "a")
    assert worker.page.locator("#labels .off").count() == 9
    worker.press("i", "d", "o", "s")
    assert worker.labels == ["bird", "airplane", "dog", "ship"]


def test_half_a_key_can_be_taken_back(sit: Sit) -> None:
    animals = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship")
    worker = sit(2, run=settings(*animals, "truck"))
    worker.press("a", "Backspace", "b", "d", "Escape", "t")
    assert worker.labels == ["bird", "truck"]


@pytest.mark.slow  # which keys those are: tests/tiling/page/test_page.py, without a browser
def test_fifty_labels_are_all_within_two_keys(sit: Sit) -> None:
    run = settings(*(f"Specimen {n}" for n in range(49)), "鶴")
    worker = sit(51, run=run)
    keys = [
        str(button.get_attribute("data-key"))
        for button in worker.page.locator("#labels button").all()
    ]
    for number, key in enumerate(keys, start=1):
        worker.tile(number).locator(".wait").wait_for(state="detached")
        worker.press(*key)
    assert worker.labels == list(run.choices)
