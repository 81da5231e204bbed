"""Run a scenario with a browser of its own, beside whatever else the test runs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

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
