"""A page is kept and its pictures are renewed though a clock is wrong, or set meanwhile."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.portal.desk import Desk, front, labels, ready

pytestmark = pytest.mark.browser

HOUR = 3600
START = 1_800_000_000
SHIFTS = [-8760 * HOUR, -5 * HOUR, -HOUR / 3, 5 * HOUR]


def sit_down_at(desk: Desk, start: int) -> Page:
    """Sit a worker down whose clock shows `start`."""
    desk.context.clock.install(time=start)
    page = desk.sit_down(desk.open_job(tasks=1))
    desk.asked.clear()
    return page


def renewed(desk: Desk) -> int:
    """How often the lease was renewed."""
    return sum(path.endswith("/lease") for _, path in desk.asked)


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_clock_that_is_set_loses_nobody_their_page(desk: Desk, shift: float) -> None:
    page = sit_down_at(desk, START)
    page.keyboard.press("2")
    expect(front(page).locator("#progress b")).to_have_text("1")
    page.clock.set_system_time(START + shift)
    page.keyboard.press("1")
    expect(front(page).locator("#progress b")).to_have_text("2")
    with page.expect_response("**/lease"):
        page.clock.fast_forward(20_000)
    page.clock.fast_forward(20_000)
    assert renewed(desk) == 1
    ready(page)
    assert labels(page)[:2] == ["dog", "cat"]
