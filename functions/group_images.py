"""GroupImages: a manifest becomes tasks of many images each, and the request that opens its jobs.

Everything a run will need is decided and written here, before any worker or fee is involved: the
settings, the page, the tasks of every shard, and which execution owns the run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, cast

import msgspec
from aws_lambda_powertools.metrics import MetricUnit

from aws import storage, workflow
from aws.telemetry import logger, metrics, observed
from aws.tracing import traced
from tiling.errors import LabelsMissing, TesseraError
from tiling.groups import Summary, Writable, group_manifest
from tiling.jobs import Surroundings, label_categories, labeling_job_request, run_id
from tiling.settings import Settings, read_settings

ALIVE = {"RUNNING", "SUCCEEDED", "PENDING_REDRIVE"}
"""What the owner of a run must be for another execution to leave the run alone."""
OUTCOMES = {
    "ask": "RoundsAsked",
    "nothing-to-ask": "RoundsWithNothingToAsk",
    "already-running": "RunsAlreadyRunning",
    "refused": "ManifestsRefused",
}
"""The metric that counts each outcome."""


@observed
@traced
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """What the state machine goes on with: jobs to open, or why there are none."""
    try:
        result = _first_round(event["manifest"], event["execution"])
    except TesseraError as error:
        result = {"outcome": "refused", "error": type(error).__name__, "cause": str(error)}
        logger.warning("manifest refused", refusal=result)
    metrics.add_metric(OUTCOMES[result["outcome"]], MetricUnit.Count, 1)
    return result


def _first_round(manifest: dict[str, Any], execution: str) -> dict[str, Any]:
    settings = _settings_beside(manifest)
    run = run_id(manifest, settings)
    home = f"s3://{os.environ['LABELS_BUCKET']}/runs/{run}/"
    begun = {
        "run": run,
        "execution": execution,
        "manifest": manifest,
        "settings": msgspec.to_builtins(settings),
        "rounds": [],
        "counts": {},
    }
    owner = _claim(f"{home}run.json", begun)
    if owner != execution:
        logger.info("run has an owner", run=run, owner=owner)
        return {"outcome": "already-running", "run": run, "home": home, "owner": owner}
    _write_page(settings, home)
    summary = group_manifest(
        partial(_manifest, manifest), settings, partial(_new_file, home), _scratch
    )
    _record_round(begun, summary, home)
    return _result(summary, settings, run=run, home=home, project=_project(manifest))


def _settings_beside(manifest: dict[str, Any]) -> Settings:
    """The settings from labeling.json in the manifest's folder, else the stack's default."""
    folder = manifest["key"].rpartition("/")[0]
    uri = f"s3://{manifest['bucket']}/{folder + '/' if folder else ''}labeling.json"
    if storage.exists(uri):
        return read_settings(storage.read(uri))
    default = os.environ.get("DEFAULT_SETTINGS", "").strip()
    if not default:
        raise LabelsMissing([f"labels: there is no {uri}, and the stack has no default settings"])
    return read_settings(default.encode())


def _claim(uri: str, begun: dict[str, Any]) -> str:
    """The execution that owns the run: this one, if it is first or the owner before it is dead."""
    document = msgspec.json.encode(begun)
    if storage.create(uri, document, content_type="application/json"):
        return str(begun["execution"])
    found, etag = storage.read_tagged(uri)
    owner = str(msgspec.json.decode(found)["execution"])
    if owner == begun["execution"] or workflow.status(owner) in ALIVE:
        return owner
    if storage.replace(uri, document, etag):
        return str(begun["execution"])
    return str(msgspec.json.decode(storage.read(uri))["execution"])  # someone took over before us


def _write_page(settings: Settings, home: str) -> None:
    folder = Path(os.environ.get("UI_DIRECTORY", "/opt"))
    page = built_page((folder / "tiles.liquid.html").read_text("utf-8"), settings)
    storage.write(f"{home}page.liquid.html", page.encode(), content_type="text/html")
    storage.write(f"{home}labels.json", label_categories(settings), content_type="application/json")


def built_page(template: str, settings: Settings) -> str:
    """The run's page."""
    from tiling.page import build_page  # late: only a first round needs Liquid

    return build_page(template, settings)


def _manifest(manifest: dict[str, Any]) -> Iterator[bytes]:
    uri = f"s3://{manifest['bucket']}/{manifest['key']}"
    return storage.chunks(uri, manifest.get("version-id"))


def _new_file(home: str, name: str) -> AbstractContextManager[Writable]:
    return storage.writer(home + name)


def _scratch() -> BinaryIO:
    """A file on the function's own disk, gone when it is closed."""
    return cast(BinaryIO, TemporaryFile(buffering=0))


def _record_round(begun: dict[str, Any], summary: Summary, home: str) -> None:
    """Say in run.json what the first round asks and what the manifest's lines were."""
    done = begun | {
        "rounds": [
            {
                "round": 1,
                "shards": len(summary.shards),
                "tasks": sum(shard.tasks for shard in summary.shards),
                "images": sum(shard.images for shard in summary.shards),
            }
        ],
        "counts": {
            "lines": summary.lines,
            "images": summary.images,
            "labeled": summary.labeled,
            "rejected": summary.rejected,
            "gold": summary.gold,
            "repeats": summary.repeats,
        },
    }
    storage.write(f"{home}run.json", msgspec.json.encode(done), content_type="application/json")
    for name, count in done["counts"].items():
        metrics.add_metric(f"{name.capitalize()}InManifest", MetricUnit.Count, count)
    logger.info("images grouped", run=begun["run"], counts=done["counts"], rounds=done["rounds"])


def _result(
    summary: Summary, settings: Settings, *, run: str, home: str, project: str
) -> dict[str, Any]:
    return {
        "outcome": "ask" if summary.shards else "nothing-to-ask",
        "run": run,
        "home": home,
        "round": 1,
        "shards": len(summary.shards),
        "tasks": sum(shard.tasks for shard in summary.shards),
        "images": summary.images,
        "rejected": summary.rejected,
        "workforce": settings.workforce,
        "request": labeling_job_request(
            settings, _surroundings(), run=run, home=home, round_=1, project=project
        ),
    }


def _surroundings() -> Surroundings:
    return Surroundings(
        prepare_task=os.environ.get("PREPARE_TASK_ARN", ""),
        collect_answers=os.environ.get("COLLECT_ANSWERS_ARN", ""),
        labeling_role=os.environ.get("LABELING_ROLE_ARN", ""),
        kms_key=os.environ.get("KMS_KEY_ID", ""),
        public_price=os.environ.get("PUBLIC_PRICE", ""),
    )


def _project(manifest: dict[str, Any]) -> str:
    folder = str(manifest["key"]).rpartition("/")[0]
    return folder or "none"
