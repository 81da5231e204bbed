"""The lines of the training manifest: the label spliced into each input line's own bytes.

The form is the augmented manifest of single-label image classification, which SageMaker's built-in
algorithm and Rekognition Custom Labels read: the class id under the label attribute, and beside it
an object of that name with `-metadata`, its keys spelled with hyphens.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer]

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


def shares(column: NDArray[np.float32]) -> NDArray[np.int32]:
    """Shares of one in parts of `SCALE`, as they are written."""
    parts: NDArray[np.int32] = np.rint(column * np.float64(SCALE)).astype(np.int32)
    return parts


def support(agreement: NDArray[np.int32], answers: NDArray[np.uint16]) -> NDArray[np.int32]:
    """What a label rests on in one number: so many answers, of which such a share agrees."""
    return agreement * _ANSWERS + answers


KNOWN = -1
"""The support of a label that was known beforehand."""


class Splices:
    """What follows a line's last member, to the line's end: three texts, each made once.

    >>> splices = Splices("pet", [(0, "cat")], run="r", created="2026-11-23T01:51:01")
    >>> heads, confidences, rests = splices.many(*np.array([[0], [9300], [KNOWN]]))
    >>> heads, confidences
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
        self._supports = np.array([_LAST], np.int32)
        self._rests = np.array([b""], np.object_)

    def many(
        self, label: Ints, confidence: Ints, support: Ints
    ) -> tuple[list[bytes], list[bytes], list[bytes]]:
        """The splices of a row each: up to the confidence, it, and from there to the line's end."""
        return self._heads[label].tolist(), _PARTS[confidence].tolist(), self._rests_of(support)

    def _rests_of(self, support: Ints) -> list[bytes]:
        """What follows each confidence; there are few different ones, kept in order."""
        places = np.searchsorted(self._supports, support)
        new = np.unique(support[self._supports[places] != support])
        if len(new):
            rests = np.array([self._rest(code) for code in new.tolist()], np.object_)
            places = np.searchsorted(self._supports, new)
            self._supports = np.insert(self._supports, places, new)
            self._rests = np.insert(self._rests, places, rests)
            places = np.searchsorted(self._supports, support)
        found: list[bytes] = self._rests[places].tolist()
        return found

    def _rest(self, support: int) -> bytes:
        agreement, answers = divmod(support, _ANSWERS)
        more = b',"answers":%d,"agreement":%b}}\n' % (answers, _PARTS[agreement])
        return self._tail + (b',"gold":true}}\n' if support == KNOWN else more)


_ANSWERS = 1 << 16
_LAST = np.iinfo(np.int32).max
"""More than any support: it ends their list, so that a search stays inside."""


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
