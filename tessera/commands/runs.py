"""Runs from outside: drop a manifest, follow its execution, fetch what came out."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from tessera.commands.completion import run_names
from tessera.exits import Exit, Refused
from tessera.screen import aside, json_option, mind, out, print_json, progress, talk, waiting
from tessera.stack.cloud import Cloud

if TYPE_CHECKING:
    from tessera.tiling.settings import Settings

ENDED = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")


class RunError(click.ClickException):
    """A run did not start or ended badly; the message says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How an execution ended: its status, and its output or its error and cause."""

    status: str
    output: dict[str, Any]
    error: str = ""
    cause: str = ""


def drop(cloud: Cloud, manifest: bytes, *, project: str, name: str, settings: bytes | None) -> str:
    """Put the settings, if any, and then the manifest into the inbox; the manifest's key."""
    s3, inbox = cloud.client("s3"), bucket_of(cloud.outputs["Inbox"])
    key = f"{project}/{name}.manifest"
    if settings is not None:
        s3.put_object(Bucket=inbox, Key=f"{project}/labeling.json", Body=settings)
    s3.put_object(Bucket=inbox, Key=key, Body=manifest)
    return key


def bucket_of(uri: str) -> str:
    """The bucket of an S3 URI.

    >>> bucket_of("s3://pets/runs")
    'pets'
    """
    return uri.removeprefix("s3://").partition("/")[0]


def execution_of(
    cloud: Cloud, key: str, *, seconds: float = 60, besides: Collection[str] = ()
) -> str:
    """The ARN of the execution that the drop of this key started; none of those in `besides`."""
    workflows, machine = cloud.client("stepfunctions"), cloud.outputs["StateMachineArn"]
    seen: set[str] = set(besides)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        newest = workflows.list_executions(stateMachineArn=machine, maxResults=100)["executions"]
        for arn in (execution["executionArn"] for execution in newest):
            if arn in seen:
                continue
            seen.add(arn)
            started_with = json.loads(workflows.describe_execution(executionArn=arn)["input"])
            if started_with.get("detail", {}).get("object", {}).get("key") == key:
                return str(arn)
        time.sleep(0.1)
    raise RunError(
        f"No execution started for {key} within {seconds:.0f} seconds. "
        "Look at the rule of the state machine, and at the queue of undelivered drops."
    )


def follow(cloud: Cloud, execution: str, *, pause: float = 0.3) -> Iterator[str]:
    """The names of the states as the execution enters them, until it has ended."""
    workflows, shown = cloud.client("stepfunctions"), 0
    while True:
        status = workflows.describe_execution(executionArn=execution)["status"]
        entered = [
            event["stateEnteredEventDetails"]["name"]
            for page in workflows.get_paginator("get_execution_history").paginate(
                executionArn=execution
            )
            for event in page["events"]
            if event["type"].endswith("StateEntered")
        ]
        yield from entered[shown:]
        shown = len(entered)
        if status in ENDED:
            return
        time.sleep(pause)


def ending(cloud: Cloud, execution: str) -> Ending:
    """How the execution ended."""
    found = cloud.client("stepfunctions").describe_execution(executionArn=execution)
    return Ending(
        found["status"],
        json.loads(found.get("output") or "{}"),
        found.get("error", ""),
        found.get("cause", ""),
    )


def fetch(cloud: Cloud, home: str, names: tuple[str, ...], folder: Path) -> None:
    """Copy files of a run's folder in S3 into a folder here."""
    folder.mkdir(parents=True, exist_ok=True)
    s3, bucket = cloud.client("s3"), bucket_of(home)
    prefix = home.removeprefix(f"s3://{bucket}/")
    for name in names:
        s3.download_file(bucket, prefix + name, str(folder / name))


def executions(cloud: Cloud, count: int) -> list[dict[str, Any]]:
    """The newest executions, newest first."""
    found: list[dict[str, Any]] = cloud.client("stepfunctions").list_executions(
        stateMachineArn=cloud.outputs["StateMachineArn"], maxResults=count
    )["executions"]
    return found


# --- tessera drop ---------------------------------------------------------------------------


