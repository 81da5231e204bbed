"""Nothing that a worker marked is lost, however they leave the page."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browse import sign_out
from tests.portal.desk import (
    PORTAL,
    Desk,
    asks_before_it_closes,
    expect_labels,
    first_id,
    front,
    ready,
    task_in,
)
from tests.portal.in_browser import NO_STORAGE, Network, sign_in

pytestmark = pytest.mark.browser

DRAFTS = "Object.keys(localStorage).filter(name => name.startsWith('draft ')).length"


def start_again(page: Page) -> None:
    """Go on with the first job of the list."""
    page.locator("#jobs li button.main").click()
    ready(page)


def leave_by_logo(page: Page) -> None:
    page.locator("#home").click()
    start_again(page)


def leave_by_reload(page: Page) -> None:
    page.reload()
    ready(page)


def leave_by_back(page: Page) -> None:
    page.evaluate("location.hash = '#jobs'")
    expect(page.locator("#jobs h1")).to_be_visible()
    page.go_back()
    ready(page)


def leave_by_address(page: Page) -> None:
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    ready(page)


WAYS = [leave_by_logo, leave_by_reload, leave_by_back, leave_by_address]


@pytest.mark.parametrize("leave", WAYS)
def test_the_same_page_comes_back_with_the_same_marks(
    desk: Desk, leave: Callable[[Page], None]
) -> None:
    page = desk.sit_down(desk.open_job(tasks=3))
    page.keyboard.type("1221")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("u")
    page.keyboard.press("Enter")
    before = first_id(page)
    leave(page)
    expect(front(page).locator("#progress b")).to_have_text("4")
    assert first_id(page) == before
    expect_labels(page, ["cat", "dog", "dog", "cat", "", ""])
    expect(front(page).locator(".flagged")).to_have_count(1)
    page.keyboard.type("12")
    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_have_text("Saved")


def test_a_crash_loses_nothing(desk: Desk) -> None:
    job = desk.open_job(tasks=3)
    page = desk.sit_down(job)
    page.keyboard.type("122")
    # the page is in a frame of its own: its marks reach the browser's storage by a message
    page.wait_for_function(f"{DRAFTS} == 1 && Object.values(localStorage).join().split('dog')[2]")
    page.close(run_before_unload=False)
    again = desk.sit_down(job)
    expect_labels(again, ["cat", "dog", "dog", "", "", ""])


def test_signing_out_keeps_the_page_and_its_marks(desk: Desk) -> None:
    job = desk.open_job(tasks=3)
    page = desk.sit_down(job)
    page.keyboard.type("12")
    before = first_id(page)
    sign_out(page)
    again = desk.sit_down(job)  # in another tab
    assert first_id(again) == before
    expect_labels(again, ["cat", "dog", ""])


def test_another_worker_at_the_same_browser_sees_none_of_it(desk: Desk) -> None:
    job = desk.open_job(tasks=5)
    page = desk.sit_down(job)
    page.keyboard.type("12")
    skipped = first_id(page)
    page.locator("#skip").click()
    page.locator("#confirm-skip [value=skip]").click()
    expect(front(page).locator(".tile").first).not_to_have_attribute("data-id", skipped)
    page.close()
    desk.world.clock.wait(60)
    other = desk.sit_down(job, "ben")
    assert first_id(other) == skipped
    expect_labels(other, [""] * 6)


def test_a_skip_asks_only_where_something_is_marked(desk: Desk) -> None:
    page = desk.sit_down(desk.open_job(tasks=3))
    untouched = first_id(page)
    page.locator("#skip").click()
    expect(front(page).locator(".tile").first).not_to_have_attribute("data-id", untouched)
    ready(page)
    page.keyboard.type("1")
    before = first_id(page)
    page.locator("#skip").click()
    expect(page.locator("#confirm-skip b")).to_have_text("1 picture")
    page.keyboard.press("Enter")  # what is chosen loses nothing
    expect(page.locator("#confirm-skip")).to_be_hidden()
    assert first_id(page) == before
    expect_labels(page, ["cat"])


def test_time_goes_on_where_it_was_and_order_stays(desk: Desk) -> None:
    job = desk.open_job(tasks=1)
    page = desk.sit_down(job)
    page.keyboard.type("121")
    page.reload()
    ready(page)
    page.keyboard.type("212")
    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_have_text("Saved")
    (answer,) = desk.world.stored(job).values()
    meta = json.loads(answer["answerContent"]["meta"])
    firsts = [tile["first"] for tile in meta["tiles"]]
    assert firsts == sorted(firsts)
    assert meta["returns"] == 1
    assert meta["firstInputMs"] <= firsts[0] <= firsts[-1] <= meta["submitMs"]
    assert desk.chosen(job) == {(0, "ann"): ["cat", "dog", "cat", "dog", "cat", "dog"]}


def test_a_saved_page_leaves_no_draft(desk: Desk) -> None:
    page = desk.sit_down(desk.open_job(tasks=1))
    page.keyboard.type("121212")
    assert page.evaluate(DRAFTS) == 1
    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_have_text("Saved")
    assert page.evaluate(DRAFTS) == 0


def test_old_drafts_go_and_others_storage_stays(desk: Desk) -> None:
    job = desk.open_job(tasks=1)
    page = desk.context.new_page()
    page.goto(PORTAL)
    page.evaluate(
        """() => { localStorage["draft ann old 1"] = JSON.stringify({ at: 1, draft: {} });
        localStorage["draft ann broken 1"] = "{"; localStorage.theirs = "x"; }"""
    )
    page.close()
    page = desk.sit_down(job)
    assert page.evaluate("localStorage['draft ann old 1'] ?? null") is None
    assert page.evaluate("localStorage.theirs") == "x"


@pytest.mark.parametrize("script", NO_STORAGE.values(), ids=NO_STORAGE)
def test_a_browser_that_keeps_nothing_labels_says_so_and_asks_before_marks_are_lost(
    desk: Desk, chromium: Browser, script: str
) -> None:
    job = desk.open_job(tasks=2)
    network = Network(desk.world)
    page = network.open(chromium)
    page.on("pageerror", lambda error: desk.faults.append(str(error)))
    page.add_init_script(script)
    page.reload()
    sign_in(page, "ann@example.org")
    start_again(page)
    assert not asks_before_it_closes(page)
    page.keyboard.type("121")
    expect(page.locator("#note")).to_contain_text("This browser keeps no marks")
    assert asks_before_it_closes(page)
    leave_by_logo(page)
    expect_labels(page, ["cat", "dog", "cat", "", "", ""])
    page.keyboard.type("222")
    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_have_text("Saved")
    assert not asks_before_it_closes(page)
    ready(page)
    expect_labels(page, [""] * 6)
    assert desk.chosen(job) == {(0, "ann"): ["cat", "dog", "cat", "dog", "dog", "dog"]}
    page.context.close()


def test_a_draft_beyond_all_measure_is_not_kept(desk: Desk) -> None:
    page = desk.sit_down(desk.open_job(tasks=1))
    frame = next(frame for frame in page.frames if frame.parent_frame)
    for length in (1, 600_000):
        frame.evaluate(
            """length => document.dispatchEvent(new CustomEvent("tessera-keep",
            { detail: { marked: 1, comment: "x".repeat(length) } }))""",
            length,
        )
    page.wait_for_function(f"{DRAFTS} == 1")
    lengths = "Object.entries(localStorage).map(([name, text]) => text.length)"
    assert max(page.evaluate(lengths)) < 200


def test_the_second_tab_is_dealt_another_page(desk: Desk) -> None:
    job = desk.open_job(tasks=6)
    first, second = desk.sit_down(job), desk.sit_down(job)
    assert first_id(first) != first_id(second)
    for page, keys in ((first, "111111"), (second, "222222")):
        page.bring_to_front()
        ready(page)
        page.keyboard.type(keys)
        page.keyboard.press("Enter")
        expect(page.locator("#note")).to_have_text("Saved")
    stored = desk.chosen(job)
    assert sorted(stored.values()) == [["cat"] * 6, ["dog"] * 6]


def test_a_tab_without_a_page_of_its_own_says_where_they_are(desk: Desk) -> None:
    job = desk.open_job(tasks=1)
    desk.sit_down(job)
    second = desk.sit_down(job, wait=False)
    expect(second.locator("#between p")).to_contain_text("open in another tab")


def test_a_reload_gets_its_own_page_beside_another_tab(desk: Desk) -> None:
    job = desk.open_job(tasks=6)
    first, second = desk.sit_down(job), desk.sit_down(job)
    for page in (first, second, first):
        page.bring_to_front()
        before = first_id(page)
        page.reload()
        ready(page)
        assert first_id(page) == before


def test_a_page_answered_elsewhere_comes_back_to_be_corrected(
    desk: Desk, chromium: Browser
) -> None:
    job = desk.open_job(tasks=2)
    page = desk.sit_down(job)
    task = task_in(first_id(page))
    # Another device has no locks of this browser.
    other_context: BrowserContext = chromium.new_context()
    other = Desk(other_context, desk.world)
    elsewhere = other.sit_down(job)
    assert first_id(elsewhere) == first_id(page)
    elsewhere.keyboard.type("111111")
    elsewhere.keyboard.press("Enter")
    expect(elsewhere.locator("#note")).to_have_text("Saved")
    other_context.close()
    page.keyboard.type("222221")
    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_contain_text("Send it once more to correct them")
    ready(page)
    expect_labels(page, ["dog"] * 5 + ["cat"])
    assert desk.chosen(job)[task, "ann"] == ["cat"] * 6
    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_have_text("Saved")
    assert len(list(desk.world.files.list_uris(job.corrections))) == 1
    assert desk.chosen(job)[task, "ann"] == ["cat"] * 6  # and the first is kept


def test_the_list_names_project_and_pages_and_who_is_signed_in(desk: Desk) -> None:
    job = desk.open_job(tasks=3)
    page = desk.sit_down(job)
    page.keyboard.type("111111")
    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_have_text("Saved")
    page.locator("#home").click()
    entry = page.locator("#jobs li")
    expect(entry).to_contain_text("pets · 2 pages left for you")
    expect(entry).to_contain_text("You did 1 of 3 pages")
    expect(page.locator("#who")).to_have_text("ann@example.org")


def test_a_worker_goes_back_and_corrects_a_page(desk: Desk) -> None:
    job = desk.open_job(tasks=4)
    page = desk.sit_down(job)
    sent = []
    for keys in ("111111", "222222"):
        ready(page)
        sent.append(first_id(page))
        page.keyboard.type(keys)
        page.keyboard.press("Enter")
        expect(front(page).locator(".tile").first).not_to_have_attribute("data-id", sent[-1])
    ready(page)
    current = first_id(page)
    page.keyboard.type("12")
    page.locator("#earlier").click()
    expect(front(page).locator(".tile").first).to_have_attribute("data-id", sent[1])
    ready(page)
    page.locator("#earlier").click()
    expect(front(page).locator(".tile").first).to_have_attribute("data-id", sent[0])
    ready(page)
    expect_labels(page, ["cat"] * 6)
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_have_text("Saved")
    expect(front(page).locator(".tile").first).to_have_attribute("data-id", current)
    expect_labels(page, ["cat", "dog", ""])
    (uri,) = desk.world.files.list_uris(job.corrections)
    assert f"/{task_in(sent[0])}/ann-001.json" in uri
    page.locator("#earlier").click()
    expect(front(page).locator(".tile").first).to_have_attribute("data-id", sent[1])
    page.locator("#onward").click()
    expect(front(page).locator(".tile").first).to_have_attribute("data-id", current)
