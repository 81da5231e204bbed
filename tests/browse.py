"""Run a scenario with a browser of its own, beside whatever else the test runs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.conftest import CHROMIUM, FLAGS


def browse(scenario: Callable[[Browser], None], program: Path = CHROMIUM) -> None:
    """Run the scenario with a browser in a thread of its own: Playwright allows one a thread."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")

    def run() -> None:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=str(program), args=FLAGS.split())
            try:
                scenario(browser)
            finally:
                browser.close()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(run).result()


def sign_out(page: Page, leave: Callable[[], None] | None = None) -> None:
    """Sign out of the portal, with a network, and wait until its page has loaded anew.

    The form for signing in stands a moment before that: a tab that is closed in it can hang
    Chromium, and letters typed into it are lost. `leave` presses the button in another way.
    """
    with page.expect_navigation():
        (leave or page.locator("#leave").click)()
    expect(page.locator("#sign-in [name=name]")).to_be_visible()
