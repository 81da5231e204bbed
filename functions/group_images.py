"""GroupImages: a manifest becomes tasks of many images each, and the request that opens its jobs.

Everything a run will need is decided and written here, before any worker or fee is involved: the
settings, the page, the tasks of every shard, and which execution owns the run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, cast

import msgspec
from aws_lambda_powertools.metrics import MetricUnit

from tessera.aws.connection import Connection, connect
from tessera.aws.storage import Storage
from tessera.aws.telemetry import logger, metrics, observed
from tessera.aws.tracing import traced
from tessera.tiling.errors import LabelsMissing, ManifestUnreadable, TesseraError
from tessera.tiling.grouping.first_round import group_manifest
from tessera.tiling.grouping.later_round import group_later_round
from tessera.tiling.grouping.ports import Writable
from tessera.tiling.grouping.task_file import Shard
from tessera.tiling.jobs import Surroundings, label_categories, labeling_job_request, run_id
from tessera.tiling.settings import LONGEST_SETTINGS, Settings, read_settings

ALIVE = {"RUNNING", "SUCCEEDED", "PENDING_REDRIVE"}
"""What the owner of a run must be for another execution to leave the run alone."""
OUTCOMES = {
    "ask": "RoundsAsked",
    "nothing-to-ask": "RoundsWithNothingToAsk",
    "already-running": "RunsAlreadyRunning",
    "refused": "ManifestsRefused",
}
"""The metric that counts each outcome."""


@cache
def connection() -> Connection:
    """Connect at the first event and keep the connection: importing the module makes no client."""
    return connect()


@observed
@traced
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """What the state machine goes on with: jobs to open, or why there are none."""
    try:
        later = event.get("round", 1) > 1
        result = (_later_round if later else _first_round)(connection(), event)
    except TesseraError as error:
        result = {"outcome": "refused", "error": type(error).__name__, "cause": str(error)}
        logger.warning("manifest refused", refusal=result)
    metrics.add_metric(OUTCOMES[result["outcome"]], MetricUnit.Count, 1)
    return result


def _first_round(aws: Connection, event: dict[str, Any]) -> dict[str, Any]:
    """All that a new manifest needs; or the owner's name, if another execution is at it."""
    manifest, execution = event["manifest"], event["execution"]
    settings = _settings_beside(aws.storage, manifest)
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
    owner = _claim(aws, f"{home}run.json", begun)
    if owner != execution:
        logger.info("run has an owner", run=run, owner=owner)
        return {"outcome": "already-running", "run": run, "home": home, "owner": owner}
    _write_page(aws.storage, settings, home)
    summary = group_manifest(
        partial(_manifest, aws.storage, manifest),
        settings,
        partial(_new_file, aws.storage, home),
        _scratch,
    )
    counts = {
        "lines": summary.lines,
        "images": summary.images,
        "labeled": summary.labeled,
        "rejected": summary.rejected,
        "gold": summary.gold,
        "repeats": summary.repeats,
    }
    for name, count in counts.items():
        metrics.add_metric(f"{name.capitalize()}InManifest", MetricUnit.Count, count)
    record = begun | {"counts": counts}
    return _round(aws.storage, record, summary.shards, settings, home=home, round_=1)


def _later_round(aws: Connection, event: dict[str, Any]) -> dict[str, Any]:
    """The unsure images of the round before, for one worker more each."""
    home, round_ = event["home"], event["round"]
    record = msgspec.json.decode(aws.storage.get(f"{home}run.json"))
    if record["execution"] != event["execution"]:
        owner = {"home": home, "owner": record["execution"]}
        return {"outcome": "already-running", "run": event["run"], **owner}
    settings = read_settings(msgspec.json.encode(record["settings"]))
    shards = group_later_round(
        aws.storage.iter_lines(f"{home}round-{round_ - 1}/unsure.csv"),
        partial(_manifest, aws.storage, record["manifest"]),
        settings,
        round_,
        partial(_new_file, aws.storage, home),
        _scratch,
    )
    return _round(aws.storage, record, shards, settings, home=home, round_=round_)


