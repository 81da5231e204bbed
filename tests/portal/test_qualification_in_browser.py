"""Workers qualify in the browser: passed once, told kindly, and never a label in the page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Frame, Page, expect

from tessera.portal.records import Job
from tessera.tiling.onboarding.qualification import (
    RETRY_SECONDS,
    KnownPicture,
    QualificationFile,
    qualification_name,
)
from tests.browse import sign_out
from tests.portal.desk import Desk, expect_labels, front, ready
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
    job, page = begin_to_qualify(desk)
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


def begin_to_qualify(desk: Desk) -> tuple[Job, Page]:
    """Open a job, and take a worker to its qualification."""
    job = open_job(desk)
    page = desk.sit_down(job)
    is_qualification(page)
    return job, page


def is_qualification(page: Page) -> None:
    """Expect the qualification in front."""
    expect(page.locator("#where")).to_contain_text("Pictures to qualify")
    expect(front(page).locator(".tile")).to_have_count(5)
    for button in ("#skip", "#earlier", "#onward"):
        expect(page.locator(button)).to_be_hidden()


def test_marks_on_the_qualification_outlive_a_reload_and_a_sign_out_and_go_once_judged(
    desk: Desk,
) -> None:
    job, page = begin_to_qualify(desk)
    page.keyboard.type("112")
    expect(front(page).locator("#progress b")).to_have_text("3")
    page.reload()
    expect_labels(page, ["cat", "cat", "dog", "", ""])
    desk.asked.clear()
    sign_out(page)
    assert ("DELETE", f"/jobs/{job.name}/tasks/undefined/lease") not in desk.asked
    page.close()
    page = desk.sit_down(job)
    expect_labels(page, ["cat", "cat", "dog", "", ""])
    desk.loses = "/qualification"
    page.keyboard.type("22")
    page.keyboard.press("Enter")
    expect(front(page).locator(".tile")).to_have_count(6)
    assert not [key for key in page.evaluate("Object.keys(localStorage)") if "qualification" in key]


def test_a_qualification_sent_again_while_it_waits_for_the_network_is_judged_once(
    desk: Desk,
) -> None:
    _, page = begin_to_qualify(desk)
    page.keyboard.type("11111")
    desk.go_offline()
    front(page).locator("#submit").click()
    expect(page.locator("#note")).to_contain_text("Offline")
    frame = page.frames[-1]
    frame.evaluate("document.querySelectorAll('#labels button')[1].click()")
    send_again(frame)
    desk.go_offline(False)
    expect(front(page).locator(".tile")).to_have_count(6)
    ready(page)
    expect(page.locator("#frames iframe:not(.ahead)")).to_have_count(1)
    page.keyboard.type("111111")
    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_have_text("Saved")
    posts = [path for method, path in desk.asked if method == "POST" and "qualif" in path]
    assert len(posts) == 1


def send_again(frame: Frame) -> None:
    """Press Submit as late as the page takes it for a second wish, not for an echo."""
    frame.evaluate(
        """() => {
        const now = performance.now.bind(performance);
        performance.now = () => now() + 10_000;
        document.querySelector("#submit").click();
        }"""
    )
