"""`tessera preview`: the worker's page as one file, to be seen before anybody is paid for it."""

from __future__ import annotations

import base64
import json
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import UNSET

from tessera.exits import Refused
from tessera.file_types import IN_FILE, OutFile
from tessera.option_lists import labels_option
from tessera.picture_folder import reason_not_shown, walk_pictures, warnings_of
from tessera.picture_types import is_shown, picture_type, suffixes_in_words
from tessera.runs.checks import PIECE, manifest_remedy
from tessera.runs.instructions import settings_beside
from tessera.runs.source import settings_of
from tessera.screen import aside, json_option, out, print_json, warn
from tessera.stack.local_stack import ROOT
from tessera.tiling.errors import PageUnusable, TesseraError
from tessera.tiling.kinds.custom_task import sample_line
from tessera.tiling.kinds.task_kinds import KINDS
from tessera.tiling.manifest.box_lines import box_lines
from tessera.tiling.manifest.lines import Image, read_manifest
from tessera.tiling.manifest.source_rule import ANY_SOURCE
from tessera.tiling.manifest.stream import manifest_lines
from tessera.tiling.page.crowd_elements import page_problems
from tessera.tiling.page.own_page import NAME as PAGE_NAME
from tessera.tiling.page.page import (
    CROWD_TAG,
    build_page,
    check_page,
    inline_script,
    render_task,
    with_stand_in,
)
from tessera.tiling.page.page_input import PageImage, line_input
from tessera.tiling.page.page_language import language_script
from tessera.tiling.settings import Settings
from tessera.whole_file import write_whole

UI = ROOT / "ui"
EXAMPLE = ROOT / "examples" / "digits"
SEND_ANSWERS = """<script>document.addEventListener("tessera-answer", event => {
  fetch("/answer", { method: "POST", body: JSON.stringify(event.detail) });
});</script>"""
"""Script that sends what is submitted to the server of the page."""

Folder = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command()
@click.option(
    "--settings", "settings_file", type=IN_FILE, help="Settings file.  [default: the example's]"
)
@labels_option
@click.option("--manifest", type=IN_FILE, help="Show the first images of this manifest.")
@click.option("--images", type=Folder, help="Show the first pictures of this folder.")
@click.option("--prelabels", is_flag=True, help="Show suggestions, made up where there are none.")
@click.option(
    "--out", "path", type=OutFile(), default=Path("page.html"),
    show_default=True, help="File to write; any browser opens it.",
)  # fmt: skip
@click.option("--serve", is_flag=True, help="Open it on localhost and print what is submitted.")
@json_option("Print what was written as JSON.")
def preview(
    settings_file: Path | None,
    labels: str | None,
    manifest: Path | None,
    images: Path | None,
    prelabels: bool,
    path: Path,
    serve: bool,
    as_json: bool,
) -> None:
    """Write the worker's page, with your labels, question and pictures, into one file.

    With --serve --json, one document with all answers is printed at Ctrl-C.
    """
    if manifest and images:
        raise click.UsageError("Give --manifest or --images, not both.")
    if labels and not settings_file:
        settings_file = (images or (manifest.parent if manifest else Path())) / "labeling.json"
    settings_file = settings_file or EXAMPLE / "labeling.json"
    settings = settings_of(manifest or images or EXAMPLE / "images", settings_file, labels)
    settings = settings_beside(settings, settings_file.parent)
    find = _picture_finder(manifest)
    if settings.is_custom:
        tiles = [_first_line(settings, manifest)]
        page = render_own_page(settings_file.parent / PAGE_NAME, tiles[0], find)
    else:
        tiles = _tiles(settings, manifest, images or EXAMPLE / "images")
        if prelabels:
            for tile, label in zip(tiles, cycle(settings.labels), strict=False):
                tile.setdefault("prelabel", label)
        page = render_page(settings, tiles, find, folder=f"{settings_file.parent}/")
    write_whole(path, page.encode())
    choices = settings.labels if settings.is_custom else settings.choices
    result: dict[str, Any] = {
        "page": str(path), "pictures": len(tiles), "choices": list(choices),
    }  # fmt: skip
    if settings.is_custom and not as_json:
        out.print(f"{path}: the page of one line. Open it in any browser.", markup=False)
    elif not as_json:
        summary = f"{path}: {len(tiles)} pictures, {len(settings.choices)} choices."
        out.print(f"{summary} Open it in any browser.", soft_wrap=True, markup=False)
    if serve:
        answers = result.setdefault("answers", [])
        try:
            _serve(page, answers.append if as_json else print_json)
        except KeyboardInterrupt:
            if not as_json:
                raise
    if as_json:
        print_json(result)


def _tiles(settings: Settings, manifest: Path | None, folder: Path) -> list[dict[str, Any]]:
    """Return the images of one page; Refused if there are none."""
    most = settings.images_per_task
    try:
        tiles = (
            list(islice(_manifest_tiles(manifest, settings), most))
            if manifest
            else _folder_tiles(folder, most)
        )
    except TesseraError as error:
        remedy = f"\n{manifest_remedy(manifest)}" if manifest else ""
        raise Refused(f"{manifest or folder}: {error}.{remedy}") from error
    if not tiles and manifest:
        raise Refused(f"There are no images in {manifest}. {manifest_remedy(manifest)}")
    if not tiles:
        raise Refused(
            f"There are no images in {folder} that browsers show: {suffixes_in_words()} files."
        )
    return tiles


