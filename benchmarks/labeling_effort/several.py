"""The labor of several labels an image: our page against twenty checkbox cards, one by one, mouse.

Prints a section of Markdown; ends with 1 if a gate is missed. Run it from the project's root:

    python benchmarks/labeling_effort/several.py
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from benchmarks.labeling_effort.__main__ import CHROMIUM, FLAGS, LAPTOP, ON_EVERY_PAGE, knows
from benchmarks.labeling_effort.fixture import render, served
from benchmarks.labeling_effort.hand import Effort, Hand
from tessera.tiling.settings import Settings, read_settings

LABELS = ("cat", "dog", "person")
SIZES = (0.2, 0.5, 0.25, 0.05)
"""Shares of pictures with none, one, two and three of the labels: 1.15 in the mean."""
IMAGES = 20
CARDS = "benchmarks/labeling_effort/checkboxes.liquid.html"
Sets = list[list[str]]
Way = Callable[[Hand, Page, Sets], None]


def several(seed: int = 1) -> Sets:
    """Deal sets of labels out in these shares, in a fixed shuffle."""
    chance = random.Random(seed)
    sizes = [size for size, share in enumerate(SIZES) for _ in range(round(share * IMAGES))]
    chance.shuffle(sizes)
    return [sorted(chance.sample(LABELS, size), key=LABELS.index) for size in sizes]


def rare(at: int) -> Sets:
    """Give one picture of the page the label: five in a hundred."""
    return [["dog"] if number == at else [] for number in range(IMAGES)]


def settings(*labels: str, task: str = "multi") -> Settings:
    """Return settings of a run with these labels."""
    return read_settings(json.dumps({"labels": labels, "task": task}).encode())


# ---- Ways to label ----


def check_boxes(hand: Hand, page: Page, truth: Sets) -> None:
    """The cards: a click a label, then Submit at the end of the page."""
    for at, labels in enumerate(truth):
        for label in labels:
            card = page.locator(".card").nth(at)
            hand.click(card.locator("label").nth(LABELS.index(label)))
    hand.click(page.locator("crowd-button"))


def type_sets(hand: Hand, page: Page, truth: Sets) -> None:
    """Our page: a key a label, and Enter."""
    for labels in truth:
        hand.type(*(str(1 + LABELS.index(label)) for label in labels), "Enter")
    if not truth[-1]:  # the last Enter gave none, and the next sends
        hand.type("Enter")


def type_yes_or_no(hand: Hand, page: Page, truth: Sets) -> None:
    """One by one: a key for yes or no on each picture, and Enter."""
    hand.type(*("1" if labels else "2" for labels in truth), "Enter")


def select_all(hand: Hand, page: Page, truth: Sets) -> None:
    """Our page of one label: a press on each picture that has it, and Enter for all others."""
    for at, labels in enumerate(truth):
        if labels:
            hand.click(page.locator(".picture").nth(at))
    hand.type("Enter")


# ---- Runs ----


@dataclass(frozen=True)
class Row:
    """One way on one page, as measured; `right` counts the pictures answered as they are."""

    name: str
    effort: Effort
    right: int
    sound: bool

    @property
    def motor(self) -> float:
        """Seconds of movement for one image."""
        return self.effort.motor(IMAGES)


def measure(browser: Browser, name: str, html: str, truth: Sets, way: Way) -> Row:
    """Label a page once, and check what was handed in and what the page saw."""
    context = browser.new_context(viewport=LAPTOP)  # type: ignore[arg-type]  # a TypedDict
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.add_init_script(knows(html) + ON_EVERY_PAGE)
    with served({"/page": html}) as (address, _):
        page.goto(f"{address}/page", wait_until="load")
        page.wait_for_function(
            "!document.querySelector('.wait') && performance.now() > 600"  # no Enter is too early
        )
        hand = Hand(page)
        way(hand, page, truth)
        page.wait_for_function("window.answer")
        answer: dict[str, Any] = page.evaluate("window.answer")
    sound = hand.agrees() and not faults
    context.close()
    chosen = [_chosen(answer[str(at)]) for at in range(IMAGES)]
    right = sum(labels == wanted for labels, wanted in zip(chosen, truth, strict=True))
    return Row(name, hand.effort, right, sound)


def _chosen(choices: dict[str, bool]) -> list[str]:
    """Return the labels of a picture; of yes and no, the label that yes stands for."""
    names = [name for name, yes in choices.items() if yes]
    return {"yes": ["dog"], "no": []}.get(names[0], names) if names else []


def measure_all(browser: Browser) -> dict[str, list[Row]]:
    """Measure every way; those of the rare label at five places of the one picture with it."""
    cards, ours = render(CARDS, IMAGES), render("ui/multi.liquid.html", IMAGES, settings(*LABELS))
    yes_no = render("ui/tiles.liquid.html", IMAGES, settings("yes", "no", task="tiles"))
    select = render("ui/multi.liquid.html", IMAGES, settings("dog"))
    places = (0, 6, 9, 13, 19)
    return {
        "cards": [measure(browser, "checkbox cards", cards, several(), check_boxes)],
        "sets": [measure(browser, "our page, keys", ours, several(), type_sets)],
        "one": [measure(browser, "one by one, keys", yes_no, rare(9), type_yes_or_no)],
        "select": [measure(browser, "select all", select, rare(at), select_all) for at in places],
    }


def motor(rows: Sequence[Row]) -> float:
    """Return the mean seconds of movement for an image."""
    return sum(row.motor for row in rows) / len(rows)


def main() -> None:
    """Measure everything, print it, and end with status 1 if a gate is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="as without: it takes seconds")
    parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        rows = measure_all(browser)
        browser.close()
    print("## What it takes to give several labels\n")
    print("20 images, headless Chromium, real events, as above; 1.15 of three labels an image, and")
    print("for the rare label one picture of the page, at five places of it.\n")
    print("| way | operations/image | motor s/image | right |\n|---|---|---|---|")
    for group in rows.values():
        operations = sum(row.effort.operations(IMAGES) for row in group) / len(group)
        right = f"{sum(row.right for row in group)} of {IMAGES * len(group)}"
        print(f"| {group[0].name} | {operations:.2f} | {motor(group):.3f} | {right} |")
    sets = motor(rows["sets"]) / motor(rows["cards"])
    select = motor(rows["select"]) / motor(rows["one"])
    every = [row for group in rows.values() for row in group]
    whole = all(row.right == IMAGES and row.sound for row in every)
    gates = [
        ("several labels, motor, of the cards'", "≤ 0.60", f"{sets:.2f}", sets <= 0.6),
        ("select all at 5 %, motor, of one by one", "≤ 0.25", f"{select:.2f}", select <= 0.25),
        ("every answer right, and the page saw what the hand did", "all", str(whole), whole),
    ]
    print("\n| gate | must reach | measured | |\n|---|---|---|---|")
    for name, must, figure, reached in gates:
        print(f"| {name} | {must} | {figure} | {'✓' if reached else '**missed**'} |")
    sys.exit(0 if all(reached for *_, reached in gates) else 1)


if __name__ == "__main__":
    main()
