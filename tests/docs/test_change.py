"""docs/change.md leads where it says: its searches, its changes and its tests, in a copy."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "change.md").read_text("utf-8")
SECTIONS = re.findall(r"^## (A .*?)\n(.*?)(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
COPIED = [
    "benchmarks", "docs", "encoder", "events", "examples", "functions", "scripts", "statemachine",
    "tessera", "tests", "ui",
]  # fmt: skip
CODE = re.compile(r"`([\w/.-]+/[\w.-]+\.(?:py|md|html|txt|json))`")
"""A file that the page names."""


def blocks(text: str, language: str) -> Iterator[str]:
    """Yield the code blocks of a language, without what they are indented by in a list."""
    for indent, block in re.findall(rf"^( *)```{language}\n(.*?)^\1```", text, re.M | re.S):
        yield "".join(line.removeprefix(indent) for line in block.splitlines(keepends=True))


def apply(block: str, root: Path) -> None:
    """Change the file that a block names as the page says that blocks are read."""
    head, _, body = block.partition("\n")
    path = root / head.removeprefix("+++ ")
    lines = body.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] in " -")
    after = "".join(line[1:] for line in lines if line[0] in " +")
    text = path.read_text("utf-8")
    if before:
        assert text.count(before) == 1, f"{head}: this stands {text.count(before)} times:\n{before}"
    path.write_text(text.replace(before, after) if before else text + after, "utf-8")


def run(command: list[str], folder: Path) -> None:
    """Run a command of the page; the test fails with its output if it fails."""
    environment = os.environ | {"PYTHONPATH": f"{folder}:{folder / 'functions'}"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, (
        f"{shlex.join(command)}\n{done.stdout[-4000:]}{done.stderr[-2000:]}"
    )


def commands(text: str) -> list[list[str]]:
    """Return the commands of the page's sections, with this Python for that of the environment."""
    lines = [line for block in blocks(text, "sh") for line in block.splitlines()]
    return [shlex.split(line) for line in lines]


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code with all changes of the page in it."""
    copy = tmp_path_factory.mktemp("change")
    skipped = shutil.ignore_patterns("__pycache__", ".*", "node_modules")
    for name in COPIED:
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=skipped)
    for path in ROOT.glob("[!.]*.*"):  # a worktree has a file .git, which leads out of the copy
        if path.is_file():
            shutil.copy(path, copy)
    shutil.copy(ROOT / "Makefile", copy)
    for _, text in SECTIONS:
        for block in blocks(text, "diff"):
            apply(block, copy)
    return copy


def test_there_are_four_changes_each_with_blocks_and_commands() -> None:
    assert len(SECTIONS) == 4
    for _, text in SECTIONS:
        assert list(blocks(text, "diff"))
        assert any("pytest" in command[0] for command in commands(text))


def test_each_search_of_the_page_leads_to_a_file_that_it_names_next() -> None:
    for pattern, extended, folders in [
        (search[1].strip('"'), bool(search[0]), search[2].split())
        for search in re.findall(r"`git grep -n(E?) (\S+) ([^`]*)`", PAGE)
    ]:
        expression = re.compile(pattern if extended else re.escape(pattern))
        places = [ROOT / folder for folder in folders]
        files = [
            file for place in places for file in (place.rglob("*.py"), [place])[place.is_file()]
        ]
        hits = [file for file in files if expression.search(file.read_text("utf-8"))]
        rest = PAGE.partition(f"{pattern}")[2]
        named = re.search(r"[\w/]*\w+\.py", rest.partition("leads to")[2] or rest)
        assert named
        assert any(str(hit).endswith(named[0]) for hit in hits), (pattern, named[0])


def test_every_file_that_the_page_names_exists() -> None:
    for name in CODE.findall(PAGE):
        places = (ROOT, *(ROOT / f"functions/tessera{inner}" for inner in ("", "/tiling")))
        assert any((place / name).exists() for place in places), name


@pytest.mark.thorough
def test_the_changes_of_the_page_pass_the_tests_that_it_names(changed: Path) -> None:
    of_all = [command for _, text in SECTIONS for command in commands(text)]
    assert {shlex.join(command[:2]) for command in of_all if command[0] == "make"} == {
        "make generated"
    }
    made = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "--assume-old=environment",
         f"BIN={Path(sys.executable).parent}", "generated"],
        cwd=changed, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for line in made.stdout.splitlines():
        run(["sh", "-c", line], changed)
    tests = {path for command in of_all if "pytest" in command[0] for path in command[2:]}
    run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
         "--hypothesis-profile=quick", *sorted(tests)], changed,
    )  # fmt: skip
