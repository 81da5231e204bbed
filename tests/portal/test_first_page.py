"""In the portal instructions open on a worker's first page of a job, and when they have changed."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.portal.desk import Desk, front, ready

pytestmark = pytest.mark.browser


def read(page: Page) -> None:
    """Read the instructions and close them."""
    expect(front(page).locator("#help")).to_be_visible()
    page.keyboard.press("Enter")
    expect(front(page).locator("#help")).to_be_hidden()


def send(page: Page) -> None:
    """Label the page in front and send it."""
    ready(page)
    page.keyboard.type("111111")
    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_have_text("Saved")


def test_the_first_page_of_a_job_shows_the_instructions_and_no_later_one(desk: Desk) -> None:
    job = desk.open_job(tasks=3, instructions="Look at the **head**.")
    page = desk.sit_down(job, wait=False)
    expect(front(page).locator("#help")).to_contain_text("Look at the head.")
    page.reload()  # before they were read
    read(page)
    expect(front(page).locator("#note")).to_contain_text("Press 1–3")
    send(page)
    ready(page)
    expect(front(page).locator("#help")).to_be_hidden()
    page.reload()
    ready(page)
    expect(front(page).locator("#help")).to_be_hidden()
    page.keyboard.press("?")
    expect(front(page).locator("#help")).to_be_visible()


def test_another_worker_and_changed_instructions_see_them_again(desk: Desk) -> None:
    job = desk.open_job(tasks=3, instructions="One.")
    first = desk.sit_down(job, wait=False)
    read(first)
    first.close()
    other = desk.sit_down(job, "ben", wait=False)
    read(other)
    other.close()
    again = desk.sit_down(job)
    # as a page built with other instructions, under the same job, asks
    frame = next(frame for frame in again.frames if frame.parent_frame)
    frame.evaluate(
        "document.dispatchEvent(new CustomEvent('tessera-first', { detail: 'another' }))"
    )
    expect(front(again).locator("#help")).to_be_visible()


def test_instructions_that_were_read_stay_closed_when_the_portal_asks_for_them_once_more(
    desk: Desk,
) -> None:
    page = desk.sit_down(desk.open_job(tasks=1, instructions="One."), wait=False)
    read(page)
    frame = next(frame for frame in page.frames if frame.parent_frame)
    frame.evaluate("document.dispatchEvent(new CustomEvent('tessera-welcome'))")
    expect(front(page).locator("#help")).to_be_hidden()


def test_without_instructions_one_line_says_what_to_press_until_the_first_key(desk: Desk) -> None:
    job = desk.open_job(tasks=2)
    page = desk.sit_down(job)
    expect(front(page).locator("#help")).to_be_hidden()
    note = front(page).locator("#note:not(.spoken)")
    expect(note).to_contain_text("Press 1–3")
    page.keyboard.press("1")
    expect(note).to_have_count(0)
    page.reload()
    ready(page)
    expect(note).not_to_contain_text("Press 1")
