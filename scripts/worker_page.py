"""Build the worker's pages: `python -m scripts.worker_page` makes ui/KIND.liquid.html of ui/KIND.

There is a page for each kind of task that has one of ours. `tiles` is the whole of one; of another
kind the folder holds only what differs, and each of its files stands in for the one of that name.

esbuild bundles and shortens the script and the styles; Node.js' `npx` fetches it. Only who changes
the sources needs either: built pages are under version control, and a test holds them to these.
"""

from __future__ import annotations

import hashlib
import re
import string
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
UI = ROOT / "ui"
SOURCES = UI / "tiles"
DESIGN = UI / "design.css"
PAGE = UI / "tiles.liquid.html"
PAGES = ("tiles", "multi", "boxes")
"""Kinds of task with a page of ours, by their folders."""

ESBUILD = "esbuild@0.28.2"
# The oldest browsers that know container queries, `:has()` and `inert`.
BROWSERS = "chrome111,firefox121,safari16.4"
# Names that nobody outside the script reads: none of a draft, of `meta`, or of the document's.
INTERNAL = (
    "^(retryIsDue|empty|rowHeight|radios|chip|isAsked|tried|picture|columns|message|element|current|zoomed"
    "|address|large|rank|record|confirmed|away|image|shape|former|move|end|cancel|tile|original|confidence)$"
)
PART = re.compile(r"<!-- part ([\w-]+) -->")
"""Place in the skeleton of a part that kinds of task have of their own."""
LIQUID = re.compile(r"\[\[|\[%|\{\{|\{%")


def sources(kind: str) -> dict[str, Path]:
    """Return the files that a kind's page is built of, by their place below the folder."""
    folders = dict.fromkeys((SOURCES, UI / kind))
    return {
        path.relative_to(folder).as_posix(): path
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def sources_hash(kind: str = "tiles") -> str:
    """Hash what a page is built of: every source, the design, and esbuild's version."""
    digest = hashlib.sha256(ESBUILD.encode())
    for path in [DESIGN, *sorted(sources(kind).values())]:
        digest.update(f"\n{path.relative_to(UI).as_posix()}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def build(kind: str = "tiles") -> str:
    """Join skeleton, styles and script into the page that Liquid renders."""
    files = sources(kind)
    skeleton = PART.sub(
        lambda part: files[f"parts/{part[1]}.html"].read_text(encoding="utf-8").strip(),
        files["page.liquid.html"].read_text(encoding="utf-8"),
    )
    first, rest = re.sub(r"\n\s*", "\n", skeleton).split("\n", 1)
    folders = "ui/tiles" if kind == "tiles" else f"ui/tiles and ui/{kind}"
    origin = f"Built of {folders} by scripts/worker_page.py ({sources_hash(kind)}). Change those."
    # For whoever opens the file: no worker's browser gets it.
    page = f"{first}\n[% comment %]{origin}[% endcomment -%]\n{rest}"
    with TemporaryDirectory() as folder:
        for place, path in {**files, "../design.css": DESIGN}.items():
            copy = Path(folder, kind, place)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
        styles = _bundle(Path(folder, kind, "styles/page.css"))
        script = _bundle(Path(folder, kind, "script/main.js"))
    return assemble(page, styles, script)


def assemble(page: str, styles: str, script: str) -> str:
    """Put styles and script into the page, and shorten the styles.

    The script comes last and as it is: only esbuild, which parses it, knows what is in a string.
    """
    page = re.sub(r"(?s)<style>.*</style>", lambda style: _without_spaces(style[0]), page)
    kept = set(re.findall(r"--[\w-]+", script))
    page = _without_unused(page.replace("<!-- styles -->", styles), kept)
    return _with_short_names(page, kept).replace("<!-- script -->", script)


def _without_spaces(style: str) -> str:
    """Drop the spaces that a style sheet does without, as esbuild does in the rest of it."""
    return re.sub(r"(?<=[{};,:])\s+|\s+(?={)|;\s*(?=})", "", style)


def _without_unused(page: str, kept: set[str]) -> str:
    """Drop the sizes and colors of the design that neither this page nor its script uses."""
    used = kept.union(re.findall(r"var\((--[\w-]+)", page))
    unused = set(re.findall(r"(--[\w-]+):", page)) - used
    names = "|".join(sorted(unused, key=len, reverse=True))
    page = re.sub(rf"(?<=[{{;])(?:{names}):[^;}}]*(?:;|(?=}}))", "", page) if unused else page
    return page.replace(";}", "}")  # what a dropped last one leaves


def _with_short_names(page: str, kept: set[str]) -> str:
    """Give the design's sizes and colors names of a letter each, but those that a script uses."""
    names = sorted(set(re.findall(r"(--[\w-]+):", DESIGN.read_text(encoding="utf-8"))))
    letters = dict(zip(names, string.ascii_letters, strict=False))
    letters = {name: letter for name, letter in letters.items() if name not in kept}
    page = re.sub(r"(--[\w-]+:)\s+", r"\1", page)
    return re.sub(
        r"--[\w-]+", lambda name: f"--{letters[name[0]]}" if name[0] in letters else name[0], page
    )


def _bundle(source: Path) -> str:
    """Bundle and shorten one entry point; ValueError where Liquid would read the result as its own.

    `[[ build ]]`, which the script asks of Liquid itself, passes.
    """
    command = ["npx", "--yes", ESBUILD, str(source), "--bundle", "--minify"]
    options = ["--format=iife", "--charset=utf8", f"--target={BROWSERS}", "--log-level=warning"]
    options.append(f"--mangle-props={INTERNAL}")
    text = subprocess.run([*command, *options], check=True, capture_output=True, text=True).stdout
    if match := LIQUID.search(text.replace("[[ build ]]", "")):
        start = max(match.start() - 40, 0)
        raise ValueError(f"Liquid reads this of {source.name} as its own: {text[start:][:80]}")
    return text.strip()


if __name__ == "__main__":
    for name in PAGES:
        built = UI / f"{name}.liquid.html"
        built.write_text(build(name), encoding="utf-8")
        print(f"{built.relative_to(ROOT)}: {built.stat().st_size:,} bytes")
