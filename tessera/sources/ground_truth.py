"""Read the labels that a Ground Truth job gave, from its output manifest, for a manifest of ours.

Each line is the input line, and under the job's key its label and metadata; lines that were labeled
by several jobs, one after the other, have a key of each. The forms: docs/from-ground-truth.md.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from tessera.exits import Refused
from tessera.runs.ground_truth_job import (
    CATEGORIES,
    OUTPUT,
    WholeTree,
    categories,
    label_keys,
    refuse_attribute,
    tree_at,
)
from tessera.screen import counted
from tessera.sources.labeled import ATTRIBUTE, BoxLines, Contents, Labeled, LeftOut, texts
from tessera.tiling.errors import NOT_JSON

SETS = "image-classification-multilabel"
VERDICTS = "label-verification"
DETECTION = "object-detection"
KINDS = ("image-classification", SETS, VERDICTS, "custom", "")
"""Kinds of jobs whose labels may be those of whole pictures; of lines that all failed, none."""
MEANT = ("gold", "prelabel", "prelabel-confidence", ATTRIBUTE, f"{ATTRIBUTE}-metadata")
"""Keys of a line that a run would take for something else than the job's label."""
BY_MACHINE = ("no", "false")
"""Values of `human-annotated` of labels that a model gave."""
MOST_REASONS = 3
"""Reasons of failures that are named, each with its first words."""


class Output(NamedTuple):
    """Output manifest of a job and where it is from, and what is known beside it.

    `labels` are the names by number where its lines have none, `attribute` the key that is wanted.
    """

    where: str
    lines: bytes
    labels: tuple[str, ...] = ()
    attribute: str = ""


def read_output(
    place: str, labels: tuple[str, ...], attribute: str, storage: Callable[[], Any]
) -> Output:
    """Return the output manifest in a job's folder, or at a place of its own; Refused without one.

    `storage` connects to S3, for a place there.
    """
    if Path(place).is_file():
        return Output(place, Path(place).read_bytes(), labels, attribute)
    if place.startswith("s3://") and place.endswith((".manifest", ".jsonl")):
        missing = Refused(f"There is no {place}. Give the address of a job's folder.")
        return Output(place, storage().get_or_raise(place, missing), labels, attribute)
    tree = tree_at(place, storage)
    if tree is None:
        raise Refused(
            f"There is no {place}. Give a job's folder, its output manifest, or an address: "
            "s3://BUCKET/OUTPUT/JOB"
        )
    files = WholeTree(tree)
    if OUTPUT not in files:
        raise Refused(f"{files.without_output(place)}.")
    own = files.read(CATEGORIES) if CATEGORIES in files and not labels else b""
    return Output(place, files.read(OUTPUT), labels or tuple(categories(own)), attribute)


def read_ground_truth(output: Output, left_out: LeftOut, *, as_gold: bool) -> Contents:
    """Return the pictures with the labels that a job gave them.

    Labels of a model are no gold (`as_gold`): only people know. Lines that failed have none.
    """
    records = list(_records(output, left_out))
    key, kind, notices = _choose_key(output, records, KINDS)
    reader = _Reader(key, kind, output.labels)
    images = [reader.read(record, as_gold=as_gold) for record in records]
    if kind == "custom" and not any(image.labels for image in images):
        raise Refused(
            f"{output.where}: the labels under {key} are of a custom job, and name no classes. "
            "Make a run of its workers' answers: give its folder without --out"
        )
    names = [*output.labels, *(reader.numbers[number] for number in sorted(reader.numbers))]
    return Contents(images, names, [*notices, *reader.notices()], are_sets=kind == SETS)


