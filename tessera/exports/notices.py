"""Tell what is otherwise in an export than in the run, or than its reader expects."""

from __future__ import annotations

from collections.abc import Iterator

from tessera.exports.dataset import folder_names
from tessera.exports.formats import Export
from tessera.picture_types import suffix_of
from tessera.runs.picture_changes import PictureChanges
from tessera.screen import counted

CUSTOM_LABELS_LINES = 250_000
"""Lines that Rekognition Custom Labels takes in one manifest, at most."""

MOST_NAMED = 10
"""Folders that a sentence names, so that it fits on a screen."""


def notices(export: Export) -> list[str]:
    """Return what there is to tell of an export that has been written, one sentence each."""
    empty = [part for part, kept in export.kept() if part and not kept]
    lines = [f"{part} has no picture: there are too few for this split" for part in empty]
    if export.form == "imagefolder":
        lines += _of_folders(export)
    if export.form == "custom-labels":
        lines += custom_labels_problems(export)
    for suffix, count in sorted(export.converted.items()):
        lines.append(
            f"{counted(count, suffix + ' picture')} written as png, with the first frame only: "
            f"the readers of {export.form} do not open {suffix}"
        )
    changes = PictureChanges(tuple(sorted(export.changed)), len(export.changed))
    lines += changes.warnings()
    if export.turned:
        lines.append(
            f"{counted(export.turned, 'picture')} turned by EXIF alone: people saw them upright, "
            "and so do Detectron2, FiftyOne and datasets; torchvision, Keras and webdataset do "
            "not turn them. Write them turned: --upright --out ANOTHER-FOLDER"
        )
    return lines


def _of_folders(export: Export) -> Iterator[str]:
    """Yield what ImageFolder reads otherwise than the settings have it."""
    labels = export.labels_of()
    present = set[str]().union(*labels.values())
    if absent := [label for label in export.class_ids if label not in present]:
        yield f"no picture has the label {', '.join(absent)}, so that there is no folder for it"
    folders = folder_names(export.class_ids)
    order = sorted(present, key=lambda label: folders[label])
    if [export.class_ids[label] for label in order] != list(range(len(order))):
        named = [folders[label] for label in order[:MOST_NAMED]]
        numbers = ", ".join(f"{name} {number}" for number, name in enumerate(named))
        yield (
            f"ImageFolder numbers folders in the order of their names ({numbers}"
            f"{' …' if len(order) > len(named) else ''}); classes.json has these numbers as id, "
            "and those of the settings as class_id"
        )
    for part, of_part in labels.items():
        if of_part and (lacking := sorted(present - of_part)):
            yield (
                f"{part} has no picture of {', '.join(lacking)}, so that ImageFolder numbers its "
                f"labels otherwise than in the other parts: {part}/classes.json has its numbers. "
                "The forms huggingface and webdataset keep one number for a label"
            )


def custom_labels_problems(export: Export) -> list[str]:
    """Return what Rekognition Custom Labels will refuse about these manifests."""
    problems = []
    unsure = sum(s.confidence is None for samples in export.parts.values() for s in samples)
    if unsure:
        problems.append(
            f"{counted(unsure, 'label')} from before the run had no confidence; the service asks "
            "for one and does not use it, so that 0 is written"
        )
    buckets = {sample.uri.split("/")[2] for samples in export.parts.values() for sample in samples}
    if len(buckets) > 1:
        names = ", ".join(sorted(buckets)[:3])
        problems.append(f"the pictures are in {len(buckets)} buckets ({names}); it takes one")
    for part, samples in export.parts.items():
        if len(samples) > CUSTOM_LABELS_LINES:
            problems.append(
                f"{part or 'labels'}.manifest has {len(samples):,} lines; it takes "
                f"{CUSTOM_LABELS_LINES:,} unless AWS raises your limit"
            )
        odd = {suffix_of(sample.uri) for sample in samples} - {"jpg", "png", ""}
        if odd:
            problems.append(f"some pictures are {', '.join(sorted(odd))}; it takes JPEG and PNG")
        if len({sample.class_name for sample in samples}) < 2:
            problems.append(f"{part or 'labels'}.manifest has fewer than two different labels")
    return problems
