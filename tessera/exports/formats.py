"""Formats that training code reads: one function for each.

Each takes an `Export` and writes to its folder. Pictures that cannot be read are left out, with a
reason.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from tessera.aws.storage import Storage
from tessera.exports.dataset import LeftOut, Sample, file_name, folder_names
from tessera.exports.openable import OpenablePicture, look_at_written, make_openable
from tessera.exports.pictures import Missing, fetch_with_etag, in_order
from tessera.picture_folder import content_hash
from tessera.picture_types import suffix_of
from tessera.screen import progress
from tessera.tiling.csv_field import guard_formula
from tessera.tiling.picture_keys import digest_in
from tessera.whole_file import whole, write_whole

SHARD = 1_000
"""Pictures in one tar file."""

CSV_COLUMNS = ("image", "label", "class_id", "confidence", "agreement", "answers")
"""Columns of `labels.csv` where each picture has one label."""

OPENED: dict[str, frozenset[str] | None] = {
    "imagefolder": frozenset({"jpg", "png", "bmp", "tif", "webp"}),
    "webdataset": frozenset({"jpg", "png", "bmp", "tif", "webp", "gif"}),
}
"""Types of pictures that a form's reader opens, by suffix; the readers of the others open what
Pillow does. From torchvision's IMG_EXTENSIONS and webdataset's IMAGE_EXTENSIONS."""


@dataclass
class Export:
    """Samples to export, the folder for them, and the lines that had to be left out.

    `parts` has the samples of each part of a split; without a split there is one part, whose name
    is empty. With `upright`, pictures are turned as EXIF says. `written_on` is when the labels were
    written, for those that do not say when they were given.
    """

    run: str
    form: str
    folder: Path
    labels: tuple[str, ...]
    class_ids: dict[str, int]
    parts: dict[str, list[Sample]]
    left_out: list[LeftOut]
    storage: Storage
    upright: bool = False
    written_on: str = ""
    uploads: str = "s3://"
    """Prefix of the pictures that `drop` uploaded for the project."""
    etags: dict[str, set[str]] = field(default_factory=dict)
    """ETags that pictures had when they were shown."""
    changed: list[str] = field(default_factory=list)
    """Pictures that have changed since."""
    turned: int = 0
    """Pictures that their reader has to turn by EXIF."""
    converted: Counter[str] = field(default_factory=Counter)
    """Pictures of types that the form's reader does not open, written as PNG, by suffix."""

    @property
    def digits(self) -> int:
        """Digits of the numbers in file names."""
        lines = [samples[-1].line for samples in self.parts.values() if samples]
        return max(6, len(str(max(lines, default=0))))

    def kept(self) -> Iterator[tuple[str, list[Sample]]]:
        """Yield each part's name with its samples, without those that have been left out."""
        left_out = {left.line for left in self.left_out}
        for name, samples in self.parts.items():
            yield name, [sample for sample in samples if sample.line not in left_out]

    @property
    def counts(self) -> str:
        """Rows of a Markdown table: each part and the number of its pictures."""
        return "\n".join(f"| {part or 'train'} | {len(kept)} |" for part, kept in self.kept())

    def leave_out(self, sample: Sample, missing: Missing) -> None:
        """Leave out a sample whose picture is missing, or none that can be opened."""
        self.left_out.append(LeftOut(sample.line, sample.uri, f"no picture: {missing}"))

    def fetch(self, sample: Sample) -> OpenablePicture:
        """Return a sample's picture such as the form's reader opens it; Missing says why not.

        Where the original is of a type that no reader opens, it is what people were shown.
        """
        try:
            return self._fetch(sample.uri)
        except Missing:
            if sample.page_uri in ("", sample.uri):
                raise
            return self._fetch(sample.page_uri)

    def _fetch(self, uri: str) -> OpenablePicture:
        """Return a picture, and note if it has changed since people were shown it."""
        content, etag = fetch_with_etag(self.storage, uri)
        promised = digest_in(self.uploads, uri)
        if self.etags.get(uri, {etag}) != {etag} or (
            promised and promised != content_hash(content)
        ):
            self.changed.append(uri)
        return make_openable(content, opened=OPENED.get(self.form), upright=self.upright)

    def note(self, picture: OpenablePicture) -> None:
        """Count what there is to tell of a picture."""
        self.turned += picture.turned
        if picture.converted_from:
            self.converted[picture.converted_from] += 1

    def labels_of(self) -> dict[str, set[str]]:
        """Return the labels that have a picture, by part."""
        return {
            part: {name for sample in kept for name in sample.labels} for part, kept in self.kept()
        }


