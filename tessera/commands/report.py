"""`tessera report`: a run's report as one file, with the most doubtful pictures in it."""

from __future__ import annotations

import base64
import webbrowser
from pathlib import Path
from typing import Any

import click

from tessera.commands.completion import run_names
from tessera.exits import Exit
from tessera.exports.pictures import Missing, fetch, in_order, media_type, write_whole
from tessera.runs.folder import RunFolder, find_run
from tessera.runs.picture_changes import changes_since_shown
from tessera.screen import json_option, out, print_json, progress, warn
from tessera.stack.local_stack import ROOT
from tessera.tiling.report.render import render_html

LARGEST = 2 * 1024 * 1024
"""Bytes of the largest picture that is put into the file; larger ones are linked."""
LINK_SECONDS = 7 * 24 * 3600
"""Seconds after which such a link expires; S3 signs for no longer."""


@click.command("report")
@click.argument("run", required=False, shell_complete=run_names)
@click.option(
    "--out", "path", type=click.Path(path_type=Path, dir_okay=False),
    help="File to write.  [default: RUN-report.html]", show_default=False,
)  # fmt: skip
@click.option("--open", "opened", is_flag=True, help="Open it in the browser.")
@json_option("Print report.json instead of writing a file.")
@click.pass_context
def report_command(
    context: click.Context, run: str | None, path: Path | None, opened: bool, as_json: bool
) -> None:
    """Download a run's report as one file, with the most doubtful pictures in it.

    RUN is the name of a run or the beginning of it; the default is the newest run.
    """
    folder = find_run(context.obj.cloud, run)
    if as_json:
        print_json(folder.report)
        return
    path = path or Path(f"{folder.name}-report.html")
    pictures, missing = doubtful_pictures(folder)
    write_whole(path, render_report(folder.report, pictures).encode())
    out.print(str(path), soft_wrap=True)
    warn(folder.notices)
    warn(f"no picture: {reason}" for reason in missing)
    warn(changes_since_shown(folder).warnings())
    if opened:
        webbrowser.open(path.resolve().as_uri())
    if missing:
        context.exit(Exit.PARTIAL)


def render_report(figures: dict[str, Any], pictures: dict[int, str]) -> str:
    """Render the report's page with the pictures, given by line, in it."""
    template = (ROOT / "ui" / "report.liquid.html").read_text("utf-8")
    return render_html(template, figures, pictures)


def doubtful_pictures(folder: RunFolder) -> tuple[dict[int, str], list[str]]:
    """Return the most doubtful pictures by line, as data URIs or links, and what is missing."""
    storage = folder.cloud.storage
    images = [image for image in folder.report.get("doubtful") or [] if image["source"]]
    pictures: dict[int, str] = {}
    missing: list[str] = []
    with progress("pictures", len(images)) as advance:
        for image, content in in_order(lambda image: fetch(storage, image["source"]), images):
            advance(1)
            if isinstance(content, Missing):
                missing.append(str(content))
            elif len(content) <= LARGEST:
                coded = base64.b64encode(content).decode()
                pictures[image["index"]] = f"data:{media_type(content)};base64,{coded}"
            else:
                pictures[image["index"]] = storage.presign(image["source"], LINK_SECONDS)
    return pictures, missing
