"""GroupImages: a manifest becomes tasks of many images each, and the request that opens their jobs.

Everything a run will need is decided and written here, before any worker or fee is involved: the
settings, the page, the tasks of every shard, and which execution owns the run.
"""

from __future__ import annotations

import os
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, cast

import msgspec
from aws_lambda_powertools.metrics import MetricUnit

from tessera.aws.connection import Connection, connect
from tessera.aws.storage import Storage
from tessera.aws.telemetry import logger, metrics, observed
from tessera.aws.tracing import traced
from tessera.tiling.errors import TesseraError
from tessera.tiling.grouping.bucket_sample import check_buckets
from tessera.tiling.grouping.first_round import group_manifest
from tessera.tiling.grouping.later_round import group_later_round
from tessera.tiling.jobs import Surroundings, label_categories
from tessera.tiling.run_files import OpenScratch
from tessera.tiling.run_record import (
    AskedRound,
    RunRecord,
    ask_result,
    begin_record,
    claim_run,
    decode_record,
    find_settings,
    read_manifest_bytes,
    settings_of,
)
from tessera.tiling.settings import Settings

OUTCOMES = {
    "ask": "RoundsAsked",
    "nothing-to-ask": "RoundsWithNothingToAsk",
    "already-running": "RunsAlreadyRunning",
    "refused": "ManifestsRefused",
}
"""The metric that counts each outcome."""
SCRATCH = cast(OpenScratch, partial(TemporaryFile, buffering=0))
"""Opens a file on the function's own disk; the grouping writes blocks, which need no buffer."""


@cache
def connection() -> Connection:
    """Connect at the first event and keep the connection: importing the module makes no client."""
    return connect()


@observed
@traced
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return what the state machine goes on with: jobs to open, or why there are none."""
    group = _group_first_round if event.get("round", 1) == 1 else _group_later_round
    try:
        result = group(connection(), event)
    except TesseraError as error:
        result = {"outcome": "refused", "error": type(error).__name__, "cause": str(error)}
        logger.warning("manifest refused", refusal=result)
    metrics.add_metric(OUTCOMES[result["outcome"]], MetricUnit.Count, 1)
    return result


def _group_first_round(aws: Connection, event: dict[str, Any]) -> dict[str, Any]:
    """Write all that a new manifest needs, unless another execution is working on it."""
    storage, manifest = aws.storage, event["manifest"]
    settings = find_settings(storage, manifest, os.environ.get("DEFAULT_SETTINGS", ""))
    record = begin_record(manifest, settings, event["execution"])
    home = f"s3://{os.environ['LABELS_BUCKET']}/runs/{record.run}/"
    # Before anything else is written: two executions may have begun for the same manifest.
    owner = claim_run(storage, f"{home}run.json", record, aws.workflow.status)
    if owner != record.execution:
        return _already_running(record.run, home, owner)
    record = decode_record(storage.get(f"{home}run.json"))  # which knows whom it was taken from
    _write_page(storage, settings, home)
    read = partial(read_manifest_bytes, storage, manifest)
    check_buckets(read(), settings, storage.bucket_exists)
    summary = group_manifest(read, settings, lambda name: storage.writer(home + name), SCRATCH)
    for name, count in summary.counts.items():
        metrics.add_metric(f"{name.capitalize()}InManifest", MetricUnit.Count, count)
    record = msgspec.structs.replace(record, counts=summary.counts)
    return _ask(storage, home, record, AskedRound.of(1, summary.shards))


def _group_later_round(aws: Connection, event: dict[str, Any]) -> dict[str, Any]:
    """Write tasks of the images that the round before left unsure, for one worker more each."""
    storage, home, round_ = aws.storage, event["home"], event["round"]
    record = decode_record(storage.get(f"{home}run.json"))
    # A run can be taken over between rounds, by a drop after its execution was stopped.
    if record.execution != event["execution"]:
        return _already_running(event["run"], home, record.execution)
    unsure = storage.iter_lines(f"{home}round-{round_ - 1}/unsure.csv")
    read = partial(read_manifest_bytes, storage, record.manifest)
    settings, create = settings_of(record), lambda name: storage.writer(home + name)
    shards = group_later_round(unsure, read, settings, round_, create, SCRATCH)
    return _ask(storage, home, record, AskedRound.of(round_, shards))


def _already_running(run: str, home: str, owner: str) -> dict[str, Any]:
    logger.info("run has an owner", run=run, owner=owner)
    return {"outcome": "already-running", "run": run, "home": home, "owner": owner}


def _ask(storage: Storage, home: str, record: RunRecord, asked: AskedRound) -> dict[str, Any]:
    """Note the round in run.json, and return the request that opens its jobs."""
    # Before its jobs are opened, so that no job is without a trace in run.json.
    record = record.with_round(asked)
    storage.put(f"{home}run.json", msgspec.json.encode(record), content_type="application/json")
    logger.info("images grouped", counts=record.counts, asked=msgspec.to_builtins(asked))
    return ask_result(home, record, asked, _surroundings())


def _write_page(storage: Storage, settings: Settings, home: str) -> None:
    # Late: only a first round needs Liquid.
    from tessera.tiling.page import build_page, check_page

    template = Path(os.environ.get("UI_DIRECTORY", "/opt"), "tiles.liquid.html").read_text("utf-8")
    page = build_page(template, settings)
    check_page(page, settings)
    storage.put(f"{home}page.liquid.html", page.encode(), content_type="text/html")
    storage.put(f"{home}labels.json", label_categories(settings), content_type="application/json")


def _surroundings() -> Surroundings:
    return Surroundings(
        prepare_task=os.environ.get("PREPARE_TASK_ARN", ""),
        collect_answers=os.environ.get("COLLECT_ANSWERS_ARN", ""),
        labeling_role=os.environ.get("LABELING_ROLE_ARN", ""),
        kms_key=os.environ.get("KMS_KEY_ID", ""),
        public_price=os.environ.get("PUBLIC_PRICE", ""),
    )
