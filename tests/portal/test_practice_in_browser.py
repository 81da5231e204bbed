"""Workers practice before their first page of a run: told at once, and nothing of it kept."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from tessera.portal.records import Job
from tessera.tiling.onboarding.practice import practice_name
from tests.portal.desk import Desk, front, ready
from tests.portal.world import HOME

pytestmark = pytest.mark.browser


def open_job(desk: Desk, instructions: str = "") -> Job:
    """Open a job with a practice page of a cat and a dog."""
    pictures = [
        {"source-ref": f"s3://pets/practice/{label}/1.jpg", "label": label}
        for label in ("cat", "dog")
    ]
    uri = practice_name(f"{HOME}/round-1/tasks-000.manifest")
    desk.world.files.put(uri, json.dumps(pictures).encode())
    return desk.open_job(tasks=2, instructions=instructions)


def is_practice(page: Page) -> None:
    """Expect the practice page in front."""
    expect(page.locator("#where")).to_contain_text("Practice")
    expect(page.locator("#skip")).to_be_hidden()
    expect(page.locator("#earlier")).to_be_hidden()


def test_answers_are_told_right_or_wrong_and_the_work_follows(desk: Desk) -> None:
    job = open_job(desk, "Look at the head.")
    page = desk.sit_down(job, wait=False)
    expect(front(page).locator("#help")).to_be_visible()
    is_practice(page)
    page.keyboard.press("Enter")
    ready(page)
    page.keyboard.press("1")
    expect(page.locator("#note")).to_have_text("Right.")
    page.keyboard.press("1")
    expect(page.locator("#note")).to_have_text("Not quite: this is dog.")
    tile = front(page).locator(".tile")
    expect(tile.nth(0)).to_have_attribute("data-practice", "right")
    expect(tile.nth(1)).to_have_attribute("data-practice", "wrong")
    page.keyboard.press("Backspace")
    expect(tile.nth(1)).not_to_have_attribute("data-practice", "wrong")
    page.keyboard.press("2")
    expect(page.locator("#note")).to_have_text("Right.")
    page.keyboard.press("Enter")
    expect(tile).to_have_count(6)
    expect(front(page).locator("#help")).to_be_hidden()
    ready(page)
    page.keyboard.type("111111")
    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_have_text("Saved")
    assert list(desk.chosen(job).values()) == [["cat"] * 6]
    assert not [key for key in page.evaluate("Object.keys(localStorage)") if "draft" in key]
    page.reload()
    ready(page)
    expect(page.locator("#where")).to_have_text("")


def test_the_practice_can_be_skipped_and_left_and_comes_until_it_was_done(desk: Desk) -> None:
    job = open_job(desk)
    page = desk.sit_down(job)
    is_practice(page)
    page.reload()
    ready(page)
    is_practice(page)
    page.locator("#onward").click()
    expect(front(page).locator(".tile")).to_have_count(6)
    expect(page.locator("#skip")).to_be_visible()
    page.reload()
    ready(page)
    expect(front(page).locator(".tile")).to_have_count(6)


def test_a_double_press_that_skips_the_practice_skips_no_page_of_the_work(desk: Desk) -> None:
    job = open_job(desk)
    page = desk.sit_down(job)
    is_practice(page)
    desk.asked.clear()
    box = page.locator("#onward").bounding_box()
    assert box
    page.mouse.dblclick(box["x"] + box["width"] - 8, box["y"] + box["height"] / 2)
    expect(front(page).locator(".tile")).to_have_count(6)
    page.locator("#skip").dblclick()
    expect(page.locator("#note")).to_have_text("Given back")
    given = [path for method, path in desk.asked if method == "DELETE"]
    assert len(given) == 1
