"""`tessera group`: the tasks of a manifest, written on this machine as a run writes them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from shlex import quote
from tempfile import TemporaryFile
from typing import BinaryIO, cast, get_args

import click
import msgspec
from msgspec import UNSET
from rich.table import Table

from tessera.exits import Refused
from tessera.file_types import IN_FILE
from tessera.runs.checks import (
    manifest_remedy,
    parse_settings,
    pieces_of,
    read_settings_file,
)
from tessera.runs.own_embeddings import (
    check_own_embeddings,
    find_own_embeddings,
    open_own_embeddings,
)
from tessera.screen import aside, json_option, out, print_json, warn
from tessera.tiling.errors import TesseraError
from tessera.tiling.grouping.first_round import Summary, group_manifest
from tessera.tiling.grouping.settings_effect import without_effect
from tessera.tiling.manifest.box_lines import read_boxes
from tessera.tiling.run.inbox import embeddings_name
from tessera.tiling.settings import Order, Settings, read_settings

YES_OR_NO = b'{"labels": ["yes", "no"]}'
"""Settings where there are none: labels matter only to prelabels and gold images."""


@click.command("group")
@click.argument("manifest", type=IN_FILE)
@click.option(
    "--settings", "settings_path", type=IN_FILE,
    help="Settings file.  [default: labeling.json beside the manifest]", show_default=False,
)  # fmt: skip
@click.option("--images-per-task", type=click.IntRange(1, 100), help="Override the settings.")
@click.option("--order", type=click.Choice(get_args(Order)), help="Override the settings.")
@click.option(
    "--out", "folder", type=click.Path(path_type=Path, file_okay=False), required=True,
    help="Folder to write to.",
)  # fmt: skip
@json_option("Print the summary as JSON.")
def group_command(
    manifest: Path,
    settings_path: Path | None,
    images_per_task: int | None,
    order: str | None,
    folder: Path,
    as_json: bool,
) -> None:
    """Group the images of MANIFEST into tasks, and write them to a folder.

    The files are those of a run: round-1/tasks-000.manifest with its offsets and, if they would
    not be empty, rejected.jsonl and repeats.csv. Nothing is uploaded, and no worker is asked.
    """
    settings = _settings(manifest, settings_path)
    options = {"images_per_task": images_per_task, "order": order}
    overrides = {key: value for key, value in options.items() if value is not None}
    changed = msgspec.json.encode(msgspec.to_builtins(settings) | overrides)
    settings = parse_settings(changed, "The settings with these options")
    try:
        summary = _group(manifest, settings, folder)
    except TesseraError as error:
        raise Refused(f"{manifest}: {error}.\n{manifest_remedy(manifest)}") from error
    warn(without_effect(settings, summary))
    if as_json:
        print_json({"out": str(folder), **msgspec.to_builtins(summary)})
    else:
        _show(summary, folder)


def _settings(manifest: Path, chosen: Path | None) -> Settings:
    beside = manifest.with_name("labeling.json")
    if chosen or beside.exists():
        return read_settings_file(chosen or beside)
    aside.print(f"There is no {beside}; the labels are taken to be yes and no.")
    return read_settings(YES_OR_NO)


def _group(manifest: Path, settings: Settings, folder: Path) -> Summary:
    def scratch() -> BinaryIO:
        return cast(BinaryIO, TemporaryFile(buffering=0))

    rows = None
    if settings.order == "similar" or settings.near_repeats is not UNSET:
        path = find_own_embeddings(manifest)
        if path is None:
            made = manifest.with_name(embeddings_name(manifest.name))
            raise Refused(
                f"order similar and near_repeats need embeddings beside {manifest}. Make them: "
                f"tessera embed {quote(str(manifest))} --out {quote(str(made))}"
            )
        rows = open_own_embeddings(path)
    with pieces_of(manifest) as read:
        images, create = read_boxes(read, settings), partial(_create, folder)
        summary = group_manifest(images, settings, create, scratch, embeddings=rows)
    if rows:
        check_own_embeddings(Path(rows.uri), summary.lines)
    return summary


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
    aside.print(f"Written to {folder}")
