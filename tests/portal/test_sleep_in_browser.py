"""A computer that slept over a page, and sign-ins that ended meanwhile: what was marked goes on."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from tests.portal.desk import Desk, expect_labels, front, ready
from tests.portal.in_browser import Network, Refused, sign_in

pytestmark = pytest.mark.browser

HOUR = 3600
LAZY = 100  # pictures, of which the last are asked for when they come near the view


def wake(page: Page) -> None:
    """Wake a tab up after an hour in which no timer of it ran."""
    page.evaluate(f"() => {{ const now = Date.now; Date.now = () => now() + {HOUR * 1000}; }}")
    for frame in page.frames:
        frame.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def label_all(page: Page) -> None:
    """Label every picture that waits, by the keyboard."""
    frame = front(page)
    for _ in range(LAZY):
        # What is far below is not even asked for until the worker comes near.
        expect(frame.locator(".tile:focus .wait")).to_have_count(0)
        page.keyboard.press("1")
        if frame.locator("#submit.ready").count():
            return


def test_after_an_hour_of_sleep_pictures_come_by_new_addresses_and_the_page_goes_on(
    desk: Desk,
) -> None:
    job = desk.open_job(tasks=1, images=LAZY)
    page = desk.sit_down(job, wait=False)
    expect(front(page).locator(".tile:focus.loaded + .loaded")).to_have_count(1)
    page.keyboard.type("22")
    expired: list[Response] = []
    page.on("response", lambda one: expired.append(one) if one.status == 403 else None)
    desk.world.clock.now += HOUR
    wake(page)
    label_all(page)
    assert expired
    page.keyboard.press("Enter")
    expect(page.locator("#between")).to_be_visible()
    assert desk.chosen(job) == {(0, "ann"): ["dog"] * 2 + ["cat"] * (LAZY - 2)}


def test_a_page_that_went_to_somebody_else_meanwhile_is_sent_without_what_cannot_be_seen(
    desk: Desk,
) -> None:
    job = desk.open_job(tasks=1)
    desk.context.route("**/pets/5.jpg*", lambda route: route.abort())
    page = desk.sit_down(job, wait=False)
    expect(front(page).locator(".loaded")).to_have_count(5)
    expect(front(page).locator(".dead")).to_have_count(1)
    page.keyboard.type("22")
    expect(front(page).locator("#progress b")).to_have_text("2")
    desk.world.clock.now += HOUR
    desk.world.take(job, "ben")
    wake(page)
    expect(page.locator("#note")).to_contain_text("You can still send it")
    page.keyboard.type("111")
    expect(front(page).locator(".dead")).to_have_count(1)
    with page.expect_request("**/answer") as sent:
        page.keyboard.press("Enter")
    answer = json.loads(sent.value.post_data or "{}")
    assert answer.keys() == {*(f"0-{number}" for number in range(5)), "meta"}
    expect(page.locator("#note")).to_contain_text("it is not needed")


def test_a_page_that_is_come_back_to_has_its_frame_where_it_was(desk: Desk) -> None:
    job = desk.open_job(tasks=2)
    page = desk.sit_down(job)
    page.keyboard.type("111111")
    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_have_text("Saved")
    expect(front(page).locator("#progress b")).to_have_text("0")
    ready(page)
    page.keyboard.type("121")
    page.locator("#earlier").click()
    expect_labels(page, ["cat"] * 6)
    page.locator("#onward").click()
    expect(front(page).locator(".tile:focus")).to_have_attribute("data-id", "1-3")
    page.keyboard.type("222")
    expect_labels(page, ["cat", "dog", "cat", "dog", "dog", "dog"])


@pytest.mark.parametrize("refusal", [None, Refused("NotAuthorizedException", "User is disabled.")])
def test_a_sign_in_that_ends_in_the_middle_of_a_page_costs_no_mark_and_the_keys_go_on(
    desk: Desk, chromium: Browser, refusal: Refused | None
) -> None:
    job = desk.open_job(tasks=1)
    network = Network(desk.world)
    page = network.open(chromium)
    sign_in(page, "ann@example.org")
    page.locator("#jobs li button.main").click()
    expect(front(page).locator(".tile:focus")).to_have_count(1)
    expect(front(page).locator(".wait")).to_have_count(0)
    page.keyboard.type("121")
    expect(front(page).locator("#progress b")).to_have_text("3")
    session = page.evaluate("JSON.parse(sessionStorage.session)")
    network.cognito.ended.add(session["refresh"])
    network.refuse = lambda method, path: 401 if path.endswith("/lease") else 0
    front(page).locator("html").evaluate(
        "() => document.dispatchEvent(new CustomEvent('tessera-refresh'))"
    )
    expect(page.locator("#again [name=password]")).to_be_focused()
    network.refuse = lambda method, path: 0
    if refusal:
        network.cognito.refusals.append(refusal)
        sign_in(page, "ann@example.org", "#again")
        expect(page.locator("#again .error")).to_contain_text("This account is shut off")
    sign_in(page, "ann@example.org", "#again")
    expect(page.locator("#again")).to_be_hidden()
    expect_labels(page, ["cat", "dog", "cat", "", "", ""])
    expect(front(page).locator(".tile:focus")).to_have_attribute("data-id", "0-3")
    page.keyboard.type("222")
    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_have_text("Saved")
    assert desk.chosen(job) == {(0, "ann"): ["cat", "dog", "cat", "dog", "dog", "dog"]}
    page.context.close()
