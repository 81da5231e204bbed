"""Samples of a training manifest: a picture, its class and the confidence of that."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

import msgspec

from tessera.tiling.errors import NOT_JSON
from tessera.tiling.manifest.boxes import Box, BoxReader
from tessera.tiling.manifest.class_rule import ClassRule
from tessera.tiling.manifest.set_rule import KnownSet, SetRule, label_rule
from tessera.tiling.settings import Settings

ORIGINAL_KEY = "tessera-original-ref"
"""Key of the URI of the picture of which a line's `source-ref` was made for pages."""
NO_CLASS = -1
"""Class of a picture that may have several labels."""
_UNFIT = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')
"""Characters that some file system does not allow in a name."""


class Sample(msgspec.Struct, frozen=True, gc=False):
    """Labeled picture; `line` is its zero-based line in the training manifest.

    `uri` is the original, `page_uri` what people were shown: the same, unless that was made of it.
    Where a picture may have several labels, `names` are those, and it is of no one class.
    """

    line: int
    uri: str
    class_id: int
    class_name: str
    confidence: float | None
    agreement: float | None
    answers: int | None
    created: str
    job: str
    human: str
    group: str
    page_uri: str = ""
    names: tuple[str, ...] | None = None
    confidences: dict[str, float] = {}
    """Confidence of each of the `names` that has one."""
    box: Box | None = None
    """Part of the picture that the label is of, where that is not the whole of it."""
    is_refused: bool = False
    """True if people refused the class that the box came with."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the names of the labels: one, or as many as the picture has."""
        return (self.class_name,) if self.names is None else self.names


class LeftOut(msgspec.Struct, frozen=True, gc=False):
    """Line that is not in the export, and why."""

    line: int
    uri: str
    reason: str


class _Metadata(msgspec.Struct, rename="kebab"):
    confidence: float | None = None
    agreement: float | None = None
    answers: int | None = None
    creation_date: str = ""
    job_name: str = ""
    human_annotated: str = ""
    confidence_map: Any = None


def samples(
    lines: Iterable[bytes], settings: Settings, *, group_key: str | None, least: float = 0.0
) -> Iterator[Sample | LeftOut]:
    """Yield each line of a training manifest as a sample, or as left out with a reason.

    The group of a sample is the value under `group_key`; without one, it is its picture, so that
    only duplicates are grouped. Samples whose confidence is below `least` are left out.
    """
    attribute = settings.label_attribute
    rule = label_rule(settings)
    boxes = BoxReader(settings) if settings.has_boxes else None
    decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
    for number, line in enumerate(lines):
        try:
            members = decode(line)
            uri = msgspec.json.decode(members["source-ref"], type=str)
        except (*NOT_JSON, KeyError):
            yield LeftOut(number, "", "the line has no source-ref")
            continue
        try:
            sample = _sample(number, uri, members, attribute, rule, group_key)
            if boxes is not None:
                # the first label of `verify` confirms a box
                refused = settings.task == "verify" and sample.class_name != settings.classes[0]
                box = boxes.box(line)
                sample = msgspec.structs.replace(sample, box=box, is_refused=refused)
        except (msgspec.DecodeError, RecursionError, KeyError, ValueError) as error:
            yield LeftOut(number, uri, f"its label cannot be read: {error}")
            continue
        if sample.confidence is not None and sample.confidence < least:
            yield LeftOut(number, uri, f"the confidence {sample.confidence:g} is below {least:g}")
        else:
            yield sample


def _sample(
    number: int,
    uri: str,
    members: dict[str, msgspec.Raw],
    attribute: str,
    rule: ClassRule | SetRule,
    group_key: str | None,
) -> Sample:
    raw = members.get(f"{attribute}-metadata")
    known = rule.read(members[attribute], raw)
    names = known.names if isinstance(known, KnownSet) else None
    metadata = msgspec.json.decode(raw or b"{}", type=_Metadata)
    group = members.get(group_key) if group_key else None
    # what was labeled, where pages showed a copy that browsers can show
    original = msgspec.json.decode(members.get(ORIGINAL_KEY, b"null"))
    return Sample(
        number,
        original if isinstance(original, str) else uri,
        NO_CLASS if isinstance(known, KnownSet) else known.number,
        "" if isinstance(known, KnownSet) else known.name,
        metadata.confidence,
        metadata.agreement,
        metadata.answers,
        # of a million lines these are a few different texts, kept once each
        sys.intern(metadata.creation_date),
        sys.intern(metadata.job_name),
        sys.intern(metadata.human_annotated),
        bytes(group).decode() if group is not None else uri,
        uri,
        names,
        _confidences(known, metadata.confidence_map) if isinstance(known, KnownSet) else {},
    )


def _confidences(known: KnownSet, numbered: Any) -> dict[str, float]:
    """Return the confidence of each label that has one, by its name; a line may hold anything."""
    sure = numbered if isinstance(numbered, dict) else {}
    listed = {name: sure.get(str(n)) for name, n in zip(known.names, known.written, strict=True)}
    return {name: value for name, value in listed.items() if isinstance(value, int | float)}


def file_name(sample: Sample, suffix: str, *, digits: int) -> str:
    """Return a name for the picture's file: its line, which makes it unique, and its own name.

    >>> s = Sample(7, "s3://pets/a/tom: 1.v2.JPG", 0, "cat", 0.9, None, 2, "", "", "yes", "")
    >>> file_name(s, "jpg", digits=4)
    '0007-tom_ 1_v2.jpg'
    """
    stem = PurePosixPath(sample.uri).stem.replace(".", "_")
    fitting = _UNFIT.sub("_", stem).strip().encode()[:80].decode(errors="ignore")
    return f"{sample.line:0{digits}d}-{fitting or 'image'}.{suffix}"


def folder_names(labels: Iterable[str]) -> dict[str, str]:
    """Return a folder's name for each label: the label, as far as every file system allows.

    >>> folder_names(["cat", "cat/dog", "cat:dog", ".."])
    {'cat': 'cat', 'cat/dog': 'cat_dog', 'cat:dog': 'cat_dog-2', '..': '_'}
    """
    taken = set(_OF_THE_EXPORT)
    names = {}
    for label in labels:
        fitting = _UNFIT.sub("_", label).strip(" .").encode()[:120].decode(errors="ignore")
        wanted = fitting.rstrip(" .") or "_"
        if _DEVICE.fullmatch(wanted.partition(".")[0]):
            wanted = f"{wanted}_"
        name, count = wanted, 1
        while _alike(name) in taken:
            count += 1
            name = f"{wanted}-{count}"
        taken.add(_alike(name))
        names[label] = name
    return names


_OF_THE_EXPORT = ("classes.json", "export.json", "left-out.csv")
"""Files beside the folders."""
_DEVICE = re.compile(r"(?i:con|prn|aux|nul|com\d|lpt\d)")
"""Names that Windows keeps for devices."""


def _alike(name: str) -> str:
    """Return what names have in common that some file system takes for one."""
    return unicodedata.normalize("NFKC", name).casefold()
