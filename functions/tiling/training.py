"""The lines of the training manifest: the label spliced into each input line's own bytes.

The form is the augmented manifest of single-label image classification, which SageMaker's built-in
algorithm and Rekognition Custom Labels read: the class id under the label attribute, and beside it
an object of that name with `-metadata`, its keys spelled with hyphens.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

_read_line = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

SCALE = 10_000
"""Confidences, agreements and gains are written to so many parts of one."""

_PARTS = np.array([repr(part / SCALE).encode() for part in range(SCALE + 1)], np.object_)


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
    """What follows a line's last member, to the line's end: three texts, each made once.

    >>> splices = Splices("pet", [(0, "cat")], run="r", created="2026-11-23T01:51:01")
    >>> heads, shares, rests = splices.many(np.array([pack_verdict(Verdict(0, 9300, 6667, 3))]))
    >>> heads, shares
    ([b',"pet":0,"pet-metadata":{"class-name":"cat","confidence":'], [b'0.93'])
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
        self._heads = np.array(heads, np.object_)
        self._tail = b"," + msgspec.json.encode(constant)[1:-1]
        self._codes = np.array([_LAST])
        self._rests = np.array([b""], np.object_)

    def many(self, packed: NDArray[np.int64]) -> tuple[list[bytes], list[bytes], list[bytes]]:
        """The splices of packed verdicts: up to the confidence, it, and to the line's end."""
        fronts = packed // _BEHIND  # numpy is fast at quotients, slow at remainders
        classed = fronts // _SHARES
        label = classed // 2
        gold = classed - 2 * label
        share = np.where(gold, SCALE, fronts - classed * _SHARES)
        codes = packed - fronts * _BEHIND + gold * _BEHIND
        return self._heads[label].tolist(), _PARTS[share].tolist(), self._rests_of(codes)

    def _rests_of(self, codes: NDArray[np.int64]) -> list[bytes]:
        """What follows each confidence; there are few different ones, kept in order of code."""
        places = np.searchsorted(self._codes, codes)
        new = np.unique(codes[self._codes[places] != codes])
        if len(new):
            rests = np.array([self._rest(code) for code in new.tolist()], np.object_)
            places = np.searchsorted(self._codes, new)
            self._codes = np.insert(self._codes, places, new)
            self._rests = np.insert(self._rests, places, rests)
            places = np.searchsorted(self._codes, codes)
        found: list[bytes] = self._rests[places].tolist()
        return found

    def _rest(self, code: int) -> bytes:
        gold, rest = divmod(code, _BEHIND)
        agreement, answers = divmod(rest, _ANSWERS)
        more = b',"answers":%d,"agreement":%b}}\n' % (answers, _PARTS[agreement])
        return self._tail + (b',"gold":true}}\n' if gold else more)


_SHARES = SCALE + 1
_ANSWERS = 1 << 16
_BEHIND = _SHARES * _ANSWERS
"""What is packed below this belongs behind a line's confidence."""
_LAST = 2 * _BEHIND
"""More than any code of what is behind: it ends their list, so that a search stays inside."""


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
        self._begin = f'"{attribute}'.encode()
        self._marks = [f'"{key}"'.encode() for key in self.keys]

    def needless(self, block: bytes) -> bool:
        """Whether every line of a block only has to lose its last byte."""
        return self._begin not in block or not any(mark in block for mark in self._marks)

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
