"""Write the manifest of `tessera import` from another tool's images and labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
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
    BoxLines,
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


@dataclass(frozen=True, slots=True)
class NewManifest:
    """Manifest to write of a source, what its labels become there, and how to tell what follows.

    `command` makes a command of the tool out of its words.
    """

    path: Path
    labels_as: LabelsAs | Literal["boxes"]
    command: Callable[[str], str]
    as_json: bool


def write_source(source: str, path: Path, folder: Path | None, new: NewManifest | None) -> Exit:
    """Write the manifest of a source's images, and say how to drop it.

    Returns the exit code, which says whether anything had to be left out.
    """
    if new is None:
        raise Refused("Give the manifest to write: --out NAME.manifest")
    if not path.exists():
        raise Refused(f"There is no {path}. Check the name: ls {quote(str(path.parent))}")
    left_out = LeftOut(path)
    if new.labels_as == BOXES:
        if source != "coco":
            raise Refused(
                f"--labels-as boxes is for COCO and for jobs of Ground Truth, not for "
                f"{SOURCES[source]}."
            )
        read_boxes = partial(read_coco_boxes, path, folder, left_out)
        return write_boxes(reading(path, SOURCES[source], read_boxes), path, new, left_out)

    def read() -> Contents:
        if source == "csv":
            return read_csv(path)
        if source == "label_studio":
            guesses = new.labels_as == "prelabel"
            return Contents(read_label_studio(path, folder, left_out, guesses=guesses))
        if source == "coco":
            return Contents(*read_coco(path, folder, left_out))
        pictures = new.path.with_name(f"{new.path.name.partition('.')[0]}-pictures")
        return read_huggingface(path, pictures, left_out)

    return write_contents(reading(path, SOURCES[source], read), new.labels_as, new, left_out)


def write_labels(output: Output, new: NewManifest) -> Exit:
    """Write the manifest of the labels that a Ground Truth job gave, as `write_source` does."""
    left_out = LeftOut(output.where)
    if new.labels_as == BOXES:
        return write_boxes(read_ground_truth_boxes(output, left_out), output.where, new, left_out)
    contents = read_ground_truth(output, left_out, as_gold=new.labels_as == "gold")
    return write_contents(contents, new.labels_as, new, left_out)


def write_contents(
    contents: Contents, labels_as: LabelsAs, new: NewManifest, left_out: LeftOut
) -> Exit:
    """Write the manifest of images with their labels, and say how to have it labeled."""
    images = contents.images
    made = manifest_lines(images, labels_as, contents.names, are_sets=contents.are_sets)
    write_whole(new.path, made.lines)
    warnings = [*contents.notices, *left_out.notices(), *made.notices]
    shows_workers = labels_as == "gold" and 0 < made.labeled < len(images)
    if labels_as == "gold" and made.labeled == len(images):
        warnings.append(
            "every image has a known label, and such show how workers do with others. To have the "
            "labels confirmed: --labels-as prelabel. To keep them: --labels-as label"
        )
    warn(warnings)
    facts: dict[str, Any] = {
        "manifest": str(new.path),
        "images": len(images),
        "labeled": made.labeled,
        "labels": made.names,
        "task": "multi" if made.is_multi else "tiles",
        "warnings": warnings,
    }
    if new.as_json:
        print_json(facts)
        return _ending(left_out)
    out.print(f"{new.path}: {counted(len(images), 'image')}, {facts['labeled']:,} with labels.")
    way = how_to_drop(new.path, made, new.command, has_gold=shows_workers)
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


def write_boxes(source: BoxLines, where: Path | str, new: NewManifest, left_out: LeftOut) -> Exit:
    """Write the manifest of a source's boxes, and say how to have them verified."""
    lines, names, notices = source
    if not lines:
        reasons = " ".join(f"{notice}." for notice in left_out.notices())
        raise Refused(
            f"{where} holds no box. Check that its annotations have a bbox. {reasons}".rstrip()
        )
    write_whole(new.path, msgspec.json.Encoder().encode_lines(lines))
    boxes = sum(len(line["bounding-box"]["annotations"]) for line in lines)
    warnings = [*notices, *left_out.notices()]
    warn(warnings)
    facts = {"manifest": str(new.path), "boxes": boxes, "labels": names, "task": "verify"}
    if new.as_json:
        print_json(facts | {"warnings": warnings})
        return _ending(left_out)
    settings, file = new.path.with_name("labeling.json"), quote(str(new.path))
    out.print(f"{new.path}: {boxes:,} boxes on {counted(len(lines), 'line')}.")
    way = f'echo \'{{"task": "verify"}}\' > {quote(str(settings))} && {new.command(f"drop {file}")}'
    out.print(f"Have them verified: {way}", soft_wrap=True, markup=False)
    return _ending(left_out)
