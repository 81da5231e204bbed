"""Splice sets of labels into manifest lines, in Ground Truth's multi-label form.

    "pet":[0,3],"pet-metadata":{"class-map":{"0":"cat","3":"dog"},"confidence-map":{"0":0.97,…},…}

Beside Ground Truth's own keys the metadata has `confidence`, that of the least sure of all labels,
be it one that the image has not: what `export --min-confidence` goes by. `reviewed` names the
labels that a reviewer decided, be it that the image has them not.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from tessera.tiling.consensus.label_sets import SetConsensus
from tessera.tiling.manifest.set_rule import SET_TYPE
from tessera.tiling.training.label_splice import SCALE, Ints, to_steps


class SetSplice:
    """Bytes that end a labeled line, for a support code that is the line of the answers plus one.

    `counts` has the lines written so far by label: duplicates count as the lines that they are.
    """

    def __init__(
        self,
        attribute: str,
        classes: Sequence[tuple[int, str]],
        consensus: SetConsensus,
        *,
        run: str,
        created: str,
    ) -> None:
        """Prepare for these labels, each a number and a name, and for what the answers came to."""
        self._key, self._consensus = attribute.encode(), consensus
        self._numbers = [str(number) for number, _ in classes]
        self._names = [name for _, name in classes]
        self._steps = to_steps(consensus.confidence)
        common = {
            "type": SET_TYPE,
            "job-name": f"labeling-job/{run}",
            "human-annotated": "yes",
            "creation-date": created,
        }
        self._common = msgspec.json.encode(common)[1:-1]
        self.counts = np.zeros(len(classes), np.int64)

    def pieces(
        self, label: Ints, confidence: Ints, support: Ints
    ) -> tuple[list[bytes], list[bytes], list[bytes]]:
        """Return the heads, confidences and tails of rows; `confidence` is in steps."""
        rows = support - 1
        self.counts += self._consensus.has[rows].sum(axis=0)
        heads = [self._head(row) for row in rows.tolist()]
        decimals = [repr(step / SCALE).encode() for step in confidence.tolist()]
        answers = self._consensus.answers[rows].tolist()
        tails = [
            b',%b,"answers":%d%b}}\n' % (self._common, count, self._reviewed(row))
            for row, count in zip(rows.tolist(), answers, strict=True)
        ]
        return heads, decimals, tails

    def _reviewed(self, row: int) -> bytes:
        """Return the member that names the labels that were decided, if any were."""
        decided = self._consensus.decided
        if decided is None or not decided[row].any():
            return b""
        names = [self._names[place] for place in np.flatnonzero(decided[row]).tolist()]
        return b',"reviewed":%b' % msgspec.json.encode(names)

    def _head(self, row: int) -> bytes:
        """Return what stands before the confidence: the list of labels and the two maps."""
        places = np.flatnonzero(self._consensus.has[row]).tolist()
        names = {self._numbers[place]: self._names[place] for place in places}
        sure = {self._numbers[p]: int(self._steps[row, p]) / SCALE for p in places}
        return b',"%b":[%b],"%b-metadata":{"class-map":%b,"confidence-map":%b,"confidence":' % (
            self._key,
            ",".join(names).encode(),
            self._key,
            msgspec.json.encode(names),
            msgspec.json.encode(sure),
        )
