"""Name and encode the file that tells to whom each task of a job is offered first.

It lies beside the tasks manifest of a round whose pages go to those first who are likely to be
right about them. A line of JSON is followed by a row of bits for each worker in it, and by one for
everybody else; a bit is 1 if the task is offered to the worker at once, and not only later:

    {"seconds": 600, "workers": ["private.us-east-1.ann"]}     ann's row, then the others'

Who may have a task and who may not is told elsewhere (`exclusions`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from tessera.tiling.run.offsets import name_beside

BITS = bytes.maketrans(b"01", b"\0\1")
"""Turns binary digits into bytes of 0 and 1."""


class Header(msgspec.Struct, frozen=True):
    """First line of the file: for how long others wait, and whose rows follow."""

    seconds: float
    workers: tuple[str, ...]


class FirstOffers(NamedTuple):
    """File of a job of so many tasks, as it was read."""

    seconds: float
    rows: dict[str, int]
    bits: bytes
    tasks: int

    def reserved(self, names: Iterable[str]) -> bytes:
        """Return a byte for each task, 1 if it is offered to others first; empty if none is.

        `names` are those that the file may have the worker under.

        >>> offers = read_first_offers(encode_first_offers(60, ["ann"], [b"\\1", b"\\2"]), 2)
        >>> offers.reserved(["ann"]), offers.reserved(["ben"])
        (b'\\x00\\x01', b'\\x01\\x00')
        """
        row = next((self.rows[name] for name in names if name in self.rows), len(self.rows))
        size = row_bytes(self.tasks)
        first = int.from_bytes(self.bits[row * size : (row + 1) * size], "little")
        others = first ^ ((1 << self.tasks) - 1)
        digits = f"{others:0{self.tasks}b}"[::-1].encode()
        return digits.translate(BITS) if others else b""


def first_offers_name(manifest: str) -> str:
    """Return the name of a tasks manifest's file of first offers, beside it.

    >>> first_offers_name("round-2/tasks-000.manifest")
    'round-2/tasks-000.offers'
    """
    return name_beside(manifest, ".offers")


def row_bytes(tasks: int) -> int:
    """Return the bytes of a row of bits."""
    return -(-tasks // 8)


def encode_first_offers(seconds: float, workers: Sequence[str], rows: Iterable[bytes]) -> bytes:
    """Encode the rows of these workers, and that of everybody else, as the file's bytes."""
    return msgspec.json.encode(Header(seconds, tuple(workers))) + b"\n" + b"".join(rows)


def read_first_offers(data: bytes, tasks: int) -> FirstOffers:
    """Decode the file of a job of so many tasks; raises ValueError if it is not whole."""
    line, _, bits = data.partition(b"\n")
    header = msgspec.json.decode(line, type=Header)
    if len(bits) != (len(header.workers) + 1) * row_bytes(tasks):
        raise ValueError(f"The first offers are no rows of bits of {tasks} tasks.")
    rows = {name: number for number, name in enumerate(header.workers)}
    return FirstOffers(header.seconds, rows, bits, tasks)
