"""Splice labels into manifest lines: the line's own bytes stay, the label's members follow.

The form is the augmented manifest of single-label image classification, which SageMaker's built-in
algorithm and Rekognition Custom Labels read: the class id under the label attribute, and beside it
an object of that name with `-metadata`, its keys spelled with hyphens.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from tessera.tiling.manifest.class_rule import LABEL_TYPE

Ints = NDArray[np.integer]

_read_line = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

SCALE = 10_000
"""Confidences and agreements are written in steps of 1/SCALE.

Four decimals are more than a confidence estimated from a few answers means, and so few values that
the text of each is made once."""

_DECIMALS = np.array([repr(step / SCALE).encode() for step in range(SCALE + 1)], np.object_)
"""Text of each step: a million lookups take 0.03 s, formatting a million floats 0.6 s."""

_ANSWERS = 1 << 16
"""Radix of a support code: answers are counted in 16 bits (`Consensus.answers`)."""

BY_MODEL_SUPPORT = 0
"""Support code of a label without any answer, which is a model's."""
GOLD_SUPPORT = -1
"""Support code of a label that was known beforehand."""
REVIEWED_SUPPORT = -2
"""Support code of a label that a reviewer decided."""


def creation_date(started: str) -> str:
    """Return the run's start as Ground Truth writes dates: UTC without an offset.

    The clock is not read, so that consolidating again writes the same bytes.

    >>> creation_date("2026-11-23T01:51:01.123Z")
    '2026-11-23T01:51:01.123'
    """
    return started.removesuffix("Z").removesuffix("+00:00")


def to_steps(shares: NDArray[np.float32]) -> NDArray[np.int32]:
    """Round shares of one to steps of 1/SCALE."""
    # in float64 the product of a float32 is exact, so that only rint rounds
    steps: NDArray[np.int32] = np.rint(shares * np.float64(SCALE)).astype(np.int32)
    return steps


def encode_support(agreement: NDArray[np.int32], answers: NDArray[np.uint16]) -> NDArray[np.int32]:
    """Pack what a label rests on into one code: the agreement, in steps, and the answers.

    One column instead of two, and as few different values as there are texts to write.
    """
    return agreement * _ANSWERS + answers


class LabelSplice:
    """Bytes that end a labeled line, in three pieces: head, confidence, tail.

    A piece is made once for each class, step and support code, and looked up for each line.

    >>> splice = LabelSplice("pet", [(0, "cat")], run="r", created="2026-11-23T01:51:01")
    >>> heads, confidences, tails = splice.pieces(*np.array([[0], [9300], [GOLD_SUPPORT]]))
    >>> heads, confidences
    ([b',"pet":0,"pet-metadata":{"class-name":"cat","confidence":'], [b'0.93'])
    >>> tails[0].endswith(b',"gold":true}}\\n')
    True
    """

    def __init__(
        self,
        attribute: str,
        classes: Sequence[tuple[int, str]],
        *,
        run: str,
        created: str,
        label_type: str = LABEL_TYPE,
    ) -> None:
        """Prepare the texts for these classes, each a class id and a name."""
        key = attribute.encode()
        heads = [
            b',"%b":%d,"%b-metadata":{"class-name":%b,"confidence":'
            % (key, number, key, msgspec.json.encode(name))
            for number, name in classes
        ]
        metadata = {
            "type": label_type,
            "job-name": f"labeling-job/{run}",
            "human-annotated": "yes",
            "creation-date": created,
        }
        by_model = metadata | {"human-annotated": "no"}
        # an object array, because indexing it with a column is one call for a block of lines
        self._heads = np.array(heads, np.object_)
        self._tails = _Tails(*(b"," + msgspec.json.encode(m)[1:-1] for m in (metadata, by_model)))

    def pieces(
        self, label: Ints, confidence: Ints, support: Ints
    ) -> tuple[list[bytes], list[bytes], list[bytes]]:
        """Return the heads, confidences and tails of rows of labels.

        `label` has positions in `classes`, `confidence` steps, `support` codes of `encode_support`.
        """
        return (
            self._heads[label].tolist(),
            _DECIMALS[confidence].tolist(),
            list(map(self._tails.__getitem__, support.tolist())),
        )


class _Tails(dict[int, bytes]):
    """Text from behind the confidence to the line's end, by support code."""

    def __init__(self, metadata: bytes, by_model: bytes) -> None:
        super().__init__()
        self._metadata, self._by_model = metadata, by_model

    def __missing__(self, support: int) -> bytes:
        agreement, answers = divmod(support, _ANSWERS)
        if support == GOLD_SUPPORT:
            origin = b',"gold":true}}\n'
        elif support == REVIEWED_SUPPORT:
            origin = b',"reviewed":true}}\n'
        else:
            origin = b',"answers":%d,"agreement":%b}}\n' % (answers, _DECIMALS[agreement])
        metadata = self._by_model if support == BY_MODEL_SUPPORT else self._metadata
        # kept: there are as many as there are pairs of agreement and answers, a few dozen
        return self.setdefault(support, metadata + origin)


class LineOpener:
    """Manifest lines without their closing brace, so that a splice can follow.

    Members that an earlier job of the same label attribute left are taken out: a job that failed
    leaves its metadata, and a JSON object must not have a key twice.
    """

    def __init__(self, attribute: str) -> None:
        """Prepare for the two keys that a splice brings."""
        self._keys = (attribute, f"{attribute}-metadata")
        self._quoted = [f'"{key}"'.encode() for key in self._keys]
        self._prefix = f'"{attribute}'.encode()

    def is_open_without_brace(self, block: bytes) -> bool:
        """Return whether cutting off the closing brace is all that the block's lines need."""
        # both keys begin with the prefix, so one search settles nearly every block
        return self._prefix not in block or not any(key in block for key in self._quoted)

    def open(self, line: bytes) -> bytes:
        """Return the line without its closing brace and without the splice's keys.

        >>> LineOpener("pet").open(b'{"source-ref":"s3://b/1.jpg","pet-metadata":{"job":"x"}} ')
        b'{"source-ref":"s3://b/1.jpg"'
        """
        if not self.is_open_without_brace(line):
            # decoded to raw values: numbers and strings of other members keep their spelling
            members = _read_line(line)
            for key in self._keys:
                members.pop(key, None)
            line = msgspec.json.encode(members)
        return line[: line.rindex(b"}")].rstrip()
