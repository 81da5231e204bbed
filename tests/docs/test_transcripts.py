"""What README and docs show of a run is in the words that the tool prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tessera.runs.display import STATES

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
STATE_LINE = re.compile(rf"^ *[\d.]+ s  ({'|'.join(STATES)}) +(?:round \d+: )?(.*)$", re.MULTILINE)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_state_in_a_transcript_is_described_as_the_tool_does(path: Path) -> None:
    lines = STATE_LINE.findall(path.read_text("utf-8"))
    assert [(state, text) for state, text in lines if text != STATES[state]] == []


def test_the_readme_shows_a_run() -> None:
    assert len(STATE_LINE.findall((ROOT / "README.md").read_text("utf-8"))) >= 3
