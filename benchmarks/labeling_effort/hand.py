"""An error-free hand on real keys and a real mouse, which adds up what its movements cost.

The times are the keystroke-level model's (Card, Moran and Newell 1980; Kieras) and, for pointing,
Fitts' law as MacKenzie and Buxton measured it for a mouse (CHI 1992). They compare pages; they do
not foretell how long a person takes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import dist, log2
from typing import Any, Literal

from playwright.sync_api import Locator, Page

KEY = 0.28
"""Seconds for one key, an average typist; 0.20 is a skilled one, 0.50 is hunting for keys."""
CLICK = 0.20
HAND = 0.40
"""Seconds to bring the hand to the keys or the mouse, once a task."""
FITTS = 0.230, 0.166
"""Seconds, and seconds for each bit of log2(distance / width + 1)."""
FLICK = 240
"""Pixels of one turn of the wheel, two notches; it costs as much as a key."""
DECISION = 1.35
"""Seconds to decide on one picture, the same on every page."""

COUNT = """() => {
  const count = window.count = { keys: 0, clicks: 0, pixels: 0 };
  let last = null;
  addEventListener("keydown", () => { count.keys++; }, true);
  addEventListener("pointerdown", () => { count.clicks++; }, true);
  addEventListener("pointermove", event => {
    if (last) count.pixels += Math.hypot(event.screenX - last.x, event.screenY - last.y);
    last = { x: event.screenX, y: event.screenY };
  }, true);
}"""


@dataclass
class Effort:
    """What labeling one page took."""

    keys: int = 0
    clicks: int = 0
    flicks: int = 0
    pixels: float = 0.0
    pointing: float = 0.0

    def operations(self, images: int) -> float:
        """Keys, clicks and turns of the wheel for one image."""
        return (self.keys + self.clicks + self.flicks) / images

    def motor(self, images: int, key: float = KEY) -> float:
        """Seconds of movement for one image."""
        pressed = key * (self.keys + self.flicks) + CLICK * self.clicks
        return (HAND + pressed + self.pointing) / images


class Hand:
    """Moves, presses and types on a page, and keeps count."""

    def __init__(self, page: Page) -> None:
        """Rest in the middle of the window, with the page's own counters set to nothing."""
        self.page = page
        self.effort = Effort()
        size = page.viewport_size
        assert size, "the window has a fixed size"
        self.window = size
        self.at = size["width"] / 2, size["height"] / 2
        page.evaluate(COUNT)
        page.mouse.move(*self.at)
        page.evaluate("() => { window.count.pixels = 0; }")

    def type(self, *keys: str) -> None:
        """Press keys."""
        for key in keys:
            self.page.keyboard.press(key)
            self.effort.keys += 1

    def point(self, target: Locator, steps: int = 1) -> None:
        """Move to the middle of a target, scrolling first if it is not all in view."""
        box = self._box(target)
        while box["y"] < 0 or box["y"] + box["height"] > self.window["height"]:
            self._flick(-FLICK if box["y"] < 0 else FLICK)
            box = self._box(target)
        to = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        length = dist(self.at, to)
        self.page.mouse.move(*to, steps=steps)
        self.at = to
        self.effort.pixels += length
        width = min(box["width"], box["height"])
        self.effort.pointing += FITTS[0] + FITTS[1] * log2(length / width + 1)

    def click(
        self, target: Locator, times: int = 1, button: Literal["left", "right"] = "left"
    ) -> None:
        """Point at a target and press."""
        self.point(target)
        for _ in range(times):
            self.page.mouse.down(button=button)
            self.page.mouse.up(button=button)
        self.effort.clicks += times

    def drag(self, first: Locator, last: Locator) -> None:
        """Press on one target and let go on another."""
        self.point(first)
        self.page.mouse.down()
        self.effort.clicks += 1
        self.point(last, steps=40)
        self.page.mouse.up()

    def agrees(self) -> bool:
        """Whether the page saw just what the hand did."""
        seen: dict[str, float] = self.page.evaluate("window.count")
        mine = self.effort
        return (seen["keys"], seen["clicks"]) == (mine.keys, mine.clicks) and abs(
            seen["pixels"] - mine.pixels
        ) <= 0.02 * mine.pixels + 2

    def _flick(self, pixels: int) -> None:
        before = self.page.evaluate("scrollY")
        self.page.mouse.wheel(0, pixels)
        self.page.wait_for_function("before => scrollY !== before", arg=before)
        self.effort.flicks += 1

    @staticmethod
    def _box(target: Locator) -> Any:
        return target.evaluate("element => element.getBoundingClientRect().toJSON()")


Labeling = Callable[[Hand, Page, list[str]], None]
"""A way to label a page whose pictures, in the order shown, truly are these."""