def _first_line(settings: Settings, manifest: Path | None) -> dict[str, Any]:
    """Return the first line that would be asked; without a manifest, one of a drawn picture."""
    if manifest is None:
        return {"source-ref": "picture.jpg"}
    with manifest.open("rb") as file:
        pieces = iter(partial(file.read, PIECE), b"")
        line = json.loads(sample_line(pieces, settings, ANY_SOURCE))
    if not line:
        raise Refused(
            f"No line of {manifest} would be asked: each needs source or source-ref, and no "
            f"{settings.label_attribute} yet."
        )
    if settings.pre_annotation:
        aside.print("task.input is the line itself here: its pre-annotation Lambda is not called.")
    return dict(line)


def render_own_page(template: Path, line: dict[str, Any], find: Callable[[str], str]) -> str:
    """Render a custom task's page for a line as the portal does; Refused if it cannot be.

    Elements and hosts that need a parameter of the stack are told on the way.
    """
    try:
        page = render_task(template.read_text(encoding="utf-8"), line_input(line), find)
    except Exception as error:  # a template can do almost anything
        raise Refused(f"{template} cannot be rendered: {type(error).__name__}: {error}") from error
    warn(f"{template}: {problem}" for problem in page_problems(page, (), aws=False))
    script = inline_script((UI / "crowd-elements.js").read_text(encoding="utf-8"))
    html = CROWD_TAG.sub("", page)
    return f"<!doctype html><script>{script}</script>{html}</body>"


def _serve(page: str, submit: Callable[[Any], None]) -> None:
    """Open the page in the browser and call `submit` with each answer, until Ctrl-C."""
    with page_server(page, submit) as server:
        address = f"http://127.0.0.1:{server.server_port}/"
        aside.print(f"{address}  (press Ctrl-C to stop)")
        webbrowser.open(address)
        server.serve_forever()


def render_page(
    settings: Settings,
    tiles: Sequence[dict[str, Any]],
    find: Callable[[str], str],
    *,
    folder: str = "",
) -> str:
    """Render the page as the portal does, with everything it needs in it.

    `folder` is where the pictures of the instructions lie.
    """
    stack_file = KINDS[settings.task].page if settings.page is UNSET else ""
    file = UI / stack_file if stack_file else Path(folder, PAGE_NAME)
    language = language_script(settings, UI)
    try:
        page = build_page(
            file.read_text(encoding="utf-8-sig"),
            settings,
            folder=folder,
            language=language,
            stack_file=stack_file,
        )
        page = with_stand_in(page, (UI / "crowd-form.js").read_text(encoding="utf-8"))
        check_page(page, settings, stack_file=stack_file)
        return render_task(page, {"images": list(tiles)}, find)
    except (PageUnusable, ValueError) as error:
        raise Refused(f"{file}: {error}") from error


def page_server(page: str, submit: Callable[[Any], None]) -> ThreadingHTTPServer:
    """Make a server of the page on this machine; it calls `submit` with each answer."""
    body = page.replace("</body>", f"{SEND_ANSWERS}</body>").encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(200, "text/html; charset=utf-8", body)

        def do_POST(self) -> None:
            submit(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._send(204, "text/plain", b"")

        def _send(self, status: int, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing: only the answers are printed."""

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def _manifest_tiles(manifest: Path, settings: Settings) -> Iterator[dict[str, Any]]:
    with manifest.open("rb") as file:
        lines = manifest_lines(box_lines(iter(partial(file.read, PIECE), b""), settings))
        for line in read_manifest(lines, settings):
            if isinstance(line, Image):
                tile: dict[str, Any] = {"source-ref": line.source_ref, "index": line.index}
                if line.prelabel is not None:
                    tile["prelabel"] = line.prelabel
                if line.prelabel_confidence is not None:
                    tile["prelabel-confidence"] = line.prelabel_confidence
                if line.box is not None:
                    tile |= {"box": line.box.text, "box-class": line.box.name}
                    tile = msgspec.to_builtins(msgspec.convert(tile, PageImage))
                yield tile


def _folder_tiles(folder: Path, most: int) -> list[dict[str, Any]]:
    """Return the first pictures of a folder that a browser can show."""
    walk = walk_pictures(folder)
    showable = (
        folder / name for name in walk.names if not reason_not_shown((folder / name).read_bytes())
    )
    paths = list(islice(showable, most))  # a page's worth: the others are not decoded
    warn(warnings_of(walk))
    return [{"source-ref": str(path), "index": index} for index, path in enumerate(paths)]


def _picture_finder(manifest: Path | None) -> Callable[[str], str]:
    """Return a function from a source to a link: the picture itself, or a drawing of its name."""
    beside = {
        path.name: path
        for path in (manifest.parent.rglob("*") if manifest else ())
        if is_shown(path.name)
    }

    def find(source: str) -> str:
        if source.startswith(("https://", "http://")):
            return source
        name = source.rpartition("/")[2]
        path = beside.get(name) if manifest else Path(source)
        return _inlined(path) if path and path.is_file() else _drawn(name)

    return find


def _inlined(path: Path) -> str:
    kind = picture_type(path.name)
    media_type = kind.media_type if kind else "image/png"
    return f"data:{media_type};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _drawn(name: str) -> str:
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="480" height="360">'
        '<rect width="100%" height="100%" fill="#cfd6dd"/>'
        '<text x="50%" y="50%" font="sans-serif" font-size="28" text-anchor="middle">'
        f"{escape(name[-28:])}</text></svg>"
    )
    return f"data:image/svg+xml;base64,{base64.b64encode(drawing.encode()).decode()}"
