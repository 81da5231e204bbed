"""From a clone to the first own picture labeled: acts, processor seconds, megabytes.

`python benchmarks/first_picture.py [--quick]` prints a Markdown section and ends with status 1 if
a bound is missed. It clones the last commit, installs there what running needs, has a folder of
two pictures labeled, and is the person in the browser, whose own processor is not counted.
`--quick` takes the environments of this checkout instead of installing.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from tessera.stack.local_stack import free_port

MOST_ACTS, MOST_MEGABYTES = 4, 450
CHROMIUM = "/usr/bin/chromium"
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Act:
    """What a person types or presses, and what the machine then does until the next act."""

    words: str
    seconds: float
    processor: float


def processor_of_session(leader: int) -> float:
    """Return the processor seconds of the processes that a process has started and led."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader:
                ticks += sum(int(field) for field in fields[11:15])
    return ticks / TICKS


def processor_of_children() -> float:
    """Return the processor seconds of the processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def megabytes(*folders: Path) -> int:
    """Return what folders take on the disk, as `du` counts."""
    listed = subprocess.run(["du", "-smc", *folders], capture_output=True, text=True, check=True)
    return int(listed.stdout.splitlines()[-1].split()[0])


def timed(words: str, act: Callable[[], object]) -> Act:
    """Do what an act does, and return what it took."""
    began, used = time.monotonic(), processor_of_children()
    act()
    return Act(words, time.monotonic() - began, processor_of_children() - used)


class Newcomer:
    """Somebody with a terminal, a browser and a folder of two pictures, in an empty folder."""

    def __init__(self, place: Path, *, quick: bool) -> None:
        """Take pictures, and have the browser's address written down instead of opened."""
        self.place, self.clone, self.quick = place, place / "tessera", quick
        (place / "photos").mkdir()
        for name, color in (("tom", "gray"), ("rex", "brown")):
            Image.new("RGB", (320, 240), color).save(place / "photos" / f"{name}.jpg")
        self.opened = place / "opened"
        browser = place / "browser"
        browser.write_text(f'#!/bin/sh\necho "$1" > {self.opened}.part\n'
                           f"mv {self.opened}.part {self.opened}\n")  # fmt: skip
        browser.chmod(0o755)
        self.environment = dict(os.environ)
        # Set in containers, and on nobody's own machine; what is compiled counts as installed.
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self.environment |= {
            "BROWSER": f"{browser} %s", "TESSERA_PORT": str(free_port()),
            "PYTHONPATH": os.pathsep.join(map(str, (self.clone, self.clone / "functions"))),
        }  # fmt: skip

    def run(self, command: str, folder: Path) -> None:
        """Run a command to its end."""
        subprocess.run(
            command, shell=True, cwd=folder, env=self.environment, check=True, stdout=sys.stderr
        )

    def install(self) -> None:
        """Install what running needs, or take what is there."""
        if self.quick:
            for name in (".venv", ".venv-sam"):
                (self.clone / name).symlink_to((ROOT / name).resolve())
        else:
            self.run("make running", self.clone)

    def label(self) -> None:
        """Start labeling, press one key, and have Tessera stopped once that is drawn."""
        command = [".venv/bin/tessera", "label", "../photos", "--labels", "cat,dog"]
        with subprocess.Popen(
            command, cwd=self.clone, env=self.environment, stdout=sys.stderr
        ) as process:
            try:
                while not self.opened.exists():
                    if process.poll() is not None:
                        raise SystemExit("tessera label has ended before it opened the browser")
                    time.sleep(0.1)
                press_a_key(self.opened.read_text().strip())
            finally:  # else it would wait for more pictures, and this process for it
                process.terminate()

    def embedded_processor(self) -> float:
        """Return the processor seconds of the embedded AWS and the functions that it has run."""
        return processor_of_session(int((self.clone / ".tessera" / "aws.pid").read_text()))


def press_a_key(address: str) -> None:
    """Label the picture in front as somebody does whose browser has opened the address."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        page = browser.new_page()
        page.set_default_timeout(120_000)  # of a busy machine's browser
        page.goto(address)
        frame = page.frame_locator("#frames iframe:not(.ahead)")
        frame.locator(".tile:focus").wait_for()
        page.keyboard.press("1")
        frame.locator("#progress b", has_text="1").wait_for()
        browser.close()


def walk(place: Path, *, quick: bool) -> tuple[list[Act], int, int]:
    """Do all of it; return the acts, the megabytes installed and those of the clone."""
    newcomer = Newcomer(place, quick=quick)
    folder = newcomer.clone
    acts = [timed("`git clone … && cd tessera`",
                  lambda: newcomer.run(f"git clone --quiet {ROOT} {folder}", place))]  # fmt: skip
    clone = megabytes(folder)
    acts.append(timed("`make running`", newcomer.install))
    try:
        acts.append(timed("`.venv/bin/tessera label ../photos --labels cat,dog`", newcomer.label))
        acts[-1].processor += newcomer.embedded_processor()
    finally:
        newcomer.run(".venv/bin/tessera down", folder)
    acts.append(Act("the key of a label", 0, 0))
    # After the first use, for modules are compiled then.
    installed = megabytes(*(path.resolve() for path in (folder / ".venv", folder / ".venv-sam")))
    return acts, installed, clone


def main() -> int:
    """Print the section; the status is 1 if a mark is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="use this checkout's environments")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as place:
        acts, installed, clone = walk(Path(place), quick=quick)
    print("## From a clone to the first own picture labeled\n")
    print("Acts are what a person types, as one line, or presses. The processor is that of the")
    print(
        "commands and of the embedded AWS, not the browser's. Megabytes are on the disk after the"
    )
    print(f"first use, in `.venv` and `.venv-sam`; the clone takes {clone} more.\n")
    print("| act | processor | until the next act |\n|---|---|---|")
    for act in acts:
        print(f"| {act.words} | {act.processor:.0f} s | {act.seconds:.0f} s |")
    print(f"| together | {sum(act.processor for act in acts):.0f} s "
          f"| {sum(act.seconds for act in acts):.0f} s |\n")  # fmt: skip
    print("| gate | must reach | measured | |\n|---|---|---|---|")
    gates = [("acts", MOST_ACTS, len(acts)), ("megabytes installed", MOST_MEGABYTES, installed)]
    for name, most, measured in gates:
        print(f"| {name} | ≤ {most} | {measured} | {'met' if measured <= most else 'MISSED'} |")
    return int(any(measured > most for _, most, measured in gates))


if __name__ == "__main__":
    sys.exit(main())
