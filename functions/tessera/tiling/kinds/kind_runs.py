"""Label a run by its kind of task: those whose answers become labels in a way of their own.

Runs of the kind `tiles`, one label an image, go through `label_run` and its parts.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tessera.tiling.kinds.custom_run import label_custom_run
from tessera.tiling.kinds.multi_run import Files, label_multi_run
from tessera.tiling.run.run import Run
from tessera.tiling.settings import TaskKind

LabelRun = Callable[[Files, Run, Path], dict[str, Any] | None]
"""Labels a run of its kind, given the template of the report, and returns None for others."""

KIND_RUNS: dict[TaskKind, LabelRun] = {"custom": label_custom_run, "multi": label_multi_run}
"""Functions that label a run, by the kind of its task."""


def label_other_run(files: Files, run: Run, ui: Path) -> dict[str, Any] | None:
    """Label a run of another kind than `tiles` and return the state's result; None for those.

    `ui` is the folder of the pages, with a report's template `KIND-report.liquid.html` for each.
    """
    for kind, label in KIND_RUNS.items():
        if summary := label(files, run, ui / f"{kind}-report.liquid.html"):
            return summary
    return None
