"""Try a folder of Ground Truth's templates on the portal, in Chromium.

    python benchmarks/foreign_templates.py FOLDER [--shots DIR]

Each template of the folder is put into a project as it is, without any function: refused by name,
or shown, sent without an answer (which must not be saved), answered as a worker would, and
collected into the job's output manifest. Prints a table.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Browser, Frame, Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]

from tessera.portal import job_lifecycle
from tessera.tiling.errors import PageUnusable
from tessera.tiling.kinds.custom_task import check_custom_page
from tests.portal.desk import Desk

CHROMIUM = "/usr/bin/chromium"
PICTURE = "s3://pets/1.jpg"
LINE = {
    "source-ref": PICTURE,
    **{f"image{number}": PICTURE for number in range(1, 9)},
    "image": PICTURE,
    "labels": ["cat", "dog"],
    "text": "a text",
}
"""Line with what templates read of `task.input` besides `taskObject`."""
ALL = """
  const roots = [document], all = [];
  for (const root of roots) for (const element of root.querySelectorAll("*")) {
    all.push(element);
    if (element.shadowRoot) roots.push(element.shadowRoot);
  }
"""
"""Collects the page's elements, those in shadows among them."""
PICTURES = """() => {
  ALL
  const images = all.filter(each => each.localName === "img");
  return [images.filter(image => image.naturalWidth).length, images.length];
}""".replace("ALL", ALL)
FILL = """() => {
  ALL
  const isShown = field => field.checkVisibility() && !field.disabled;
  let filled = 0;
  const chosen = new Set();
  const fields = all.filter(each => each.matches("input, select, textarea"));
  for (const field of fields.filter(isShown)) {
    if (field.type === "hidden") continue;
    if (field.type === "radio") {
      if (chosen.has(field.name)) continue;
      chosen.add(field.name);
      field.click();
    }
    else if (field.type === "checkbox") field.click();
    else if (field.localName === "select") {
      field.value = [...field.options].find(option => option.value && !option.disabled).value;
      field.dispatchEvent(new Event("change", { bubbles: true }));
    } else {
      const texts = { range: field.max, number: "1" };
      field.value = texts[field.type] ?? "an answer";
      field.dispatchEvent(new Event("input", { bubbles: true }));
      field.dispatchEvent(new Event("change", { bubbles: true }));
    }
    filled++;
  }
  return filled;
}""".replace("ALL", ALL)
BUTTONS = (
    "crowd-button[form-action=submit], button[type=submit], input[type=submit], button:not([type])"
)
PRESS = f"""() => (document.querySelector("{BUTTONS}")
  ?? [...document.querySelectorAll("crowd-button")].pop())?.click()"""


class Outcome(NamedTuple):
    """Row of the table."""

    template: str
    pictures: str = ""
    fields: int = 0
    empty: str = ""
    answer: str = ""
    outcome: str = ""


def try_template(browser: Browser, path: Path, name: str, shots: Path | None) -> Outcome:
    """Try one template and return what became of it."""
    template = path.read_text("utf-8")
    line = json.dumps(LINE).encode()
    try:
        check_custom_page(template, line, (), aws=False)
    except PageUnusable as error:
        reason = str(error).removeprefix("page.liquid.html of this project cannot be used: ")
        return Outcome(name, outcome=f"refused: {reason.partition(', which')[0]}")
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    try:
        return _answer(Desk(context), template, line, name, shots)
    finally:
        context.close()


def _answer(desk: Desk, template: str, line: bytes, name: str, shots: Path | None) -> Outcome:
    request = desk.custom_request(template, line)
    job = job_lifecycle.open_job(desk.world.ports, request)
    desk.context.set_default_timeout(60_000)  # a busy machine is no fault of the template
    page = desk.sit_down(job, wait=False)
    page.wait_for_selector("#frames iframe:not(.ahead)")
    frame = _frame(page)
    frame.wait_for_function("customElements.get('crowd-form') !== undefined")
    page.wait_for_timeout(400)
    pictures = frame.evaluate(PICTURES)
    frame.evaluate(PRESS)
    page.wait_for_timeout(300)
    empty = "saved" if desk.world.stored(job) else "not sent"
    # Twice: what is answered may bring more fields.
    fields = frame.evaluate(FILL)
    page.wait_for_timeout(200)
    if shots:
        page.screenshot(path=shots / f"{Path(name).name}.png")
    frame.evaluate(PRESS)
    for _ in range(20):
        if desk.world.stored(job):
            break
        page.wait_for_timeout(150)
    stored: Any = [answer["answerContent"] for answer in desk.world.stored(job).values()]
    described = job_lifecycle.close_job(desk.world.ports, request)
    collected = described["LabelCounters"]["HumanLabeled"]
    outcome = "answered and collected" if stored and collected else f"not answered {desk.faults}"
    answer = json.dumps(stored[0])[:80] if stored else ""
    return Outcome(name, f"{pictures[0]} of {pictures[1]}", fields, empty, answer, outcome)


def _frame(page: Page) -> Frame:
    element = page.wait_for_selector("#frames iframe:not(.ahead)")
    frame = element.content_frame() if element else None
    assert frame is not None
    return frame


def main() -> None:
    """Print the table of all templates of a folder, and how many were collected."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shots", type=Path, help="folder for a screenshot of each page")
    options = parser.parse_args()
    print("| template | pictures | fields | empty | answer | outcome |\n|---|---|---|---|---|---|")
    collected = saved = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        paths = sorted(options.folder.rglob("*.html"))
        for path in paths:
            name = path.relative_to(options.folder).as_posix().removesuffix(".liquid.html")
            outcome = try_template(browser, path, name, options.shots)
            collected += outcome.outcome == "answered and collected"
            saved += outcome.empty == "saved"
            row = [str(cell).replace("|", "\\|") for cell in outcome]
            print(f"| {' | '.join(row)} |", flush=True)
        browser.close()
    print(f"\n{len(paths)} templates: {collected} answered and collected, {saved} saved empty.")


if __name__ == "__main__":
    main()
