"""Every screen of the portal can be read by everybody in both color schemes, and fits a phone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from tessera.tiling.onboarding.practice import practice_name
from tests.portal.desk import PORTAL, SIGNED_IN, Desk, front
from tests.portal.in_browser import Network, sign_in
from tests.portal.test_review_in_browser import open_pets
from tests.portal.world import HOME, World

pytestmark = pytest.mark.browser

ANN = "ann@example.org"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# All rules in the dark; what differs in the light is the contrast.
AUDITS: list[tuple[Literal["dark", "light"], Any]] = [
    ("dark", RULES),
    ("light", {"type": "rule", "values": ["color-contrast"]}),
]
DESK: ViewportSize = {"width": 1366, "height": 768}
PHONE: ViewportSize = {"width": 360, "height": 740}
CUSTOM = """
<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form><crowd-classifier name="kind" header="Which animal is this?"
  categories="['cat', 'dog']"><classification-target>
<img src="{{ task.input.images[0].source-ref | grant_read_access }}" alt="the animal">
</classification-target><short-instructions>Look at the head.</short-instructions>
<full-instructions header="All of it">Look twice.</full-instructions>
</crowd-classifier></crowd-form>
"""
LEAVING = """html => [...html.querySelectorAll("*")]
  .filter(element => {
    const { right, width } = element.getBoundingClientRect();
    return width && right > html.clientWidth + 1 && !element.closest(".scrolls, #labels, main");
  })
  .concat(html.scrollWidth > html.clientWidth ? [html] : [])
  .map(element => element.outerHTML.slice(0, 80))
