"""`tessera runs`: the runs, newest first, with their status."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

import click
import msgspec

from tessera.exits import NotFound
from tessera.portal.remarks import count_flags
from tessera.runs.display import flagged_line
from tessera.runs.executions import ENDED, Ending, list_executions
from tessera.runs.failures import reason
from tessera.runs.folder import RunFolder
from tessera.runs.status import MAX_REASONS, latest_jobs, manifest_key, run_folder_of
from tessera.screen import Row, aside, json_option, print_json, print_rows
from tessera.stack.cloud import Cloud
from tessera.tiling.run.inbox import FOLDER, SETTINGS, IgnoredObject, is_manifest

MOST_IGNORED = 20
"""Objects that started no run, of which there is one a folder and suffix: as many as runs."""
MOST_LISTED = 1000
"""Objects of a folder that are looked at for a manifest: one request."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Execution in the list of runs."""

    run: str
    status: str
    began: datetime
    ended: datetime | None
    manifest: str
    images: int | None = None
    labeled: int | None = None
    rounds: int | None = None
    says: str = ""
    notices: list[str] = field(default_factory=list)
    execution: str = field(default="", repr=False)


@click.command("runs")
@click.option("--count", default=20, type=click.IntRange(1, 100), help="Maximum number of runs.")
@json_option("Print the runs as JSON.")
@click.pass_context
def runs_command(context: click.Context, count: int, as_json: bool) -> None:
    """List the runs, newest first, with their status.

    Below them is what was put into the inbox of late and started no run, with the reason.
    """
    cloud: Cloud = context.obj.cloud
    entries = newest(cloud, count)
    entries += ignored_objects(cloud, entries)
    if as_json:
        print_json([asdict(entry) for entry in entries])
    elif entries:
        titles = ("run", "status", "began", "labeled")
        print_rows(titles, [_row(entry) for entry in entries], right="labeled")
    else:
        aside.print(f"There are no runs yet. Start one: {cloud.command('drop MANIFEST')}")


def _row(entry: Entry) -> Row:
    """Return an entry as a row; one without a run is called by its manifest."""
    return Row(
        (
            entry.run or entry.manifest,
            entry.status.lower(),
            f"{entry.began.astimezone():%m-%d %H:%M}",
            "" if entry.images is None else f"{entry.labeled:,}/{entry.images:,}",
        ),
        [line for line in (entry.says, *entry.notices) if line],
        is_dim=not entry.run,
    )


def ignored_objects(cloud: Cloud, runs: list[Entry]) -> list[Entry]:
    """Return what was put into the inbox and started no run, newest first.

    Settings whose folder has a manifest by now are none of it.
    """
    folder = f"{cloud.outputs['Labels'].rstrip('/')}/{FOLDER}"
    records = list(cloud.storage.list_objects(folder))
    records.sort(key=lambda record: record.modified, reverse=True)
    entries = []
    for record in records[:MOST_IGNORED]:
        ignored = msgspec.json.decode(cloud.storage.get(record.uri), type=IgnoredObject)
        place, _, name = ignored.object.rpartition("/")
        if name == SETTINGS and _has_manifest(cloud, f"{place}/", runs):
            continue
        key = ignored.object.removeprefix("s3://").partition("/")[2]
        says = f"{ignored.why}. {ignored.do}."
        entries.append(Entry("", "IGNORED", record.modified, None, key, says=says))
    return entries


def _has_manifest(cloud: Cloud, folder: str, runs: list[Entry]) -> bool:
    """Return whether a folder of the inbox has a manifest, by the runs and by its first objects."""
    key = folder.removeprefix("s3://").partition("/")[2]
    if any(entry.manifest.rpartition("/")[0] + "/" == key for entry in runs):
        return True
    first = islice(cloud.storage.list_objects(folder), MOST_LISTED)
    return any(is_manifest(placed.uri) for placed in first)


def _notices(folder: RunFolder | None) -> list[str]:
    """Return the run's notices; none of a run whose record a rule of the bucket has deleted."""
    try:
        return folder.notices if folder else []
    except NotFound:
        return []


def _flagged(cloud: Cloud, folder: RunFolder | None, status: str) -> list[str]:
    """Return a line about what workers of a running run flagged; none where nothing is."""
    if not folder or status != "RUNNING":
        return []
    try:
        jobs = latest_jobs(folder)
    except NotFound:  # a rule of the bucket has deleted the run's record
        return []
    # The portal knows of no flags in jobs of Ground Truth; before the first round there are none.
    pictures, reasons = count_flags(cloud.ports, jobs) if jobs else (0, [])
    return [flagged_line(pictures, reasons[:MAX_REASONS])] if pictures else []


def newest(cloud: Cloud, count: int) -> list[Entry]:
    """Return the newest runs; an execution that found its run already running is none.

    Nor is one that failed or was cut off, and whose run another one goes on with.
    """
    workflows = cloud.client("stepfunctions")

    def entry(execution: dict[str, Any]) -> Entry | None:
        described = workflows.describe_execution(executionArn=execution["executionArn"])
        output = json.loads(described.get("output") or "{}")
        if output.get("outcome") == "already-running":
            return None
        folder = run_folder_of(cloud, described)
        end = Ending.of(described)
        failed = end.status in ENDED and end.status != "SUCCEEDED"
        if failed and folder and folder.record.get("execution") != described["executionArn"]:
            return None  # another execution goes on with the run, and is listed
        return Entry(
            run=folder.name if folder else "",
            status=described["status"],
            began=described["startDate"],
            ended=described.get("stopDate"),
            manifest=manifest_key(described),
            images=output.get("images"),
            labeled=output.get("labeled"),
            rounds=output.get("round"),
            says=reason(end, cloud),
            notices=[*_notices(folder), *_flagged(cloud, folder, described["status"])],
            execution=execution["executionArn"],
        )

    with ThreadPoolExecutor(8) as pool:  # two or three requests a run, all of them waiting
        entries = [run for run in pool.map(entry, list_executions(cloud, count)) if run]
    return [each for number, each in enumerate(entries) if not _is_gone_on(each, entries[:number])]


def _is_gone_on(entry: Entry, newer: list[Entry]) -> bool:
    """Return whether a run that failed is being taken over by an execution that has no run yet."""
    return bool(entry.says) and any(
        each.status == "RUNNING" and not each.run and each.manifest == entry.manifest
        for each in newer
    )
