"""`Your photos, two colleagues, this afternoon`, done as written, with Chromium as colleagues.

The commands are the document's own. They run on a machine of their own, the colleagues' browsers on
another; between the two is a cable, and no way to anywhere else.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, FrameLocator, Page, expect

from tessera.stack.local_stack import ROOT
from tests.browse import browse
from tests.conftest import CHROMIUM
from tests.stack.network import configure, connect, machine, within

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.slow]

HOW_TO = (ROOT / "docs" / "your-photos-this-afternoon.md").read_text("utf-8")
COMMANDS = [
    command
    for block in re.findall(r"```sh tutorial\n(.*?)```", HOW_TO, re.DOTALL)
    for command in block.splitlines()
]
OWNER, COLLEAGUES = "10.199.78.1", "10.199.78.2"
CATS = DOGS = 11
PAGES = 2
"""Pages that as many photos make."""
COLORS = {"cat": (200, 40, 40), "dog": (40, 40, 200), "both": (40, 160, 40)}
"""What a photo shows, as a color: people tell them apart at a glance, and so does a test."""
FRONT = "#frames iframe:not(.ahead)"
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)


def take_photos(folder: Path) -> dict[bytes, str]:
    """Fill a folder, as a camera would; return what each photo shows, by its content."""
    folder.mkdir()
    shows = {}
    for number, what in enumerate(["both", *["cat"] * CATS, *["dog"] * DOGS]):
        photo = Image.new("RGB", (320, 240), COLORS[what])
        ImageDraw.Draw(photo).rectangle((0, 0, 12 * number, 6), fill="white")  # no two alike
        photo.save(folder / f"IMG_{number:04}.JPG", "JPEG")
        shows[(folder / f"IMG_{number:04}.JPG").read_bytes()] = what
    (folder / "instructions.md").write_text("Is it a **cat** or a **dog**?\n", "utf-8")
    return shows


@pytest.fixture
def machines() -> Iterator[tuple[str, str]]:
    """The owner's machine and the colleagues', on one cable."""
    with machine("owner") as owner, machine("colleagues") as colleagues:
        connect(owner, OWNER, colleagues, COLLEAGUES)
        # Only so that it has an address by which others find it, as a machine on a network has.
        configure(f"-n {owner} route add default via {COLLEAGUES}")
        yield owner, colleagues


@dataclass
class Terminal:
    """A shell on the owner's machine, in the folder that has the photos."""

    machine: str
    folder: Path
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Have the tool on the path, and a browser that opens nothing."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = os.environ | {"PATH": path, "BROWSER": "true"}

    def run(self, command: str) -> str:
        """What a command prints; it has to end well."""
        done = subprocess.run(
            within(self.machine, "sh", "-c", command), cwd=self.folder, env=self.environment,
            capture_output=True, text=True, timeout=240,
        )  # fmt: skip
        assert done.returncode == 0, f"$ {command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


