"""`tessera again`: ask people once more for images of a run, with the run's own settings."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import msgspec

from tessera.commands.completion import run_names
from tessera.commands.drop import next_step
from tessera.exits import Refused
from tessera.runs.checks import parse_settings
from tessera.runs.executions import read_ending
from tessera.runs.failures import require_no_failure
from tessera.runs.fitting import Staff
from tessera.runs.folder import RunFolder, find_run
from tessera.runs.source import Source
from tessera.runs.start import drop_source
from tessera.runs.status import settings_in_force
from tessera.screen import counted, json_option, out, print_json
from tessera.tiling.run.run_record import project_of
from tessera.tiling.training.line_counts import UNLOADED_REASON


@click.command("again")
@click.argument("run", required=False, shell_complete=run_names)
@click.option("--unlabeled", is_flag=True, help="Ask for the images that have no label.")
@click.option("--uncertain", is_flag=True, help="Ask for the images whose label may still change.")
@click.option(
    "--mended", is_flag=True,
    help="With --unlabeled: also for those that did not load, now that they are mended.",
)  # fmt: skip
@json_option("Print what was dropped as JSON.")
@click.pass_context
def again_command(
    context: click.Context,
    run: str | None,
    unlabeled: bool,
    uncertain: bool,
    mended: bool,
    as_json: bool,
) -> None:
    """Ask people once more for images of a finished run, as a new run of its project.

    RUN is the name of a run or the beginning of it; the default is the newest run. Pictures that
    did not load are left out unless they are --mended: nobody would see them.
    """
    if not (unlabeled or uncertain):
        raise click.UsageError("Say which images: --unlabeled, --uncertain, or both.")
    folder = find_run(context.obj.cloud, run)
    lines = [*(_unlabeled(folder, mended) if unlabeled else ())]
    if uncertain:
        lines += [*folder.lines("uncertain.manifest")]
    if not lines:
        raise Refused(_nothing(folder, unlabeled=unlabeled, mended=mended))
    _drop(folder, lines, "unlabeled" if unlabeled else "uncertain", as_json)


def _unlabeled(folder: RunFolder, mended: bool) -> list[bytes]:
    """Return the lines without a label, without those of pictures that cannot be shown."""
    lines = [*folder.lines("unlabeled.manifest")]
    rows = csv.DictReader(io.StringIO(folder.read("unlabeled.csv").decode()))
    # The two files have the same images in the same order.
    reasons = [row["reason"] for row in rows]
    return [
        line
        for line, reason in zip(lines, reasons, strict=True)
        if mended or reason != UNLOADED_REASON
    ]


def _nothing(folder: RunFolder, *, unlabeled: bool, mended: bool) -> str:
    command = folder.cloud.command
    if unlabeled and not mended and folder.report["images"]["unlabeled"]:
        return (
            "Every image without a label is a picture that did not load. Mend them, and then: "
            + command(f"again {folder.name} --unlabeled --mended")
        )
    return (
        f"There is nothing to ask again. What the run came to: {command(f'report {folder.name}')}"
    )


def _drop(folder: RunFolder, lines: list[bytes], kind: str, as_json: bool) -> None:
    """Drop the lines into the run's project, under a name that tells where they come from."""
    cloud, manifest = folder.cloud, folder.record["manifest"]
    project = project_of(manifest)
    name = Path(manifest["key"]).name.removesuffix(".gz").rpartition(".")[0] or "images"
    # The project's settings are those to ask with; a run of the stack's own settings has none.
    in_force = settings_in_force(cloud, cloud.outputs["Inbox"], project)
    own = None if in_force else msgspec.json.encode(folder.record["settings"])
    settings = parse_settings(in_force or own or b"", f"The settings of {project}")
    with TemporaryDirectory(prefix="tessera-") as place:
        path = Path(place, f"{name}-{kind}.manifest")
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        source = Source.at(path, None, project)
        execution, status = drop_source(cloud, source, own, settings, quiet=as_json)
    end = read_ending(cloud, execution)
    require_no_failure(end, cloud)
    if as_json:
        facts = {"run": status.run, "execution": execution, "lines": len(lines)}
        print_json(facts | {"manifest": f"{cloud.outputs['Inbox']}/{project}/{path.name}"})
    else:
        out.print(f"[bold]Again[/]    {counted(len(lines), 'image')} of {folder.name}")
        out.print(next_step(end, status.run, Staff.of(cloud, settings, project)), soft_wrap=True)
