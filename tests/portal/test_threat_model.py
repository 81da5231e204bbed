"""The threat model, whose every line has a test."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent.parent
THREATS = (TESTS.parent / "docs" / "threat-model.md").read_text("utf-8")


def test_every_line_of_the_threat_model_has_a_test_that_exists() -> None:
    tests = "\n".join(path.read_text("utf-8") for path in TESTS.rglob("*.py"))
    rows = [row for row in THREATS.splitlines() if row.startswith("| ") and "| test |" not in row]
    assert len(rows) > 25
    for row in rows:
        named = re.findall(r"`(test_\w+|Test\w+)`", row.rpartition(" | ")[2])
        assert named, row
        assert [name for name in named if name not in tests] == []
