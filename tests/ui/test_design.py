"""One design language: its colors can be read, and no style sheet has sizes of its own."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

from tests.ui.contrast import contrast

UI = Path(__file__).parents[2] / "ui"
DESIGN = (UI / "design.css").read_text("utf-8")
OF_SCRIPTS = {"--color", "--text", "--shape", "--no-answer", "--flagged", "--tone", "--pattern"}
"""Variables that the page's template and scripts set."""

SHEETS = [
    *sorted((UI / "tiles" / "styles").glob("*.css")),
    UI / "portal" / "portal.css",
    UI / "portal" / "review.html",
    UI / "report.liquid.html",
]


def tokens(css: str) -> list[dict[str, str]]:
    """The custom properties of a sheet's `:root` rules, the light ones and the dark."""
    bare = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    return [
        dict(re.findall(r"--([\w-]+):\s*([^;]+);", rule))
        for rule in re.findall(r":root\s*\{([^}]*)\}", bare)
    ]


LIGHT, DARK = tokens(DESIGN)
READ = [  # ink and what it is read on
    *product(("ink", "soft", "link"), ("ground", "surface")),
    ("ink", "hover"),
    ("alarm", "surface"),
    ("alarm", "alarm-ground"),
    ("good", "surface"),
    ("ink", "notice"),
    ("notice-ink", "notice"),
]
SEEN = [*product(("line", "ring", "accent"), ("ground", "surface")), ("notice-line", "ground")]


@pytest.mark.parametrize("colors", [LIGHT, LIGHT | DARK], ids=["light", "dark"])
def test_every_text_can_be_read_and_every_border_be_seen(colors: dict[str, str]) -> None:
    for ink, ground in READ:
        assert contrast(colors[ink], colors[ground]) >= 4.5, (ink, ground)
    for fill in ("accent", "accent-hover", "go"):
        assert contrast("#fff", colors[fill]) >= 4.5, fill
    for line, ground in SEEN:
        assert contrast(colors[line], colors[ground]) >= 3, (line, ground)


def test_the_workers_page_looks_few_fonts_up_before_it_shows() -> None:
    """Each weight and each character that is in few fonts costs a slow computer 20 to 100 ms."""
    page = (UI / "tiles.liquid.html").read_text("utf-8")
    assert set(re.findall(r"font-weight:\s*([^;}]+)", page)) <= {"400", "700"}
    shown_at_start = re.search(r"<header>.*</main>", page, re.DOTALL)
    assert shown_at_start
    common = {"≈"}
    assert {character for character in shown_at_start[0] if ord(character) > 0xFF} <= common


def test_the_report_has_the_same_design() -> None:
    report = tokens((UI / "report.liquid.html").read_text("utf-8"))
    assert report[:2] == [LIGHT, DARK]


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda path: path.name)
def test_no_style_sheet_has_a_size_of_type_or_a_variable_of_its_own(sheet: Path) -> None:
    text = sheet.read_text("utf-8")
    screen = re.sub(r"@media print \{.*?\n\}\n", "", text, flags=re.DOTALL)
    sizes = re.findall(r"font-size:\s*([^;}]+)", screen)
    # in a drawing, whose units are its own, the sizes of text are too
    assert {size for size in sizes if not size.startswith("var(--text-")} <= {"18px"}
    own = set(re.findall(r"(--[\w-]+)\s*:", text))
    used = set(re.findall(r"var\((--[\w-]+)", text))
    assert used - own <= {f"--{name}" for name in LIGHT} | OF_SCRIPTS