def write_csv(export: Export) -> None:
    """Write `labels.csv`, or one file for each part: where each picture is, and its label."""
    for part, samples in export.parts.items():
        rows = (
            (
                guard_formula(sample.uri),
                guard_formula(sample.class_name),
                sample.class_id,
                sample.confidence,
                sample.agreement,
                sample.answers,
            )
            for sample in samples
        )
        write_rows(export.folder / f"{part or 'labels'}.csv", CSV_COLUMNS, rows)


def write_custom_labels(export: Export) -> None:
    """Write a manifest for Rekognition Custom Labels, or one for each part.

    Its lines have the keys that the service asks for and no others, which it would refuse.
    """
    for part, samples in export.parts.items():
        lines = [_custom_label(sample, export.written_on) for sample in samples]
        content = msgspec.json.Encoder().encode_lines(lines)
        write_whole(export.folder / f"{part or 'labels'}.manifest", content)


def _custom_label(sample: Sample, written_on: str) -> dict[str, Any]:
    """Return a line; of what a label does not say, only what the service insists on is filled in.

    It insists on a confidence, which it does not use; 0 claims nothing.
    """
    metadata = {
        "confidence": 0 if sample.confidence is None else sample.confidence,
        "class-name": sample.class_name,
        "human-annotated": sample.human or "no",
        "creation-date": sample.created or written_on,
        "type": "groundtruth/image-classification",
    }
    if sample.job:
        metadata["job-name"] = sample.job
    # Of a picture that had to be converted the service, too, opens what was made of it.
    opened = suffix_of(sample.uri) in ("jpg", "png", "")
    uri = sample.uri if opened else sample.page_uri or sample.uri
    return {"source-ref": uri, "label": sample.class_id, "label-metadata": metadata}


def write_image_folder(export: Export) -> None:
    """Write a folder for each label, as torchvision's ImageFolder, Keras and others read them.

    With a split, they are in a folder for each part. ImageFolder refuses an empty folder, so a
    label without a picture has none; `classes.json` has the numbers that are read.
    """
    folders = folder_names(export.class_ids)
    fetch_all(
        export,
        lambda part, sample, name: export.folder / part / folders[sample.class_name] / name,
    )
    labels = export.labels_of()
    for part, of_part in labels.items():
        if part and of_part:
            _write_folder_classes(export, export.folder / part, of_part)
    _write_folder_classes(export, export.folder, set().union(*labels.values()))


def _write_folder_classes(export: Export, folder: Path, labels: set[str]) -> None:
    """Write the `classes.json` of a folder: the labels as ImageFolder numbers their folders."""
    folders = folder_names(export.class_ids)
    classes = [
        {"id": number, "label": label, "folder": folders[label], "class_id": class_id}
        for number, (label, class_id) in enumerate(
            sorted(
                ((label, export.class_ids[label]) for label in labels),
                key=lambda known: folders[known[0]],
            )
        )
    ]
    _write_json(folder / "classes.json", classes)


def write_coco(export: Export) -> None:
    """Write `annotations/instances….json` and the pictures; a label is a box around its picture.

    Category ids count from one, as COCO's own do: the class id plus one. Sizes are those that
    people saw, after EXIF: Detectron2 and FiftyOne read them so
    (docs/decisions/operator-exports-as-read.md).
    """
    placed = fetch_all(export, lambda part, _, name: export.folder / (part or "images") / name)
    categories = {number + 1: label for label, number in export.class_ids.items()}
    for part, samples in export.kept():
        images, annotations = [], []
        for number, sample in enumerate(samples, start=1):
            path, (width, height) = placed[sample.line]
            images.append(
                {
                    "id": number,
                    "file_name": path.name,
                    "width": width,
                    "height": height,
                    "coco_url": sample.uri,
                }
            )
            annotations.append(
                {
                    "id": number,
                    "image_id": number,
                    "category_id": sample.class_id + 1,
                    "bbox": [0, 0, width, height],
                    "area": width * height,
                    "segmentation": [],
                    "iscrowd": 0,
                    "score": sample.confidence,
                }
            )
        write_instances(export, part, "Labels", categories, images, annotations)


