"""Every test of the portal may ask for a portal in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.portal.desk import Desk
from tests.portal.world import World

# Playwright's five seconds are little for a browser that shares its two cores with other tests.
expect.set_options(timeout=30_000)


@pytest.fixture
def world() -> World:
    """A portal with nothing in it."""
    return World()


@pytest.fixture
def desk(chromium: Browser) -> Iterator[Desk]:
    """A portal in memory, open in a browser that ends without a fault of its scripts."""
    context = chromium.new_context(viewport={"width": 1366, "height": 768})
    desk = Desk(context)
    yield desk
    context.close()
    assert desk.faults == []
