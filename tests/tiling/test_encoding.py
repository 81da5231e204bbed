"""Text and JSON of any encoding are read the same, or refused with the line and the remedy."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.encoding import MARKS, Encoding, NotText, decode_json, detect_encoding

HEADER = "task,worker,label\n"
text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)


def decoded(raw: bytes, *, size: int = 7) -> str:
    pieces = [raw[place : place + size] for place in range(0, len(raw), size)]
    return raw.decode(detect_encoding(lambda: pieces).name)


@given(text, st.sampled_from([name for _, name in MARKS]))
def test_a_text_with_a_byte_order_mark_is_read_whatever_it_says(words: str, name: str) -> None:
    assert decoded((HEADER + words).encode(name)) == HEADER + words


@given(text, st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"]))
def test_a_text_without_a_mark_is_known_by_its_latin_letters(words: str, name: str) -> None:
    latin = HEADER + "1,ann,cat\n" * len(words)
    assert decoded((latin + words).encode(name)) == latin + words


@given(st.integers(0, 50))
def test_windows_letters_are_reported_with_their_line(lines: int) -> None:
    raw = b"a\n" * lines + "Käse\n".encode("cp1252")

    assert detect_encoding(lambda: [raw]) == Encoding("cp1252", lines + 1, "Käse")


@given(st.binary(max_size=80), st.integers(1, 80))
def test_whatever_the_bytes_are_they_are_decoded_or_refused_with_a_remedy(
    raw: bytes, size: int
) -> None:
    message = ""
    try:
        decoded(raw, size=size)
    except NotText as error:
        message = str(error)
    assert not message or "save it" in message or "unpack it" in message or "write it" in message


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"PK\x03\x04 a workbook", "Excel"),
        (b"\x1f\x8b packed", "gunzip"),
        (b"task\0,worker", "NUL"),
        (b"a\nb\nc\0", "line 3"),
        (b"\xff\xfet\0a", "damaged UTF-16"),
        (b"\x81\x8d", "neither"),
        (b"\xe4\x01", "no text"),
    ],
)
def test_bytes_that_are_no_text_say_what_they_are(raw: bytes, words: str) -> None:
    with pytest.raises(NotText, match=words):
        detect_encoding(lambda: [raw])


@pytest.mark.parametrize("name", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_a_document_is_the_same_in_every_encoding(name: str) -> None:
    document = {"labels": ["café", "dog"], "question": "Was ist das für ein Tier?"}

    assert decode_json(json.dumps(document, ensure_ascii=False).encode(name)) == document


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "truncated"),
        (b'{\n "labels": ["cat",],\n}', "line 2, column 19"),
        ('{"labels": ["Käse"]}'.encode("cp1252"), "Windows-1252.*save it as UTF-8"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"labels": 1, "seed": 2, "labels": 3}', "'labels' is there more than once"),
        (b'{"a": {"b": 1, "b": 1}}', "'b' is there more than once"),
        (b'{"seed": NaN}', "line 1, column 10"),
    ],
)
def test_a_document_that_is_no_json_is_refused_with_the_place(raw: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decode_json(raw)
