"""ConsolidateLabels: answers of all rounds become labels, the training manifest and the report."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from functools import cache, partial
from pathlib import Path
from typing import Any

from tessera.aws.connection import Connection, connect
from tessera.aws.storage import Storage
from tessera.aws.telemetry import logger, observed, publish
from tessera.aws.tracing import step, traced
from tessera.tiling.answers.gather import gather_answers
from tessera.tiling.answers.table import answer_rows, answer_table, known_classes, unsure_rows
from tessera.tiling.consensus import Evidence, consolidate
from tessera.tiling.errors import ManifestUnreadable
from tessera.tiling.report.build import RunResult, build_report, summarize
from tessera.tiling.report.confidence import most_doubtful
from tessera.tiling.report.metrics import measure_run
from tessera.tiling.report.render import render_html, render_json
from tessera.tiling.report.unloaded import most_unloaded
from tessera.tiling.run import Run, read_run
from tessera.tiling.run_files import CreateFile, Writable
from tessera.tiling.training.known_labels import read_duplicates, read_gold
from tessera.tiling.training.write_manifests import label_manifest


@cache
def connection() -> Connection:
    """Connect at the first event and keep the connection: importing the module makes no client."""
    return connect()


@observed
@traced
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return what became of the run's images, as counts and URIs, and what to announce of it."""
    result = consolidate_run(connection().storage, event)
    # the sentences are in the result; log queries go by numbers
    counts = {key: value for key, value in result.items() if not isinstance(value, dict)}
    logger.info("labels consolidated", extra=counts)
    return result


def consolidate_run(storage: Storage, event: dict[str, Any]) -> dict[str, Any]:
    """Consolidate every round so far and write the run's files."""
    run = read_run(storage.get(f"{event['home']}run.json"), event)
    settings, create = run.settings, partial(_create, storage, run.home)
    with step("gather answers"):
        book = gather_answers(storage, run, create)
        table = answer_table(book, images=run.counts["lines"], classes=len(settings.classes))
        # before the manifest is read again: if it is gone, these are what is left
        _write(create, "answers.csv", answer_rows(book, (*settings.classes, settings.escape)))
    # read only if there are any: it takes a reading of the whole manifest
    gold = read_gold(_manifest(storage, run), settings) if run.counts.get("gold") else {}
    evidence = Evidence(known_classes(gold, table.crowd.images) if gold else None)
    with step("consolidate"):
        consensus = consolidate(table.crowd, settings.method, evidence=evidence)
    if not consensus.converged:  # labels are still the best there are, so nothing is refused
        logger.warning("the consolidation has not converged", extra={"method": settings.method})
    with step("write manifests"):
        lines = label_manifest(
            _manifest(storage, run),
            run,
            consensus,
            gold=gold,
            duplicates=_duplicates(storage, run),
            create=create,
            unloaded=table.unloaded.workers_by_image(table.crowd.images),
            watched=[*most_doubtful(consensus).tolist(), *most_unloaded(table.unloaded)],
        )
    result = RunResult(
        run=run,
        crowd=table.crowd,
        names=table.names,
        seconds=table.seconds,
        submission=table.submission,
        round_=table.round_,
        noted=book.noted,
        evidence=evidence,
        consensus=consensus,
        lines=lines,
        unloaded=table.unloaded,
    )
    _report(storage, result, create)
    return summarize(result)


def _report(storage: Storage, result: RunResult, create: CreateFile) -> None:
    """Write the report, and either the images to ask again or, at the run's end, its metrics."""
    run, figures = result.run, build_report(result)
    if again := result.images_to_ask_again:
        rows = unsure_rows(again, result.crowd, result.unloaded, result.names)
        _write(create, f"round-{run.round}/unsure.csv", rows)
    else:
        publish(measure_run(figures), run.project)
    # the pages lie in a layer, beside the functions' code
    template = Path(os.environ.get("UI_DIRECTORY", "/opt"), "report.liquid.html").read_text("utf-8")
    page, data = render_html(template, figures).encode(), render_json(figures)
    storage.put(f"{run.home}report.json", data, content_type="application/json")
    storage.put(f"{run.home}report.html", page, content_type="text/html; charset=utf-8")


def _duplicates(storage: Storage, run: Run) -> dict[int, int]:
    if not run.counts.get("repeats"):  # a run without any has no such file
        return {}
    return read_duplicates(storage.iter_lines(f"{run.home}repeats.csv"))


def _manifest(storage: Storage, run: Run) -> Iterator[bytes]:
    """Iterate over the manifest's bytes as they were when it was grouped."""
    gone = ManifestUnreadable(
        f"{run.manifest_uri} is gone as it was when the run began, and labels are written to its "
        "lines. No answer is lost: answers.csv in the run's folder has all, and tessera "
        "consolidate makes labels of it"
    )
    return storage.iter_chunks(run.manifest_uri, run.manifest.get("version-id"), if_missing=gone)


def _create(storage: Storage, home: str, name: str) -> AbstractContextManager[Writable]:
    kind = "text/csv" if name.endswith(".csv") else "application/jsonlines"
    return storage.writer(home + name, content_type=kind)


def _write(create: CreateFile, name: str, pieces: Iterable[bytes]) -> None:
    with create(name) as file:
        for piece in pieces:
            file.write(piece)