@click.command("drop")
@click.argument("manifest", type=click.Path(path_type=Path, exists=True))
@click.option("--project", help="Folder in the inbox.  [default: the name of MANIFEST's folder]")
@click.option(
    "--settings", "settings_path", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The settings.  [default: labeling.json beside the manifest, else those that the project "
    "or the stack has]", show_default=False,
)  # fmt: skip
@click.option("--watch", "watched", is_flag=True, help="Show the run until it ends.")
@json_option("Print what was dropped as JSON.")
@click.pass_context
def drop_command(
    context: click.Context,
    manifest: Path,
    project: str | None,
    settings_path: Path | None,
    watched: bool,
    as_json: bool,
) -> None:
    """Have MANIFEST labeled: it is checked here, uploaded, and a run begins.

    MANIFEST may be a folder of pictures: they are uploaded, and make a manifest. Dropping
    the same again begins nothing: its run is there already.
    """
    from tessera.commands.estimate import count, read_settings_file
    from tessera.commands.watch import to_the_end
    from tessera.commands.workers import too_few
    from tessera.tiling.settings import warnings

    settings_file = settings_path or (
        manifest.with_name("labeling.json") if manifest.is_file() else manifest / "labeling.json"
    )
    own = settings_file.exists()
    settings = read_settings_file(settings_file) if own else None
    folder = manifest.resolve() if manifest.is_dir() else manifest.resolve().parent
    project = project or folder.name
    if not re.fullmatch(r"[^/\\\s][^\\\s]*[^/\\\s]|[^/\\\s]", project):
        raise Refused(f"{project!r} makes no good folder name. Name one: --project NAME")
    cloud: Cloud = context.obj.cloud
    settings = settings or _settings_there(cloud, project, settings_file)
    told = (*warnings(settings), *too_few(cloud, settings))
    mind(told)
    if manifest.is_dir():
        lines = upload_pictures(cloud, manifest, project)
        name = folder.name
    else:
        count(manifest, settings)
        lines = manifest.read_bytes()
        name = re.sub(r"(\.(manifest|jsonl))+$", "", manifest.name)
    before = {execution["executionArn"] for execution in executions(cloud, 100)}
    given = settings_file.read_bytes() if own else None
    with waiting("Uploading the manifest"):
        key = drop(cloud, lines, project=project, name=name, settings=given)
    dropped = {
        "manifest": f"{cloud.outputs['Inbox']}/{key}",
        "lines": len(lines.splitlines()),
        "warnings": told,
    }
    if not as_json:
        out.print(f"[bold]Dropped[/]  {dropped['manifest']}", soft_wrap=True)
    with waiting("Waiting for the run to begin"):
        execution = execution_of(cloud, key, besides=before)
    observer = _observer(cloud, execution)
    if watched:
        standing = to_the_end(observer, talk(as_json))
    else:
        with waiting("The manifest becomes pages"):
            standing = observer.look()
            while standing.state in ("", "GroupImages") and standing.status not in ENDED:
                time.sleep(0.3)
                standing = observer.look()
    end = ending(cloud, execution)
    result = dropped | {"execution": execution, "run": standing.run, "status": end.status}
    if end.status not in ("RUNNING", "SUCCEEDED"):
        raise RunError(f"The run ended {end.status}: {end.error}: {end.cause}")
    if as_json:
        print_json(result | {"result": end.output})
    else:
        out.print(said(end, standing.run), soft_wrap=True)
    if end.output.get("partial"):
        context.exit(Exit.PART)


def _settings_there(cloud: Cloud, project: str, missing: Path) -> Settings:
    """The project's settings in the inbox, else the stack's; Refused if there are none."""
    from tessera.commands.estimate import read_settings_file, read_settings_text
    from tessera.standing import settings_there

    found = settings_there(cloud, bucket_of(cloud.outputs["Inbox"]), project)
    if not found:
        return read_settings_file(missing)  # which says what to do
    aside.print(
        f"There is no {missing}: the settings of {project} in the inbox hold, or the stack's."
    )
    return read_settings_text(found, f"What holds for {project}, in the inbox or of the stack,")


def said(end: Ending, run: str) -> str:
    """What became of a drop, and what to do next."""
    if end.status == "RUNNING":
        return f"[bold]Run[/]      {run}\nIt waits for workers. Watch it: tessera watch {run}"
    if end.output.get("outcome") == "already-running":
        return (
            f"[bold]Run[/]      {end.output['run']}\n"
            "It was there already, so nobody is asked again. "
            f"Look at it: tessera watch {end.output['run']}"
        )
    return (
        f"[bold]Run[/]      {end.output['run']}\n"
        f"[bold]Labeled[/]  {end.output['labeled']:,} of {end.output['images']:,} images\n"
        f"[bold]Next[/]     tessera report {end.output['run']} --open"
    )


def _observer(cloud: Cloud, execution: str) -> Any:
    from tessera.standing import Observer

    return Observer(cloud, execution)


def upload_pictures(cloud: Cloud, folder: Path, project: str) -> bytes:
    """Put a folder's pictures into the inbox, those that are not there; returns their manifest."""
    from tessera.exports.pictures import MEDIA_TYPES, in_order, suffix_of

    paths = sorted(path for path in folder.rglob("*") if path.is_file() and suffix_of(path.name))
    if not paths:
        raise Refused(f"{folder} has no pictures (jpg, png, gif, webp, bmp, tif).")
    s3, bucket = cloud.client("s3"), bucket_of(cloud.outputs["Inbox"])
    prefix = f"images/{project}/"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    there = {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", [])}

    def put(path: Path) -> str:
        key = prefix + path.relative_to(folder).as_posix()
        if there.get(key) != path.stat().st_size:
            suffix = suffix_of(path.name)
            kind = MEDIA_TYPES.get(suffix, f"image/{suffix}")
            s3.upload_file(str(path), bucket, key, {"ContentType": kind})
        return f"s3://{bucket}/{key}"

    with progress("pictures", len(paths)) as advance:
        lines = []
        for _, uri in in_order(put, paths):
            advance(1)
            lines.append(json.dumps({"source-ref": uri}, ensure_ascii=False))
    return ("\n".join(lines) + "\n").encode()


# --- tessera runs ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """One execution in the list of runs."""

    run: str
    status: str
    began: datetime
    ended: datetime | None
    manifest: str
    images: int | None = None
    labeled: int | None = None
    rounds: int | None = None
    says: str = ""
    execution: str = field(default="", repr=False)


@click.command("runs")
@click.option("--count", default=20, type=click.IntRange(1, 100), help="How many, at most.")
@json_option("Print the runs as JSON.")
@click.pass_context
def runs_command(context: click.Context, count: int, as_json: bool) -> None:
    """List the runs, newest first, with how they stand or ended."""
    cloud: Cloud = context.obj.cloud
    entries = newest(cloud, count)
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    if not entries:
        aside.print("There are no runs yet. Begin one: tessera drop MANIFEST")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    for title in ("run", "status", "began", "labeled"):
        table.add_column(title, justify="right" if title == "labeled" else "left", overflow="fold")
    for entry in entries:
        name = entry.run or f"[dim]{entry.manifest}[/]"
        table.add_row(
            name + (f"\n[yellow]{entry.says}[/]" if entry.says else ""),
            entry.status.lower(),
            f"{entry.began.astimezone():%m-%d %H:%M}",
            "" if entry.images is None else f"{entry.labeled:,}/{entry.images:,}",
        )
    out.print(table)


def newest(cloud: Cloud, count: int) -> list[Entry]:
    """The newest runs; a drop that only found its run there is not one."""
    workflows = cloud.client("stepfunctions")

    def entry(execution: dict[str, Any]) -> Entry | None:
        from tessera.standing import folder_of, manifest_in

        described = workflows.describe_execution(executionArn=execution["executionArn"])
        output = json.loads(described.get("output") or "{}")
        if output.get("outcome") == "already-running":
            return None
        folder = folder_of(cloud, described)
        return Entry(
            run=folder.name if folder else "",
            status=described["status"],
            began=described["startDate"],
            ended=described.get("stopDate"),
            manifest=manifest_in(described),
            images=output.get("images"),
            labeled=output.get("labeled"),
            rounds=output.get("round"),
            says=described.get("error", ""),
            execution=execution["executionArn"],
        )

    with ThreadPoolExecutor(8) as pool:
        return [found for found in pool.map(entry, executions(cloud, count)) if found]


# --- tessera stop ---------------------------------------------------------------------------


@click.command()
@click.argument("name", metavar="RUN", shell_complete=run_names)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option("Print the jobs as JSON.")
@click.pass_context
def stop(context: click.Context, name: str, yes: bool, as_json: bool) -> None:
    """Close a run's jobs now; the run goes on with the answers that are in.

    RUN is a run's name or its beginning, or the name of one of its jobs.
    """
    from tessera.archive import find_run
    from tessera.standing import jobs_of

    cloud: Cloud = context.obj.cloud
    job = re.fullmatch(r"(.+)-r\d+-\d{3,}", name)
    folder = find_run(cloud, job[1] if job else name)
    names = [name] if job else jobs_of(folder)
    if not names:
        raise RunError(f"{folder.name} has no jobs yet. See how it stands: tessera watch --once")
    if not yes:
        click.confirm(
            f"Close {len(names)} job{'s' * (len(names) != 1)} of {folder.name}? "
            "Nobody can answer any more; the answers so far are used.",
            abort=True,
            err=True,
        )
    on_portal = folder.settings.workforce == "portal"
    became = {}
    with progress("jobs", len(names)) as advance:
        for closed, how in (_stop_on_portal if on_portal else _stop_at_service)(cloud, names):
            became[closed] = how
            advance(1)
    if as_json:
        print_json({"run": folder.name, "jobs": became})
        return
    for closed, how in became.items():
        out.print(f"[bold]{closed}[/] {how}", soft_wrap=True)


def _stop_on_portal(cloud: Cloud, names: list[str]) -> Iterator[tuple[str, str]]:
    from tessera.commands.workers import outside_of
    from tessera.portal import jobs
    from tessera.portal.errors import PortalError

    outside = outside_of(cloud)
    for name in names:
        try:
            yield name, jobs.stop(outside, name).status.lower()
        except PortalError as error:
            yield name, f"not closed: {error}"


def _stop_at_service(cloud: Cloud, names: list[str]) -> Iterator[tuple[str, str]]:
    from botocore.exceptions import ClientError

    sagemaker = cloud.client("sagemaker")
    for name in names:
        try:
            sagemaker.stop_labeling_job(LabelingJobName=name)
            yield name, "stopping"
        except ClientError as error:
            yield name, f"not closed: {error}"
