"""`tessera export`: a run's labels in a format that training code reads."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tessera.commands.completion import run_names
from tessera.exits import Exit, Refused
from tessera.exports.box_formats import BOX_FORMATS, check_box_format, check_other_format
from tessera.exports.dataset import LeftOut, Sample, samples
from tessera.exports.formats import FORMATS, Export, write_classes, write_left_out
from tessera.exports.notices import notices
from tessera.exports.set_formats import SET_FORMATS, check_set_format
from tessera.exports.split import read_shares, split
from tessera.exports.tool_formats import write_fiftyone, write_label_studio
from tessera.number_types import SEED, SHARE
from tessera.runs.folder import RunFolder, find_run
from tessera.runs.picture_changes import changes_since_shown, recorded_etags
from tessera.screen import aside, counted, json_option, out, print_json, progress, warn
from tessera.tiling.picture_keys import pictures_of
from tessera.tiling.run.run_record import project_of
from tessera.whole_file import write_whole

ALL_FORMATS = {**FORMATS, "label-studio": write_label_studio, "fiftyone": write_fiftyone}
"""Functions that write one label a picture, by the names that `--to` takes."""
WITHOUT_PICTURES = ("csv", "custom-labels", "label-studio")
"""Formats that name pictures where they lie, and hold none."""


class Shares(click.ParamType[dict[str, float]]):
    """Shares of the parts of a split, such as 80/10/10."""

    name = "SHARES"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dict[str, float]:
        """Convert the option's text to the share of each part."""
        if isinstance(value, dict):
            return value
        try:
            return read_shares(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.argument("run", required=False, shell_complete=run_names)
@click.option(
    "--to",
    "form",
    type=click.Choice(list(ALL_FORMATS | SET_FORMATS | BOX_FORMATS)),
    required=True,
    metavar="FORMAT",
    help=f"Format to write: {', '.join(ALL_FORMATS | SET_FORMATS | BOX_FORMATS)}.",
)
@click.option(
    "--out", "folder", type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write to.  [default: RUN-FORMAT]", show_default=False,
)  # fmt: skip
@click.option(
    "--split", "shares", type=Shares(),
    help="Shares of training, validation and test data, such as 80/10/10.",
)  # fmt: skip
@click.option("--seed", type=SEED, default=0, help="Seed of the split.")
@click.option(
    "--group-by", "group_key", metavar="KEY",
    help="Keep lines together that have the same value under this key of the manifest.",
)  # fmt: skip
@click.option(
    "--min-confidence", type=SHARE, default=0.0,
    help="Leave out labels with less confidence.",
)  # fmt: skip
@click.option(
    "--upright", is_flag=True,
    help="Turn pictures as their EXIF says, for readers that do not.",
)  # fmt: skip
@json_option("Print what was written as JSON.")
@click.pass_context
def export(
    context: click.Context,
    run: str | None,
    form: str,
    folder: Path | None,
    shares: dict[str, float] | None,
    seed: int,
    group_key: str | None,
    min_confidence: float,
    upright: bool,
    as_json: bool,
) -> None:
    """Export a run's labels in a format that training code reads.

    RUN is the name of a run or the beginning of it; the default is the newest run. When it was
    interrupted, the same command continues. Lines that cannot be exported, damaged pictures among
    them, are listed in left-out.csv (exit code 5); if that is all of them, the export has failed.
    """
    source = find_run(context.obj.cloud, run)
    formats = formats_for(source, form)
    folder = folder or Path(f"{source.name}-{form}")
    options = {
        "run": source.name, "form": form, "split": shares, "seed": seed, "group_by": group_key,
        "min_confidence": min_confidence,
    }  # fmt: skip
    if upright:  # a folder of an older version has an export.json without the option
        options["upright"] = True
    if is_reviewed := source.training != "training.manifest":
        options["reviewed"] = source.modified(source.training).isoformat(timespec="seconds")
    kept, left_out = read_samples(source, group_key, min_confidence)
    claim_folder(folder, options)
    labels = split_samples(source, folder, kept, shares, seed)
    labels.form, labels.upright, labels.left_out = form, upright, left_out
    names_pictures = form in WITHOUT_PICTURES or source.settings.has_boxes
    if not names_pictures:  # whose pictures are read, all of them
        labels.etags, _ = recorded_etags(source)
    if kept:
        formats[form](labels)
    write_left_out(labels)
    if not any(samples for _, samples in labels.kept()):
        raise click.ClickException(reason_for_nothing(labels, source.cloud.command))
    write_classes(labels)
    warnings = notices(labels)
    if is_reviewed:
        warnings.append(f"the labels are those that were reviewed: {source.uri(source.training)}")
    if names_pictures:
        warnings += changes_since_shown(source).warnings()
    result = options | summarize(labels) | {"warnings": warnings}
    if as_json:
        print_json(result)
    else:
        show(result)
    if labels.left_out:
        context.exit(Exit.PARTIAL)


def formats_for(source: RunFolder, form: str) -> dict[str, Callable[[Export], None]]:
    """Return the formats of a run's kind of task; Refused if the one that is asked is not there."""
    run, settings = source.name, source.settings
    if settings.has_boxes:
        check_box_format(run, form)
        return BOX_FORMATS
    check_other_format(run, form, source.cloud.command)
    if settings.is_multi:
        check_set_format(run, form)
        return SET_FORMATS
    return ALL_FORMATS


def claim_folder(folder: Path, options: dict[str, Any]) -> None:
    """Note in the folder which export it is for; Refused if it has another one, or other files.

    The same export may go on in it, with the files that are whole.
    """
    mark = folder / "export.json"
    if mark.exists():
        earlier = json.loads(mark.read_text("utf-8"))
        if earlier != json.loads(json.dumps(options)):
            different = sorted(key for key in options if earlier.get(key) != options[key])
            raise Refused(
                f"{folder} has an export with different options: {', '.join(different)}. "
                "Choose another folder with --out, or delete this one."
            )
        return
    if folder.exists() and any(folder.iterdir()):
        raise Refused(f"{folder} is not empty. Choose another folder with --out.")
    write_whole(mark, json.dumps(options, indent=2).encode() + b"\n")


def read_samples(
    run: RunFolder, group_key: str | None, min_confidence: float
) -> tuple[list[Sample], list[LeftOut]]:
    """Read the run's training manifest: the samples to export, and the lines that are left out."""
    lines = run.lines(run.training)
    kept: list[Sample] = []
    left_out: list[LeftOut] = []
    with progress("lines", None) as advance:
        for sample in samples(lines, run.settings, group_key=group_key, least=min_confidence):
            advance(1)
            if isinstance(sample, LeftOut):
                left_out.append(sample)
            else:
                kept.append(sample)
    return kept, left_out


def split_samples(
    run: RunFolder, folder: Path, kept: list[Sample], shares: dict[str, float] | None, seed: int
) -> Export:
    """Split the samples into parts of these shares, or into one part without a name."""
    settings = run.settings
    parts: dict[str, list[Sample]] = {"": kept}
    if shares:
        parts = {name: [] for name in shares}
        classes = _classes(kept)
        names = split(classes, [s.group for s in kept], shares, seed=seed)
        for sample, name in zip(kept, names, strict=True):
            parts[name].append(sample)
    return Export(
        run=run.name,
        form="",
        uploads=pictures_of(run.cloud.outputs["Inbox"], project_of(run.record["manifest"])),
        folder=folder,
        labels=settings.labels,
        class_ids={name: settings.labels.index(name) for name in settings.classes},
        parts=parts,
        left_out=[],
        storage=run.cloud.storage,
        written_on=run.modified(run.training).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3],
    )


