"""The lines of the training manifest: the label spliced into each input line's own bytes.

The form is the augmented manifest of single-label image classification, which SageMaker's built-in
algorithm and Rekognition Custom Labels read: the class id under the label attribute, and beside it
an object of that name with `-metadata`, its keys spelled with hyphens.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import msgspec

from tiling.manifest import Image, Labeled, Line
from tiling.report import Counts

_read_line = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

SCALE = 10_000
"""Confidences, agreements and gains are written to so many parts of one."""

_PARTS = [repr(part / SCALE).encode() for part in range(SCALE + 1)]


def creation_date(started: str) -> str:
    """When the run started, as Ground Truth writes dates: UTC, without saying so.

    The clock is not asked, so that consolidating again writes the same bytes.

    >>> creation_date("2026-11-23T01:51:01.123Z")
    '2026-11-23T01:51:01.123'
    """
    return started.removesuffix("Z").removesuffix("+00:00")


def label_writer(
    attribute: str, classes: list[tuple[int, str]], *, run: str, created: str
) -> Callable[[bytes, int, int, int, int], bytes]:
    """A function that splices a label into a line.

    It takes the line, the position of the label in `classes` (whose items are class id and name),
    the confidence and the agreement in parts of `SCALE`, and the number of answers.

    >>> write = label_writer("pet", [(0, "cat")], run="r", created="2026-11-23T01:51:01")
    >>> write(b'{"source-ref":"s3://b/1.jpg"}', 0, 9300, 6667, 3).decode()[28:89]
    ',"pet":0,"pet-metadata":{"class-name":"cat","confidence":0.93'
    """
    heads, tail = _pieces(attribute, classes, run=run, created=created)
    bare = _bare(attribute)

    def write(line: bytes, label: int, confidence: int, agreement: int, answers: int) -> bytes:
        return b'%b%b%b%b,"answers":%d,"agreement":%b}}' % (
            bare(line),
            heads[label],
            _PARTS[confidence],
            tail,
            answers,
            _PARTS[agreement],
        )

    return write


def gold_writer(
    attribute: str, classes: list[tuple[int, str]], *, run: str, created: str
) -> Callable[[bytes, int], bytes]:
    """A function that splices a label into a line that was known beforehand, and says so."""
    heads, tail = _pieces(attribute, classes, run=run, created=created)
    bare = _bare(attribute)

    def write(line: bytes, label: int) -> bytes:
        return b'%b%b1.0%b,"gold":true}}' % (bare(line), heads[label], tail)

    return write


def _pieces(
    attribute: str, classes: list[tuple[int, str]], *, run: str, created: str
) -> tuple[list[bytes], bytes]:
    """What comes before the confidence, a class; and what comes after it."""
    key = attribute.encode()
    heads = [
        b',"%b":%d,"%b-metadata":{"class-name":%b,"confidence":'
        % (key, number, key, msgspec.json.encode(name))
        for number, name in classes
    ]
    constant: dict[str, Any] = {
        "type": "groundtruth/image-classification",
        "job-name": f"labeling-job/{run}",
        "human-annotated": "yes",
        "creation-date": created,
    }
    return heads, b"," + msgspec.json.encode(constant)[1:-1]


def _bare(attribute: str) -> Callable[[bytes], bytes]:
    """A function that gives a line without its closing brace and without an earlier try's keys."""
    key = attribute.encode()
    quoted, metadata = b'"%b"' % key, b'"%b-metadata"' % key

    def bare(line: bytes) -> bytes:
        if metadata in line or quoted in line:
            # What an earlier job failed at carries its metadata; a key must not be there twice.
            members = _read_line(line)
            members.pop(attribute, None)
            members.pop(f"{attribute}-metadata", None)
            line = msgspec.json.encode(members)
        return line[: line.rindex(b"}")].rstrip()

    return bare


# --- where each line of the manifest ends ---------------------------------------------------

UNSURE, UNREADABLE, GOLD, REPEAT = 1, 2, 4, 8
"""Marks of a verdict: worth asking again, cannot be judged, known beforehand, asked elsewhere."""

Verdict = tuple[int, int, int, int, int]
"""Label, confidence, agreement (both in parts of `SCALE`), number of answers, marks."""

_HELD = 4096
"""Lines gathered before they are handed on."""


class Outlet(Protocol):
    """Somewhere that bytes go to."""

    def write(self, data: bytes, /) -> Any:
        """Take some bytes."""


class Ended(msgspec.Struct):
    """Where the lines went, how many of each, and which of them are worth asking again."""

    counts: Counts = msgspec.field(default_factory=Counts)
    reasons: Counter[str] = msgspec.field(default_factory=Counter)
    labels: Counter[int] = msgspec.field(default_factory=Counter)
    unsure: array[int] = msgspec.field(default_factory=lambda: array("i"))


class _Held:
    """Lines on their way to an outlet, a few thousand at a time."""

    def __init__(self, outlet: Outlet) -> None:
        self.lines: list[bytes] = []
        self.outlet = outlet

    def add(self, line: bytes) -> None:
        self.lines.append(line)
        if len(self.lines) >= _HELD:
            self.flush()

    def flush(self) -> None:
        if self.lines:
            self.outlet.write(b"\n".join(self.lines) + b"\n")
            self.lines.clear()


class Outlets(msgspec.Struct):
    """The files that lines end in: three manifests, and why a line is in the second."""

    training: Outlet
    unlabeled: Outlet
    uncertain: Outlet
    reasons: Outlet


def end_lines(
    lines: Iterable[Line],
    verdicts: Iterable[Verdict],
    outlets: Outlets,
    *,
    label: Callable[[bytes, int, int, int, int], bytes],
    known: Callable[[bytes, int], bytes],
) -> Ended:
    """Send every line of the manifest where it belongs, in order, and count.

    `verdicts` has one for each line; `label` and `known` are `label_writer`'s and `gold_writer`'s.
    """
    ended, counts = Ended(), Counts()
    ended.counts = counts
    training, unlabeled = _Held(outlets.training), _Held(outlets.unlabeled)
    uncertain, reasons = _Held(outlets.uncertain), _Held(outlets.reasons)
    reasons.add(b"index,reason")
    for line, (number, confidence, agreement, answers, marks) in zip(lines, verdicts, strict=False):
        counts.lines += 1
        if type(line) is Image:
            counts.gold += bool(marks & GOLD)
            counts.repeats += bool(marks & REPEAT)
            if number >= 0:
                counts.training += 1
                ended.labels[number] += 1
                if marks & GOLD:
                    training.add(known(line.raw, number))
                    continue
                training.add(label(line.raw, number, confidence, agreement, answers))
                if marks & UNSURE:
                    counts.uncertain += 1
                    uncertain.add(line.raw)
            else:
                counts.unlabeled += 1
                reason = "unreadable" if marks & UNREADABLE else "no answer"
                ended.reasons[reason] += 1
                unlabeled.add(line.raw)
                reasons.add(b"%d,%b" % (line.index, reason.encode()))
            if marks & UNSURE and not marks & REPEAT:
                ended.unsure.append(line.index)
        elif type(line) is Labeled:
            counts.training += 1
            counts.labeled_before += 1
            training.add(line.raw)
        else:
            counts.rejected += 1
    for held in (training, unlabeled, uncertain, reasons):
        held.flush()
    return ended
