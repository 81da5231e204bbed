"""`tessera export`: a run's labels in the form that training code reads."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Protocol

import click

from tessera.commands.completion import run_names
from tessera.exits import Exit, Refused
from tessera.exports.dataset import LeftOut, Sample, samples
from tessera.exports.formats import (
    FORMATS,
    Export,
    custom_labels_problems,
    write_classes,
    write_left_out,
)
from tessera.exports.pictures import write_whole
from tessera.exports.split import read_shares, split
from tessera.runs.folder import RunFolder, find_run
from tessera.screen import aside, json_option, out, print_json, progress, warn
from tessera.stack.cloud import Cloud


class Deployed(Protocol):
    """What a command needs of the place that it is called for."""

    @property
    def cloud(self) -> Cloud:
        """What is deployed there."""


class Shares(click.ParamType[dict[str, float]]):
    """Shares such as 80/10/10."""

    name = "SHARES"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, float]:
        """The share of each part."""
        if isinstance(value, dict):
            return value
        try:
            return read_shares(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.argument("run", required=False, shell_complete=run_names)
@click.option("--to", "form", type=click.Choice(list(FORMATS)), required=True, help="The form.")
@click.option(
    "--out", "folder", type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write to.  [default: RUN-FORM]", show_default=False,
)  # fmt: skip
@click.option("--split", "shares", type=Shares(), help="Parts to deal to, such as 80/10/10.")
@click.option("--seed", default=0, help="What the dealing to parts follows.")
@click.option("--group-by", "group", metavar="KEY", help="Manifest key whose equals stay together.")
@click.option(
    "--min-confidence", "least", type=click.FloatRange(0, 1), default=0.0,
    help="Leave out labels less sure than this.",
)  # fmt: skip
@json_option("Say what was written as JSON.")
@click.pass_context
def export(
    context: click.Context,
    run: str | None,
    form: str,
    folder: Path | None,
    shares: dict[str, float] | None,
    seed: int,
    group: str | None,
    least: float,
    as_json: bool,
) -> None:
    """Write a run's labels in the form that training code reads.

    RUN is a run's name or its beginning; without it, the newest. Interrupted, the same command
    goes on where it was. Lines that cannot be exported are in left-out.csv (exit code 5).
    """
    place: Deployed = context.obj
    found = find_run(place.cloud, run)
    folder = folder or Path(f"{found.name}-{form}")
    asked = {
        "run": found.name, "form": form, "split": shares, "seed": seed, "group_by": group,
        "min_confidence": least,
    }  # fmt: skip
    claim(folder, asked)
    exported = collect(found, folder, shares=shares, seed=seed, group=group, least=least)
    FORMATS[form](exported)
    write_classes(exported, exported.class_ids.items())
    write_left_out(exported)
    warnings = custom_labels_problems(exported) if form == "custom-labels" else []
    result = summary(exported, asked, warnings)
    if as_json:
        print_json(result)
    else:
        show(result)
    if exported.left_out:
        context.exit(Exit.PARTIAL)


def claim(folder: Path, asked: dict[str, Any]) -> None:
    """Take the folder for this export; Refused if another one is in it."""
    mark = folder / "export.json"
    if mark.exists():
        there = json.loads(mark.read_text("utf-8"))
        if there != json.loads(json.dumps(asked)):
            different = sorted(key for key in asked if there.get(key) != asked[key])
            raise Refused(
                f"{folder} holds another export: it differs in {', '.join(different)}. "
                "Choose another folder with --out, or delete it."
            )
        return
    if folder.exists() and any(folder.iterdir()):
        raise Refused(f"{folder} is not empty. Choose another folder with --out.")
    write_whole(mark, json.dumps(asked, indent=2).encode() + b"\n")


def collect(
    run: RunFolder,
    folder: Path,
    *,
    shares: dict[str, float] | None,
    seed: int,
    group: str | None,
    least: float,
) -> Export:
    """The run's samples, dealt to parts."""
    settings = run.settings
    kept: list[Sample] = []
    left_out: list[LeftOut] = []
    with progress("lines", None) as advance:
        for sample in samples(
            run.lines("training.manifest"), settings, group_key=group, least=least
        ):
            advance(1)
            if isinstance(sample, LeftOut):
                left_out.append(sample)
            else:
                kept.append(sample)
    parts: dict[str, list[Sample]] = {"": kept}
    if shares:
        parts = {name: [] for name in shares}
        dealt = split([s.class_id for s in kept], [s.group for s in kept], shares, seed=seed)
        for sample, part in zip(kept, dealt, strict=True):
            parts[part].append(sample)
    return Export(
        run=run.name,
        folder=folder,
        labels=settings.labels,
        class_ids={name: settings.labels.index(name) for name in settings.classes},
        parts=parts,
        left_out=left_out,
        storage=run.cloud.storage,
    )


def summary(export: Export, asked: dict[str, Any], warnings: list[str]) -> dict[str, Any]:
    """What was written, in numbers."""
    return {
        **asked,
        "folder": str(export.folder),
        "parts": {
            part or "all": {
                "images": len(kept),
                "labels": dict(Counter(sample.class_name for sample in kept).most_common()),
            }
            for part, kept in export.kept()
        },
        "left_out": len(export.left_out),
        "warnings": warnings,
    }


def show(result: dict[str, Any]) -> None:
    """Say what was written, for a person."""
    for part, figures in result["parts"].items():
        out.print(f"[bold]{part:<12}[/] {figures['images']:>9,} images")
    out.print(f"in {result['folder']}", soft_wrap=True)
    warn(result["warnings"])
    if result["left_out"]:
        aside.print(
            f"[yellow]{result['left_out']:,} lines were left out[/]; "
            f"{result['folder']}/left-out.csv says which and why."
        )
