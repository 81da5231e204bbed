"""Write the manifest of `tessera import` from another tool's images and labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from shlex import quote
from typing import Any, Literal

import msgspec

from tessera.exits import Exit, Refused
from tessera.option_lists import as_option
from tessera.screen import counted, out, print_json, warn
from tessera.sources.coco import read_coco, read_coco_boxes
from tessera.sources.csv_list import read_csv
from tessera.sources.ground_truth import Output, read_ground_truth, read_ground_truth_boxes
from tessera.sources.huggingface import read_huggingface
from tessera.sources.label_studio import read_label_studio
from tessera.sources.labeled import (
    BOXES,
    Contents,
    LabelsAs,
    LeftOut,
    Lines,
    manifest_lines,
    reading,
)
from tessera.whole_file import write_whole

SOURCES = {
    "coco": "COCO annotations",
    "label_studio": "a JSON export of Label Studio",
    "csv": "a CSV file of images",
    "huggingface": "a data set of Hugging Face",
}
"""Sources by their option, and what their files are called in sentences."""
OTHER_LABELS = ("A", "B")
"""Labels that stand for those to choose from, where images come with fewer than two."""


def write_source(
    source: str,
    path: Path,
    *,
    folder: Path | None,
    labels_as: LabelsAs | Literal["boxes"],
    manifest: Path | None,
    command: Callable[[str], str],
    as_json: bool,
) -> Exit:
    """Write the manifest of a source's images, and say how to drop it, as a `command` of the tool.

    Returns the exit code, which says whether anything had to be left out.
    """
    if manifest is None:
        raise Refused("Give the manifest to write: --out NAME.manifest")
    if not path.exists():
        raise Refused(f"There is no {path}. Check the name: ls {quote(str(path.parent))}")
    left_out = LeftOut(path)
    if labels_as == BOXES:
        if source != "coco":
            raise Refused(
                f"--labels-as boxes is for COCO and for jobs of Ground Truth, not for "
                f"{SOURCES[source]}."
            )

        def read_boxes() -> tuple[list[dict[str, Any]], list[str], list[str]]:
            return (*read_coco_boxes(path, folder, left_out), [])

        lines, names, notices = reading(path, SOURCES[source], read_boxes)
        return write_boxes(
            lines, names, notices, path, manifest, left_out, command, as_json=as_json
        )

    def read() -> Contents:
        if source == "csv":
            return read_csv(path)
        if source == "label_studio":
            guesses = labels_as == "prelabel"
            return Contents(read_label_studio(path, folder, left_out, guesses=guesses))
        if source == "coco":
            return Contents(*read_coco(path, folder, left_out))
        pictures = manifest.with_name(f"{manifest.name.partition('.')[0]}-pictures")
        return read_huggingface(path, pictures, left_out)

    contents = reading(path, SOURCES[source], read)
    return write_contents(contents, labels_as, manifest, left_out, command, as_json=as_json)


def write_labels(
    output: Output,
    *,
    labels_as: LabelsAs | Literal["boxes"],
    manifest: Path,
    command: Callable[[str], str],
    as_json: bool,
) -> Exit:
    """Write the manifest of the labels that a Ground Truth job gave, as `write_source` does."""
    left_out = LeftOut(output.where)
    if labels_as == BOXES:
        lines, names, notices = read_ground_truth_boxes(output, left_out)
        return write_boxes(
            lines, names, notices, output.where, manifest, left_out, command, as_json=as_json
        )
    contents = read_ground_truth(output, left_out, as_gold=labels_as == "gold")
    return write_contents(contents, labels_as, manifest, left_out, command, as_json=as_json)


def write_contents(
    contents: Contents,
    labels_as: LabelsAs,
    manifest: Path,
    left_out: LeftOut,
    command: Callable[[str], str],
    *,
    as_json: bool,
) -> Exit:
    """Write the manifest of images with their labels, and say how to have it labeled."""
    images = contents.images
    made = manifest_lines(images, labels_as, contents.names, are_sets=contents.are_sets)
    write_whole(manifest, made.lines)
    warnings = [*contents.notices, *left_out.notices(), *made.notices]
    shows_workers = labels_as == "gold" and 0 < made.labeled < len(images)
    if labels_as == "gold" and made.labeled == len(images):
        warnings.append(
            "every image has a known label, and such show how workers do with others. To have the "
            "labels confirmed: --labels-as prelabel. To keep them: --labels-as label"
        )
    warn(warnings)
    facts: dict[str, Any] = {
        "manifest": str(manifest),
        "images": len(images),
        "labeled": made.labeled,
        "labels": made.names,
        "task": "multi" if made.is_multi else "tiles",
        "warnings": warnings,
    }
    if as_json:
        print_json(facts)
        return _ending(left_out)
    out.print(f"{manifest}: {counted(len(images), 'image')}, {facts['labeled']:,} with labels.")
    way = how_to_drop(manifest, made, command, has_gold=shows_workers)
    out.print(f"Have it labeled: {way}", soft_wrap=True, markup=False)
    return _ending(left_out)


def how_to_drop(
    manifest: Path, made: Lines, command: Callable[[str], str], *, has_gold: bool
) -> str:
    """Return what to run to have a manifest labeled, with its labels if no settings lie beside it.

    Gold images take a place of each page, as in a drop with `--gold`: without, they would be asked.
    """
    drop = f"drop {quote(str(manifest))}"
    settings = manifest.with_name("labeling.json")
    if settings.exists():
        return command(drop)
    names = made.names  # one will do for several labels an image
    if not made.is_multi:
        names = [*names, *OTHER_LABELS[len(names) :]]
    more = {"task": "multi"} if made.is_multi else {"gold_per_task": 1} if has_gold else {}
    if more:
        text = quote(json.dumps(more | {"labels": names}, ensure_ascii=False))
        return f"printf '%s\\n' {text} > {quote(str(settings))} && {command(drop)}"
    return command(f"{drop} --labels {quote(as_option(names))}")


def _ending(left_out: LeftOut) -> Exit:
    return Exit.PARTIAL if left_out.is_loss else Exit.OK


def write_boxes(
    lines: list[dict[str, Any]],
    names: list[str],
    notices: list[str],
    where: Path | str,
    manifest: Path,
    left_out: LeftOut,
    command: Callable[[str], str],
    *,
    as_json: bool,
) -> Exit:
    """Write the manifest of a source's boxes, and say how to have them verified."""
    if not lines:
        reasons = " ".join(f"{notice}." for notice in left_out.notices())
        raise Refused(
            f"{where} holds no box. Check that its annotations have a bbox. {reasons}".rstrip()
        )
    write_whole(manifest, b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    boxes = sum(len(line["bounding-box"]["annotations"]) for line in lines)
    warnings = [*notices, *left_out.notices()]
    warn(warnings)
    facts = {"manifest": str(manifest), "boxes": boxes, "labels": names, "task": "verify"}
    if as_json:
        print_json(facts | {"warnings": warnings})
        return _ending(left_out)
    settings, file = manifest.with_name("labeling.json"), quote(str(manifest))
    out.print(f"{manifest}: {boxes:,} boxes on {counted(len(lines), 'line')}.")
    way = f'echo \'{{"task": "verify"}}\' > {quote(str(settings))} && {command(f"drop {file}")}'
    out.print(f"Have them verified: {way}", soft_wrap=True, markup=False)
    return _ending(left_out)
