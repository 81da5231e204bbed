"""ConsolidateLabels: answers of all rounds become labels, the training manifest and the report."""

import os
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tessera.aws.connection import Connection, connect
from tessera.aws.telemetry import logger, observed, publish
from tessera.aws.tracing import step, traced
from tessera.tiling.kinds.kind_runs import label_other_run
from tessera.tiling.label_parts.reduce import begin_stage
from tessera.tiling.label_parts.whole import report_whole
from tessera.tiling.label_parts.work import work_on_item
from tessera.tiling.label_run import label_run
from tessera.tiling.report.build import summarize
from tessera.tiling.report.metrics import measure_run, pace_by_order
from tessera.tiling.run.run import read_run
from tessera.tiling.run.run_record import note_end
from tessera.tiling.workers.worker_memory import remember_run


@cache
def connection() -> Connection:
    """Connect at the first event and keep the connection: importing the module makes no client."""
    return connect()


@observed
@traced
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return what became of the run's images, as counts and URIs, and what to announce of it."""
    storage = connection().storage
    ui = Path(os.environ.get("UI_DIRECTORY", "/opt"))  # where Lambda puts the layer of pages
    parts = event.get("parts", {})  # none from executions that began before there were any
    if "item" in parts:
        work_on_item(storage, event)
        return {}
    run = read_run(storage.get(f"{event['home']}run.json"), event)
    megabytes = int(context.memory_limit_in_mb)
    if other := label_other_run(storage, run, ui):
        return other
    if parts and (stage := begin_stage(storage, run, parts["stage"], megabytes)):
        return stage
    if parts.get("stage"):
        result, figures = report_whole(storage, run, ui / "report.liquid.html", TemporaryFile)
    else:
        result, figures = label_run(storage, run, ui / "report.liquid.html", step)
    if not result.consensus.converged:  # labels are still the best there are, so nothing is refused
        logger.warning("the consolidation has not converged", extra={"method": run.settings.method})
    if not result.images_to_ask_again:  # the metrics are those of a whole run
        publish(measure_run(figures), result.run.project)
    summary = summarize(result)
    if summary["outcome"] == "done":
        remember_run(storage, result)
        note_end(storage, f"{event['home']}run.json", event["execution"], event["jobs"])
    counts = {key: value for key, value in summary.items() if not isinstance(value, dict)}
    logger.info("labels consolidated", extra=counts | pace_by_order(figures))
    return summary
