"""Boxes of the example: both of its commands give a run the same boxes."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from PIL import Image as Picture

from tessera.cli import main
from tessera.exits import Exit
from tessera.runs.checks import read_settings_file
from tessera.tiling.manifest.box_lines import box_lines
from tessera.tiling.manifest.lines import Image, read_manifest
from tessera.tiling.manifest.stream import manifest_lines

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "boxes"


def asked(path: Path, digits: str) -> list[tuple[str, str, str | None]]:
    """Picture, place and class of each box that a run asks for."""
    settings = read_settings_file(FOLDER / "labeling.json")
    text = path.read_bytes().replace(digits.encode(), b"s3://digits/")
    return [
        (line.source_ref, line.box.text, line.box.name)
        for line in read_manifest(manifest_lines(box_lines([text], settings)), settings)
        if isinstance(line, Image) and line.box
    ]


def commands() -> list[list[str]]:
    blocks = (FOLDER / "README.md").read_text("utf-8").split("```sh")[1:]
    return [shlex.split(line) for block in blocks for line in block.split("```")[0].split("\n")
            if line.strip()]  # fmt: skip


def test_coco_and_ground_truths_form_have_the_same_boxes(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(ROOT)
    (words,) = [words for words in commands() if words[1] == "import"]
    out = str(tmp_path / "boxes.manifest")
    done = CliRunner().invoke(main, [*words[1:], "--out", out])
    assert done.exit_code == Exit.OK, done.output
    boxes = asked(FOLDER / "boxes.manifest", "../digits/images/")
    assert boxes == asked(Path(out), f"{ROOT / 'examples' / 'digits' / 'images'}/")
    assert len(boxes) == 15
    for picture, place, _ in boxes:
        name = picture.rpartition("/")[2]
        with Picture.open(ROOT / "examples" / "digits" / "images" / name) as file:
            assert place.endswith(",{},{}".format(*file.size))


def test_its_boxes_are_grouped_with_its_settings(tmp_path: Path) -> None:
    manifest = tmp_path / "boxes.manifest"
    text = (FOLDER / "boxes.manifest").read_text("utf-8")
    manifest.write_text(text.replace("../digits/images/", "s3://digits/"), encoding="utf-8")
    arguments = ["group", str(manifest), "--settings", str(FOLDER / "labeling.json"), "--json"]
    done = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path / "made")])
    assert done.exit_code == Exit.OK, done.output
    summary = json.loads(done.stdout)
    assert (summary["images"], summary["rejected"]) == (15, 0)


def test_its_commands_name_files_that_are_there() -> None:
    for words in commands():
        for word in words:
            if word.startswith("examples/"):
                assert (ROOT / word).exists(), word
