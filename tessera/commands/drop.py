"""`tessera drop`: check a manifest or a folder of pictures, upload it, and see its run begin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from tessera.exits import Exit
from tessera.file_types import IN_FILE
from tessera.option_lists import labels_option, listed
from tessera.runs.checks import parse_settings, refuse_csv
from tessera.runs.display import show_until_ended
from tessera.runs.executions import Ending, list_executions, read_ending
from tessera.runs.failures import require_no_failure
from tessera.runs.fetched_manifest import fetched_manifest
from tessera.runs.fitting import Staff, team_of
from tessera.runs.folder import find_run
from tessera.runs.instructions import settings_beside, upload_instructions
from tessera.runs.known_pictures import SideFiles
from tessera.runs.own_embeddings import find_own_embeddings
from tessera.runs.picture_changes import changes_since_shown
from tessera.runs.source import Source, settings_in_inbox
from tessera.runs.start import start_run, wait_until_grouped
from tessera.runs.status import RunObserver, RunStatus, manifest_key, run_folder_of
from tessera.screen import aside, console_for, json_option, out, print_json, warn
from tessera.stack.accounts import add_people, check_emails
from tessera.stack.cloud import Cloud
from tessera.tiling.settings import Settings, warnings


class ManifestPath(click.Path):
    """Manifest or folder on this machine, or the s3:// address of a manifest, as text."""

    def __init__(self) -> None:
        """Take what exists here."""
        super().__init__(path_type=Path, exists=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return an s3:// address as it is, and anything else as a path."""
        if isinstance(value, str) and value.startswith("s3://"):
            return value
        return super().convert(value, param, ctx)


@click.command("drop")
@click.argument("manifest", type=ManifestPath())
@click.option("--project", help="Folder of the inbox.  [default: the name of MANIFEST's folder]")
@click.option(
    "--settings", "settings_path", type=IN_FILE,
    help="Settings file.  [default: labeling.json beside the manifest, else the settings of the "
    "project or the stack]", show_default=False,
)  # fmt: skip
@labels_option
@click.option(
    "--gold", type=IN_FILE,
    help="CSV file of known labels of a folder's images (image,label).",
)  # fmt: skip
@click.option(
    "--prelabels", type=IN_FILE,
    help="CSV file of suggested labels of a folder's images (image,label[,confidence]).",
)  # fmt: skip
@click.option(
    "--embeddings", type=IN_FILE,
    help="Array of the images' embeddings.  [default: NAME.embeddings.npy beside NAME.manifest or "
    "within the folder NAME, if there is one]", show_default=False,
)  # fmt: skip
@click.option(
    "--ask-again", is_flag=True,
    help="Ask also for pictures of a folder that a finished run of the project has labeled.",
)  # fmt: skip
@click.option(
    "--convert", is_flag=True,
    help="Show a JPEG of pictures of a folder that browsers do not show, such as TIFF, or that are "
    "very large; exports have the originals, and so has the zoom where browsers show them.",
)  # fmt: skip
@click.option(
    "--people", metavar="EMAIL,…",
    help="People who label it: those without an account get one, whose password is printed once.",
)  # fmt: skip
@click.option("--watch", "watched", is_flag=True, help="Show the run's progress until it ends.")
@json_option("Print what was dropped as JSON.")
@click.pass_context
def drop_command(
    context: click.Context,
    manifest: Path | str,
    project: str | None,
    settings_path: Path | None,
    labels: str | None,
    gold: Path | None,
    prelabels: Path | None,
    embeddings: Path | None,
    ask_again: bool,
    convert: bool,
    people: str | None,
    watched: bool,
    as_json: bool,
) -> None:
    """Have MANIFEST labeled: check it on this machine, upload it, and start a run.

    MANIFEST may also be a folder of images, which are uploaded with a manifest of them; images that
    a finished run of the project has labeled keep their labels. Dropping the same again starts no
    second run.

    A manifest on this machine may also name images by https:// address or by path, which are
    fetched and uploaded first. One that lies in S3 already is given by its s3:// address, with the
    labeling.json beside it.
    """
    if isinstance(manifest, str):
        with fetched_manifest(context.obj.cloud, manifest, project) as (path, of_folder):
            context.invoke(
                drop_command, **context.params | {"manifest": path, "project": of_folder}
            )
        return
    if not manifest.is_dir():
        refuse_csv(manifest, context.obj.command)
    if (gold or prelabels) and not manifest.is_dir():
        raise click.UsageError(
            "--gold and --prelabels are for a folder of images; a manifest's lines have the keys "
            '"gold" and "prelabel"'
        )
    source = replace(
        Source.at(manifest, settings_path, project),
        labels=listed(labels),
        files=SideFiles(gold, prelabels),
        embeddings=embeddings or find_own_embeddings(manifest),
    )
    check_emails(listed(people))
    warn(source.name_notice(named=project is not None))
    own = source.own_settings()
    settings = parse_settings(own, source.settings_place) if own is not None else None
    cloud: Cloud = context.obj.cloud
    accounts: list[dict[str, Any]] = []

    def staff_of(settings: Settings) -> Staff:
        if people and not accounts:  # first, for they are to be counted
            groups = [team] if (team := team_of(settings)) else []
            accounts.extend(add_people(cloud, listed(people), groups, quiet=as_json))
        return Staff.of(cloud, settings, source.project)

    if own is not None and settings is not None:
        own = source.fit_settings(cloud, own, settings, staff_of)
        settings = parse_settings(own, source.settings_place)
    settings = settings_beside(settings or settings_in_inbox(cloud, source), source.folder)
    source.check(settings)
    notices = (*warnings(settings), *staff_of(settings).warnings(settings))
    warn([*notices, *source.notices])
    upload_instructions(cloud, source.folder, source.project)
    with _interruptible(context):
        lines = source.lines(cloud, settings, ask_again=ask_again, convert=convert)
    dropped, execution = start_run(cloud, source, lines, own, quiet=as_json)
    observer = RunObserver(cloud, execution)
    status = (
        show_until_ended(observer, console_for(as_json))
        if watched
        else wait_until_grouped(observer)
    )
    end = read_ending(cloud, execution)
    require_no_failure(end, cloud)
    late = _late_notices(cloud, source, status, end)
    warn(late)
    if as_json:
        facts = {"execution": execution, "run": status.run, "status": end.status}
        remarks = {"warnings": [*notices, *source.notices, *late]}
        staffed = {"portal": cloud.people_url, "people": accounts} if people else {}
        print_json(dropped | remarks | facts | staffed | {"result": end.output})
    else:
        out.print(next_step(end, status.run, staff_of(settings)), soft_wrap=True)
    if end.output.get("partial"):
        context.exit(Exit.PARTIAL)


@contextmanager
def _interruptible(context: click.Context) -> Iterator[None]:
    """Say, if the block is interrupted, that nothing was dropped, and end the command."""
    try:
        yield
    except KeyboardInterrupt:
        aside.print(
            "Interrupted before anything was dropped: no run has begun. The same command goes on, "
            "and uploads no picture twice."
        )
        context.exit(Exit.INTERRUPTED)


def _late_notices(cloud: Cloud, source: Source, status: RunStatus, end: Ending) -> list[str]:
    """Return the notices that came out only when the run had begun."""
    # What the settings do not do was told before anything was uploaded.
    on_pictures = _notices_on_pictures(cloud, status, end)
    notices = [notice for notice in on_pictures if notice not in source.notices]
    if end.status == "RUNNING":
        notices += other_runs_notice(cloud, source.project, status.run)
    return notices


def _notices_on_pictures(cloud: Cloud, status: RunStatus, end: Ending) -> list[str]:
    """Say which of a run's first pictures cannot be shown or, of an earlier run, have changed."""
    if end.output.get("outcome") == "already-running":
        return changes_since_shown(find_run(cloud, end.output["run"])).warnings()
    return find_run(cloud, status.run).notices if status.run else []


def other_runs_notice(cloud: Cloud, project: str, run: str) -> list[str]:
    """Say which other runs of a project are at work: their pictures are asked there, too."""
    workflows = cloud.client("stepfunctions")
    names = set()
    for execution in list_executions(cloud, 100):
        if execution["status"] == "RUNNING":
            described = workflows.describe_execution(executionArn=execution["executionArn"])
            of_project = manifest_key(described).rpartition("/")[0] == project
            if of_project and (folder := run_folder_of(cloud, described)):
                names.add(folder.name)
    return [
        f"{name} of this project is still at work, and a picture that both have is asked in both. "
        f"If it is no longer needed: {cloud.command(f'stop {name}')}"
        for name in sorted(names - {run})
    ]


def _invitation(staff: Staff) -> str:
    """Say who may label, and what they need for it."""
    cloud = staff.cloud
    if not staff.count:
        return f"It is waiting for people. Add one: {cloud.command('workers add EMAIL')}"
    invitation = (
        f"{staff} may label it there. Give them the address, and who is new their password."
    )
    if cloud.endpoint and not cloud.address_for_others:
        invitation += f"\nOpen it to other machines: {cloud.command('serve')}"
    return invitation


def next_step(end: Ending, run: str, staff: Staff) -> str:
    """Describe what became of a drop, and what to do next."""
    cloud = staff.cloud
    if end.status == "RUNNING":
        return (
            f"[bold]Run[/]      {run}\n"
            f"[bold]Portal[/]   {cloud.people_url}\n"
            f"{_invitation(staff)}\n"
            f"Watch its progress: {cloud.command(f'watch {run}')}"
        )
    if end.output.get("outcome") == "already-running":
        return (
            f"[bold]Run[/]      {end.output['run']}\n"
            "This manifest has been dropped before, and its run is used again. "
            f"Watch it: {cloud.command('watch ' + end.output['run'])}"
        )
    return (
        f"[bold]Run[/]      {end.output['run']}\n"
        f"[bold]Labeled[/]  {end.output['labeled']:,} of {end.output['images']:,} images\n"
        f"[bold]Next[/]     {cloud.command('report ' + end.output['run'])} --open"
    )
