"""Whatever interrupts a worker, at whatever moment: no mark is lost, and no answer is wrong."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import suppress

import pytest
from playwright.sync_api import Error, Page, expect

from tessera.portal.records import Job
from tests.portal.desk import (
    LABELS,
    PORTAL,
    Desk,
    asks_before_it_closes,
    front,
    labels,
    ready,
    task_in,
)

pytestmark = pytest.mark.browser


# ---- What may happen; each returns the tab in which the worker goes on ----


def nothing(desk: Desk, page: Page, job: Job) -> Page:
    return page


def reload(desk: Desk, page: Page, job: Job) -> Page:
    page.reload()
    ready(page)
    return page


def crash(desk: Desk, page: Page, job: Job) -> Page:
    page.close(run_before_unload=False)
    return desk.sit_down(job)


def leave(desk: Desk, page: Page, job: Job) -> Page:
    page.locator("#home").click()
    page.locator("#jobs li button.main").click()
    ready(page)
    return page


def lose_the_network_for_a_while(desk: Desk, page: Page, job: Job) -> Page:
    desk.go_offline()
    front(page).locator("#progress b").wait_for()
    desk.go_offline(False)
    return page


def reload_without_a_network(desk: Desk, page: Page, job: Job) -> Page:
    desk.go_offline()
    with suppress(Error):  # the browser's own page says that there is no network
        page.reload()
    desk.go_offline(False)
    page.goto(f"{PORTAL}#job/{job.name}")
    ready(page)
    return page


def come_back_without_a_network(desk: Desk, page: Page, job: Job) -> Page:
    page.locator("#home").click()
    start = page.locator("#jobs li button.main")
    expect(start).to_be_visible()
    desk.go_offline()
    start.click()
    expect(page.locator("#note")).to_contain_text("Offline")
    desk.go_offline(False)
    ready(page)
    return page


def reload_where_pictures_are_blocked(desk: Desk, page: Page, job: Job) -> Page:
    before = labels(page)
    desk.refuses_pictures = True
    page.reload()
    expect(front(page).locator(".dead")).to_have_count(len(before))
    assert labels(page) == before
    desk.refuses_pictures = False
    front(page).locator("html").evaluate("() => dispatchEvent(new Event('online'))")
    expect(front(page).locator(".dead")).to_have_count(0)
    ready(page)
    return page


Moment = Callable[[Desk, Page, Job], Page]
MOMENTS: list[Moment] = [
    nothing, reload, crash, leave, lose_the_network_for_a_while, reload_without_a_network,
    come_back_without_a_network, reload_where_pictures_are_blocked,
]  # fmt: skip


class Sitting:
    """A worker who labels page after page, and what they meant on each."""

    def __init__(self, desk: Desk, tasks: int, images: int = 4) -> None:
        """Sit down at a job of so many pages."""
        self.desk, self.images = desk, images
        self.job = desk.open_job(tasks, images=images)
        self.page = desk.sit_down(self.job)
        self.meant: dict[tuple[int, str], list[str]] = {}

    def label(self, meant: list[str], marks: int, chance: random.Random) -> None:
        """Mark so many more pictures of the page in front."""
        for _ in range(marks):
            label = chance.randrange(len(LABELS))
            self.page.keyboard.press(str(label + 1))
            meant.append(LABELS[label])
        # A mark counts from when the worker sees it: none is kept of a key on its way.
        expect(front(self.page).locator("#progress b")).to_have_text(str(len(meant)))

    def interrupt(self, moment: Moment, meant: list[str]) -> None:
        """Let something happen, and see that everything is as it was."""
        self.page = moment(self.desk, self.page, self.job)
        expect(front(self.page).locator("#progress b")).to_have_text(str(len(meant)))
        assert labels(self.page) == meant + [""] * (self.images - len(meant))

    def send(self, meant: list[str], *, offline: bool) -> None:
        """Hand the page in, with or without a network at that moment."""
        name = front(self.page).locator(".tile").first.get_attribute("data-id") or ""
        self.meant[task_in(name), "ann"] = meant
        if offline:
            self.desk.go_offline()
        self.page.keyboard.press("Enter")
        if offline:
            expect(self.page.locator("#note")).to_contain_text("Offline")
            self.desk.go_offline(False)
        expect(self.page.locator("#note")).to_have_text("Saved")

    def work(self, moments: list[Moment], chance: random.Random) -> None:
        """Label every page, with these interruptions on each."""
        for _ in range(self.job.tasks):
            ready(self.page)
            meant: list[str] = []
            for moment in moments:
                self.label(meant, chance.randint(0, self.images - len(meant)), chance)
                self.interrupt(moment, meant)
            self.label(meant, self.images - len(meant), chance)
            self.send(meant, offline=chance.random() < 0.3)
        assert self.desk.chosen(self.job) == self.meant


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.__name__)
def test_one_interruption_loses_nothing(desk: Desk, moment: Moment) -> None:
    Sitting(desk, tasks=1).work([moment], random.Random(7))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_any_interruptions_at_any_moments_lose_nothing(desk: Desk, seed: int) -> None:
    chance = random.Random(seed)
    moments = [chance.choice(MOMENTS) for _ in range(4)]
    Sitting(desk, tasks=3).work(moments, chance)


def send_into_the_void(desk: Desk) -> tuple[Page, Job]:
    """Label a page of six pictures, and send it where there is no network."""
    job = desk.open_job(1)
    page = desk.sit_down(job)
    page.keyboard.type("121212")
    desk.go_offline()
    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_contain_text("Offline")
    return page, job


def test_an_answer_that_waits_for_the_network_outlives_a_reload(desk: Desk) -> None:
    page, job = send_into_the_void(desk)
    assert asks_before_it_closes(page)
    with suppress(Error):  # the browser's own page says that there is no network
        page.reload()
    desk.go_offline(False)
    page.goto(f"{PORTAL}#job/{job.name}")
    expect(page.locator("#between")).to_be_visible()
    assert desk.chosen(job) == {(0, "ann"): ["cat", "dog"] * 3}


def test_marks_outlive_a_crash_while_their_answer_waits_for_the_network(desk: Desk) -> None:
    page, job = send_into_the_void(desk)
    page.close(run_before_unload=False)
    desk.go_offline(False)
    page = desk.sit_down(job)
    expect(front(page).locator("#progress b")).to_have_text("6")
    page.keyboard.press("Enter")
    expect(page.locator("#between")).to_be_visible()
    assert desk.chosen(job) == {(0, "ann"): ["cat", "dog"] * 3}


def test_a_response_that_is_lost_on_its_way_deals_no_page_and_stores_no_answer_twice(
    desk: Desk,
) -> None:
    job = desk.open_job(2)
    desk.loses = "/claims"
    page = desk.sit_down(job)
    for _ in range(2):
        expect(front(page).locator("#progress b")).to_have_text("0")  # not the page before
        ready(page)
        page.keyboard.type("121212")
        desk.loses = "/answer"
        # of the second page "Saved" stands there from the first one on
        with page.expect_event("requestfailed", lambda lost: lost.url.endswith("/answer")):
            page.keyboard.press("Enter")
        expect(page.locator("#note")).to_have_text("Saved")
        assert desk.loses == ""
    expect(page.locator("#between")).to_be_visible()
    assert desk.chosen(job) == {(task, "ann"): ["cat", "dog"] * 3 for task in range(2)}


def test_a_page_that_was_fetched_while_pictures_were_blocked_is_whole_when_it_is_shown(
    desk: Desk,
) -> None:
    desk.refuses_pictures = True
    job = desk.open_job(2)
    page = desk.sit_down(job, wait=False)
    for frame in (front(page), page.frame_locator("#frames iframe.ahead")):
        expect(frame.locator(".dead")).to_have_count(6)
    expect(front(page).locator("#unreachable")).to_be_visible()
    page.keyboard.type("111111")
    page.keyboard.press("Enter")
    assert desk.chosen(job) == {}
    desk.refuses_pictures = False
    front(page).locator("#unreachable button").click()
    for _ in range(2):
        expect(front(page).locator("#progress b")).to_have_text("0")  # not the page before
        ready(page)
        page.keyboard.type("121212")
        page.keyboard.press("Enter")
    expect(page.locator("#between")).to_be_visible()
    assert list(desk.chosen(job).values()) == [["cat", "dog"] * 3] * 2


@pytest.mark.slow
def test_a_lease_of_a_minute_carries_a_page_of_a_hundred_pictures(desk: Desk) -> None:
    job = desk.open_job(1, images=100, minutes=1)
    desk.context.clock.install()
    page = desk.sit_down(job, wait=False)
    expect(front(page).locator(".tile:focus")).to_have_count(1)
    for done in range(0, 100, 10):
        for _ in range(10):
            # What is far below is not even asked for until the worker comes near.
            expect(front(page).locator(".tile:focus .wait")).to_have_count(0)
            page.keyboard.press("1")
        expect(front(page).locator("#progress b")).to_have_text(str(done + 10))
        desk.world.clock.wait(25)  # longer in all than five leases
        page.clock.fast_forward(25_000)
    expect(front(page).locator(".wait, .dead")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_have_text("Saved")
    assert desk.chosen(job) == {(0, "ann"): ["cat"] * 100}
    (answer,) = desk.world.stored(job).values()
    tiles = json.loads(answer["answerContent"]["meta"])["tiles"]
    assert [tile["load"] for tile in tiles] == ["ok"] * 100
    assert sum(method == "PUT" and path.endswith("/lease") for method, path in desk.asked) >= 4