"""
"""What reaches past the right edge, beside what scrolls by itself."""


TINY: ViewportSize = {"width": 320, "height": 256}
"""A window of 1280 by 1024 pixels at 400 %."""


@pytest.mark.parametrize("language", ["en-US", "de-DE"])
def test_at_four_hundred_percent_a_page_is_labeled_and_the_bar_leaves_the_pictures_their_room(
    chromium: Browser, language: str
) -> None:
    context = chromium.new_context(viewport=TINY, locale=language)
    desk = Desk(context)
    job = desk.open_job(tasks=1, images=3)
    page = desk.sit_down(job)
    bar = page.locator("#bar").bounding_box()
    assert bar
    assert bar["height"] < 40
    for label in "121":
        framed = front(page).locator(".tile:focus")
        for part in (framed.locator("img"), *front(page).locator("#labels button").all()):
            expect(part).to_be_in_viewport(ratio=0.99)
        page.keyboard.press(label)
    page.keyboard.press("Enter")
    expect(page.locator("#between")).to_be_visible()
    assert desk.chosen(job) == {(0, "ann"): ["cat", "dog", "cat"]}
    context.close()
    assert desk.faults == []


def before_sign_in(context: BrowserContext, *challenges: str) -> Page:
    """Open the portal as somebody of whom these steps are asked."""
    network = Network(World())
    network.cognito.challenges[ANN] = list(challenges)
    context.route("**/*", network.fulfill)
    page = context.new_page()
    page.goto(PORTAL)
    return page


def wrong_password(context: BrowserContext) -> Page:
    page = before_sign_in(context)
    page.locator("#sign-in [name=name]").fill(ANN)
    page.locator("#sign-in [name=password]").fill("wrong")
    page.locator("#sign-in button.main").click()
    expect(page.locator("#sign-in .error")).not_to_be_empty()
    return page


def new_password(context: BrowserContext) -> Page:
    page = before_sign_in(context, "NEW_PASSWORD_REQUIRED")
    sign_in(page, ANN)
    expect(page.locator("#new-password")).to_be_visible()
    return page


def authenticator(context: BrowserContext) -> Page:
    page = before_sign_in(context, "MFA_SETUP")
    sign_in(page, ANN)
    expect(page.locator("#authenticator code")).not_to_be_empty()
    return page


def forgotten_password(context: BrowserContext) -> Page:
    page = before_sign_in(context)
    page.locator("#forgotten").click()
    page.locator("#forgot [name=name]").fill(ANN)
    page.locator("#forgot button.main").click()
    expect(page.locator("#forgot [name=code]")).to_be_visible()
    return page


def at_the_list(desk: Desk) -> Page:
    page = desk.context.new_page()
    page.add_init_script(SIGNED_IN.replace("WORKER", json.dumps("ann")))
    page.goto(f"{PORTAL}#jobs")
    return page


def no_work(context: BrowserContext) -> Page:
    page = at_the_list(Desk(context))
    expect(page.locator("#jobs .none")).to_be_visible()
    return page


def work(context: BrowserContext) -> Page:
    desk = Desk(context)
    job = desk.open_job(tasks=30)
    desk.world.answer(job, "ann", desk.world.take(job, "ann"), "cat")
    page = at_the_list(desk)
    expect(page.locator("#jobs li")).to_have_count(1)
    return page


def practice(context: BrowserContext) -> Page:
    desk = Desk(context)
    pictures = [{"source-ref": f"s3://pets/practice/{label}/1.jpg", "label": label}
                for label in ("cat", "dog")]  # fmt: skip
    uri = practice_name(f"{HOME}/round-1/tasks-000.manifest")
    desk.world.files.put(uri, json.dumps(pictures).encode())
    page = desk.sit_down(desk.open_job(tasks=2))
    page.keyboard.type("11")
    expect(page.locator("#note")).to_contain_text("Not quite")
    return page


def offline(context: BrowserContext) -> Page:
    desk = Desk(context)
    page = desk.sit_down(desk.open_job(tasks=3, images=20))
    page.keyboard.type("12" * 10)
    desk.go_offline()
    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_contain_text("Offline")
    return page


def no_pictures(context: BrowserContext) -> Page:
    desk = Desk(context, refuses_pictures=True)
    page = desk.sit_down(desk.open_job(tasks=3), wait=False)
    expect(front(page).locator("#unreachable")).to_be_visible()
    return page


def skipping(context: BrowserContext) -> Page:
    desk = Desk(context)
    page = desk.sit_down(desk.open_job(tasks=3))
    page.keyboard.type("12")
    expect(front(page).locator("#progress b")).to_have_text("2")
    page.locator("#skip").click()
    expect(page.locator("#confirm-skip")).to_be_visible()
    return page


def everything_done(context: BrowserContext) -> Page:
    desk = Desk(context)
    page = desk.sit_down(desk.open_job(tasks=1))
    page.keyboard.type("121212")
    page.keyboard.press("Enter")
    expect(page.locator("#between")).to_be_visible()
    return page


def progress(context: BrowserContext) -> Page:
    desk = Desk(context)
    job = desk.open_job(tasks=12)
    for worker in ("ben", "cid", "dora"):
        for _ in range(3):
            desk.world.clock.wait(37)
            desk.world.answer(job, worker, desk.world.take(job, worker), "cat")
    desk.groups = "[requesters]"
    page = at_the_list(desk)
    page.goto(f"{PORTAL}#progress/{job.name}")
    expect(page.locator("#progress tbody tr")).to_have_count(3)
    return page


def reviewing(context: BrowserContext) -> Page:
    desk = Desk(context)
    desk.groups = "[reviewers]"
    open_pets(desk)
    page = at_the_list(desk)
    page.goto(f"{PORTAL}#review/pets-1")
    expect(page.frame_locator("#review-frame iframe").locator("article:focus")).to_have_count(1)
    return page


def custom_task(context: BrowserContext) -> Page:
    desk = Desk(context)
    job = desk.open_job(tasks=2)
    desk.world.files.put(f"{HOME}/page.liquid.html", CUSTOM.encode())
    page = desk.sit_down(job, wait=False)
    expect(front(page).get_by_text("Which animal is this?")).to_be_visible()
    return page


Screen = Callable[[BrowserContext], Page]
SCREENS: list[Screen] = [
    wrong_password, new_password, authenticator, forgotten_password, no_work, work, practice,
    offline, no_pictures, skipping, everything_done, progress, reviewing, custom_task,
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.__name__)
def test_axe_finds_nothing_and_nothing_leaves_the_screen(chromium: Browser, screen: Screen) -> None:
    context = chromium.new_context(viewport=DESK, color_scheme="dark")
    page = screen(context)
    for window in (DESK, PHONE):
        page.set_viewport_size(window)
        for frame in page.frames:
            assert frame.locator("html").evaluate(LEAVING) == [], (window, frame.url)
    for scheme, rules in AUDITS:  # on a phone, where less is written out
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # no color in between
        audit = Axe().run(page, options={"runOnly": rules})
        assert audit.violations_count == 0, (scheme, audit.generate_report())
    context.close()
