"""Formats that training code reads: one function for each.

Each takes an `Export` and writes to its folder. Pictures that cannot be read are left out, with a
reason.
"""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tessera.aws.storage import Storage
from tessera.exports.dataset import LeftOut, Sample, file_name, folder_names
from tessera.exports.pictures import (
    HEAD,
    Missing,
    fetch,
    in_order,
    kind_of,
    size_of,
    write_whole,
)
from tessera.picture_types import suffix_of
from tessera.screen import progress

SHARD = 1_000
"""Pictures in one tar file."""

Size = tuple[int, int]


@dataclass
class Export:
    """Samples to export, the folder for them, and the lines that had to be left out.

    `parts` has the samples of each part of a split; without a split there is one part, whose name
    is empty.
    """

    run: str
    folder: Path
    labels: tuple[str, ...]
    class_ids: dict[str, int]
    parts: dict[str, list[Sample]]
    left_out: list[LeftOut]
    storage: Storage

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

    def leave_out(self, sample: Sample, missing: Missing) -> None:
        """Leave out a sample whose picture is missing."""
        self.left_out.append(LeftOut(sample.line, sample.uri, f"no picture: {missing}"))


def write_csv(export: Export) -> None:
    """Write `labels.csv`, or one file for each part: where each picture is, and its label."""
    for part, samples in export.parts.items():
        text = io.StringIO(newline="")
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["image", "label", "class_id", "confidence", "agreement", "answers"])
        for sample in samples:
            rows.writerow(
                [
                    sample.uri,
                    sample.class_name,
                    sample.class_id,
                    *(
                        "" if value is None else value
                        for value in (sample.confidence, sample.agreement, sample.answers)
                    ),
                ]
            )
        write_whole(export.folder / f"{part or 'labels'}.csv", text.getvalue().encode())


CUSTOM_LABELS_LINES = 250_000
"""Lines that Rekognition Custom Labels takes in one manifest, at most."""


def write_custom_labels(export: Export) -> None:
    """Write a manifest for Rekognition Custom Labels, or one for each part.

    Its lines have the keys that the service asks for and no others, which it would refuse.
    """
    for part, samples in export.parts.items():
        lines = [msgspec.json.encode(_custom_label(sample)) + b"\n" for sample in samples]
        write_whole(export.folder / f"{part or 'labels'}.manifest", b"".join(lines))


def _custom_label(sample: Sample) -> dict[str, Any]:
    return {
        "source-ref": sample.uri,
        "label": sample.class_id,
        "label-metadata": {
            "confidence": 1.0 if sample.confidence is None else sample.confidence,
            "class-name": sample.class_name,
            "human-annotated": sample.human,
            "creation-date": sample.created,
            "type": "groundtruth/image-classification",
            "job-name": sample.job,
        },
    }


def custom_labels_problems(export: Export) -> list[str]:
    """Return what Rekognition Custom Labels will refuse about these manifests."""
    problems = []
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


def write_image_folder(export: Export) -> None:
    """Write a folder for each label, as torchvision's ImageFolder, Keras and others read them.

    With a split, they are in a folder for each part.
    """
    folders = folder_names(export.class_ids)
    for part in export.parts:
        for label in folders.values():  # a label without a picture must not shift the others
            (export.folder / part / label).mkdir(parents=True, exist_ok=True)
    _fetch_all(
        export,
        lambda part, sample, name: export.folder / part / folders[sample.class_name] / name,
    )


def write_coco(export: Export) -> None:
    """Write `annotations/instances….json` and the pictures; a label is a box around its picture.

    Category ids count from one, as COCO's own do: the class id plus one.
    """
    placed = _fetch_all(export, lambda part, _, name: export.folder / (part or "images") / name)
    categories = [
        {"id": number + 1, "name": label, "supercategory": "none"}
        for label, number in export.class_ids.items()
    ]
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
        document = {
            "info": {"description": f"Labels of the run {export.run}", "version": "1.0"},
            "licenses": [],
            "categories": categories,
            "images": images,
            "annotations": annotations,
        }
        name = f"instances_{part}.json" if part else "instances.json"
        write_whole(export.folder / "annotations" / name, msgspec.json.encode(document))


