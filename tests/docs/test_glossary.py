"""Every word of the glossary is something in the code."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

GLOSSARY = (Path(__file__).parents[2] / "docs" / "glossary.md").read_text("utf-8")
ROWS = re.findall(r"^\| ([^|]+) \| ([^|]+) \| `([\w.]+)(?::(\w+))?` \|$", GLOSSARY, re.MULTILINE)


def test_every_row_of_the_glossary_is_read() -> None:
    rows = [row for row in GLOSSARY.splitlines() if row.startswith("| ")]
    assert len(ROWS) == len([row for row in rows if not row.startswith("| word")])
    assert len({word for word, *_ in ROWS}) == len(ROWS) > 30


@pytest.mark.parametrize(("word", "meaning", "module", "name"), ROWS, ids=[row[0] for row in ROWS])
def test_a_word_of_the_glossary_is_in_the_code(
    word: str, meaning: str, module: str, name: str
) -> None:
    place = import_module(module)
    assert not name or hasattr(place, name)
