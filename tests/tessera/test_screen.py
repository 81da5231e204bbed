"""What the tool prints where no bar can be drawn."""

from __future__ import annotations

import pytest
from rich.console import Console

from tessera.screen import progress, waiting


def test_a_log_has_lines_about_how_far_the_work_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tessera.screen.PAUSE", 0.0)
    console = Console(record=True, width=80, force_terminal=False)

    with progress("pictures", 3, console=console) as advance:
        for _ in range(3):
            advance(1)
    monkeypatch.undo()
    with waiting("Deploying", console):
        pass

    assert console.export_text().splitlines() == [
        "pictures: 1 of 3", "pictures: 2 of 3", "pictures: 3 of 3", "Deploying …",
    ]  # fmt: skip