def read_ground_truth_boxes(output: Output, left_out: LeftOut) -> BoxLines:
    """Return lines with the boxes of a job under the key of a drop, names of classes, and notices.

    Lines that failed, or whose pictures have no box, are left out: there is nothing to verify.
    """
    records = list(_records(output, left_out))
    key, _, notices = _choose_key(output, records, (DETECTION,))
    lines, names = [], dict[str, str]()
    for record in records:
        boxes, metadata = record.get(key), _metadata(record, key)
        listed = boxes.get("annotations") if isinstance(boxes, dict) else None
        if not isinstance(listed, list):
            left_out.note("pictures", record["source-ref"], _failure(metadata) or "without boxes")
        elif not listed:
            reason = "without any box, so there is nothing to verify"
            left_out.note("pictures", record["source-ref"], reason, is_loss=False)
        else:
            classes = metadata.get("class-map")
            names |= classes if isinstance(classes, dict) else {}
            others = _others(record, key)
            lines.append(others | {"bounding-box": boxes, "bounding-box-metadata": metadata})
    return BoxLines(lines, list(dict.fromkeys(map(str, names.values()))), notices)


def _records(output: Output, left_out: LeftOut) -> Iterator[dict[str, Any]]:
    """Yield the lines that name a picture."""
    for number, line in enumerate(output.lines.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except NOT_JSON:
            record = None
        if not isinstance(record, dict):
            left_out.note("lines", number, "no JSON object")
        elif not isinstance(record.get("source-ref"), str):
            what = "a text (source)" if "source" in record else "without source-ref"
            left_out.note("lines", number, f"{what}, no picture")
        else:
            yield record


def _choose_key(
    output: Output, records: list[dict[str, Any]], kinds: tuple[str, ...]
) -> tuple[str, str, list[str]]:
    """Return the key of the labels and its kind, with a notice if others were possible."""
    if not records:
        raise Refused(
            f"{output.where} has no line with a picture. Give the output manifest of a job that "
            "labeled pictures."
        )
    keys = label_keys(records, output.where)
    if output.attribute and output.attribute not in keys:
        refuse_attribute(output.where, output.attribute, keys)
    fitting = [key for key, kind in keys.items() if kind in kinds]
    key = output.attribute or (fitting[-1] if fitting else "")
    if key not in fitting:
        _refuse_kind(output.where, key, keys, kinds)
    notices = []
    others = [name for name in fitting if name != key]
    if others and not output.attribute:
        notices.append(
            f"{output.where}: of the labels of several jobs those under {key!r} are read, the "
            f"newest; for others: --label-attribute {' or '.join(others)}"
        )
    if keys[key] == VERDICTS:
        notices.append(
            f"{output.where}: the labels under {key!r} are what people said of labels that were "
            "there before, not of pictures"
        )
    return key, keys[key], notices


def _refuse_kind(where: str, key: str, keys: Mapping[str, str], kinds: tuple[str, ...]) -> NoReturn:
    """Refuse a manifest without labels of these kinds, and say what it has and what goes."""
    held = ", ".join(f"{name} ({kind or 'all failed'})" for name, kind in keys.items())
    wants_boxes = kinds == (DETECTION,)
    if not keys:
        advice = "Give the output manifest of a labeling job, not its input"
    elif wants_boxes and any(kind in KINDS for kind in keys.values()):
        advice = "Give labels of whole pictures another use: --labels-as gold, prelabel or label"
    elif DETECTION in keys.values() and not wants_boxes:
        advice = "Have its boxes verified: --labels-as boxes"
    else:
        advice = "Give another job: masks, texts and labels of videos cannot be imported"
    wanted = "boxes" if wants_boxes else "labels of whole pictures"
    named = f" under {key!r}" if key else ""
    raise Refused(
        f"{where} has no {wanted}{named}, only {held or 'lines without labels'}. {advice}."
    )


def _metadata(record: Mapping[str, Any], key: str) -> dict[str, Any]:
    metadata = record.get(f"{key}-metadata")
    return metadata if isinstance(metadata, dict) else {}


def _failure(metadata: dict[str, Any]) -> str:
    """Return the beginning of the reason why a line has no label, as Ground Truth words it."""
    reason = " ".join(str(metadata.get("failure-reason", "")).split())
    return f"failed at Ground Truth: {reason[:120]}" if reason else ""


def _others(record: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the keys of a line beside the job's, without those that a run would read."""
    left = {key, f"{key}-metadata", *MEANT}
    return {name: value for name, value in record.items() if name not in left}


class _Reader:
    """Reader of the labels under one key, which counts what it makes of them."""

    def __init__(self, key: str, kind: str, labels: tuple[str, ...]) -> None:
        self._key, self._kind = key, kind
        self._labels = dict(enumerate(labels))
        self.numbers: dict[int, str] = {}
        self._failures = Counter[str]()
        self._odd = Counter[str]()

    def read(self, record: dict[str, Any], *, as_gold: bool) -> Labeled:
        """Return the picture of a line with its labels."""
        metadata = _metadata(record, self._key)
        others = _others(record, self._key)
        image = Labeled(others.pop("source-ref"), others=others, has_set=False)
        if failure := _failure(metadata):
            self._failures[failure] += 1
            return image
        value = record.get(self._key)
        if value is None:
            return image
        names = self._names(value, metadata)
        if names is None:
            return image
        if as_gold and _is_by_machine(metadata):
            self._odd[
                "of a model (human-annotated: no), which is no gold; as guesses they are shown: "
                "--labels-as prelabel"
            ] += 1
            return image
        return image._replace(
            labels=tuple(texts(names.values())),
            confidence=_confidence(metadata.get("confidence")),
            facts=_facts(metadata),
            confidences=_confidences(metadata, names),
            has_set=True,
        )

    def _names(self, value: Any, metadata: dict[str, Any]) -> dict[str, str] | None:
        """Return the names of a label by what the line numbers them; None if it has no name."""
        given = metadata.get("class-map")
        known = given if isinstance(given, dict) else {}
        names: dict[str, str] = {}
        for each in value if isinstance(value, list) else [value]:
            number = _number(each)
            written = str(each if number is None else number)
            name = known.get(written)
            if not isinstance(value, list):
                name = _member(metadata, "class-name")
            if not isinstance(name, str):
                name = self._labels.get(number) if number is not None else each
            if not isinstance(name, str) or not name.strip():
                self._odd["without a name; name the numbers from 0 on: --labels A,B"] += 1
                return None
            if number is not None:
                self.numbers.setdefault(number, name.strip())
            names[written] = name
        return names

    def notices(self) -> list[str]:
        """Return what a person should know of the lines, in sentences."""
        named = self._failures.most_common(MOST_REASONS)
        more = "" if len(self._failures) <= MOST_REASONS else "; …"
        failures = "; ".join(f"{reason} ({count:,})" for reason, count in named)
        total = sum(self._failures.values())
        return [
            *([f"{counted(total, 'line')} without a label: {failures}{more}"] if total else []),
            *(f"{counted(n, 'label')} left out: {what}" for what, n in self._odd.items()),
        ]


def _number(value: Any) -> int | None:
    """Return a class's number, however it is written: as a number or as digits."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value)
    return value if isinstance(value, int) else None


def _member(metadata: dict[str, Any], name: str) -> Any:
    """Return a member of the metadata, which some jobs write with an underscore."""
    return metadata.get(name, metadata.get(name.replace("-", "_")))


def _is_by_machine(metadata: dict[str, Any]) -> bool:
    return str(_member(metadata, "human-annotated")).lower() in BY_MACHINE


def _facts(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return what a finished line keeps of the metadata."""
    facts: dict[str, Any] = {"human-annotated": "no" if _is_by_machine(metadata) else "yes"}
    sure = _confidence(metadata.get("confidence"))
    facts |= {} if sure is None else {"confidence": sure}
    for name in ("job-name", "creation-date"):
        if isinstance(value := _member(metadata, name), str):
            facts[name] = value
    return facts


def _confidence(value: Any) -> float | None:
    """Return a confidence; None for the 0 that Ground Truth writes where one worker answered."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and 0 < value <= 1 else None


def _confidences(metadata: dict[str, Any], names: dict[str, str]) -> dict[str, float]:
    sure = metadata.get("confidence-map")
    if not isinstance(sure, dict):
        return {}
    values = {name.strip(): _confidence(sure.get(number)) for number, name in names.items()}
    return {name: value for name, value in values.items() if value is not None}
