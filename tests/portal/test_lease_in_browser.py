"""A page keeps its seat while somebody is at work on it, and no longer."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Request, Route, expect

from tessera.stack.local_stack import LocalStack
from tests.portal.served import Served
from tests.portal.test_browser import SHOWN, browse, sign_in, start

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.slow]

MINUTE = 60_000


@pytest.fixture(scope="module")
def served(stack: LocalStack) -> Served:
    served = Served(stack.cloud)
    served.draw_pictures()
    return served


@pytest.mark.parametrize("at_work", [True, False])
def test_a_lease_is_renewed_while_somebody_is_at_work_on_the_page_and_not_otherwise(
    served: Served, at_work: bool
) -> None:
    job = f"browser-lease-{at_work:d}"
    served.open(job, tasks=1, workers=1, minutes=30)
    account = served.account(f"lease-{at_work:d}")

    def scenario(context: BrowserContext) -> None:
        context.clock.install()
        page, faults = start(context, served)
        renewed: list[str] = []

        def noted(request: Request) -> None:
            if request.method == "PUT" and request.url.endswith("/lease"):
                renewed.append(request.url)

        page.on("request", noted)
        sign_in(page, account)
        page.locator(f"button[href='#job/{job}']").click()
        frame = page.frame_locator(SHOWN)
        expect(frame.locator(".tile:focus")).to_have_count(1)
        expect(frame.locator(".wait")).to_have_count(0)
        page.clock.fast_forward(10 * MINUTE)
        assert renewed == []
        if at_work:
            page.keyboard.press("1")
            expect(frame.locator("#progress b")).to_have_text("1")
            with page.expect_response("**/lease") as response:
                page.clock.fast_forward(6 * MINUTE)  # more than half of the lease is over
            assert response.value.status == 200
        else:
            page.clock.fast_forward(18 * MINUTE)
            expect(page.locator("#note")).to_contain_text("goes to somebody else in two minutes")
        assert len(renewed) == at_work
        assert faults == []

    browse(scenario)


def test_a_picture_whose_address_no_longer_holds_gets_a_new_one(served: Served) -> None:
    served.open("browser-addresses", tasks=1, workers=1)
    account = served.account("addresses")

    def scenario(context: BrowserContext) -> None:
        page, faults = start(context, served)
        asked: list[str] = []

        def first_address_is_over(route: Route) -> None:
            asked.append(route.request.url)
            if len(asked) == 1:
                route.fulfill(status=403, body="Request has expired")
            else:
                route.continue_()

        sign_in(page, account)
        page.route("**/0.svg?*", first_address_is_over)
        page.clock.install()
        page.locator("button[href='#job/browser-addresses']").click()
        frame = page.frame_locator(SHOWN)
        expect(frame.locator(".tile")).to_have_count(20)
        with page.expect_response("**/lease") as response:
            page.clock.fast_forward(1000)
        assert response.value.status == 200
        page.clock.fast_forward(1000)
        expect(frame.locator(".wait, .dead")).to_have_count(0)
        assert len(asked) >= 2
        assert faults == []

    browse(scenario)
