"""A run is shown state by state, with a bar or in a log."""

from __future__ import annotations

import re
from typing import Any

import pytest
from rich.console import Console

from tessera.runs.display import bar, log, status_line
from tessera.runs.status import (
    RoundProgress,
    RunStatus,
)


def statuses() -> list[RunStatus]:
    steps = [RoundProgress(10, done, 20, 2, 100.0, 0.5, 0.9) for done in (0, 12, 20)]
    return [
        RunStatus("", "RUNNING", "GroupImages"),
        *(RunStatus("pets", "RUNNING", "LabelShards", 1, 200, progress) for progress in steps),
        RunStatus("pets", "RUNNING", "ConsolidateLabels", 1, 200),
        RunStatus("pets", "RUNNING", "LabelShards", 2, 20, RoundProgress(1, 0, 1)),
        RunStatus("pets", "SUCCEEDED", "Announce", 2, 20, confidence=0.97),
    ]


@pytest.mark.parametrize("display", [bar, log])
def test_a_run_is_shown_state_by_state_on_eighty_columns(display: Any) -> None:
    console = Console(record=True, width=80, force_terminal=display is bar)

    with display(console) as show:
        for status in statuses():
            show(status)

    assert re.findall(r"\d s  ([A-Z]\w+)", console.export_text()) == [
        "GroupImages", "LabelShards", "ConsolidateLabels", "LabelShards", "Announce",
    ]  # fmt: skip
    assert "97% confidence" in status_line(statuses()[-1])
