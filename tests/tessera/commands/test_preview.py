"""`tessera preview`: the page before anybody is paid for it."""

from __future__ import annotations

import json
import queue
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser

from tessera.commands.preview import EXAMPLE, UI, page_server, preview, render_page
from tessera.exits import Exit
from tessera.tiling.settings import Settings

PETS = {"labels": ["cat", "dog"], "question": "Which pet?", "images_per_task": 3}


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    path = tmp_path / "labeling.json"
    path.write_text(json.dumps(PETS))
    return path


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(preview, [str(argument) for argument in arguments])


def test_without_arguments_it_shows_the_example(tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    result = run("--out", out)
    assert result.exit_code == 0, result.output
    page = out.read_text()
    assert page.count('class="tile"') == 20
    assert page.count("data:image/png;base64,") == 20
    assert "s3://" not in page
    assert "https://assets.crowd.aws" not in page


def test_a_folder_of_pictures_is_shown_with_ones_own_labels(
    settings_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "page.html"
    result = run("--settings", settings_file, "--images", EXAMPLE / "images", "--out", out)
    assert result.exit_code == 0, result.output
    page = out.read_text()
    assert page.count('class="tile"') == PETS["images_per_task"]
    assert "Which pet?" in page
    assert 'value="dog"' in page


def test_pictures_of_a_manifest_are_found_beside_it_or_drawn(
    settings_file: Path, tmp_path: Path
) -> None:
    manifest = tmp_path / "pets.manifest"
    (tmp_path / "1.png").write_bytes((EXAMPLE / "images" / "001.png").read_bytes())
    manifest.write_text(
        '{"source-ref": "s3://pets/1.png", "prelabel": "dog"}\n'
        "no image\n"
        '{"source-ref": "s3://pets/<2>.png"}\n'
    )
    out = tmp_path / "page.html"
    result = run("--settings", settings_file, "--manifest", manifest, "--out", out)
    assert result.exit_code == 0, result.output
    page = out.read_text()
    assert page.count('class="tile"') == 2
    assert page.count("data:image/png;base64,") == 1
    assert page.count("data:image/svg+xml;base64,") == 1
    assert 'data-prelabel="dog"' in page
    assert 'data-id="2"' in page


def test_suggestions_are_made_up_where_there_are_none(settings_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    run("--settings", settings_file, "--prelabels", "--out", out)
    page = out.read_text()
    assert (page.count('data-prelabel="cat"'), page.count('data-prelabel="dog"')) == (2, 1)


def test_settings_that_cannot_be_used_are_refused_with_their_reason(tmp_path: Path) -> None:
    bad = tmp_path / "labeling.json"
    bad.write_text('{"labels": ["cat", "dog"], "quesiton": "?"}')
    result = run("--settings", bad, "--out", tmp_path / "page.html")
    assert result.exit_code == 4
    assert "quesiton" in result.output


def test_a_manifest_and_a_folder_at_once_are_too_much(settings_file: Path, tmp_path: Path) -> None:
    result = run("--manifest", settings_file, "--images", tmp_path)
    assert result.exit_code == 2


@pytest.mark.browser
def test_what_is_submitted_reaches_the_server(chromium: Browser) -> None:
    run = Settings(labels=("cat", "dog"), question="Which pet?", instructions="")
    drawing = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
    page_html = render_page(run, [{"source-ref": "pet", "index": 7}], lambda _: drawing)
    answers: queue.Queue[Any] = queue.Queue()
    server = page_server(page_html, answers.put)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    with urllib.request.urlopen(address) as response:
        assert response.status == 200
    page = chromium.new_page()
    page.goto(address)
    page.locator(".wait").wait_for(state="detached")
    page.locator(".tile:focus").wait_for()  # not in the moment of a new layout
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    answer = answers.get(timeout=20)
    page.close()
    server.shutdown()
    server.server_close()
    assert answer["7"] == {"cat": False, "dog": True, "cannot see": False}


CUSTOM_PAGE = """<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form><p>{{ task.input.taskObject }} in {{ task.input.weather }}</p>
<crowd-polygon></crowd-polygon><crowd-input name="tag"></crowd-input></crowd-form>"""


def test_each_box_of_a_manifest_is_a_tile_with_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "labeling.json").write_text('{"task": "verify"}')
    boxes = [{"class_id": 0, "left": 9, "top": top, "width": 30, "height": 20} for top in (0, 40)]
    line = {
        "source-ref": "s3://pets/1.jpg",
        "bounding-box": {"annotations": boxes, "image_size": [{"width": 90, "height": 80}]},
        "bounding-box-metadata": {"class-map": {"0": "cat & dog"}},
    }
    (tmp_path / "pets.manifest").write_text(json.dumps(line) + "\n")
    out = tmp_path / "page.html"
    settings, manifest = tmp_path / "labeling.json", tmp_path / "pets.manifest"
    result = run("--settings", settings, "--manifest", manifest, "--out", out)
    assert result.exit_code == 0, result.output
    page = out.read_text()
    assert page.count('class="tile"') == 2
    assert 'data-whole="9,40,30,20,90,80"' in page
    assert page.count("cat &amp; dog?</em>") == 2


def test_a_page_of_the_projects_own_beside_the_settings_is_shown(settings_file: Path) -> None:
    template = (UI / "tiles.liquid.html").read_text("utf-8")
    (settings_file.parent / "page.liquid.html").write_text(template + "<p>Our own // page</p>")
    out = settings_file.parent / "out.html"
    result = run("--settings", settings_file, "--out", out)
    assert result.exit_code == 0, result.output
    assert "<p>Our own // page</p>" in out.read_text()
    (settings_file.parent / "page.liquid.html").write_text(template + "{{ 1 | no_such }}")
    result = run("--settings", settings_file, "--out", out)
    assert result.exit_code == Exit.REFUSED
    assert "of this project cannot be rendered" in result.output


def test_a_custom_task_is_shown_with_its_first_line_and_told_what_the_stack_must_allow(
    settings_file: Path,
) -> None:
    folder, out = settings_file.parent, settings_file.parent / "out.html"
    settings_file.write_text('{"task": "custom"}')
    result = run("--settings", settings_file, "--out", out)
    assert result.exit_code == Exit.REFUSED
    assert "there is no page.liquid.html" in result.output
    (folder / "page.liquid.html").write_text(CUSTOM_PAGE)
    manifest = folder / "may.manifest"
    manifest.write_text('{"n": 1}\n{"source": "Tom", "weather": "rain"}\n')
    result = run("--settings", settings_file, "--manifest", manifest, "--out", out)
    assert result.exit_code == 0, result.output
    assert "crowd-polygon" in result.output
    assert "Tom in rain" in out.read_text()
    assert "assets.crowd.aws" not in out.read_text().split("<crowd-form>")[1]


@pytest.mark.parametrize("images", [(), ("--images", EXAMPLE / "images")])
def test_labels_alone_are_shown_as_a_drop_would_ask_them(
    images: tuple[Any, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("--labels", "cat,dog", *images)
    assert result.exit_code == 0, result.output
    assert 'value="dog"' in (tmp_path / "page.html").read_text()
