"""Build the worker's page: `python -m scripts.worker_page` puts ui/tiles into ui/tiles.liquid.html.

esbuild bundles and shortens the script and the styles; Node.js' `npx` fetches it. Only who changes
ui/tiles needs either: the built page is under version control, and a test holds it to its sources.
"""

from __future__ import annotations

import hashlib
import re
import string
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "ui" / "tiles"
DESIGN = ROOT / "ui" / "design.css"
PAGE = ROOT / "ui" / "tiles.liquid.html"

ESBUILD = "esbuild@0.28.2"
# The oldest browsers that know container queries, `:has()` and `inert`.
BROWSERS = "chrome111,firefox121,safari16.4"
# Names that nobody outside the script reads: none of a draft, of `meta`, or of the document's.
INTERNAL = (
    "^(retryIsDue|rowHeight|radios|chip|isAsked|tried|picture|columns|message|element|current|zoomed"
    "|address|large|rank)$"
)
LIQUID = re.compile(r"\[\[|\[%|\{\{|\{%")


def sources_hash() -> str:
    """Hash what the page is built of: every source, the design, and esbuild's version."""
    digest = hashlib.sha256(ESBUILD.encode())
    for path in [DESIGN, *sorted(path for path in SOURCES.rglob("*") if path.is_file())]:
        digest.update(f"\n{path.relative_to(SOURCES.parent).as_posix()}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def build() -> str:
    """Join skeleton, styles and script into the page that Liquid renders."""
    skeleton = (SOURCES / "page.liquid.html").read_text(encoding="utf-8")
    first, rest = re.sub(r"\n\s*", "\n", skeleton).split("\n", 1)
    origin = f"Built of ui/tiles by scripts/worker_page.py ({sources_hash()}). Change those."
    # For whoever opens the file: no worker's browser gets it.
    page = f"{first}\n[% comment %]{origin}[% endcomment %]\n{rest}"
    page = re.sub(r"(?s)<style>.*</style>", lambda style: _without_spaces(style[0]), page)
    page = page.replace("<!-- styles -->", _bundle("styles/page.css"))
    page = page.replace("<!-- script -->", _bundle("script/main.js"))
    return _with_short_names(_without_unused(page))


def _without_spaces(style: str) -> str:
    """Drop the spaces that a style sheet does without, as esbuild does in the rest of it."""
    return re.sub(r"(?<=[{};,])\s+|\s+(?={)", "", style)


def _without_unused(page: str) -> str:
    """Drop the sizes and colors of the design that this page does not use."""
    unused = set(re.findall(r"(--[\w-]+):", page)) - set(re.findall(r"var\((--[\w-]+)", page))
    names = "|".join(sorted(unused, key=len, reverse=True))
    return re.sub(rf"(?<=[{{;])(?:{names}):[^;}}]*(?:;|(?=}}))", "", page) if unused else page


def _with_short_names(page: str) -> str:
    """Give the design's sizes and colors names of a letter each, in the page alone."""
    names = sorted(set(re.findall(r"(--[\w-]+):", DESIGN.read_text(encoding="utf-8"))))
    letters = dict(zip(names, string.ascii_letters, strict=False))
    return re.sub(
        r"--[\w-]+", lambda name: f"--{letters[name[0]]}" if name[0] in letters else name[0], page
    )


def _bundle(source: str) -> str:
    """Bundle and shorten one entry point; ValueError where Liquid would read the result as its own.

    `[[ build ]]`, which the script asks of Liquid itself, passes.
    """
    command = ["npx", "--yes", ESBUILD, str(SOURCES / source), "--bundle", "--minify"]
    options = ["--format=iife", "--charset=utf8", f"--target={BROWSERS}", "--log-level=warning"]
    options.append(f"--mangle-props={INTERNAL}")
    text = subprocess.run([*command, *options], check=True, capture_output=True, text=True).stdout
    if match := LIQUID.search(text.replace("[[ build ]]", "")):
        start = max(match.start() - 40, 0)
        raise ValueError(f"Liquid reads this of {source} as its own: {text[start:][:80]}")
    return text.strip()


if __name__ == "__main__":
    PAGE.write_text(build(), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {PAGE.stat().st_size:,} bytes")
