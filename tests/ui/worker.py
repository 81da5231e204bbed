"""A worker with real keys, mouse and fingers, in front of the page in Chromium."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from playwright.sync_api import Locator, Page, Route

from tessera.tiling.kinds.task_kinds import KINDS
from tessera.tiling.page.page import build_page, render_task, with_stand_in
from tessera.tiling.page.page_input import crop_of
from tessera.tiling.page.page_language import language_script
from tessera.tiling.settings import Settings

UI = Path(__file__).parents[2] / "ui"
PICTURES = "https://pictures.test/"

ORIGINAL = 100
"""What a picture's number is more in its original's name."""

CUT_JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwc"
    "KDcpLDAxNDQ0Hyc5PTgyPC4zNDL/wAALCAAQABABAREA"
)
"""Signature, tables and frame header of a gray JPEG of 16 by 16, without a single pixel."""


class Pictures:
    """Serves pictures; can hold one back or refuse it."""

    def __init__(self, *shapes: tuple[int, int]) -> None:
        """Make pictures of these widths and heights, in turns."""
        self.shapes = shapes or ((480, 360),)
        self.held: dict[int, list[Route]] = {}
        self.dead: dict[int, int] = {}
        self.damaged: set[int] = set()
        self.asked: list[str] = []

    def hold(self, *numbers: int) -> None:
        """Let these wait until they are let go."""
        self.held |= {number: [] for number in numbers}

    def release(self, number: int) -> None:
        """Let one arrive."""
        for route in self.held.pop(number):
            self._send(route, number)

    def lose(self, number: int) -> None:
        """Let the connection break by which one comes."""
        for route in self.held.pop(number):
            route.abort()

    def refuse(self, *numbers: int, times: int = 10**6) -> None:
        """Answer these with an error, so many times."""
        self.dead |= dict.fromkeys(numbers, times)

    def damage(self, number: int) -> None:
        """Send this one as a JPEG that was cut off behind its header."""
        self.damaged.add(number)

    def __call__(self, route: Route) -> None:
        """Answer one request."""
        self.asked.append(route.request.url)
        number = int(route.request.url.rpartition("/")[2].partition(".")[0])
        if self.dead.get(number):
            self.dead[number] -= 1
            route.fulfill(status=403, body="denied")
        elif number in self.held:
            self.held[number].append(route)
        else:
            self._send(route, number)

    def _send(self, route: Route, number: int) -> None:
        if number in self.damaged:
            route.fulfill(content_type="image/jpeg", body=CUT_JPEG)
            return
        width, height = self.shapes[number % len(self.shapes)]
        route.fulfill(
            content_type="image/svg+xml",
            body=f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">'
            f'<rect width="100%" height="100%" fill="hsl({number * 47 % 360} 35% 65%)"/>'
            f'<circle cx="50%" cy="50%" r="{60 + number % 5 * 15}" fill="#fff"/></svg>',
        )


class Worker:
    """Somebody at the page: what they do, and what they can see."""

    def __init__(self, page: Page, pictures: Pictures) -> None:
        """Sit down in front of `page`."""
        self.page = page
        self.pictures = pictures
        self.faults: list[str] = []
        self.refused: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    def refuse(self, route: Route) -> None:
        """Let nothing in from elsewhere, and keep what was asked for."""
        self.refused.append(route.request.url)
        route.abort()

    def press(self, *keys: str) -> None:
        """Type one key after another."""
        for key in keys:
            self.page.keyboard.press(key)

    def tile(self, number: int) -> Locator:
        """The tile with this number on it, from 1."""
        return self.page.locator(".tile").nth(number - 1)

    def picture(self, number: int) -> Locator:
        """The picture of a tile, where a pointer aims."""
        return self.tile(number).locator(".picture")

    def point(self, number: int) -> tuple[float, float]:
        """The middle of a picture."""
        box = self.picture(number).bounding_box()
        assert box, f"picture {number} is not on the page"
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    @property
    def at(self) -> int:
        """The number of the tile that has the focus; 0 if none has."""
        return int(
            self.page.evaluate(
                "[...document.querySelectorAll('.tile')].indexOf(document.activeElement) + 1"
            )
        )

    @property
    def columns(self) -> int:
        """How many tiles stand beside each other."""
        return int(
            self.page.evaluate(
                "new Set([...document.querySelectorAll('.tile')].map(tile => tile.offsetLeft)).size"
            )
        )

    def label(self, number: int) -> str | None:
        """What the record says of a tile: the value of its checked radio."""
        checked = self.tile(number).locator("input:checked")
        return str(checked.get_attribute("value")) if checked.count() else None

    @property
    def labels(self) -> list[str | None]:
        """What the record says of every tile."""
        return [self.label(number + 1) for number in range(self.page.locator(".tile").count())]

    @property
    def note(self) -> str:
        """The message on the page, once what the last key began is done."""
        # a dialog tells that it was closed in a task of its own
        self.page.evaluate("new Promise(done => setTimeout(done))")
        return self.page.locator("#note").inner_text()

    @property
    def answers(self) -> list[dict[str, Any]]:
        """What was handed in, each time."""
        # As text: the driver's own way to hand over objects loses a member called __proto__.
        return list(json.loads(self.page.evaluate("JSON.stringify(window.answers ?? [])")))

    @property
    def meta(self) -> dict[str, Any]:
        """What the last answer says of itself."""
        return dict(json.loads(self.answers[-1]["meta"]))

    def judged(self, number: int) -> dict[str, Any]:
        """What `meta` says of one tile."""
        return dict(self.meta["tiles"][number - 1])


class Sit(Protocol):
    """Sits a worker down in front of a page of so many pictures."""

    def __call__(
        self,
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
        """Open the page; `around` is a page that frames it, `task` goes to `page_html`.

        `policy` is the Content-Security-Policy; unless `listen`, answers go where they would.
        With `first` it is the worker's first page with these instructions.
        """


def strike_key(page: Page, key: str, code: str, modifiers: int = 0) -> None:
    """Press a key of some keyboard: what is printed on it, and its place on an American one."""
    keyboard = page.context.new_cdp_session(page)
    for kind in ("keyDown", "keyUp"):
        event = {"type": kind, "key": key, "code": code, "modifiers": modifiers}
        keyboard.send("Input.dispatchKeyEvent", event)


def settings(*labels: str, **more: Any) -> Settings:
    """Make the settings of a run with a question and instructions."""
    return Settings(
        labels=labels or ("cat", "dog", "neither", "invalid image"),
        question=more.pop("question", "What is in the picture?"),
        instructions=more.pop("instructions", "Look at the **main** animal."),
        **more,
    )


def version_in(html: str) -> str:
    """Return the version of the instructions on a page."""
    match = re.search(r'data-version="(\w*)"', html)
    return match[1] if match else ""


def page_html(
    run: Settings,
    images: int,
    *,
    prelabels: Sequence[str | None] = (),
    confidences: Sequence[float] = (),
    sizes: Sequence[tuple[int, int]] = (),
    originals: bool = False,
    boxes: Sequence[str] = (),
    choices: Sequence[str] = (),
    shape: float | None = None,
    stand_in: bool = True,
    scripts: bool = True,
) -> str:
    """Render the page as the portal does."""
    tiles: list[dict[str, Any]] = [
        {"source-ref": f"s3://pets/{number}.svg", "index": number} for number in range(images)
    ]
    for image, prelabel in zip(tiles, prelabels, strict=False):
        if prelabel is not None:
            image["prelabel"] = prelabel
    for image, confidence in zip(tiles, confidences, strict=False):
        image["prelabel-confidence"] = confidence
    for image, (width, height) in zip(tiles, sizes, strict=False):
        image |= {"width": width, "height": height}
    for image, box in zip(tiles, boxes, strict=False):
        image |= {"box": box, "box-class": "cat"}
        image |= dict(zip(("width", "height"), crop_of(box), strict=True))
    if originals:
        for number, image in enumerate(tiles):
            image["original-ref"] = f"s3://pets/{ORIGINAL + number}.svg"
    template, language = (UI / KINDS[run.task].page).read_text("utf-8"), language_script(run, UI)
    page = build_page(template, run, shape, language=language)
    if stand_in:
        page = with_stand_in(page, (UI / "crowd-form.js").read_text(encoding="utf-8"))
    if not scripts:
        page = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    task = {"images": tiles, **({"choices": list(choices)} if choices else {})}
    return render_task(page, task, lambda uri: PICTURES + uri.rpartition("/")[2])
