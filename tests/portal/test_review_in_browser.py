"""Reviewers at work: pictures beside the crowd's answers, decided by keys, and taken back."""

from __future__ import annotations

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import FrameLocator, Page, expect

from tessera.portal.reviews import CrowdAnswer, Picture, Review, open_review, read_latest
from tests.portal.desk import PORTAL, SIGNED_IN, Desk

pytestmark = pytest.mark.browser

HOME = "s3://labels/runs/pets-1/"
PICTURES = 30  # more than are shown at once
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def open_pets(desk: Desk) -> None:
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
    open_review(
        desk.world.ports,
        Review(
            run="pets-1", home=HOME, title="Cat or dog?", question="Cat or dog?",
            choices=("cat", "dog", "cannot see"), project="pets", pictures=pictures,
        ),
    )  # fmt: skip


def sit_down(desk: Desk, hash_: str = "#review/pets-1") -> tuple[Page, FrameLocator]:
    """Sign a reviewer in; return the page, and the sandbox with the pictures."""
    desk.groups = "[reviewers]"
    page = desk.context.new_page()
    page.add_init_script(SIGNED_IN.replace("WORKER", json.dumps("rita")))
    page.goto(f"{PORTAL}{hash_}")
    return page, page.frame_locator("#review-frame iframe")


def decided(desk: Desk) -> dict[int, str]:
    latest = read_latest(desk.world.files, HOME, ("cat", "dog", "cannot see"))
    return {index: one.label for index, one in latest.decisions.items()}


def test_a_review_is_decided_by_keys_and_taken_back(desk: Desk) -> None:
    open_pets(desk)
    page, frame = sit_down(desk, "#jobs")
    page.get_by_role("button", name="Review: Cat or dog?").click()
    focused = frame.locator("article:focus")
    expect(focused).to_have_attribute("data-index", "0")
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
    expect(page.locator("#note")).to_have_text("Saved")
    page.reload()
    expect(frame.locator("article:focus")).to_have_attribute("data-index", "1")
    assert decided(desk) == {0: "dog", 2: "cat"}
    assert desk.faults == []


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


def test_a_review_is_accessible_and_fits_its_screen(desk: Desk) -> None:
    open_pets(desk)
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
