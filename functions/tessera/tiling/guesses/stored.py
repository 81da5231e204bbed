"""Keep a round's guesses in the run's folder, and read them back where the same answers come again.

    round-2/guesses.json     which answers taught the model, and what it knew, or why there is none
    round-2/guesses.npy      its guesses (images x classes, float16)

Labels that are made again, after a failure or by another execution, then are the same bytes on any
processor. The record is begun before the model is learned: who finds it begun `MAX_ATTEMPTS` times
knows that learning ends with its process, out of time or memory, and goes on without a model.
"""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from hashlib import blake2b
from typing import Protocol

import msgspec
import numpy as np

from tessera.tiling.consensus import Crowd
from tessera.tiling.guesses.annotator import Guesses
from tessera.tiling.run.run_files import Writable

BLOCK_ROWS = 65_536
"""Rows that are written at a time: a megabyte of ten classes."""
MAX_ATTEMPTS = 2
"""Attempts to learn a model: the state machine makes three of the state, and the last one is to
give labels. After one a fault may have passed by, and the model is learned again."""
INTERRUPTED = "it was interrupted twice, most likely out of time or memory"


class Files(Protocol):
    """Stored objects as they are used here; `tessera.aws.storage.Storage` is one."""

    def get(self, uri: str) -> bytes:
        """Return the whole object."""

    def size(self, uri: str) -> int | None:
        """Return the object's size in bytes, or None if it does not exist."""

    def put(self, uri: str, data: bytes, *, content_type: str) -> None:
        """Put the object, replacing what is there."""

    def writer(self, uri: str, *, content_type: str) -> AbstractContextManager[Writable]:
        """Open a `with` block that writes one object of any size, piece by piece."""


class Figures(msgspec.Struct, frozen=True):
    """Figures of `Guesses`, all but the probabilities."""

    nats: float
    accuracy: float
    answered: int
    l2: float
    temperature: float


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """Contents of guesses.json: the answers' digest, and figures or a failure once it has ended."""

    answers: str
    attempts: int = 0
    figures: Figures | None = None
    failure: str = ""


class StoredGuesses:
    """Guesses of one round, as they are stored for the answers of a crowd."""

    def __init__(self, files: Files, folder: str, crowd: Crowd) -> None:
        """Remember where the round's folder is, and what the crowd's answers are."""
        self._files = files
        self._record, self._rows = f"{folder}guesses.json", f"{folder}guesses.npy"
        self._answers, self._attempts = digest(crowd), 0

    def read(self) -> Guesses | str | None:
        """Return the guesses, why there are none, or None if nothing of these answers is stored."""
        if self._files.size(self._record) is None:
            return None
        try:
            record = msgspec.json.decode(self._files.get(self._record), type=Record)
        except msgspec.MsgspecError:  # somebody's hand, or another version's: learned anew
            return None
        if record.answers != self._answers:
            return None
        self._attempts = record.attempts
        if record.figures is None:
            interrupted = INTERRUPTED if record.attempts >= MAX_ATTEMPTS else None
            return record.failure or interrupted
        rows = np.load(io.BytesIO(self._files.get(self._rows)), allow_pickle=False)
        return Guesses(rows, **msgspec.structs.asdict(record.figures))

    def begin(self) -> None:
        """Note that a model is about to be learned."""
        self._attempts += 1
        self._put(Record(self._answers, self._attempts))

    def fail(self, reason: str) -> None:
        """Note that there is no model, and why."""
        self._put(Record(self._answers, self._attempts, failure=reason))

    def write(self, guesses: Guesses) -> None:
        """Store the guesses, and last of all the record that says so."""
        rows = guesses.probabilities
        with self._files.writer(self._rows, content_type="application/octet-stream") as file:
            start = io.BytesIO()
            header = np.lib.format.header_data_from_array_1_0(rows)
            np.lib.format.write_array_header_1_0(start, header)
            file.write(start.getvalue())
            for first in range(0, len(rows), BLOCK_ROWS):
                file.write(rows[first : first + BLOCK_ROWS].tobytes())
        figures = Figures(**{name: getattr(guesses, name) for name in Figures.__struct_fields__})
        self._put(Record(self._answers, self._attempts, figures))

    def _put(self, record: Record) -> None:
        self._files.put(self._record, msgspec.json.encode(record), content_type="application/json")


def digest(crowd: Crowd) -> str:
    """Return a digest of a crowd's answers, the same in whatever order they came."""
    order = np.lexsort((crowd.label, crowd.worker, crowd.image))
    state = blake2b(f"{crowd.images} {crowd.workers} {crowd.classes}".encode(), digest_size=16)
    for column in (crowd.image, crowd.worker, crowd.label):
        state.update(column[order].astype("<i4").tobytes())
    return state.hexdigest()
