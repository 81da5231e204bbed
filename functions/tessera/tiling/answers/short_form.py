"""Write and read a task's answers in short, one character an answer, beside their full form.

A form of radio buttons submits true or false for every choice of every image, some 150 bytes an
answer. If nothing about a task is odd, the post-annotation Lambda writes each answer once more as
one byte, and readers of a million answers need look at nothing else. The full form is the record,
and is read if there is no short form or an inconsistent one. The format is in
docs/consolidation.md, the reasons in docs/decisions/consensus-answers-in-short.md.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from tessera.tiling.answers.submission import UNUSABLE_LABEL, ImageIndex, chosen_label

SYMBOLS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"
"""Characters that stand for choices, by place: 64, for at most 50 labels and the escape."""

MAX_TABLES = 10_000
"""Lists of choices whose tables are kept: a job has one, a hostile page as many as it likes."""


class ShortForm(msgspec.Struct, gc=False):
    """Everybody's answers to a task, decoded.

    `symbols` has a row of characters a worker, in the order of `workers`; each row goes through the
    `images`, and each character stands for one of the `choices`. `seconds` has a list a worker,
    with the time spent on each image, if measured.
    """

    images: list[ImageIndex]
    choices: msgspec.Raw
    workers: list[str]
    symbols: str = msgspec.field(name="said")
    seconds: list[list[float] | None] | None = None


class _TaskLabel(msgspec.Struct, gc=False):
    """Beginning of what the post-annotation Lambda left in a task's line."""

    short_form: ShortForm | None = msgspec.field(name="compact", default=None)


def short_form(
    images: Sequence[int], responses: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """Return the responses as a `ShortForm` is written; None unless they are as a page sends them.

    That is: each worker once, each with one choice for each of the task's images, in one order, and
    no image flagged, which only the full form says.

    >>> response = {"workerId": "ann", "annotation": {"7": {"cat": False, "dog": True}}}
    >>> short_form([7], [response])
    {'images': [7], 'choices': ['cat', 'dog'], 'workers': ['ann'], 'said': '1'}
    """
    workers = [response["workerId"] for response in responses]
    if not workers or len(set(workers)) < len(workers):
        return None
    if any("flags" in response for response in responses):
        return None
    keys = list(responses[0]["annotation"])
    if sorted(keys) != sorted(map(str, images)):
        return None
    numbers: dict[str, int] = {}
    choices = bytearray()
    times: list[list[float] | None] = []
    try:
        for response in responses:
            answer, seconds = response["annotation"], response.get("seconds")
            if list(answer) != keys:
                return None
            for choice in answer.values():
                if not numbers and isinstance(choice, dict):
                    numbers = {name: number for number, name in enumerate(choice)}
                choices.append(numbers.setdefault(chosen_label(choice), len(numbers)))
            times.append([seconds[key] for key in keys] if seconds else None)
    except (ValueError, LookupError, TypeError):
        return None
    if len(numbers) > len(SYMBOLS):
        return None  # more choices than a page can have: a foreign form
    written = {
        "images": [int(key) for key in keys],
        "choices": list(numbers),
        "workers": workers,
        "said": "".join(SYMBOLS[number] for number in choices),
    }
    return written | ({"seconds": times} if any(times) else {})


class ShortFormReader:
    """Reader of the short forms in lines of an output manifest, without the rest of the line.

    >>> reader = ShortFormReader("label", {"cat": 0, "dog": 1})
    >>> short = b'{"images":[7],"choices":["dog"],"workers":["ann"],"said":"0"}'
    >>> reader.read(b'{"label":{"compact":%b,"responses":["the full form"]}}' % short)[1]
    b'\\x01'
    """

    def __init__(self, attribute: str, label_numbers: Mapping[str, int]) -> None:
        """Prepare for a label attribute and the label numbers by name."""
        line = msgspec.defstruct(
            "Line", [("label", _TaskLabel)], rename={"label": attribute}, gc=False
        )
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(line).decode
        self._tables = _SymbolTables(label_numbers)
        self._search_from = 0

    def read(self, line: bytes) -> tuple[ShortForm, bytes] | None:
        """Return a line's short form and its label numbers (int8), or None if it does not add up.

        Only the bytes before `"responses":[` are decoded.
        """
        # Lines are about equally long, so the search starts near the last place. If that skips the
        # first match, the text before the later one cannot be decoded, and the full form is read.
        end = line.find(_RESPONSES, self._search_from)
        if end < 0 and (end := line.find(_RESPONSES)) < 0:
            return None
        self._search_from = end * 7 // 8
        if line[end - 1 : end] != b"," or not line.endswith(_LINE_ENDS):
            return None  # nothing in short, or a line that was cut off
        try:
            form: ShortForm | None = self._decode(line[: end - 1] + b"}}").label.short_form
            if form is None:
                return None
            labels = form.symbols.encode().translate(self._tables[bytes(form.choices)])
        except (ValueError, RecursionError):  # not UTF-8, or brackets without end
            return None
        size, workers = len(form.images), len(form.workers)
        if not labels or len(labels) != size * workers or len(set(form.workers)) < workers:
            return None
        if _UNUSABLE in labels:  # a choice that is no label: the full form says which, and is noted
            return None
        if form.seconds is not None and not _seconds_fit(form.seconds, workers, size):
            return None
        return form, labels


def _seconds_fit(seconds: list[list[float] | None], workers: int, size: int) -> bool:
    return len(seconds) == workers and all(row is None or len(row) == size for row in seconds)


class _SymbolTables(dict[bytes, bytes]):
    """Tables for `bytes.translate` from symbols to label numbers, by the choices' own bytes."""

    def __init__(self, label_numbers: Mapping[str, int]) -> None:
        super().__init__()
        self._label_numbers = label_numbers

    def __missing__(self, choices: bytes) -> bytes:
        names = msgspec.json.decode(choices, type=list[str])[: len(SYMBOLS)]
        table = array("b", [UNUSABLE_LABEL]) * 256
        for symbol, name in zip(SYMBOLS, names, strict=False):
            table[ord(symbol)] = self._label_numbers.get(name, UNUSABLE_LABEL)
        if len(self) < MAX_TABLES:
            self[choices] = table.tobytes()
        return table.tobytes()


_LINE_ENDS = (b"}", b"}\n", b"}\r\n")
_RESPONSES = b'"responses":['
_UNUSABLE = array("b", [UNUSABLE_LABEL]).tobytes()
