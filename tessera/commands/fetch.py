"""`tessera fetch`: download the files of a run that a person reads."""

from __future__ import annotations

from pathlib import Path

import click

from tessera.commands.completion import run_names
from tessera.exits import Exit, NotFound
from tessera.runs.folder import RunFolder, find_run
from tessera.runs.unfinished import find_unfinished
from tessera.screen import json_option, out, print_json, progress, warn
from tessera.tiling.decisions import FOLDER

NAMES = (
    "training.manifest", "unlabeled.manifest", "unlabeled.csv", "uncertain.manifest",
    "rejected.jsonl", "answers.csv", "odd-answers.jsonl", "flagged.csv", "repeats.csv",
    "report.json", "report.html",
)  # fmt: skip
"""Files of a run, and of its review, that people read; pages and single answers are none."""


@click.command("fetch")
@click.argument("run", required=False, shell_complete=run_names)
@click.option(
    "--out", "folder", type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write to.  [default: RUN]", show_default=False,
)  # fmt: skip
@json_option("Print the files as JSON.")
@click.pass_context
def fetch_command(
    context: click.Context, run: str | None, folder: Path | None, as_json: bool
) -> None:
    """Download a run's manifests, answers and report.

    RUN is the name of a run or the beginning of it; the default is the newest run. Files that are
    there already are written over.
    """
    source = find_run(context.obj.cloud, run)
    names = files_of(source)
    if not names:
        watch = source.cloud.command(f"watch {source.name}")
        raise NotFound(f"{source.name} has no files yet. See how far it is: {watch}")
    unfinished = find_unfinished(source)  # before the files, which the run may write meanwhile
    folder = folder or Path(source.name)
    with progress("files", len(names)) as advance:
        for name in names:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            source.cloud.storage.download(source.uri(name), path)
            advance(1)
    if as_json:
        warn([str(unfinished)] if unfinished else [])
        print_json({"folder": str(folder), "files": names})
    else:
        if unfinished:
            out.print(str(unfinished), soft_wrap=True, markup=False)
        out.print(f"{len(names)} files in {folder}", soft_wrap=True)
    if unfinished or "training.manifest" not in names:  # not the last files, or a refused run
        context.exit(Exit.PARTIAL)


def files_of(source: RunFolder) -> list[str]:
    """Return the names of a run's files that people read, those of its review too."""
    reviewed = (FOLDER + name for name in ("decisions.json", *NAMES))
    return [name for name in (*NAMES, *reviewed) if source.has(name)]
