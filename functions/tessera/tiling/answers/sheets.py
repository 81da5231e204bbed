"""Many submissions read at once, where they are laid out as a form of radio buttons sends them.

In each answer just one choice is true, so all answers on a page are equally long: the submissions
become a table of bytes with an answer a row. The place of the first `true` tells the choice; and
the row must be, byte for byte, what that choice looks like. What is not so is left to others.
"""

from __future__ import annotations

import json
from array import array
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

_AROUND_KEY = len('"":')
_TRUE = ord("t")
_SPELLINGS: tuple[Callable[[Any], bytes], ...] = (
    msgspec.json.encode,
    lambda choice: json.dumps(choice, separators=(",", ":")).encode(),
    lambda choice: json.dumps(choice).encode(),
)
"""The ways in which programs write an object."""


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """How an answer looks: a row of bytes a choice, where its `true` begins, its label number."""

    rows: Bytes
    begins: NDArray[np.intp]
    labels: NDArray[np.int8]


class Sheets:
    """Label numbers of regular submissions.

    >>> sheets = Sheets({"cat": 0, "dog": 1})
    >>> sheets.labels([array("i", [7])], [b'{"7":{"cat":false,"dog":true}}'])
    [b'\\x01']
    """

    def __init__(self, labels: Mapping[str, int]) -> None:
        """Know the label numbers by name."""
        self._labels = labels
        self._layouts: dict[int, _Layout] = {}

    def labels(self, shown: Sequence[array[int]], raw: Sequence[bytes]) -> list[bytes | None]:
        """For each submission its label numbers (signed bytes), in the order of what was shown.

        None stands for a submission that is not as regular as that.
        """
        groups: dict[tuple[int, int, int], list[int]] = defaultdict(list)
        for number, (images, submission) in enumerate(zip(shown, raw, strict=True)):
            if images:
                groups[len(submission), len(images), len(str(images[0]))].append(number)
        found: list[bytes | None] = [None] * len(raw)
        for (length, size, digits), members in groups.items():
            step, rest = divmod(length - 1, size)
            if rest or step < digits + _AROUND_KEY + 2:
                continue
            text = np.frombuffer(b"".join([raw[number] for number in members]), np.uint8)
            asked = np.frombuffer(b"".join([shown[number] for number in members]), np.int32)
            said, regular = self._read(text.reshape(-1, length), asked, digits, step)
            for number, labels, good in zip(members, said, regular.tolist(), strict=True):
                if good:
                    found[number] = labels.tobytes()
        return found

    def _read(
        self, text: Bytes, asked: NDArray[np.int32], digits: int, step: int
    ) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
        """The label numbers (submission by image), and which submissions are regular."""
        rows = text[:, 1:].reshape(-1, step)
        answers = rows[:, digits + _AROUND_KEY : -1]
        layout = self._layout(answers[0].tobytes())
        if layout is None:
            return np.zeros((len(text), 1), np.int8), np.zeros(len(text), np.bool_)
        choice = (answers[:, layout.begins] == _TRUE).argmax(axis=1)
        good = (answers == layout.rows.take(choice, axis=0)).all(axis=1)
        good &= _keys_are(rows[:, : digits + _AROUND_KEY], asked, digits)
        said = layout.labels[choice].reshape(len(text), -1)
        regular = good.reshape(said.shape).all(axis=1)
        after = rows[:, -1].reshape(said.shape)
        regular &= (after[:, :-1] == ord(",")).all(axis=1) & (after[:, -1] == ord("}"))
        regular &= text[:, 0] == ord("{")
        return said, regular

    def _layout(self, answer: bytes) -> _Layout | None:
        """The layout that an answer is of, if there is one and all its choices are labels."""
        layout = self._layouts.get(len(answer))
        if layout is None:
            layout = _layout_of(answer, self._labels)
            if layout is not None:
                self._layouts[len(answer)] = layout
        return layout


def _layout_of(answer: bytes, labels: Mapping[str, int]) -> _Layout | None:
    try:
        choice = msgspec.json.decode(answer, type=dict[str, bool])
    except msgspec.DecodeError:
        return None
    if list(choice.values()).count(True) != 1 or not choice.keys() <= labels.keys():
        return None
    for spell in _SPELLINGS:
        if spell(choice) == answer:
            looks = [spell({name: name == said for name in choice}) for said in choice]
            none = [
                spell(dict.fromkeys(list(choice)[: place + 1], False))
                for place in range(len(choice))
            ]
            return _Layout(
                np.frombuffer(b"".join(looks), np.uint8).reshape(len(looks), -1),
                np.array([len(text) - len("false}") for text in none]),
                np.array([labels[name] for name in choice], np.int8),
            )
    return None


def _keys_are(keys: Bytes, asked: NDArray[np.int32], digits: int) -> NDArray[np.bool_]:
    """Whether each key is the number asked, in so many digits, between quotes, with a colon."""
    good: NDArray[np.bool_] = (keys[:, 0] == ord('"')) & (keys[:, -2] == ord('"'))
    good &= keys[:, -1] == ord(":")
    number = np.zeros(len(keys), np.int64)
    for column in keys[:, 1:-2].T:
        digit = column - np.uint8(ord("0"))
        good &= digit <= 9
        number *= 10
        number += digit
    good &= (number == asked) & ((asked >= 10 ** (digits - 1)) | (digits == 1))
    return good
