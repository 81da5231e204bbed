"""`tessera group`: the tasks of a manifest as files here, by the function's own core."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, cast, get_args

import click
import msgspec
from rich.table import Table

from tessera.exits import Refused
from tessera.runs.checks import pieces_of, read_settings_file
from tessera.screen import aside, json_option, out, print_json
from tessera.tiling.errors import TesseraError
from tessera.tiling.grouping.first_round import Summary, group_manifest
from tessera.tiling.settings import Order, Settings, read_settings

UNNAMED = b'{"labels": ["yes", "no"]}'
"""Settings where there are none: which labels there are decides nothing but prelabels and gold."""


@click.command("group")
@click.argument("manifest", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--settings", "settings_path", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The settings.  [default: labeling.json beside the manifest]", show_default=False,
)  # fmt: skip
@click.option("--images-per-task", type=click.IntRange(1, 100), help="Instead of the settings'.")
@click.option("--order", type=click.Choice(get_args(Order)), help="Instead of the settings'.")
@click.option("--out", "folder", type=click.Path(path_type=Path, file_okay=False), required=True)
@json_option("Print the summary as JSON.")
def group_command(
    manifest: Path,
    settings_path: Path | None,
    images_per_task: int | None,
    order: str | None,
    folder: Path,
    as_json: bool,
) -> None:
    """Group the images of MANIFEST into tasks, and write them below a folder.

    The files are those of a run: round-1/tasks-000.manifest with its offsets, rejected.jsonl and
    repeats.csv if there is anything to say in them. Nothing is uploaded and nobody is asked.
    """
    settings = _settings(manifest, settings_path)
    instead = {"images_per_task": images_per_task, "order": order}
    said = {key: value for key, value in instead.items() if value is not None}
    try:
        settings = read_settings(msgspec.json.encode(msgspec.to_builtins(settings) | said))
        summary = _group(manifest, settings, folder)
    except TesseraError as error:
        raise Refused(f"{manifest}: {error}") from error
    if as_json:
        print_json({"out": str(folder), **msgspec.to_builtins(summary)})
    else:
        _show(summary, folder)


def _settings(manifest: Path, chosen: Path | None) -> Settings:
    beside = manifest.with_name("labeling.json")
    if chosen or beside.exists():
        return read_settings_file(chosen or beside)
    aside.print(f"There is no {beside}: grouped as with the labels yes and no.")
    return read_settings(UNNAMED)


def _group(manifest: Path, settings: Settings, folder: Path) -> Summary:
    def scratch() -> BinaryIO:
        return cast(BinaryIO, TemporaryFile(buffering=0))

    with pieces_of(manifest) as read:
        return group_manifest(read, settings, partial(_create, folder), scratch)


def _create(folder: Path, name: str) -> BinaryIO:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("wb", buffering=0)


def _show(summary: Summary, folder: Path) -> None:
    table = Table(box=None, show_header=False)
    table.add_row("lines", f"{summary.lines:,}")
    for name in ("images", "gold", "repeats", "labeled", "rejected"):
        table.add_row(f"  {name}", f"{getattr(summary, name):,}")
    table.add_row("tasks", f"{sum(shard.tasks for shard in summary.shards):,}")
    table.add_row("shards", f"{len(summary.shards):,}")
    out.print(table)
    aside.print(f"Written below {folder}")
