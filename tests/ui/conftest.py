"""What the tests of the worker's page share: a worker in front of a page in the browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext

from tessera.tiling.settings import Settings
from tests.ui.worker import PICTURES, Pictures, Sit, Worker, page_html, settings, version_in

KNOWN = """
// A worker who knows the instructions: their first minute has tests of its own.
if (location.origin === "https://page.test") {
  try {
    localStorage.setItem("tessera-VERSION", "1");
  } catch { /* a sandbox has no storage, and its page asks the portal */ }
}
"""
ON_EVERY_PAGE = """
document.addEventListener("tessera-answer", event => {
  event.preventDefault(); window.answers = [...window.answers ?? [], event.detail];
});
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) window.shift = (window.shift ?? 0) + entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""
FIRST_SCREEN_LOADED = """document.querySelector(".tile") &&
document.querySelector(".tile").checkVisibility({visibilityProperty: true}) &&
[...document.querySelectorAll(".tile")].slice(0, 24).every(tile => !tile.querySelector(".wait"))"""
"""The pictures are there, and the layout that their shape asks for is."""


@pytest.fixture
def sit(chromium: Browser) -> Iterator[Sit]:
    """Sits a worker down in front of a page; the test fails if the page has a fault."""
    contexts: list[BrowserContext] = []
    workers: list[Worker] = []

    def sit_down(
        images: int = 20,
        *,
        run: Settings | None = None,
        pictures: Pictures | None = None,
        wait: bool = True,
        context: dict[str, Any] | None = None,
        around: str = "",
        policy: str = "",
        listen: bool = True,
        first: bool = False,
        **task: Any,
    ) -> Worker:
        html = page_html(run or settings(), images, **task)
        options = {"viewport": {"width": 1366, "height": 768}, **(context or {})}
        contexts.append(chromium.new_context(**options))
        page = contexts[-1].new_page()
        worker = Worker(page, pictures or Pictures())
        workers.append(worker)
        page.add_init_script(ON_EVERY_PAGE if listen else "")
        if not first:
            page.add_init_script(KNOWN.replace("VERSION", version_in(html)))
        page.route("**/*", worker.refuse)
        page.route(PICTURES + "**", worker.pictures)
        headers = {"content-type": "text/html", "content-security-policy": policy}
        page.route("https://page.test/", lambda route: route.fulfill(headers=headers, body=html))
        page.route(
            "https://portal.test/",
            lambda route: route.fulfill(content_type="text/html", body=around),
        )
        page.goto(
            "https://portal.test/" if around else "https://page.test/",
            wait_until="load" if wait else "commit",
        )
        if wait and not around and options.get("java_script_enabled", True):
            page.wait_for_function(FIRST_SCREEN_LOADED)
        elif not around:
            page.wait_for_selector(".tile")
        return worker

    yield sit_down
    faults = [fault for worker in workers for fault in worker.faults]
    for context in contexts:
        context.close()
    assert not faults
