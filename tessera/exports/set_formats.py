"""Formats for several labels a picture, in the convention of each reader.

Readers of one label a picture have no place for several, so that only these are written:

- `csv`: a column of 0 and 1 for each label, as scikit-learn, Keras and pandas take targets;
- `huggingface`: a vector of 0.0 and 1.0 under `labels`, as Transformers trains on with
  `problem_type="multi_label_classification"`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable

from tessera.exits import Refused
from tessera.exports.dataset import Sample
from tessera.exports.formats import Export, write_picture_folders, write_rows
from tessera.exports.tool_formats import write_fiftyone, write_label_studio
from tessera.tiling.csv_field import guard_formula

FACTS = ("image", "confidence", "answers")
"""Columns beside the labels'; a label of the same name gets another one."""
_LIKE_FACT = re.compile(rf"(?:label )*(?:{'|'.join(FACTS)})", re.IGNORECASE)


def label_column(label: str) -> str:
    """Return the name of a label's column, which no other label and no fact has.

    >>> [label_column(name) for name in ("cat", "image", "label image")]
    ['cat', 'label image', 'label label image']
    """
    return f"label {label}" if _LIKE_FACT.fullmatch(label) else label


def label_of_column(name: str) -> str:
    """Return the label whose column has this name.

    >>> [label_of_column(name) for name in ("cat", "label image", "label cat")]
    ['cat', 'image', 'label cat']
    """
    return name.removeprefix("label ") if _LIKE_FACT.fullmatch(name) else name


def write_set_csv(export: Export) -> None:
    """Write `labels.csv`, or one file for each part: a column of 0 and 1 for each label."""
    names = [label_column(name) for name in export.class_ids]
    for part, samples in export.parts.items():
        rows = (
            (
                guard_formula(sample.uri),
                *(int(name in sample.labels) for name in export.class_ids),
                sample.confidence,
                sample.answers,
            )
            for sample in samples
        )
        header = ("image", *map(guard_formula, names), "confidence", "answers")
        write_rows(export.folder / f"{part or 'labels'}.csv", header, rows)


def write_set_huggingface(export: Export) -> None:
    """Write pictures with a vector of their labels in the form that `datasets` reads."""
    write_picture_folders(export, _row, _card(export))


def _row(sample: Sample, file_name: str, export: Export) -> str:
    """Return a picture's line of metadata, whose values have the same types in every part.

    A list of names would have no type in a part whose pictures have none; a vector always has.
    """
    row = {
        "file_name": file_name,
        "labels": [float(name in sample.labels) for name in export.class_ids],
        "confidence": math.nan if sample.confidence is None else float(sample.confidence),
        "source": sample.uri,
    }
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))


def _card(export: Export) -> str:
    names = json.dumps(list(export.class_ids), ensure_ascii=False)
    return f"""---
task_categories:
- image-classification
---
# {export.run}

All labels that people gave each picture: `labels` has a 1.0 for each that it has, in the order
below. `confidence` is that of the least sure of them all, `source` where the picture came from.

| part | pictures |
|---|---|
{export.counts}

```python
from datasets import load_dataset

names = {names}
images = load_dataset("imagefolder", data_dir=".")
```
"""


SET_FORMATS: dict[str, Callable[[Export], None]] = {
    "csv": write_set_csv,
    "huggingface": write_set_huggingface,
    "label-studio": write_label_studio,
    "fiftyone": write_fiftyone,
}
"""Functions that write several labels a picture, by the names that `--to` takes."""


def check_set_format(run: str, form: str) -> None:
    """Raise Refused, with the formats that go, if one has no place for several labels."""
    if form not in SET_FORMATS:
        raise Refused(
            f"{run} has several labels a picture, and {form} has one place for them. These take "
            f"them: --to {', --to '.join(SET_FORMATS)}"
        )