def write_instances(
    export: Export,
    part: str,
    what: str,
    categories: Mapping[int, str],
    images: Sequence[Mapping[str, Any]],
    annotations: Sequence[Mapping[str, Any]],
) -> None:
    """Write COCO's file of a part, whose description says `what` it has."""
    document = {
        "info": {"description": f"{what} of the run {export.run}", "version": "1.0"},
        "licenses": [],
        "categories": [
            {"id": number, "name": name, "supercategory": "none"}
            for number, name in categories.items()
        ],
        "images": images,
        "annotations": annotations,
    }
    name = f"instances_{part}.json" if part else "instances.json"
    write_whole(export.folder / "annotations" / name, msgspec.json.encode(document))


def write_huggingface(export: Export) -> None:
    """Write pictures with the label of each in the form that `datasets` reads."""
    write_picture_folders(export, _row, _card(export))


def write_picture_folders(
    export: Export, row: Callable[[Sample, str, Export], str], card: str
) -> None:
    """Write pictures with `metadata.jsonl` for each part, and a card that says how to read them.

    `row` makes a picture's line of metadata of its sample and its file's name.
    """
    placed = fetch_all(export, lambda part, _, name: export.folder / (part or "train") / name)
    for part, samples in export.kept():
        if not samples:  # `datasets` refuses a part of metadata alone
            continue
        rows = [row(sample, placed[sample.line][0].name, export) for sample in samples]
        content = "".join(f"{line}\n" for line in rows).encode()
        write_whole(export.folder / (part or "train") / "metadata.jsonl", content)
    write_whole(export.folder / "README.md", card.encode())


def _row(sample: Sample, file_name: str, export: Export) -> str:
    """Return a picture's line of metadata, whose values have the same types in every part.

    `datasets` refuses parts whose columns differ in type, and takes the types from the values: a
    confidence that nobody gave is `NaN`, since a part with `null` alone would have no numbers, and
    where a label would be taken for a time, its number alone is there.
    """
    row: dict[str, object] = {"file_name": file_name}
    if not _has_dates(export):
        row["label"] = sample.class_name
    confidence = math.nan if sample.confidence is None else float(sample.confidence)
    row |= {"class_id": sample.class_id, "confidence": confidence, "source": sample.uri}
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))


def _has_dates(export: Export) -> bool:
    """Return whether pyarrow, by which `datasets` reads, would make times of some labels."""
    return any(map(_DATE.match, export.class_ids))


def _card(export: Export) -> str:
    """Return the dataset card, with the line that turns the labels into classes in our order.

    `datasets` takes the columns' types from the metadata alone, so the card cannot declare them.
    """
    names = json.dumps(_names(export), ensure_ascii=False)
    column = "class_id" if _has_dates(export) else "label"
    return f"""---
task_categories:
- image-classification
---
# {export.run}

Labels that people gave, with the confidence of each; `source` says where the picture came from,
`class_id` is the label's number in the training manifest.

| part | pictures |
|---|---|
{export.counts}

```python
from datasets import ClassLabel, load_dataset

images = load_dataset("imagefolder", data_dir=".")
images = images.cast_column("{column}", ClassLabel(names={names}))
```
"""


_DATE = re.compile(r"\d{4}-\d\d-\d\d")
"""Beginning of labels that are taken for times."""


def _names(export: Export) -> list[str]:
    """Return the labels by number; one that is no class keeps its place, so that numbers stay."""
    return list(export.labels[: max(export.class_ids.values()) + 1])


def write_webdataset(export: Export) -> None:
    """Write tar files of a thousand pictures, each with its class id and further facts."""
    for part, samples in export.parts.items():
        with progress(f"pictures of {part or 'train'}", len(samples)) as advance:
            for number, start in enumerate(range(0, len(samples), SHARD)):
                shard = samples[start : start + SHARD]
                path = export.folder / f"{part or 'train'}-{number:06d}.tar"
                if path.exists():
                    _leave_out_again(export, path, shard)
                    advance(len(shard))
                else:
                    _write_shard(export, path, shard, advance)