def _classes(kept: list[Sample]) -> list[int]:
    """Return what the parts of a split shall have alike: classes, or sets of labels by number."""
    sets: dict[tuple[str, ...], int] = {}
    return [
        sample.class_id if sample.names is None else sets.setdefault(sample.names, len(sets))
        for sample in kept
    ]


def reason_for_nothing(export: Export, command: Callable[[str], str]) -> str:
    """Return why an export has no picture, and what to do, as a `command` of the tool."""
    if not export.left_out:
        return (
            f"There is nothing to export: {export.run} has no labeled picture. "
            f"Its report says why: {command(f'report {export.run} --open')}"
        )
    (reason, count), *others = Counter(left.reason for left in export.left_out).most_common()
    more = f"; {export.folder}/left-out.csv has the others" if others else ""
    return (
        f"There is nothing to export: all {counted(len(export.left_out), 'line')} of "
        f"{export.run} were left out, {count:,} because: {reason}{more}."
    )


def summarize(export: Export) -> dict[str, Any]:
    """Count what was written, by part and label."""
    return {
        "folder": str(export.folder),
        "parts": {
            part or "all": {
                "images": len(kept),
                "labels": dict(
                    Counter(name for sample in kept for name in sample.labels).most_common()
                ),
            }
            for part, kept in export.kept()
        },
        "left_out": len(export.left_out),
    }


def show(result: dict[str, Any]) -> None:
    """Print what was written, for a person."""
    for part, counts in result["parts"].items():
        out.print(f"[bold]{part:<12}[/] {counts['images']:>9,} images")
    out.print(f"in {result['folder']}", soft_wrap=True)
    warn(result["warnings"])
    if result["left_out"]:
        aside.print(
            f"[yellow]{counted(result['left_out'], 'line')} left out[/]; "
            f"{result['folder']}/left-out.csv says which and why."
        )
