"""The tutorial's commands, in their order, as they stand in the docs, in a fresh checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tessera.stack.local_stack import ROOT, free_port

pytestmark = [pytest.mark.stack, pytest.mark.slow]

TUTORIAL = (ROOT / "docs" / "operator.md").read_text("utf-8")
STEPS = [
    command
    for block in re.findall(r"```sh tutorial\n(.*?)```", TUTORIAL, re.DOTALL)
    for command in block.splitlines()
]


def check_out(folder: Path) -> None:
    """What a clone would have, and nothing else; the environments are those that there are."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("this is no git checkout, so what a clone would have is not known")
    for name in filter(None, listed.stdout.split("\0")):
        source = ROOT / name
        if source.is_symlink() or source.is_file():  # else it is about to be removed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            # Links as links: without `tessera/tiling` the installed package's would be taken.
            shutil.copy(source, folder / name, follow_symlinks=False)
    (folder / ".venv-sam").symlink_to(ROOT / ".venv-sam")


@pytest.mark.timeout(900)
def test_the_tutorial_leads_from_nothing_to_a_training_set(tmp_path: Path) -> None:
    checkout = tmp_path / "tessera"
    check_out(checkout)
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{checkout}{os.pathsep}{checkout / 'functions'}",  # before the installed one
        "TESSERA_HOME": str(tmp_path / "home"),
        "TESSERA_PORT": str(free_port()),
        "BROWSER": "true",
    }

    def step(command: str) -> str:
        done = subprocess.run(
            command, shell=True, cwd=checkout, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    output = {}
    try:
        for command in STEPS[:-1]:
            output[command.split()[1]] = step(command)
        expected = step("tessera estimate examples/digits/digits.manifest --json")
        report = json.loads(step("tessera report --json"))
        status = json.loads(step("tessera status --json"))
        watched = step("tessera watch")
        where = step("python -c 'import tessera.cli; print(tessera.cli.__file__)'")
        again = step(
            "tessera drop examples/digits/images --project digits "
            "--settings examples/digits/labeling.json"
        )
    finally:
        step(STEPS[-1])

    assert Path(where.strip()).is_relative_to(checkout)
    assert output.keys() == {
        "up", "estimate", "preview", "drop", "workers", "simulate", "report", "export", "runs",
    }  # fmt: skip
    assert "200/200" in output["runs"]
    pictures = list((checkout / "digits-data").rglob("*.png"))
    assert len(pictures) == 200
    train = checkout / "digits-data" / "train"
    folders = sorted(path.name for path in train.iterdir() if path.is_dir())
    assert folders == list("0123456789")
    assert "data:image/png;base64," in (checkout / "report.html").read_text("utf-8")
    answers = json.loads(expected)["estimate"]["tiled"]["answers"]
    assert report["answers"]["used"] == pytest.approx(answers, rel=0.15)
    assert "This manifest has been dropped before" in again
    assert "200 of 200 labeled" in watched
    assert (status["deployed"], status["runs"]) == (True, {"succeeded": 1})