def _write_shard(
    export: Export, path: Path, shard: list[Sample], advance: Callable[[int], None]
) -> None:
    with whole(path) as part, tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as tar:
        for sample, picture in in_order(export.fetch, shard):
            advance(1)
            if isinstance(picture, Missing):
                export.leave_out(sample, picture)
                continue
            export.note(picture)
            key = f"{sample.line:0{export.digits}d}"
            facts = {
                "label": sample.class_name,
                "confidence": sample.confidence,
                "source": sample.uri,
            }
            _add(tar, f"{key}.{picture.suffix}", picture.content)
            _add(tar, f"{key}.cls", str(sample.class_id).encode())
            _add(tar, f"{key}.json", msgspec.json.encode(facts))


def _leave_out_again(export: Export, path: Path, shard: list[Sample]) -> None:
    """Leave out again the pictures that an earlier try left out of a tar file it finished."""
    with tarfile.open(path) as tar:
        keys = {member.name.partition(".")[0] for member in tar}
    for sample in shard:
        if f"{sample.line:0{export.digits}d}" not in keys:
            export.leave_out(sample, Missing(f"{path.name} was written without it"))


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)  # no time, no owner: the same export is the same bytes
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def fetch_all(
    export: Export, path_of: Callable[[str, Sample, str], Path]
) -> dict[int, tuple[Path, tuple[int, int]]]:
    """Download every picture that is not in its place; return place and size of each by line."""
    written = _pictures_by_line(export.folder)

    def download(sample_of_part: tuple[str, Sample]) -> tuple[Path, OpenablePicture]:
        part, sample = sample_of_part
        if path := written.get(sample.line):
            return path, look_at_written(path.read_bytes(), path.suffix[1:])
        picture = export.fetch(sample)
        path = path_of(part, sample, file_name(sample, picture.suffix, digits=export.digits))
        write_whole(path, picture.content)
        return path, replace(picture, content=b"")  # thousands of them would fill the memory

    samples = [(part, sample) for part, samples in export.parts.items() for sample in samples]
    placed: dict[int, tuple[Path, tuple[int, int]]] = {}
    with progress("pictures", len(samples)) as advance:
        for (_, sample), result in in_order(download, samples):
            advance(1)
            if isinstance(result, Missing):
                export.leave_out(sample, result)
            else:
                path, picture = result
                export.note(picture)
                placed[sample.line] = path, picture.size
    return placed


def _pictures_by_line(folder: Path) -> dict[int, Path]:
    """Return the pictures that an earlier try has written, by their line."""
    paths = (path for path in folder.rglob("*") if _WRITTEN.match(path.name) and path.is_file())
    return {int(path.name.partition("-")[0]): path for path in paths}


_WRITTEN = re.compile(r"\d{6,}-.+\.[a-z]+$", re.DOTALL)
"""Names of the pictures that are written; those of files half written begin with a dot."""


def write_left_out(export: Export) -> None:
    """Write `left-out.csv`, the lines that are not in the export and why, if there are any."""
    path = export.folder / "left-out.csv"
    if not export.left_out:
        path.unlink(missing_ok=True)
        return
    rows = (
        (left.line + 1, guard_formula(left.uri), left.reason)
        for left in sorted(export.left_out, key=lambda left: left.line)
    )
    write_rows(path, ("line", "image", "reason"), rows)


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file; of what is None nothing is written."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())


def write_classes(export: Export) -> None:
    """Write `classes.json`: what each class id means, and the folder for its pictures.

    ImageFolder has written its own, as it numbers classes otherwise.
    """
    if export.form == "imagefolder":
        return
    folders = folder_names(export.class_ids)
    classes = [
        {"id": number, "label": label, "folder": folders[label]}
        for label, number in export.class_ids.items()
    ]
    _write_json(export.folder / "classes.json", classes)


def _write_json(path: Path, document: Any) -> None:
    write_whole(path, json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n")


FORMATS: dict[str, Callable[[Export], None]] = {
    "csv": write_csv,
    "imagefolder": write_image_folder,
    "coco": write_coco,
    "huggingface": write_huggingface,
    "webdataset": write_webdataset,
    "custom-labels": write_custom_labels,
}
"""Functions that write the formats, by the names that `--to` takes."""
