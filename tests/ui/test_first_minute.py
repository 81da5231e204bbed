"""A worker's first page: the instructions open by themselves, and one line says what to press."""

from __future__ import annotations

import pytest

from tests.ui.worker import Sit, Worker, settings

pytestmark = pytest.mark.browser


def is_open(worker: Worker) -> bool:
    """Whether the instructions are before the pictures."""
    return worker.page.locator("#help").is_visible()


def test_the_instructions_open_once_and_stay_one_key_away(sit: Sit) -> None:
    worker = sit(2, first=True)
    assert is_open(worker)
    worker.press("1")
    assert worker.labels == [None, None]
    worker.press("Enter")
    assert not is_open(worker)
    assert worker.note == "Press 1–4 to label the framed picture and go on."
    worker.press("2")
    assert worker.note == "1: dog"
    assert worker.page.locator("#note.spoken").count() == 1
    assert worker.labels == ["dog", None]
    worker.page.reload()
    worker.page.wait_for_selector(".tile:focus")
    assert not is_open(worker)
    assert worker.note == ""
    worker.press("?")
    assert is_open(worker)


def test_other_instructions_are_another_version(sit: Sit) -> None:
    versions = {
        sit(1, run=settings(instructions=text), first=True)
        .page.locator("#help")
        .get_attribute("data-version")
        for text in ("one", "another", "one")
    }
    assert len(versions) == 2


def test_without_instructions_the_line_alone_says_what_to_do(sit: Sit) -> None:
    worker = sit(2, run=settings("yes", "no", "cannot see", instructions=""), first=True)
    assert not is_open(worker)
    assert worker.note == "Press 1–3 to label the framed picture and go on."


@pytest.mark.parametrize(
    ("names", "context"),
    [
        ([f"{letter}{letter}" for letter in "abcdefghijkl"], {}),
        (["0", "1"], {}),
        (["cat", "dog"], {"has_touch": True, "is_mobile": True}),
    ],
    ids=["letters", "named by digits", "touch"],
)
def test_the_line_promises_no_digits_where_they_are_not_what_to_press(
    sit: Sit, names: list[str], context: dict[str, object]
) -> None:
    worker = sit(2, run=settings(*names, instructions=""), first=True, context=context)
    assert worker.note == "Press a label to give it to the framed picture and go on."


def test_long_instructions_are_read_from_their_beginning_and_left_without_scrolling(
    sit: Sit,
) -> None:
    worker = sit(1, run=settings(instructions="word " * 3000), first=True)
    assert worker.page.locator("#help").evaluate("dialog => dialog.scrollTop") == 0
    box = worker.page.locator("#close-help").bounding_box()
    assert box
    assert box["y"] + box["height"] <= 768
    worker.press("Enter")
    assert not is_open(worker)


def test_reading_is_not_time_at_the_pictures(sit: Sit) -> None:
    worker = sit(1, first=True)
    assert is_open(worker)
    opened = worker.page.evaluate("performance.now()")
    worker.page.wait_for_function("opened => performance.now() > opened + 300", arg=opened)
    worker.press("Enter", "1", "Enter")
    meta = worker.meta
    assert meta["hiddenMs"] >= 300
    assert meta["tiles"][0]["dwell"] <= meta["submitMs"] - meta["readyMs"] - meta["hiddenMs"] + 1
