"""`tessera preview`: the worker's page as one file, so that a requester sees it before paying."""

from __future__ import annotations

import base64
import json
import mimetypes
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import click

from tessera.exits import Refused
from tessera.screen import aside, json_option, out, print_json
from tessera.stack.local_stack import ROOT

UI = ROOT / "ui"
EXAMPLE = ROOT / "examples" / "digits"
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".svg", ".avif"})
TELL_THE_SERVER = """<script>document.addEventListener("tessera-answer", event => {
  fetch("/answer", { method: "POST", body: JSON.stringify(event.detail) });
});</script>"""

File = click.Path(path_type=Path, exists=True, dir_okay=False)
Folder = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command()
@click.option("--settings", "settings_file", type=File, help="labeling.json; else the example's.")
@click.option("--manifest", type=File, help="Show the first images of this manifest.")
@click.option("--images", type=Folder, help="Show the first pictures of this folder.")
@click.option("--prelabels", is_flag=True, help="Show suggestions, made up where there are none.")
@click.option(
    "--out",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("page.html"),
    show_default=True,
    help="The file to write: self-contained, for anyone's browser.",
)
@click.option("--serve", is_flag=True, help="Open it on localhost and print what is submitted.")
@json_option("Print what was written as JSON.")
def preview(
    settings_file: Path | None,
    manifest: Path | None,
    images: Path | None,
    prelabels: bool,
    path: Path,
    serve: bool,
    as_json: bool,
) -> None:
    """Write the worker's page with your labels, question and pictures into one file.

    With --serve --json, the answers are in the document, which is printed at Ctrl-C.
    """
    from tessera.tiling.errors import TesseraError
    from tessera.tiling.settings import read_settings

    if manifest and images:
        raise click.UsageError("Give --manifest or --images, not both.")
    try:
        settings = read_settings((settings_file or EXAMPLE / "labeling.json").read_bytes())
        if manifest:
            shown = list(islice(_listed(manifest, settings), settings.images_per_task))
        else:
            shown = _found(images or EXAMPLE / "images", settings.images_per_task)
    except TesseraError as error:
        raise Refused(str(error)) from error
    if not shown:
        raise Refused(f"There is nothing to show in {manifest or images}.")
    if prelabels:
        for image, label in zip(shown, cycle(settings.labels), strict=False):
            image.setdefault("prelabel", label)
    page = rendered(settings, shown, _picture_finder(manifest))
    path.write_text(page, encoding="utf-8")
    result: dict[str, Any] = {
        "page": str(path), "pictures": len(shown), "choices": list(settings.choices),
    }  # fmt: skip
    said = f"{path}: {len(shown)} pictures, {len(settings.choices)} choices. Open it anywhere."
    if not as_json:
        out.print(said, soft_wrap=True, markup=False)
    if serve:
        answers = result.setdefault("answers", [])
        try:
            _serve(page, answers.append if as_json else print_json)
        except KeyboardInterrupt:
            if not as_json:
                raise
    if as_json:
        print_json(result)


def _serve(page: str, tell: Callable[[Any], None]) -> None:
    """Open the page in the browser and tell what is submitted, until Ctrl-C."""
    with server(page, tell) as listening:
        address = f"http://127.0.0.1:{listening.server_port}/"
        aside.print(f"{address}  (Ctrl-C ends)")
        webbrowser.open(address)
        listening.serve_forever()


def rendered(settings: Any, shown: Sequence[dict[str, Any]], find: Callable[[str], str]) -> str:
    """Render the page as the portal does, with everything it needs in it."""
    from tessera.tiling.page import build_page, render_task, with_stand_in

    page = build_page((UI / "tiles.liquid.html").read_text(encoding="utf-8"), settings)
    page = with_stand_in(page, (UI / "crowd-form.js").read_text(encoding="utf-8"))
    return render_task(page, {"images": list(shown)}, find)


def server(page: str, tell: Callable[[Any], None]) -> ThreadingHTTPServer:
    """Make a server of the page on this machine; `tell` is called with what is submitted."""
    body = page.replace("</body>", f"{TELL_THE_SERVER}</body>").encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(200, "text/html; charset=utf-8", body)

        def do_POST(self) -> None:
            tell(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self._send(204, "text/plain", b"")

        def _send(self, status: int, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: the answers are what is printed."""

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def _listed(manifest: Path, settings: Any) -> Iterator[dict[str, Any]]:
    from tessera.tiling.manifest.lines import Image, read_manifest

    with manifest.open("rb") as lines:
        for line in read_manifest((line.rstrip(b"\n") for line in lines), settings):
            if isinstance(line, Image):
                image: dict[str, Any] = {"source-ref": line.source_ref, "index": line.index}
                if line.prelabel is not None:
                    image["prelabel"] = line.prelabel
                if line.prelabel_confidence is not None:
                    image["prelabel-confidence"] = line.prelabel_confidence
                yield image


def _found(folder: Path, most: int) -> list[dict[str, Any]]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    return [{"source-ref": str(path), "index": at} for at, path in enumerate(paths[:most])]


def _picture_finder(manifest: Path | None) -> Callable[[str], str]:
    """Make what turns a source into a link: the picture itself, or a drawing that names it."""
    beside = {
        path.name: path
        for path in (manifest.parent.rglob("*") if manifest else ())
        if path.suffix.lower() in SUFFIXES
    }

    def find(source: str) -> str:
        if source.startswith(("https://", "http://")):
            return source
        name = source.rpartition("/")[2]
        path = beside.get(name) if manifest else Path(source)
        return _inlined(path) if path else _drawn(name)

    return find


def _inlined(path: Path) -> str:
    kind = mimetypes.guess_type(path.name)[0] or "image/png"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _drawn(name: str) -> str:
    drawing = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="480" height="360">'
        '<rect width="100%" height="100%" fill="#cfd6dd"/>'
        '<text x="50%" y="50%" font="sans-serif" font-size="28" text-anchor="middle">'
        f"{escape(name[-28:])}</text></svg>"
    )
    return f"data:image/svg+xml;base64,{base64.b64encode(drawing.encode()).decode()}"
