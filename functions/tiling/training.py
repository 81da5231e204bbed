"""The lines of the training manifest: the label spliced into each input line's own bytes.

The form is the augmented manifest of single-label image classification, which SageMaker's built-in
algorithm and Rekognition Custom Labels read: the class id under the label attribute, and beside it
an object of that name with `-metadata`, its keys spelled with hyphens.
"""

from __future__ import annotations

import msgspec

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


class Splices(dict[int, bytes]):
    """What goes between a line's last member and its end, by packed verdict; each is made once.

    >>> splices = Splices("pet", [(0, "cat")], run="r", created="2026-11-23T01:51:01")
    >>> splices[pack_verdict(Verdict(0, 9300, 6667, 3))].decode()[:61]
    ',"pet":0,"pet-metadata":{"class-name":"cat","confidence":0.93'
    """

    def __init__(
        self, attribute: str, classes: list[tuple[int, str]], *, run: str, created: str
    ) -> None:
        """Prepare for these classes, each a class id and a name."""
        super().__init__()
        key = attribute.encode()
        self._heads = [
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
        self._tail = b"," + msgspec.json.encode(constant)[1:-1]

    def __missing__(self, packed: int) -> bytes:
        """The splice of a verdict not met before."""
        verdict = unpack_verdict(packed)
        head, tail = self._heads[verdict.label], self._tail
        if verdict.gold:
            spliced = b'%b1.0%b,"gold":true}}' % (head, tail)
        else:
            shares = _PARTS[verdict.confidence], _PARTS[verdict.agreement]
            more = b',"answers":%d,"agreement":%b}}' % (verdict.answers, shares[1])
            spliced = head + shares[0] + tail + more
        if len(self) < _KEPT:
            self[packed] = spliced
        return spliced


_KEPT = 200_000
"""Splices kept: some 60 MB of them."""
_SHARES = SCALE + 1
_ANSWERS = 1 << 16


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
