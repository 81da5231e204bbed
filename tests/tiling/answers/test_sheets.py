"""Submissions read many at a time: the same as read one by one, or left alone."""

from __future__ import annotations

import json
from array import array
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.tiling.answers.sheets import Sheets

CHOICES = ("cat", "false", "true", "Tür", "cannot see")
LABELS = {"cat": 0, "false": 1, "true": 2, "Tür": 3, "cannot see": -1}
SPELLINGS: list[dict[str, Any]] = [
    {"separators": (",", ":"), "ensure_ascii": False},
    {"separators": (",", ":")},
    {},
]


def answer(said: str) -> dict[str, bool]:
    return {choice: choice == said for choice in CHOICES}


@st.composite
def submissions(draw: st.DrawFn) -> list[tuple[list[int], list[str]]]:
    tasks = draw(st.lists(st.lists(st.integers(0, 2000), min_size=1, max_size=5, unique=True)))
    return [
        (shown, draw(st.lists(st.sampled_from(CHOICES), min_size=len(shown), max_size=len(shown))))
        for shown in tasks
    ]


def compact(shown: list[int], said: list[str], spelling: dict[str, Any]) -> bytes:
    """What a form sends, its answers spelled as some program does."""
    parts = [
        f'"{index}":{json.dumps(answer(choice), **spelling)}'
        for index, choice in zip(shown, said, strict=True)
    ]
    return ("{" + ",".join(parts) + "}").encode()


@given(submissions(), st.sampled_from(SPELLINGS))
def test_regular_submissions_give_what_they_say(
    given_: list[tuple[list[int], list[str]]], spelling: dict[str, Any]
) -> None:
    raw = [compact(shown, said, spelling) for shown, said in given_]
    found = Sheets(LABELS).labels([array("i", shown) for shown, _ in given_], raw)
    for (shown, said), labels in zip(given_, found, strict=True):
        if len({len(str(index)) for index in shown}) == 1:
            assert labels is not None
            assert array("b", labels).tolist() == [LABELS[choice] for choice in said]
        else:
            assert labels is None


@given(st.integers(0, 200), st.integers(32, 126))
@settings(max_examples=300)
def test_a_changed_byte_is_noticed_wherever_it_is(place: int, byte: int) -> None:
    shown = [10, 11, 12]
    right = compact(shown, ["cat", "true", "cannot see"], SPELLINGS[0])
    place %= len(right)
    wrong = right[:place] + bytes([byte]) + right[place + 1 :]
    sheets = Sheets(LABELS)
    asked = [array("i", shown)] * 2
    good, found = sheets.labels(asked, [right, wrong])
    assert good == bytes([0, 2, 255])
    assert found == (good if wrong == right else None)


def test_what_is_no_answer_at_all_is_left_to_others() -> None:
    shown = [array("i", [3, 4])] * 5
    raw = [b"{}", b"", b"[1,2,3]", b'{"3":{"cat":true},"4":{"cow":true}}', b'{"3":true,"4":null}']
    assert Sheets(LABELS).labels(shown, raw) == [None] * 5
