"""Formats of other tools: labels go on where people look at data sets, or label them further.

- `label-studio`: tasks with an annotation each, and the labeling configuration that they fit
  (https://labelstud.io/guide/task_format);
- `fiftyone`: a data set of the type `FiftyOneImageClassificationDataset`, pictures and
  `labels.json` (https://docs.voxel51.com/user_guide/import_datasets.html).

Both have a place for several labels a picture: a list.
"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import quoteattr

import msgspec

from tessera.exports.dataset import Sample
from tessera.exports.formats import Export, fetch_all
from tessera.whole_file import write_whole

CONTROL, PICTURE = "label", "image"
"""Names of the choices and of the picture in Label Studio's configuration."""


def write_label_studio(export: Export) -> None:
    """Write `tasks.json`, or one file for each part, and `config.xml`, the project's labels.

    Pictures are named by their S3 URIs, which a storage connection of Label Studio resolves.
    """
    for part, samples in export.parts.items():
        tasks = [_task(sample) for sample in samples]
        write_whole(export.folder / f"{part or 'tasks'}.json", msgspec.json.encode(tasks))
    write_whole(export.folder / "config.xml", _configuration(export).encode())


def _task(sample: Sample) -> dict[str, Any]:
    """Return a task with its label as an annotation, and the confidence among its data."""
    result = {
        "type": "choices",
        "from_name": CONTROL,
        "to_name": PICTURE,
        "value": {"choices": list(sample.labels)},
    }
    return {
        "data": {PICTURE: sample.uri, "confidence": sample.confidence},
        "annotations": [{"result": [result], "was_cancelled": False, "ground_truth": False}],
    }


def _configuration(export: Export) -> str:
    several = any(s.names is not None for samples in export.parts.values() for s in samples)
    choices = "\n".join(f"    <Choice value={quoteattr(name)}/>" for name in export.class_ids)
    kind = "multiple" if several else "single"
    return (
        f'<View>\n  <Image name="{PICTURE}" value="${PICTURE}"/>\n'
        f'  <Choices name="{CONTROL}" toName="{PICTURE}" choice="{kind}">\n{choices}\n'
        "  </Choices>\n</View>\n"
    )


def write_fiftyone(export: Export) -> None:
    """Write `data/` with the pictures and `labels.json`; of a split, both in a folder a part."""
    placed = fetch_all(export, lambda part, _, name: export.folder / part / "data" / name)
    classes = list(export.class_ids)
    for part, samples in export.kept():
        # a picture is known by its name without the suffix
        labels = {placed[sample.line][0].stem: _target(sample, classes) for sample in samples}
        document = {"classes": classes, "labels": labels}
        write_whole(export.folder / part / "labels.json", msgspec.json.encode(document))


def _target(sample: Sample, classes: list[str]) -> dict[str, Any] | list[dict[str, Any]]:
    """Return the place of a picture's class with its confidence, or a list of such."""
    if sample.names is None:
        return _classification(classes.index(sample.class_name), sample.confidence)
    sure = sample.confidences
    return [_classification(classes.index(name), sure.get(name)) for name in sample.names]


def _classification(place: int, confidence: float | None) -> dict[str, Any]:
    return {"label": place} | ({} if confidence is None else {"confidence": confidence})
