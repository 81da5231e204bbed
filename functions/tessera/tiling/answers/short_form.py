"""A task's answers in short, beside their full form: one character an answer.

A page of radio buttons says of every choice of every image whether it is true: some 150 bytes for
an answer. The post-annotation Lambda writes the same once more in one byte, where nothing about the
task is odd; whoever reads a million answers then needs to look at nothing else. The full form is
the record, and what is read where there is no short one, or one that does not add up.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import msgspec

UNREADABLE = -1
"""What stands in the label column where a worker could not judge the image."""
UNUSABLE = -2
"""What stands there for anything that names no single label."""

SYMBOLS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"
"""The characters of `said`: as many as there may be choices, and more."""

Index = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


class Compact(msgspec.Struct, gc=False):
    """Everybody's answers to a task: `said` has a row of characters a worker, in order.

    Each stands for one of the choices, by its place in `SYMBOLS`; `images` are the indices that a
    row goes through, and `seconds` those that each worker took for each of them, if measured.
    """

    images: list[Index]
    choices: msgspec.Raw
    workers: list[str]
    said: str
    seconds: list[list[float] | None] | None = None


class Entry(msgspec.Struct, gc=False):
    """The beginning of what the Lambda left in a task's line."""

    compact: Compact | None = None


def compact(
    shown: Sequence[int],
    responses: Sequence[Mapping[str, Any]],
    chosen: Callable[[Any], str],
) -> dict[str, Any] | None:
    """The responses as a `Compact` is written; None if they are not just as a page sends them.

    >>> said = [{"workerId": "ann", "annotation": {"7": {"cat": False, "dog": True}}}]
    >>> compact([7], said, lambda choice: next(name for name in choice if choice[name]))
    {'images': [7], 'choices': ['cat', 'dog'], 'workers': ['ann'], 'said': '1'}
    """
    workers = [response["workerId"] for response in responses]
    if not workers or len(set(workers)) < len(workers):
        return None
    keys = list(responses[0]["annotation"])
    if sorted(keys) != sorted(map(str, shown)):
        return None
    numbers: dict[str, int] = {}
    said = bytearray()
    times: list[list[float] | None] = []
    try:
        for response in responses:
            answer, seconds = response["annotation"], response.get("seconds")
            if list(answer) != keys:
                return None
            for choice in answer.values():
                if not numbers and isinstance(choice, dict):
                    numbers = {name: number for number, name in enumerate(choice)}
                said.append(numbers.setdefault(chosen(choice), len(numbers)))
            times.append([seconds[key] for key in keys] if seconds else None)
    except (ValueError, KeyError):
        return None
    if len(numbers) > len(SYMBOLS):
        return None
    found = {
        "images": [int(key) for key in keys],
        "choices": list(numbers),
        "workers": workers,
        "said": "".join(SYMBOLS[number] for number in said),
    }
    return found | ({"seconds": times} if any(times) else {})


class CompactReader:
    """Reads the short form out of lines of an output manifest, without the rest of the line.

    >>> reader = CompactReader("label", {"cat": 0, "dog": 1})
    >>> short = b'{"images":[7],"choices":["dog"],"workers":["ann"],"said":"0"}'
    >>> reader.read(b'{"label":{"compact":%b,"responses":["the full form"]}}' % short)[1]
    b'\\x01'
    """

    def __init__(self, attribute: str, labels: Mapping[str, int]) -> None:
        """Know the label attribute and the label numbers by name."""
        line = msgspec.defstruct("Line", [("entry", Entry)], rename={"entry": attribute}, gc=False)
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(line).decode
        self._tables = _Tables(labels)
        self._near = 0

    def read(self, line: bytes) -> tuple[Compact, bytes] | None:
        """A line's short form and its label numbers (signed bytes), if it adds up; else None.

        What stands before the responses is read, as if they were not there.
        """
        # Lines are about equally long, so most of the search is spared; a find that is not the
        # first leaves text that cannot be decoded.
        end = line.find(_RESPONSES, self._near)
        if end < 0 and (end := line.find(_RESPONSES)) < 0:
            return None
        self._near = end * 7 // 8
        if line[end - 1 : end] != b"," or not line.endswith(_ENDS):
            return None  # nothing in short, or a line that was cut off
        try:
            found: Compact | None = self._decode(line[: end - 1] + b"}}").entry.compact
            if found is None:
                return None
            said = found.said.encode().translate(self._tables[bytes(found.choices)])
        except msgspec.DecodeError:
            return None
        size, workers = len(found.images), len(found.workers)
        if not said or len(said) != size * workers or len(set(found.workers)) < workers:
            return None
        if _UNUSABLE in said:
            return None
        if found.seconds is not None and not _fit(found.seconds, workers, size):
            return None
        return found, said


def _fit(seconds: list[list[float] | None], workers: int, size: int) -> bool:
    return len(seconds) == workers and all(row is None or len(row) == size for row in seconds)


class _Tables(dict[bytes, bytes]):
    """What each character of `said` means as a label number, by the choices' own bytes."""

    def __init__(self, labels: Mapping[str, int]) -> None:
        super().__init__()
        self._labels = labels

    def __missing__(self, choices: bytes) -> bytes:
        names = msgspec.json.decode(choices, type=list[str])[: len(SYMBOLS)]
        table = array("b", [UNUSABLE]) * 256
        for symbol, name in zip(SYMBOLS, names, strict=False):
            table[ord(symbol)] = self._labels.get(name, UNUSABLE)
        if len(self) < 10_000:  # a hostile page must not fill the memory
            self[choices] = table.tobytes()
        return table.tobytes()


_ENDS = (b"}", b"}\n", b"}\r\n")
_RESPONSES = b'"responses":['
_UNUSABLE = array("b", [UNUSABLE]).tobytes()