def write_huggingface(export: Export) -> None:
    """Write pictures with `metadata.jsonl` for each part, and a card that says how to read them."""
    placed = _fetch_all(export, lambda part, _, name: export.folder / (part or "train") / name)
    for part, samples in export.kept():
        rows = [
            {
                "file_name": placed[sample.line][0].name,
                "label": sample.class_name,
                "class_id": sample.class_id,
                "confidence": sample.confidence,
                "source": sample.uri,
            }
            for sample in samples
        ]
        content = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
        write_whole(export.folder / (part or "train") / "metadata.jsonl", content)
    write_whole(export.folder / "README.md", _card(export).encode())


def _card(export: Export) -> str:
    """Return the dataset card, with the line that turns the labels into classes in our order.

    `datasets` takes the columns' types from the metadata alone, so the card cannot declare them.
    """
    names = json.dumps(_names(export), ensure_ascii=False)
    counts = "\n".join(f"| {part or 'train'} | {len(kept)} |" for part, kept in export.kept())
    return f"""---
task_categories:
- image-classification
---
# {export.run}

Labels that people gave, with the confidence of each; `source` says where the picture came from,
`class_id` is the label's number in the training manifest.

| part | pictures |
|---|---|
{counts}

```python
from datasets import ClassLabel, load_dataset

images = load_dataset("imagefolder", data_dir=".")
images = images.cast_column("label", ClassLabel(names={names}))
```
"""


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
    part = path.with_name(f".{path.name}.part")
    with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as tar:
        for sample, content in in_order(lambda sample: fetch(export.storage, sample.uri), shard):
            advance(1)
            if isinstance(content, Missing):
                export.leave_out(sample, content)
                continue
            key = f"{sample.line:0{export.digits}d}"
            suffix = suffix_of(sample.uri) or kind_of(content) or "bin"
            facts = {
                "label": sample.class_name,
                "confidence": sample.confidence,
                "source": sample.uri,
            }
            _add(tar, f"{key}.{suffix}", content)
            _add(tar, f"{key}.cls", str(sample.class_id).encode())
            _add(tar, f"{key}.json", msgspec.json.encode(facts))
    part.replace(path)


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


def _fetch_all(
    export: Export, path_of: Callable[[str, Sample, str], Path]
) -> dict[int, tuple[Path, Size]]:
    """Download every picture that is not in its place; return place and size of each by line."""

    def download(job: tuple[str, Sample]) -> tuple[Path, Size]:
        part, sample = job
        suffix = (
            suffix_of(sample.uri) or kind_of(fetch(export.storage, sample.uri, first=HEAD)) or "bin"
        )
        path = path_of(part, sample, file_name(sample, suffix, digits=export.digits))
        if path.exists():
            return path, size_of(path.read_bytes())
        content = fetch(export.storage, sample.uri)
        write_whole(path, content)
        return path, size_of(content)

    jobs = [(part, sample) for part, samples in export.parts.items() for sample in samples]
    placed: dict[int, tuple[Path, Size]] = {}
    with progress("pictures", len(jobs)) as advance:
        for (_, sample), picture in in_order(download, jobs):
            advance(1)
            if isinstance(picture, Missing):
                export.leave_out(sample, picture)
            else:
                placed[sample.line] = picture
    return placed


def write_left_out(export: Export) -> None:
    """Write `left-out.csv`, the lines that are not in the export and why, if there are any."""
    path = export.folder / "left-out.csv"
    if not export.left_out:
        path.unlink(missing_ok=True)
        return
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["line", "image", "reason"])
    rows.writerows(
        (left.line + 1, left.uri, left.reason)
        for left in sorted(export.left_out, key=lambda left: left.line)
    )
    write_whole(path, text.getvalue().encode())


def write_classes(export: Export, names: Iterable[tuple[str, int]]) -> None:
    """Write `classes.json`: what each class id means, and the folder for its pictures."""
    folders = folder_names(export.class_ids)
    classes = [{"id": number, "label": label, "folder": folders[label]} for label, number in names]
    write_whole(
        export.folder / "classes.json",
        json.dumps(classes, ensure_ascii=False, indent=2).encode() + b"\n",
    )


FORMATS: dict[str, Callable[[Export], None]] = {
    "csv": write_csv,
    "imagefolder": write_image_folder,
    "coco": write_coco,
    "huggingface": write_huggingface,
    "webdataset": write_webdataset,
    "custom-labels": write_custom_labels,
}
"""Functions that write the formats, by the names that `--to` takes."""
