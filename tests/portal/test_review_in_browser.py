"""Reviewers at work: pictures beside the crowd's answers, decided by keys, and taken back."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import FrameLocator, Page, expect

from tessera.portal.reviews import (
    CrowdAnswer,
    Picture,
    Review,
    close_review,
    open_review,
    read_latest,
    read_review,
)
from tessera.tiling.page.page import shortcut_keys
from tessera.tiling.page.page_copy import copy_uri
from tests.portal.desk import PORTAL, SIGNED_IN, Desk, asks_before_it_closes
from tests.ui.worker import strike_key

pytestmark = pytest.mark.browser

CONTROL = 2  # as Chromium's protocol has modifiers
HOME = "s3://labels/runs/pets-1/"
PICTURES = 30  # more than are shown at once
SIDES = """tile => {
  const [picture, box] = ["img", "b"].map(name => tile.querySelector(name).getBoundingClientRect());
  return { picture, box, scale: picture.width / 640 };
}"""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def open_review_of(desk: Desk, *pictures: Picture, **more: Any) -> Review:
    """Open a review of some pictures."""
    facts: dict[str, Any] = {
        "run": "pets-1", "home": HOME, "title": "Cat or dog?", "question": "Cat or dog?",
        "choices": ("cat", "dog", "cannot see"), "escape": "cannot see", "project": "pets",
    }  # fmt: skip
    review = Review(**facts | more, pictures=pictures)
    open_review(desk.world.ports, review)
    return review


def open_boxes(desk: Desk) -> Review:
    """Open a review of three boxes of one picture and one of another, each to be confirmed."""
    places = ("40,30,200,150,640,480", "300,200,40,40,640,480", "500,0,140,300,640,480")
    pictures = [
        Picture(
            index=index, source=f"s3://pets/{index // 3}.jpg", label="yes" if index else None,
            confidence=0.9 if index else 0.0, box=places[index % 3],
            box_class=("cat", "dog")[index % 2],
            answers=(CrowdAnswer("ann@example.org", "yes"), CrowdAnswer("ben@example.org", "no")),
        )
        for index in range(4)
    ]  # fmt: skip
    return open_review_of(
        desk, *pictures, task="verify", choices=("yes", "no", "cannot tell"),
        escape="cannot tell", title="Is this what the box says?",
        question="Is this what the box says?",
    )  # fmt: skip


def open_sets(desk: Desk) -> Review:
    """Open a review of pictures of several labels: of the last one nobody could judge anything."""
    crowd = (
        CrowdAnswer("ann@example.org", {"cat": True, "dog": False, "a sleeping hedgehog": True}),
        CrowdAnswer("ben@example.org", {"cat": False, "dog": False, "a sleeping hedgehog": True}),
        CrowdAnswer("cid@example.org", {"cat": True}),
    )
    pictures = [
        Picture(
            index=index, source=f"s3://pets/{index}.jpg", confidence=0.71, answers=crowd,
            label={"cat": True, "dog": False, "a sleeping hedgehog": True},
            sure={"cat": 0.71, "dog": 0.98, "a sleeping hedgehog": 0.97},
        )
        for index in range(3)
    ]  # fmt: skip
    blind = tuple(CrowdAnswer(f"{name}@example.org", {"cannot see": True}) for name in ("a", "b"))
    unseen = Picture(index=3, source="s3://pets/3.jpg", label=None, confidence=0.0, answers=blind)
    return open_review_of(
        desk, *pictures, unseen, task="multi", title="What is here?", question="What is here?",
        choices=("cat", "dog", "a sleeping hedgehog", "cannot see"),
    )  # fmt: skip


def open_pets(desk: Desk) -> Review:
    """Open a review in which the first four pictures are disputed."""
    pictures = tuple(
        Picture(
            index=index,
            source=f"s3://pets/{index}.jpg",
            label="cat" if index % 3 else None,
            confidence=0.5 + index / 100 if index % 3 else 0.0,
            answers=(
                CrowdAnswer("ann@example.org", "cat"),
                CrowdAnswer("ben@example.org" if index < 9 else "cid@example.org",
                            "dog" if index < 4 else "cat"),
            ),
        )
        for index in range(PICTURES)
    )  # fmt: skip
    return open_review_of(desk, *pictures)


def open_labels(desk: Desk, *names: str) -> Review:
    """Open a review of three pictures that may have any of these labels."""
    pictures = [
        Picture(
            index=index, source=f"s3://pets/{index}.jpg", label=names[0], confidence=0.9, answers=()
        )
        for index in range(3)
    ]  # fmt: skip
    return open_review_of(desk, *pictures, choices=(*names, "cannot see"))


def sit_down(desk: Desk, hash_: str = "#review/pets-1") -> tuple[Page, FrameLocator]:
    """Sign a reviewer in; return the page, and the sandbox with the pictures."""
    desk.groups = "[reviewers]"
    page = desk.context.new_page()
    page.add_init_script(SIGNED_IN.replace("WORKER", json.dumps("rita")))
    page.goto(f"{PORTAL}{hash_}")
    frame = page.frame_locator("#review-frame iframe")
    if hash_ != "#jobs" and not desk.refuses_pictures:
        wait_for_pictures(frame)
    return page, frame


def wait_for_pictures(frame: FrameLocator) -> None:
    """Wait until every picture is there: none is decided before."""
    expect(frame.locator("article").first).to_be_visible()
    expect(
        frame.locator("article :is(.picture, .whole):not(.loaded, :has(.failed))")
    ).to_have_count(0)


def wait_until_saved(page: Page, frame: FrameLocator) -> None:
    """Wait until the portal has every decision: first until its page has heard of each of them."""
    page.evaluate(
        "() => { window.heard = new Promise(resolve => addEventListener('message', "
        "event => event.data === 'last' && resolve())); }"
    )
    frame.locator("html").evaluate("() => parent.postMessage('last', '*')")
    page.evaluate("() => window.heard")
    expect(page.locator("#note")).to_have_text("Saved")


def decided(desk: Desk) -> dict[int, Any]:
    latest = read_latest(desk.world.files, HOME, read_review(desk.world.files, HOME))
    return {index: one.label for index, one in latest.decisions.items()}


def test_a_review_is_decided_by_keys_and_taken_back(desk: Desk) -> None:
    open_pets(desk)
    page, frame = sit_down(desk, "#jobs")
    page.get_by_role("button", name="Review: Cat or dog?").click()
    focused = frame.locator("article:focus")
    expect(focused).to_have_attribute("data-index", "0")
    wait_for_pictures(frame)
    expect(frame.locator("article").first).to_contain_text("ben@example.org: dog")
    page.keyboard.press("2")
    expect(focused).to_have_attribute("data-index", "1")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("3")
    expect(focused).to_have_attribute("data-index", "3")
    expect(frame.locator("#count")).to_have_text("2 of 30 decided")
    expect(page.locator("#note")).to_have_text("Saved")
    page.keyboard.press("Backspace")
    expect(focused).to_have_attribute("data-index", "2")
    page.keyboard.press("1")
    expect(frame.locator("#count")).to_have_text("2 of 30 decided")
    wait_until_saved(page, frame)
    page.reload()
    expect(frame.locator("article:focus")).to_have_attribute("data-index", "1")
    assert decided(desk) == {0: "dog", 2: "cat"}
    assert desk.faults == []


KEYBOARDS = {
    "French": {"2": ("é", "Digit2")},
    "Persian": {"2": ("۲", "Digit2")},
    "Russian": {"z": ("я", "KeyZ"), "b": ("и", "KeyB"), "h": ("р", "KeyH")},
    "Hebrew": {"z": ("ז", "KeyZ"), "b": ("נ", "KeyB"), "h": ("י", "KeyH")},
    "Thai": {"z": ("ผ", "KeyZ"), "b": ("ิ", "KeyB"), "h": ("้", "KeyH")},
    "Dvorak": {"z": ("z", "Slash"), "b": ("b", "KeyN"), "h": ("h", "KeyJ")},
}


@pytest.mark.parametrize("keyboard", KEYBOARDS)
def test_keys_of_a_review_go_by_what_they_are_on_every_keyboard(desk: Desk, keyboard: str) -> None:
    keys = KEYBOARDS[keyboard]
    names = ["cat", "dog"] if "2" in keys else [f"{letter}x" for letter in "abcdefghij"]
    open_labels(desk, *names)
    page, frame = sit_down(desk)
    focused = frame.locator("article:focus")
    expect(focused).to_have_attribute("data-index", "0")
    for key in "22" if "2" in keys else "bh":
        strike_key(page, *keys[key])
    expect(focused).to_have_attribute("data-index", "2")
    if "z" in keys:
        strike_key(page, *keys["z"], modifiers=CONTROL)
        expect(focused).to_have_attribute("data-index", "1")
    wait_until_saved(page, frame)
    assert decided(desk) == ({0: "dog", 1: "dog"} if "2" in keys else {0: "bx"})


def test_half_a_key_is_taken_back_and_no_decision(desk: Desk) -> None:
    names = [f"a{letter}" for letter in "bcdefghijkl"]
    review = open_labels(desk, *names)
    keys = shortcut_keys(review.choices)
    long = next(at for at, key in enumerate(keys) if len(key) == 2)
    page, frame = sit_down(desk)
    expect(frame.locator("article:focus")).to_have_attribute("data-index", "0")
    for key in keys[long]:
        page.keyboard.press(key)
    for key in (keys[long][0], "Backspace", *keys[long]):
        page.keyboard.press(key)
    wait_until_saved(page, frame)
    assert decided(desk) == dict.fromkeys(range(2), names[long])


def test_pictures_are_filtered_and_more_of_them_come(desk: Desk) -> None:
    open_pets(desk)
    _, frame = sit_down(desk)
    cards = frame.locator("article")
    expect(cards).to_have_count(24)
    frame.get_by_role("button", name="Show more").click()
    expect(cards).to_have_count(PICTURES)
    for name, value, count in (
        ("state", "disputed", 4),
        ("worker", "ben@example.org", 4),
        ("state", "all", 9),
        ("below", "0.6", 9),
        ("label", "=cat", 6),
    ):
        frame.locator(f"[name={name}]").select_option(value)
        expect(cards).to_have_count(count)
    frame.locator("[name=state]").select_option("decided")
    expect(frame.locator("#none")).to_be_visible()


def test_a_worker_who_is_no_reviewer_sees_no_review(desk: Desk) -> None:
    open_pets(desk)
    page, _ = sit_down(desk, "#jobs")
    expect(page.get_by_role("button", name="Review: Cat or dog?")).to_be_visible()
    desk.groups = "[]"
    page.reload()
    expect(page.locator("#jobs .none")).to_be_visible()
    page.goto(f"{PORTAL}#review/pets-1")
    expect(page.locator("#note")).to_have_text("There is no such page.")


def test_boxes_are_shown_as_the_workers_page_shows_them_and_large_on_the_whole_picture(
    desk: Desk,
) -> None:
    open_boxes(desk)
    page, frame = sit_down(desk)
    tiles = frame.locator("article .picture")
    expect(tiles).to_have_count(4)
    expect(tiles.first.locator("em")).to_have_text("cat?")
    expect(tiles.first).to_have_class("picture loaded")
    sides = tiles.nth(1).evaluate(SIDES)
    # a margin of a fifth of the longer side, or a box of a few pixels is shown with more around it
    assert sides["box"]["width"] == pytest.approx(sides["scale"] * 40, abs=1)
    assert sides["box"]["x"] == pytest.approx(sides["picture"]["x"] + sides["scale"] * 300, abs=1)
    assert sides["box"]["y"] == pytest.approx(sides["picture"]["y"] + sides["scale"] * 200, abs=1)
    page.keyboard.press("2")
    expect(frame.locator("#count")).to_have_text("1 of 4 decided")
    expect(frame.locator("article:focus")).to_have_attribute("data-index", "1")
    page.keyboard.press(" ")
    expect(frame.locator("#frame i")).to_be_visible()
    around = frame.locator("#frame i").evaluate("one => getComputedStyle(one, '::after').left")
    across = frame.locator("#frame i").evaluate("one => one.getBoundingClientRect().width")
    assert float(around.removesuffix("px")) == pytest.approx(across * 300 / 640, abs=1)
    assert frame.locator("#frame i").get_attribute("data-name") == "dog?"
    page.keyboard.press(" ")
    wait_until_saved(page, frame)
    assert decided(desk) == {0: "no"}
    assert desk.faults == []


def test_a_box_on_a_picture_of_another_shape_is_not_shown_as_if_it_lay_there(desk: Desk) -> None:
    turned = Image.new("RGB", (48, 64))
    file = io.BytesIO()
    turned.save(file, "PNG")
    desk.context.route(
        "https://pictures.test/**",
        lambda route: route.fulfill(body=file.getvalue(), content_type="image/png"),
    )
    open_boxes(desk)
    _, frame = sit_down(desk)
    says = "The picture has another shape than its box says."
    expect(frame.locator("article").first).to_contain_text(says)
    expect(frame.locator("article img:visible")).to_have_count(0)


def test_several_labels_are_decided_one_by_one_or_all_as_they_are_shown(desk: Desk) -> None:
    open_sets(desk)
    page, frame = sit_down(desk)
    expect(frame.locator("article:focus")).to_have_attribute("data-index", "0")
    first = frame.locator("article").first
    expect(first.get_by_role("button", name="cat")).to_contain_text("2 of 3 · 71 %")
    page.keyboard.press("1")
    expect(frame.locator("article:focus")).to_have_attribute("data-index", "0")
    cat = first.get_by_role("button", name="cat")
    expect(cat).to_have_attribute("aria-pressed", "false")
    expect(cat).to_contain_text("2 of 3 · decided")
    page.keyboard.press("Enter")
    expect(frame.locator("article:focus")).to_have_attribute("data-index", "1")
    page.keyboard.press("4")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("2")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(frame.locator("#count")).to_have_text("4 of 4 decided")
    wait_until_saved(page, frame)
    none = {"cat": False, "dog": False, "a sleeping hedgehog": False}
    assert decided(desk) == {
        0: none | {"a sleeping hedgehog": True}, 1: {"cannot see": True}, 2: {"dog": True}, 3: none,
    }  # fmt: skip
    assert desk.faults == []


STATE = """cards => cards.map(card => [...card.querySelectorAll(".several button")].map(
  button => `${button.getAttribute("aria-pressed")} ${button.className}`))"""


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_pressed_the_page_shows_what_the_portal_counts(desk: Desk, seed: int) -> None:
    chance = random.Random(seed)
    open_sets(desk)
    page, frame = sit_down(desk)
    expect(frame.locator("article:focus")).to_have_attribute("data-index", "0")
    keys = ["1", "2", "3", "4", "4", "Enter", "Backspace", "Backspace", "ArrowLeft", "ArrowRight"]
    for key in chance.choices(keys, k=40):
        page.keyboard.press(key)
    wait_until_saved(page, frame)
    on_page = frame.locator("article").evaluate_all(STATE)
    page.reload()
    expect(frame.locator("article")).to_have_count(4)
    assert frame.locator("article").evaluate_all(STATE) == on_page


def test_a_decision_that_is_refused_is_taken_back_on_the_page(desk: Desk) -> None:
    open_sets(desk)
    page, frame = sit_down(desk)
    expect(frame.locator("article:focus")).to_have_attribute("data-index", "0")
    page.keyboard.press("1")
    expect(page.locator("#note")).to_have_text("Saved")
    close_review(desk.world.ports, "pets-1")
    page.keyboard.press("2")
    expect(page.locator("#note")).to_have_text("There is no such review.")
    buttons = frame.locator("article").first.get_by_role("button")
    expect(buttons.nth(0)).to_have_class("decided")
    expect(buttons.nth(1)).not_to_have_class("decided")


@pytest.mark.parametrize("open_any", [open_pets, open_sets])
def test_nothing_is_decided_of_a_picture_that_did_not_load_and_it_is_tried_again(
    desk: Desk, open_any: Callable[[Desk], Review]
) -> None:
    open_any(desk)
    desk.refuses_pictures = True
    page, frame = sit_down(desk)
    expect(frame.locator(".failed").first).to_have_text("did not load")
    note = frame.locator("#note")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    frame.locator("article").first.get_by_role("button").first.click()
    expect(note).to_have_text("Picture 0 did not load. Trying again …")
    expect(note).to_be_visible()
    expect(frame.locator("#count")).to_contain_text("0 of ")
    desk.refuses_pictures = False
    page.keyboard.press("1")
    wait_for_pictures(frame)
    page.keyboard.press("1")
    wait_until_saved(page, frame)
    assert list(decided(desk)) == [0]


def test_a_single_pixel_is_no_picture_to_decide(desk: Desk) -> None:
    open_pets(desk)
    pixel = io.BytesIO()
    Image.new("RGB", (1, 1)).save(pixel, "gif")
    desk.context.route(
        "https://pictures.test/**",
        lambda route: route.fulfill(content_type="image/gif", body=pixel.getvalue()),
    )
    desk.refuses_pictures = True  # for `sit_down`: what comes is none
    _, frame = sit_down(desk)
    expect(frame.locator(".failed")).to_have_count(24)


def test_after_an_hour_a_picture_is_shown_large_by_a_new_address(desk: Desk) -> None:
    original = f"s3://inbox/images/pets/{'0f' * 16}/tom.png"
    picture = Picture(
        index=0, source=copy_uri(original), label="cat", confidence=0.9, answers=()
    )  # fmt: skip
    open_review_of(desk, picture)
    page, frame = sit_down(desk)
    desk.world.clock.now += 4000
    page.keyboard.press(" ")
    large = frame.locator("#lens img")
    address = original.replace("s3://", "https://pictures.test/")
    expect(large).to_have_attribute("src", f"{address}?until={desk.world.clock.now + 3600}")
    assert large.evaluate("image => image.naturalWidth") == 640


def test_a_tab_with_a_decision_on_its_way_is_not_closed_without_a_word(desk: Desk) -> None:
    open_pets(desk)
    page, frame = sit_down(desk)
    expect(frame.locator("article:focus")).to_have_attribute("data-index", "0")
    assert not asks_before_it_closes(page)
    desk.go_offline()
    page.keyboard.press("2")
    expect(page.locator("#note")).to_contain_text("Offline")
    assert asks_before_it_closes(page)
    desk.go_offline(False)
    expect(page.locator("#note")).to_have_text("Saved")
    assert not asks_before_it_closes(page)
    assert decided(desk) == {0: "dog"}


@pytest.mark.parametrize("open_any", [open_pets, open_boxes, open_sets])
def test_a_review_is_accessible_and_fits_its_screen(
    desk: Desk, open_any: Callable[[Desk], Review]
) -> None:
    open_any(desk)
    page, frame = sit_down(desk)
    expect(frame.locator("article img").first).to_have_attribute(
        "src", "https://pictures.test/pets/0.jpg?until=1700003600.0"
    )
    page.keyboard.press("2")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # no color in between
        results = Axe().run(page, options={"runOnly": RULES})
        assert results.violations_count == 0, results.generate_report()
    page.set_viewport_size({"width": 360, "height": 700})
    widths = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert frame.locator("html").evaluate(f"() => {widths}") <= 0
