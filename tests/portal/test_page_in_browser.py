"""What a requester's page may and may not do in the frame: links, connections, own frames."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, BrowserContext, Frame, Page, expect

from tessera.portal import job_lifecycle
from tessera.tiling.page.page import build_page
from tessera.tiling.settings import read_settings
from tests.browse import browse
from tests.portal.in_browser import Network, sign_in
from tests.portal.world import HOME, PAGE, World
from tests.ui.worker import UI

pytestmark = [pytest.mark.browser]

JOB = "pets-1-r1-000"


def at_work(world: World, page_html: str, scenario: Callable[[Page, Frame, Network], None]) -> None:
    """Run the scenario at a page that a worker was given."""
    world.open(tasks=1, workers=1)
    at_work_on(world, page_html, scenario)


def at_work_on(
    world: World, page_html: str, scenario: Callable[[Page, Frame, Network], None]
) -> None:
    """Run the scenario at a page of the job that is open."""
    world.files.put(f"{HOME}/page.liquid.html", page_html.encode())
    network = Network(world)

    def at_the_page(browser: Browser) -> None:
        page = network.open(browser)
        sign_in(page, "ann@example.org")
        page.locator(f"button[href='#job/{JOB}']").click()
        frame = page.frame_locator("#frames iframe:not(.ahead)")
        expect(frame.locator("crowd-form")).to_be_attached()
        scenario(page, page.frames[-1], network)

    browse(at_the_page)


def opened_by(context: BrowserContext, act: Callable[[], None]) -> Page:
    with context.expect_page() as opened:
        act()
    return opened.value


LINKS = PAGE.replace(
    "<crowd-form>",
    """<a id="web" href="https://docs.test/a?b=1">a</a> <a id="here" href="#below">b</a>
    <a id="script" href="javascript:window.acted = 1">c</a>
    <svg><a id="drawn" href="https://docs.test/svg"><text y="9">d</text></a></svg>
    <p id="below"></p><crowd-form>""",
)


def test_a_link_in_a_page_opens_a_tab_after_a_click_of_the_workers_and_the_page_stays(
    world: World,
) -> None:
    def scenario(page: Page, frame: Frame, network: Network) -> None:
        label = frame.locator("input[value=cat]").first
        label.check()
        for link, address in (
            ("#web", "https://docs.test/a?b=1"),
            ("#drawn", "https://docs.test/svg"),
        ):
            frame.click(link)
            offered = page.locator("#link a")
            expect(offered).to_have_text(address)
            assert offered.get_attribute("rel") == "noopener noreferrer"
            tab = opened_by(page.context, offered.click)
            assert tab.evaluate("window.opener") is None
            expect(page.locator("#link")).to_be_hidden()
        frame.click("#here")
        frame.click("#script")
        expect(page.locator("#link")).to_be_hidden()
        assert frame.evaluate("window.acted") is None
        assert label.is_checked()  # the labels are where they were

    at_work(world, LINKS, scenario)


def test_a_page_that_asks_for_a_link_by_itself_is_not_heard(world: World) -> None:
    asks = "window.parent.postMessage({ tessera: 'link', href: 'https://evil.test' }, '*')"
    # Later than the moment for which a browser takes the click before as a sign of the worker's.
    script = f"<script>setTimeout(() => {{ {asks}; console.log('asked') }}, 7000)</script>"
    page_html = PAGE.replace("<crowd-form>", f"{script}<crowd-form>")

    def scenario(page: Page, frame: Frame, network: Network) -> None:
        page.wait_for_event("console", lambda message: message.text == "asked")
        expect(page.locator("#link")).to_be_hidden()

    at_work(world, page_html, scenario)


def test_a_page_has_no_web_rtc_of_its_own(world: World) -> None:
    def scenario(page: Page, frame: Frame, network: Network) -> None:
        assert frame.evaluate("typeof RTCPeerConnection") == "undefined"
        frame.evaluate("delete window.RTCPeerConnection")
        assert frame.evaluate("typeof RTCPeerConnection") == "undefined"

    at_work(world, PAGE, scenario)


def test_boxes_lie_on_their_pictures_in_the_frame_and_in_its_zoom(world: World) -> None:
    request = world.request(1, 1)
    manifest = request["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"]
    (line,) = [json.loads(line) for line in world.files.get(manifest).splitlines()]
    images = [
        image | {"box": f"1,{1 + place},4,3,9,9", "box-class": "cat"}
        for place, image in enumerate(json.loads(line["source"]))
    ]
    world.files.put(manifest, json.dumps({"source": json.dumps(images)}).encode() + b"\n")
    job_lifecycle.open_job(world.ports, request, "token")
    run = read_settings(b'{"task": "verify", "labels": ["cat", "dog"]}')
    page_html = build_page((UI / "boxes.liquid.html").read_text("utf-8"), run)

    def scenario(page: Page, frame: Frame, network: Network) -> None:
        box = frame.locator(".tile.loaded .picture > b").first.bounding_box()
        image = frame.locator(".tile.loaded .picture > img").first.bounding_box()
        assert box
        assert image
        assert box["width"] == pytest.approx(image["width"] * 4 / 9, abs=1.5)
        assert box["x"] == pytest.approx(image["x"] + image["width"] / 9, abs=1.5)
        frame.locator(".glass").first.dispatch_event("click")
        expect(frame.locator("#frame i")).to_have_attribute("data-name", "cat?")

    at_work_on(world, page_html, scenario)
