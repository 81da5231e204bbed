"""`tessera report`: a run's report as one file, with the most doubtful pictures in it."""

from __future__ import annotations

import base64
import webbrowser
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from tessera.commands.completion import run_names
from tessera.exits import Exit
from tessera.exports.pictures import Missing, fetch, in_order, media_type
from tessera.page_picture import thumbnail
from tessera.runs.folder import RunFolder, find_run
from tessera.runs.picture_changes import changes_since_shown
from tessera.runs.unfinished import Unfinished, find_unfinished
from tessera.runs.worker_names import name_workers, worker_ids, worker_names
from tessera.screen import json_option, out, print_json, progress, warn
from tessera.stack.local_stack import ROOT
from tessera.tiling.report.headline import duration, headline
from tessera.tiling.report.next_steps import next_steps
from tessera.tiling.report.render import NO_FACTS, render_html
from tessera.tiling.run.run_record import project_of
from tessera.whole_file import write_whole

LARGEST = 2 * 1024 * 1024
"""Bytes of the largest picture that is put into the file; larger ones are linked."""
LINK_SECONDS = 7 * 24 * 3600
"""Seconds after which such a link expires; S3 signs for no longer."""
IN_FILE = 2000
"""Lines of a run whose labels' pictures are in the file: of more they would be a few of many, and
the portal shows a label's pictures by their addresses."""


@click.command("report")
@click.argument("run", required=False, shell_complete=run_names)
@click.option(
    "--out", "path", type=click.Path(path_type=Path, dir_okay=False),
    help="File to write.  [default: RUN-report.html]", show_default=False,
)  # fmt: skip
@click.option("--open", "opened", is_flag=True, help="Open it in the browser.")
@click.option("--hide-names", is_flag=True, help="Show numbers for workers, no addresses.")
@json_option("Print report.json instead of writing a file.")
@click.pass_context
def report_command(
    context: click.Context,
    run: str | None,
    path: Path | None,
    opened: bool,
    hide_names: bool,
    as_json: bool,
) -> None:
    """Download a run's report as one file, with the most doubtful pictures in it.

    RUN is the name of a run or the beginning of it; the default is the newest run.
    """
    folder = find_run(context.obj.cloud, run)
    unfinished = find_unfinished(folder)
    if as_json:
        warn([str(unfinished)] if unfinished else [])
        print_json(folder.report)
        return
    path = path or Path(f"{folder.name}-report.html")
    if folder.settings.task != "tiles":  # the report of such a run has no pictures to put in
        if unfinished:
            out.print(str(unfinished), soft_wrap=True, markup=False)
        write_whole(path, folder.read("report.html"))
        out.print(str(path), soft_wrap=True)
        if opened:
            webbrowser.open(path.resolve().as_uri())
        return
    figures, facts = for_people(folder, hidden=hide_names, unfinished=unfinished)
    pictures, missing = doubtful_pictures(folder)
    thumbnails = sheet_pictures(folder)
    page = render_report(figures, thumbnails | pictures, facts)
    write_whole(path, page.encode())
    out.print(figures["headline"], soft_wrap=True)
    if unfinished:
        out.print(f"To see its end: {unfinished.watch}", soft_wrap=True, markup=False)
    out.print(str(path), soft_wrap=True)
    warn(folder.notices)
    warn(f"no picture: {reason}" for reason in missing)
    warn(changes_since_shown(folder).warnings())
    if opened:
        webbrowser.open(path.resolve().as_uri())
    if missing:
        context.exit(Exit.PARTIAL)


def for_people(
    folder: RunFolder, *, hidden: bool, unfinished: Unfinished | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the report's figures as people read them, and what else the page says of the run.

    Workers have their addresses, or numbers where these are hidden, and commands lead to the stack
    that the run is on.
    """
    command = folder.cloud.command
    names = worker_names(folder, worker_ids(folder.report), hidden=hidden)
    figures = name_workers(folder.report, names)
    began = datetime.fromisoformat(figures["started"])
    minutes = (folder.modified("report.json") - began).total_seconds() / 60
    if unfinished:  # it knows more than a report that was written before the round began
        figures.pop("next_round", None)
    sentence, steps = headline(figures, minutes), next_steps(figures, command("").rstrip())
    if unfinished:
        sentence = f"{unfinished.sentence} {sentence}"
        wait = {"found": unfinished.sentence, "do": f"Wait for its end: {unfinished.watch}"}
        steps = [wait, *steps[:-1]]  # the last is to train, for which it is too early
    figures |= {"headline": sentence, "next": steps}
    facts = {
        "project": project_of(folder.record["manifest"]),
        "began": f"{began.astimezone():%Y-%m-%d %H:%M}",
        "took": duration(minutes),
        "review": command(f"review {folder.name} --label LABEL"),
    }
    return figures, facts


def render_report(
    figures: dict[str, Any], pictures: dict[int, str], facts: Mapping[str, str] = NO_FACTS
) -> str:
    """Render the report's page with the pictures, given by line, in it."""
    template = (ROOT / "ui" / "report.liquid.html").read_text("utf-8")
    return render_html(template, figures, pictures, facts)


def doubtful_pictures(folder: RunFolder) -> tuple[dict[int, str], list[str]]:
    """Return doubtful and contested pictures by line, as data URIs or links, and what is missing.

    Contested are those of which the model was sure that they are something else, and gold images
    of which workers are.
    """
    storage, report = folder.cloud.storage, folder.report
    contested = (report.get("guesses") or {}).get("contested") or []
    gold = (report.get("gold_in_doubt") or {}).get("images") or []
    every = [*(report.get("doubtful") or []), *contested, *gold]
    named = {image["index"]: image for image in every}
    images = [image for image in named.values() if image["source"]]
    pictures: dict[int, str] = {}
    missing: list[str] = []
    with progress("pictures", len(images)) as advance:
        for image, content in in_order(lambda image: fetch(storage, image["source"]), images):
            advance(1)
            if isinstance(content, Missing):
                missing.append(str(content))
            elif len(content) <= LARGEST:
                pictures[image["index"]] = _data_uri(content)
            else:
                pictures[image["index"]] = storage.presign(image["source"], LINK_SECONDS)
    return pictures, missing


def sheet_pictures(folder: RunFolder) -> dict[int, str]:
    """Return small pictures of each label's least sure images by line; none of a large run.

    What cannot be read is left out: `doubtful_pictures` and the exports say why.
    """
    report, storage = folder.report, folder.cloud.storage
    if report["images"]["lines"] > IN_FILE:
        return {}
    images = [image for sheet in (report.get("sheets") or {}).values() for image in sheet]
    pictures: dict[int, str] = {}
    with progress("pictures of each label", len(images)) as advance:
        for image, content in in_order(lambda image: fetch(storage, image["source"]), images):
            advance(1)
            small = None if isinstance(content, Missing) else thumbnail(content)
            if small:
                pictures[image["index"]] = _data_uri(small)
    return pictures


def _data_uri(content: bytes) -> str:
    coded = base64.b64encode(content).decode()
    return f"data:{media_type(content)};base64,{coded}"
