"""What the pages under test are served: the same pictures, truths and suggestions for all."""

from __future__ import annotations

import gzip
import random
import struct
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tessera.tiling.page.page import CROWD_SCRIPT, build_page, render_task
from tessera.tiling.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
LABELS = ("cat", "dog", "neither", "invalid image")
SHARES = (0.50, 0.45, 0.04, 0.01)
WRONG = 0.05
"""Share of suggestions that are wrong."""
PICTURE = 17 * 1024
"""Bytes of every picture."""
VENDORED = {
    "/bootstrap.min.css": (155_758, 23_090),
    "/bootstrap.min.js": (58_072, 15_349),
    "/jquery.slim.min.js": (69_917, 23_967),
}
"""The control's three files with their sizes in bytes, as they are and on the wire."""


def truths(images: int, seed: int = 1) -> list[str]:
    """Deal the labels out by largest remainder, in a fixed shuffle."""
    counts = [int(share * images) for share in SHARES]
    rest = sorted(range(len(SHARES)), key=lambda at: counts[at] - SHARES[at] * images)
    for at in rest[: images - sum(counts)]:
        counts[at] += 1
    dealt = [label for label, count in zip(LABELS, counts, strict=True) for _ in range(count)]
    random.Random(seed).shuffle(dealt)
    return dealt


def guesses(truth: list[str], seed: int = 2) -> list[str]:
    """Suggest the truth, but for a fixed share of the pictures."""
    rng = random.Random(seed)
    wrong = set(rng.sample(range(len(truth)), round(WRONG * len(truth))))
    return [
        rng.choice([other for other in LABELS[:3] if other != label]) if at in wrong else label
        for at, label in enumerate(truth)
    ]


def our_page(
    images: int, prelabels: list[str] | None = None, labels: tuple[str, ...] = LABELS
) -> str:
    """Render the page that ships."""
    settings = Settings(
        labels=labels, question="What is in the picture?", instructions="Look at the main animal."
    )
    return render("ui/tiles.liquid.html", images, settings, prelabels)


def control_page(images: int) -> str:
    """Render the page that reproduces the post's interaction."""
    return render("benchmarks/labeling_effort/control.liquid.html", images, None, None)


def render(
    path: str,
    images: int,
    settings: Settings | None = None,
    prelabels: list[str] | None = None,
) -> str:
    """Render a page from its template; without settings it has no first stage."""
    template = (ROOT / path).read_text(encoding="utf-8")
    tiles: list[dict[str, Any]] = [
        {"source-ref": f"/pictures/{index}.png", "index": index} for index in range(images)
    ]
    for image, prelabel in zip(tiles, prelabels or (), strict=False):
        image["prelabel"] = prelabel
    page = build_page(template, settings) if settings else template
    return render_task(page, {"images": tiles}, str).replace(CROWD_SCRIPT, "/crowd.js")


@cache
def picture(number: int) -> bytes:
    """Paint a picture of 480 by 360, no two alike, all of the same weight."""
    row = b"\0" + bytes((number * 37 + x // 6) % 256 for x in range(480))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 480, 360, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(row * 360, 9)),
    ]
    filled = 8 + sum(len(content) + 12 for _, content in chunks) + 24
    chunks += [(b"teSt", random.Random(number).randbytes(PICTURE - filled)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


@cache
def filler(path: str) -> str:
    """Write rules that match nothing, or functions that nobody calls, as long as the real file.

    Random names are mixed in until it also weighs the same on the wire.
    """
    raw, zipped = VENDORED[path]
    form = (
        ".c{0} .c{1}-{2}>a:hover,.d{1}{{padding:.25rem .5rem;border-color:#{2};display:block}}\n"
        if path.endswith(".css")
        else "function f{0}(e,t){{var n=e.k{1};if(n&&t)return n.call(this,t||'{2}');return e}}\n"
    )
    for digits in range(1, 17):
        rng = random.Random(path)
        lines: list[str] = []
        while sum(map(len, lines)) < raw:
            lines += [
                form.format(*(f"{rng.getrandbits(4 * digits):x}" for _ in "...")) for _ in "." * 50
            ]
        text = "".join(lines)
        if len(gzip.compress(text.encode())) >= zipped:
            break
    return text


@contextmanager
def served(pages: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    """Serve pages and what they load; yields the address and the list of what was asked for."""
    asked: list[str] = []
    crowd = (ROOT / "ui/crowd-form.js").read_bytes()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            kind, body, zipped = _content(self.path, pages, crowd)
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if zipped:
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            with suppress(ConnectionError):  # a browser that has seen enough just leaves
                self.wfile.write(body)

        def handle(self) -> None:
            with suppress(ConnectionError):  # as above, between two requests
                super().handle()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


@cache
def _zipped(content: bytes) -> bytes:
    """Compress once: a visit that is timed must not wait for it."""
    return gzip.compress(content)


def _content(path: str, pages: Mapping[str, str], crowd: bytes) -> tuple[str, bytes, bool]:
    if path in pages:
        return "text/html; charset=utf-8", _zipped(pages[path].encode()), True
    if path == "/crowd.js":
        return "text/javascript", _zipped(crowd), True
    if path in VENDORED:
        kind = "text/css" if path.endswith(".css") else "text/javascript"
        return kind, _zipped(filler(path).encode()), True
    if path.startswith("/pictures/"):
        return "image/png", picture(int(path.rpartition("/")[2].partition(".")[0])), False
    return "text/plain", b"", False
