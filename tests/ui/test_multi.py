"""The page of several labels an image: toggles, none as an answer, and the rest at one key."""

from __future__ import annotations

from typing import Any

import pytest

from tessera.tiling.settings import Settings
from tests.ui.worker import Pictures, Sit, Worker, settings

pytestmark = pytest.mark.browser


def several(*labels: str) -> Settings:
    return settings(*(labels or ("cat", "dog", "bird")), task="multi")


def sets_of(worker: Worker) -> list[list[str]]:
    """Return the labels that each picture was handed in with."""
    answer = worker.answers[-1]
    pictures = sorted((key for key in answer if key != "meta"), key=int)
    return [[name for name, yes in answer[key].items() if yes] for key in pictures]


def test_keys_toggle_and_enter_goes_on_until_it_sends(sit: Sit) -> None:
    worker = sit(4, run=several())
    worker.press("1", "3")
    assert worker.at == 1
    worker.press("Enter")  # the picture has its labels: on to the next
    assert worker.at == 2
    worker.press("2", "2", "1", "Enter")  # given, taken back, another one
    worker.press("Enter")  # none of them
    assert worker.at == 4
    worker.press("4", "1", "4", "Enter")  # what cannot be judged has no label
    # the last one has its labels, so that its Enter has sent the page
    assert sets_of(worker) == [["cat", "bird"], ["cat"], [], ["cannot see"]]
    assert worker.judged(3)["label"] == []


def test_an_untouched_picture_is_unanswered_and_arrows_leave_it_so(sit: Sit) -> None:
    worker = sit(3, run=several())
    worker.press("1", "ArrowRight", "ArrowRight", "2", "Enter")
    assert worker.at == 2
    worker.page.locator("#submit").click()
    assert worker.answers == []
    assert "1 of 3" in worker.note
    worker.press("Enter")
    assert "Enter sends" in worker.note
    worker.press("Enter")
    assert sets_of(worker) == [["cat"], [], ["dog"]]


def test_of_one_label_only_the_pictures_that_have_it_are_pressed(sit: Sit) -> None:
    worker = sit(20, run=several("dog"))
    worker.page.mouse.click(*worker.point(7))
    worker.page.mouse.click(*worker.point(12))
    worker.page.mouse.click(*worker.point(12))
    worker.press("Enter")
    assert sets_of(worker) == [["dog"] if number == 7 else [] for number in range(1, 21)]
    assert worker.judged(1)["by"] == "bulk"


def test_a_page_of_one_label_in_doubt_shows_it_alone_under_the_key_that_it_has_in_the_run(
    sit: Sit,
) -> None:
    worker = sit(20, run=several(), choices=["bird", "cannot see"])
    assert worker.page.locator("h1").inner_text() == "What is in the picture? – bird"
    assert worker.page.locator("#labels b").all_inner_texts() == ["3", "4"]
    worker.press("1", "2", "3")  # only the last is asked here
    worker.page.mouse.click(*worker.point(7))
    worker.press("Enter")
    assert sets_of(worker) == [["bird"] if number in (1, 7) else [] for number in range(1, 21)]
    assert worker.answers[-1]["0"].keys() == {"bird", "cannot see"}


def test_undo_takes_the_rest_back_at_once_and_a_toggle_alone(sit: Sit) -> None:
    worker = sit(5, run=several())
    worker.press("1", "2", "Backspace")
    worker.page.locator("#rest").click()
    assert worker.page.locator("#progress b").inner_text() == "5"
    worker.press("Backspace")
    assert worker.page.locator("#progress b").inner_text() == "1"
    worker.page.locator("#rest").click()
    worker.press("Enter")
    assert sets_of(worker) == [["cat"], [], [], [], []]


def test_a_picture_that_does_not_load_has_no_empty_set(sit: Sit) -> None:
    pictures = Pictures()
    pictures.refuse(1)
    worker = sit(3, run=several(), pictures=pictures, wait=False)
    worker.page.locator(".dead").wait_for()
    worker.press("1", "Enter", "Enter", "Enter")
    answer: dict[str, Any] = worker.answers[-1]
    assert answer.keys() == {"0", "2", "meta"}


def test_a_drag_gives_a_pictures_labels_to_those_that_it_passes(sit: Sit) -> None:
    worker = sit(6, run=several())
    worker.press("1", "3")
    mouse = worker.page.mouse
    mouse.move(*worker.point(1))
    mouse.down()
    mouse.move(*worker.point(2), steps=3)
    mouse.up()
    worker.page.locator("#rest").click()
    worker.press("Enter")
    assert sets_of(worker)[:3] == [["cat", "bird"], ["cat", "bird"], []]


def test_a_draft_and_former_answers_come_back_as_sets(sit: Sit) -> None:
    worker = sit(3, run=several())
    worker.page.evaluate(
        "document.dispatchEvent(new CustomEvent('tessera-choices',"
        " { detail: { 0: ['dog', 'bird'], 1: [], 2: ['fox'] } }))"
    )
    assert worker.page.locator("#progress b").inner_text() == "2"
    kept = worker.page.evaluate(
        "new Promise(done => { document.addEventListener('tessera-keep',"
        " ({ detail }) => done(detail), { once: true });"
        " document.querySelector('#labels button').click(); })"
    )
    other = sit(3, run=several())
    other.page.evaluate(
        "draft => document.dispatchEvent(new CustomEvent('tessera-draft', { detail: draft }))", kept
    )
    other.page.locator("#rest").click()
    other.press("Enter")
    assert sets_of(other) == [["cat", "dog", "bird"], [], []]


def test_labels_stay_in_their_tile_and_the_page_fits_a_phone(sit: Sit) -> None:
    many = several(*(f"a rather long label {number}" for number in range(12)))
    worker = sit(4, run=many, context={"viewport": {"width": 390, "height": 844}})
    for button in worker.page.locator("#labels button").all()[:8]:
        button.click()
    tile, chip = worker.tile(1).bounding_box(), worker.page.locator(".chip").first.bounding_box()
    assert tile
    assert chip
    assert chip["x"] + chip["width"] <= tile["x"] + tile["width"]
    assert chip["y"] >= tile["y"] - 1
    assert worker.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [320, 340, 360, 390, 480, 619])
@pytest.mark.parametrize("height", [568, 640, 844])
def test_every_tool_is_whole_on_a_phone(sit: Sit, width: int, height: int) -> None:
    phone = {"viewport": {"width": width, "height": height}, "has_touch": True, "is_mobile": True}
    worker = sit(4, run=several("cat", "dog"), context=phone)
    for tool in worker.page.locator("#tools > :visible").all():
        left, right, text, room = tool.evaluate(
            "it => [it.getBoundingClientRect().left, it.getBoundingClientRect().right,"
            " it.scrollWidth, it.clientWidth]"
        )
        assert left >= 0
        assert right <= width
        assert text <= room


def test_a_picture_of_several_labels_is_flagged_like_any_other(sit: Sit) -> None:
    worker = sit(2, run=several())
    worker.press("u", "Enter", "1", "Enter", "Enter", "Enter")
    assert [worker.judged(number).get("flag") for number in (1, 2)] == ["wrong question", None]