def _round(
    storage: Storage,
    record: dict[str, Any],
    shards: tuple[Shard, ...],
    settings: Settings,
    *,
    home: str,
    round_: int,
) -> dict[str, Any]:
    """The result of a round, which from now on is in run.json."""
    asked = {
        "round": round_,
        "shards": len(shards),
        "tasks": sum(shard.tasks for shard in shards),
        "images": sum(shard.images for shard in shards),
    }
    before = [earlier for earlier in record["rounds"] if earlier["round"] < round_]
    done = record | {"rounds": [*before, asked]}
    storage.put(f"{home}run.json", msgspec.json.encode(done), content_type="application/json")
    logger.info("images grouped", counts=record["counts"], asked=asked)
    return {
        "outcome": "ask" if shards else "nothing-to-ask",
        "run": record["run"],
        "home": home,
        **asked,
        "rejected": record["counts"]["rejected"],
        "workforce": settings.workforce,
        "request": labeling_job_request(
            settings,
            _surroundings(),
            run=record["run"],
            home=home,
            round_=round_,
            project=_project(record["manifest"]),
        ),
    }


def _settings_beside(storage: Storage, manifest: dict[str, Any]) -> Settings:
    """The settings from labeling.json in the manifest's folder, else the stack's default."""
    folder = manifest["key"].rpartition("/")[0]
    uri = f"s3://{manifest['bucket']}/{folder + '/' if folder else ''}labeling.json"
    document = storage.get_up_to(uri, LONGEST_SETTINGS + 1)
    if document is not None:
        return read_settings(document)
    default = os.environ.get("DEFAULT_SETTINGS", "").strip()
    if not default:
        raise LabelsMissing([f"labels: there is no {uri}, and the stack has no default settings"])
    return read_settings(default.encode())


def _claim(aws: Connection, uri: str, begun: dict[str, Any]) -> str:
    """The execution that owns the run: this one, if it is first or the owner before it is dead."""
    document = msgspec.json.encode(begun)
    if aws.storage.put_if_absent(uri, document, content_type="application/json"):
        return str(begun["execution"])
    record, etag = aws.storage.get_with_etag(uri)
    owner = str(msgspec.json.decode(record)["execution"])
    if owner == begun["execution"] or aws.workflow.status(owner) in ALIVE:
        return owner
    if aws.storage.put_if_match(uri, document, etag, content_type="application/json"):
        return str(begun["execution"])
    # someone took over before us
    return str(msgspec.json.decode(aws.storage.get(uri))["execution"])


def _write_page(storage: Storage, settings: Settings, home: str) -> None:
    folder = Path(os.environ.get("UI_DIRECTORY", "/opt"))
    page = built_page((folder / "tiles.liquid.html").read_text("utf-8"), settings)
    storage.put(f"{home}page.liquid.html", page.encode(), content_type="text/html")
    storage.put(f"{home}labels.json", label_categories(settings), content_type="application/json")


def built_page(template: str, settings: Settings) -> str:
    """The run's page."""
    from tessera.tiling.page import build_page  # late: only a first round needs Liquid

    return build_page(template, settings)


def _manifest(storage: Storage, manifest: dict[str, Any]) -> Iterator[bytes]:
    uri = f"s3://{manifest['bucket']}/{manifest['key']}"
    gone = ManifestUnreadable(f"{uri} is gone: it was deleted after its event; drop it again")
    return storage.iter_chunks(uri, manifest.get("version-id"), if_missing=gone)


def _new_file(storage: Storage, home: str, name: str) -> AbstractContextManager[Writable]:
    return storage.writer(home + name)


def _scratch() -> BinaryIO:
    """A file on the function's own disk, gone when it is closed."""
    return cast(BinaryIO, TemporaryFile(buffering=0))


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
