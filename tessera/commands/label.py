"""`tessera label`: pictures, labeled by you in the browser: a folder's, or the example's."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console

from tessera.exits import Exit
from tessera.number_types import COUNT
from tessera.option_lists import listed
from tessera.picture_folder import check_has_pictures
from tessera.portal.records import OPEN
from tessera.portal.table_layout import read_jobs
from tessera.runs.checks import parse_settings
from tessera.runs.display import show_until_ended
from tessera.runs.executions import ENDED, read_ending
from tessera.runs.failures import failure, require_no_failure
from tessera.runs.folder import RunFolder, find_run
from tessera.runs.instructions import settings_beside
from tessera.runs.resumption import resume_runs
from tessera.runs.source import Source
from tessera.runs.start import drop_source
from tessera.runs.status import RunObserver, latest_jobs
from tessera.screen import console_for, json_option, out_option, print_json, waiting, warn
from tessera.simulation import example
from tessera.simulation.workers import add_worker
from tessera.stack.cloud import Cloud
from tessera.stack.entrance import open_signed_in
from tessera.stack.ready import start_and_deploy
from tessera.stack.target import Target
from tessera.tiling.encoding import decode_json

YOU = "you@example.com"
"""Account of the person at this machine."""
PAUSE = 0.3
"""Seconds between two looks at a job that is being opened."""


@click.command()
@click.argument(
    "pictures", required=False, type=click.Path(path_type=Path, exists=True), metavar="[FOLDER]"
)
@click.option("--labels", metavar="A,B,…", help="Labels to choose from.")
@click.option("--project", help="Name of the project.  [default: the folder's name]")
@click.option("--images", type=COUNT, default=60, help="How many of the example's images to label.")
@out_option
@json_option("Print the result as JSON.")
@click.pass_context
def label(
    context: click.Context,
    pictures: Path | None,
    labels: str | None,
    project: str | None,
    images: int,
    folder: Path,
    as_json: bool,
) -> None:
    """Label a FOLDER of pictures yourself: the browser opens, signed in, on the first ones.

    Each picture is asked once. The same command goes on where you stopped. Labels come from
    --labels or from labeling.json in the folder; without a folder the example is labeled.
    """
    target: Target = context.obj
    console = console_for(as_json)
    if pictures is None:
        result = example.label(target.local, out=folder, images=images, console=console)
    else:
        source = replace(Source.at(pictures, None, project), labels=listed(labels))
        warn(source.name_notice(named=project is not None))
        result = label_folder(target, source, console)
    if as_json:
        print_json(result)
    if result.get("partial"):
        context.exit(Exit.PARTIAL)


def for_one_person(document: bytes) -> bytes:
    """Return settings that ask each picture once.

    >>> for_one_person(b'{"labels": ["cat", "dog"]}')
    b'{"labels":["cat","dog"],"answers_per_image":1,"max_answers":1}'
    """
    one = {"answers_per_image": 1, "max_answers": 1}
    return msgspec.json.encode(decode_json(document) | one)


def label_folder(target: Target, source: Source, console: Console) -> dict[str, Any]:
    """Have the person at this machine label a folder; return what became of its run."""
    own = source.own_settings()
    if own is None:
        raise click.UsageError("Name the labels to choose from: --labels cat,dog")
    own = for_one_person(own)
    settings = settings_beside(parse_settings(own, source.settings_place), source.folder)
    if source.path.is_dir():  # a folder without pictures is told of before the stack starts
        check_has_pictures(source.path)
    cloud = start_and_deploy(target.local, console)
    for run in resume_runs(cloud):
        console.print(f"[bold]Run[/]      {run}", soft_wrap=True)
    execution, status = drop_source(cloud, source, own, settings, quiet=True)
    end = read_ending(cloud, execution)
    require_no_failure(end, cloud)
    folder = find_run(cloud, end.output.get("run") or status.run)
    observer = RunObserver(cloud, folder.record["execution"], folder, counts_people=False)
    if job := wait_for_job(observer, folder):
        account = add_worker(cloud, YOU)
        open_signed_in(cloud, account.email, account.password, f"#job/{job}")
        console.print(
            f"[bold]Label[/]    in the browser, {cloud.portal_url}\n"
            f"         as {account.email}, password [bold]{account.password}[/]\n"
            "         Ctrl-C stops watching; the same command goes on.",
            soft_wrap=True,
        )
        show_until_ended(observer, console)
    return conclude(cloud, observer, folder, console)


def wait_for_job(observer: RunObserver, folder: RunFolder) -> str | None:
    """Return the first job of the run that is open, or None once the run has ended."""
    ports = folder.cloud.ports
    with waiting("Opening the pages"):
        while observer.read().status not in ENDED:
            folder.__dict__.pop("record", None)  # a takeover writes it anew
            for job in read_jobs(ports.table, latest_jobs(folder)):
                if job.status == OPEN:
                    return job.name
            time.sleep(PAUSE)
    return None


def conclude(
    cloud: Cloud, observer: RunObserver, folder: RunFolder, console: Console
) -> dict[str, Any]:
    """Print what became of the run, with what to do next, and return it."""
    end = read_ending(cloud, observer.execution)
    if end.status != "SUCCEEDED":
        raise failure(end, cloud)
    console.print(
        f"[bold]Labeled[/]  {end.output['labeled']:,} of {end.output['images']:,} images\n"
        f"[bold]Look[/]     {cloud.command(f'report {folder.name} --open')}\n"
        f"[bold]Train[/]    {cloud.command(f'export {folder.name} --help')}",
        soft_wrap=True,
    )
    return end.output
