"""The lines of the training manifest: the label spliced into each input line's own bytes.

The form is the augmented manifest of single-label image classification, which SageMaker's built-in
algorithm and Rekognition Custom Labels read: the class id under the label attribute, and beside it
an object of that name with `-metadata`, its keys spelled with hyphens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:  # numbers come as columns, but this module makes none
    import numpy as np
    from numpy.typing import NDArray

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


class Verdict(msgspec.Struct, frozen=True):
    """What a line is told: shares in parts of `SCALE`, the label as its position among classes."""

    label: int
    confidence: int
    agreement: int
    answers: int
    gold: bool = False


class Splices:
    """What goes between a line's last member and its end, by packed verdict; each part made once.

    >>> splices = Splices("pet", [(0, "cat")], run="r", created="2026-11-23T01:51:01")
    >>> splices.one(pack_verdict(Verdict(0, 9300, 6667, 3))).decode()[:61]
    ',"pet":0,"pet-metadata":{"class-name":"cat","confidence":0.93'
    """

    def __init__(
        self, attribute: str, classes: list[tuple[int, str]], *, run: str, created: str
    ) -> None:
        """Prepare for these classes, each a class id and a name."""
        key = attribute.encode()
        heads = [
            b',"%b":%d,"%b-metadata":{"class-name":%b,"confidence":'
            % (key, number, key, msgspec.json.encode(name))
            for number, name in classes
        ]
        constant = {
            "type": "groundtruth/image-classification",
            "job-name": f"labeling-job/{run}",
            "human-annotated": "yes",
            "creation-date": created,
        }
        self._fronts = _Fronts(heads)
        self._backs = _Backs(b"," + msgspec.json.encode(constant)[1:-1])

    def one(self, packed: int) -> bytes:
        """The splice of one verdict."""
        front, back = divmod(packed, _BEHIND)
        return self._fronts[front] + self._backs[back + _BEHIND * _is_gold(front)]

    def many(self, packed: NDArray[np.int64]) -> tuple[list[bytes], list[bytes]]:
        """The splices of many verdicts, each in two parts."""
        fronts = packed // _BEHIND
        backs = packed % _BEHIND + _BEHIND * _is_gold(fronts)
        return (
            list(map(self._fronts.__getitem__, fronts.tolist())),
            list(map(self._backs.__getitem__, backs.tolist())),
        )


class _Fronts(dict[int, bytes]):
    """A splice up to its confidence, by what is packed above the rest."""

    def __init__(self, heads: list[bytes]) -> None:
        super().__init__()
        self._heads = heads

    def __missing__(self, front: int) -> bytes:
        classed, confidence = divmod(front, _SHARES)
        share = _PARTS[SCALE] if _is_gold(front) else _PARTS[confidence]
        self[front] = self._heads[classed // 2] + share
        return self[front]


class _Backs(dict[int, bytes]):
    """A splice from its confidence on, by what is packed below."""

    def __init__(self, tail: bytes) -> None:
        super().__init__()
        self._tail = tail

    def __missing__(self, back: int) -> bytes:
        gold, rest = divmod(back, _BEHIND)
        agreement, answers = divmod(rest, _ANSWERS)
        more = b',"answers":%d,"agreement":%b}}' % (answers, _PARTS[agreement])
        self[back] = self._tail + (b',"gold":true}}' if gold else more)
        return self[back]


def _is_gold(front: Any) -> Any:
    """Whether a number that `_Fronts` knows, or each of a column of them, is that of gold."""
    return front // _SHARES % 2


_SHARES = SCALE + 1
_ANSWERS = 1 << 16
_BEHIND = _SHARES * _ANSWERS
"""What is packed below this belongs behind a line's confidence."""


def pack_verdict(verdict: Verdict) -> int:
    """The verdict as one number."""
    shares = (2 * verdict.label + verdict.gold) * _SHARES + verdict.confidence
    return (shares * _SHARES + verdict.agreement) * _ANSWERS + verdict.answers


def unpack_verdict(packed: int) -> Verdict:
    """The verdict that a number stands for.

    >>> unpack_verdict(pack_verdict(Verdict(3, 9300, 6667, 3)))
    Verdict(label=3, confidence=9300, agreement=6667, answers=3, gold=False)
    """
    rest, answers = divmod(packed, _ANSWERS)
    rest, agreement = divmod(rest, _SHARES)
    rest, confidence = divmod(rest, _SHARES)
    label, gold = divmod(rest, 2)
    return Verdict(label, confidence, agreement, answers, bool(gold))


class Opener:
    """Lines made ready for a splice: without their closing brace, nor an earlier try's keys."""

    def __init__(self, attribute: str) -> None:
        """Know the keys that a splice brings."""
        self.keys = (attribute, f"{attribute}-metadata")
        self._marks = [f'"{key}"'.encode() for key in self.keys]

    def needless(self, block: bytes) -> bool:
        """Whether every line of a block only has to lose its last byte."""
        return not any(mark in block for mark in self._marks)

    def open(self, line: bytes) -> bytes:
        """One line, made ready.

        >>> Opener("pet").open(b'{"source-ref":"s3://b/1.jpg","pet-metadata":{"job-name":"x"}} ')
        b'{"source-ref":"s3://b/1.jpg"'
        """
        if not self.needless(line):
            # What an earlier job failed at carries its metadata; a key must not be there twice.
            members = _read_line(line)
            for key in self.keys:
                members.pop(key, None)
            line = msgspec.json.encode(members)
        return line[: line.rindex(b"}")].rstrip()
