"""Workers qualify in the browser: passed once, told kindly, and never a label in the page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tessera.portal.records import Job
from tessera.tiling.onboarding.qualification import (
    RETRY_SECONDS,
    KnownPicture,
    QualificationFile,
    qualification_name,
)
from tests.portal.desk import Desk, front, ready
from tests.portal.world import HOME

pytestmark = pytest.mark.browser


def open_job(desk: Desk) -> Job:
    """Open a job whose workers must have three cats of five pictures right."""
    pictures = tuple(
        KnownPicture(f"{HOME}/qualification/{n}.jpg", "cat" if n < 3 else "dog") for n in range(5)
    )
    file = QualificationFile("s3://labels/projects/pets/qualification/", pictures)
    desk.world.files.put(qualification_name(f"{HOME}/round-1/tasks-000.manifest"), file.encode())
    return desk.open_job(tasks=2, tags={"tessera:qualify": "0.6"})


def test_a_worker_fails_is_told_kindly_and_passes_a_day_later(desk: Desk) -> None:
    job = open_job(desk)
    page = desk.sit_down(job)
    is_qualification(page)
    assert "practice" not in front(page).locator("body").inner_html()
    page.keyboard.type("22222")
    page.keyboard.press("Enter")
    card = page.locator("#between")
    expect(card).to_contain_text("You had 2 of 5 pictures right, and this project asks for 3.")
    expect(card).to_contain_text("You may try once more in 24 hours.")
    page.reload()
    expect(card).to_contain_text("a day after the first time")
    page.goto("https://portal.test/#jobs")
    expect(page.locator("#jobs li")).to_contain_text("You had 2 of 5 pictures right")
    desk.world.clock.wait(RETRY_SECONDS)
    page.goto(f"https://portal.test/#job/{job.name}")
    ready(page)
    is_qualification(page)
    page.keyboard.type("11111")
    page.keyboard.press("Enter")
    expect(front(page).locator(".tile")).to_have_count(6)
    expect(page.locator("#where")).to_have_text("")
    ready(page)
    page.keyboard.type("111111")
    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_have_text("Saved")
    assert list(desk.chosen(job).values()) == [["cat"] * 6]


def is_qualification(page: Page) -> None:
    """Expect the qualification in front."""
    expect(page.locator("#where")).to_contain_text("Pictures to qualify")
    expect(front(page).locator(".tile")).to_have_count(5)
    for button in ("#skip", "#earlier", "#onward"):
        expect(page.locator(button)).to_be_hidden()