@contextmanager
def serving(terminal: Terminal, command: str) -> Iterator[str]:
    """The address that `tessera serve` prints, for as long as it serves."""
    complaints = terminal.folder / "complaints"
    with complaints.open("w") as errors, subprocess.Popen(
        within(terminal.machine, *command.split()), cwd=terminal.folder, stderr=errors,
        env=terminal.environment | {"PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout
            for line in process.stdout:
                if address := re.search(r"Portal\s+(https://\S+)", line):
                    yield address[1]
                    break
            else:
                raise AssertionError(f"$ {command} ended with {process.wait()}")
        finally:
            process.terminate()
            process.wait(30)
    assert "Traceback" not in complaints.read_text("utf-8")


def browse_on(machine: str, folder: Path, scenario: Callable[[Browser], None]) -> None:
    """Run the scenario with a browser of a machine."""
    program = folder / "chromium"
    program.write_text(f'#!/bin/sh\nexec {" ".join(within(machine, str(CHROMIUM)))} "$@"\n')
    program.chmod(0o755)
    browse(scenario, program)


def sit_down(browser: Browser, address: str, email: str, password: str) -> Page:
    """Open the address in a browser of their own, sign in, and choose a password."""
    # Whoever opens a self-made certificate's address is asked once, and goes on.
    context = browser.new_context(ignore_https_errors=True, viewport={"width": 1366, "height": 768})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(address)
    page.locator("#sign-in [name=name]").fill(email)
    page.locator("#sign-in [name=password]").fill(password)
    page.keyboard.press("Enter")
    for name in ("password", "again"):
        page.locator(f"#new-password [name={name}]").fill("My-own-words-1")
    page.keyboard.press("Enter")
    return page


PAINTED = """async pictures => {
  await Promise.all(pictures.map(picture => picture.decode()));
  for (const _ of "12") await new Promise(requestAnimationFrame);
}"""
"""Waits until pictures that have come are on the screen, too, which is later on a busy machine."""


def label_all(page: Page, doubt: str) -> None:
    """Label page after page, and what could be both as `doubt`, until there is none."""
    page.get_by_role("button", name="Start").click()
    page.frame_locator(FRONT).locator("#close-help").click()
    for _ in range(PAGES):
        label_page(page, page.frame_locator(FRONT), doubt)
    expect(page.locator("#between")).to_be_visible()


def label_page(page: Page, frame: FrameLocator, doubt: str) -> None:
    """Press the key of what each picture shows, as the eye sees it."""
    expect(frame.locator("#progress b")).to_have_text("0")  # not the page that was just sent
    expect(frame.locator(".wait")).to_have_count(0)
    expect(frame.locator(".tile:focus")).to_be_visible()
    frame.locator(".tile img").evaluate_all(PAINTED)
    seen = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    for tile in frame.locator(".tile").all():
        box = tile.locator("img").bounding_box()
        assert box, "a picture that is not on the page"
        middle = (int(box["x"] + box["width"] / 2), int(box["y"] + box["height"] / 2))
        page.keyboard.press({"cat": "1", "dog": "2"}[seen_as(seen.getpixel(middle), doubt)])
    page.keyboard.press("Enter")


def seen_as(pixel: object, doubt: str) -> str:
    """What a person takes a color for."""
    assert isinstance(pixel, tuple)

    def distance(what: str) -> int:
        return sum(abs(one - other) for one, other in zip(pixel, COLORS[what], strict=True))

    what = min(COLORS, key=distance)
    return doubt if what == "both" else what


def decide(page: Page, pictures: int) -> None:
    """Decide each picture of a review to be the first label."""
    page.get_by_role("button", name="Review").click()
    frame = page.frame_locator("#review-frame iframe")
    expect(frame.locator("article")).to_have_count(pictures)
    expect(frame.locator("article").first).to_contain_text("ann@example.org: cat")
    expect(frame.locator("article").first).to_contain_text("ben@example.org: dog")
    expect(frame.locator("article:focus")).to_be_visible()
    # nothing is decided of a picture that is not there yet
    expect(frame.locator("article .loaded")).to_have_count(pictures)
    for _ in range(pictures):
        page.keyboard.press("1")
    expect(frame.locator("#count")).to_have_text(f"{pictures} of {pictures} decided")
    expect(page.locator("#note")).to_have_text("Saved")


def passwords(printed: str) -> dict[str, str]:
    return dict(re.findall(r"(\S+@\S+) signs in with the temporary password (\S+)", printed))


def labels_in(manifest: Path) -> list[str]:
    """The labels of a training manifest, in its order, which is the photos'."""
    lines = [json.loads(line) for line in manifest.read_text("utf-8").splitlines()]
    keys = [next(key for key in line if key.endswith("-metadata")) for line in lines]
    return [line[key]["class-name"] for line, key in zip(lines, keys, strict=True)]


def first_words(command: str) -> str:
    return " ".join(command.split()[1:3])


def test_the_document_has_one_command_for_each_step() -> None:
    assert [first_words(command) for command in COMMANDS] == [
        "serve", "drop photos", "watch", "report --open", "fetch --out", "workers add", "review",
        "review --finish", "export --to",
    ]  # fmt: skip


@pytest.mark.timeout(600)
def test_two_colleagues_label_a_folder_and_a_third_decides_this_afternoon(
    tmp_path: Path, machines: tuple[str, str]
) -> None:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    serve, drop, watch, report, fetch, add, review, finish, export = COMMANDS
    owner, colleagues = machines
    shows = take_photos(tmp_path / "photos")
    terminal = Terminal(owner, tmp_path)

    def label(browser: Browser) -> None:
        people = passwords(terminal.run(drop))
        assert people.keys() == {"ann@example.org", "ben@example.org"}
        for (email, password), doubt in zip(sorted(people.items()), ("cat", "dog"), strict=True):
            label_all(sit_down(browser, address, email, password), doubt)

    def judge(browser: Browser) -> None:
        [(email, password)] = passwords(terminal.run(add)).items()
        assert f"{address}#review/" in terminal.run(review)
        decide(sit_down(browser, address, email, password), pictures=1)

    try:
        with serving(terminal, serve) as address:
            assert address == f"https://{OWNER}:8443/"
            browse_on(colleagues, tmp_path, label)
            terminal.run(watch)
            terminal.run(report)
            terminal.run(fetch)
            browse_on(colleagues, tmp_path, judge)
            terminal.run(finish)
            terminal.run(export)
            terminal.run(fetch)
    finally:
        terminal.run("tessera down")

    agreed = ["cat"] * CATS + ["dog"] * DOGS
    labels = tmp_path / "labels"
    assert labels_in(labels / "training.manifest")[1:] == agreed
    assert len((labels / "uncertain.manifest").read_text("utf-8").splitlines()) == 1
    assert labels_in(labels / "review" / "training.manifest") == ["cat", *agreed]
    exported = {
        (file.read_bytes(), file.parent.name)
        for file in (tmp_path / "dataset").rglob("*")
        if file.suffix.lower() == ".jpg"
    }
    assert exported == {
        (content, "cat" if what == "both" else what) for content, what in shows.items()
    }
