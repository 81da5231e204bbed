"""Label a run by its kind of task: those whose answers become labels in a way of their own.

Runs of other kinds, one label an image, go through `label_run` and its parts.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tessera.tiling.decisions import FOLDER
from tessera.tiling.kinds.custom_run import label_custom_run
from tessera.tiling.kinds.kind_result import Files, KindResult
from tessera.tiling.kinds.multi_run import label_multi_run
from tessera.tiling.label_run import label_into, put_report
from tessera.tiling.report.render import render_page
from tessera.tiling.run.run import Run
from tessera.tiling.run.run_record import note_end
from tessera.tiling.settings import TaskKind


class KindRun(NamedTuple):
    """Way in which a kind's answers become labels: a function, and the template of its report.

    `label` writes a run's manifests into a folder, the run's own or that of a review; `report` is
    the name of the template in the `ui` folder.
    """

    label: Callable[[Files, Run, str], KindResult]
    report: str


KIND_RUNS: dict[TaskKind, KindRun] = {
    "custom": KindRun(label_custom_run, "custom-report.liquid.html"),
    "multi": KindRun(label_multi_run, "multi-report.liquid.html"),
}
"""Ways of the kinds that have one of their own."""


def label_other_run(files: Files, run: Run, ui: Path) -> dict[str, Any] | None:
    """Label a run whose kind has a way of its own, and return the state's result; None for others.

    `ui` is the folder of the pages, where the reports' templates lie, too.
    """
    kind = KIND_RUNS.get(run.settings.task)
    if kind is None:
        return None
    result = _label(kind, files, run, ui, run.home)
    if result.summary["outcome"] == "done":
        note_end(files, f"{run.home}run.json", run.execution, run.jobs)
    return result.summary


def label_reviewed(files: Files, run: Run, ui: Path) -> dict[str, Any]:
    """Write the files of a run that was reviewed beside those that it has, into `review/`.

    Returns the figures of its report.
    """
    home = run.home + FOLDER
    if kind := KIND_RUNS.get(run.settings.task):
        return _label(kind, files, run, ui, home).figures
    return label_into(files, run, ui / "report.liquid.html", home)


def _label(kind: KindRun, files: Files, run: Run, ui: Path, home: str) -> KindResult:
    """Write manifests and report of a run into `home`, by the way of its kind."""
    result = kind.label(files, run, home)
    page = render_page((ui / kind.report).read_text("utf-8"), report=result.figures)
    put_report(files, home, result.figures, page)
    return result
