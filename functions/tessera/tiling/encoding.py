"""Decode text and JSON from outside, whatever program on whatever system wrote them.

UTF-8 and UTF-16, with and without a byte order mark, say what they are. Windows-1252, which Excel
writes in western Europe and America, is only probable where a text is no UTF-8; so it is decoded
with a notice where a person sees one, and refused with the remedy where nobody does.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

WINDOWS = "cp1252"
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks, and the encodings that they stand for."""
NO_TEXT = (
    (b"PK\x03\x04", "an Excel workbook or another zip archive; save it as CSV UTF-8"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook; save it as CSV UTF-8"),
    (b"\x1f\x8b", "packed by gzip; unpack it: gunzip FILE"),
    (b"PAR1", "a Parquet file; write it as CSV"),
    (b"%PDF", "a PDF; export it as CSV"),
)
"""First bytes of files that are taken for CSV or JSON by mistake, and what to do with each."""
HEAD = 4096
"""Bytes that show whether every second one is zero, as Latin letters in UTF-16 have it."""
EXCERPT = 20
"""Characters before and behind the first one that shows which encoding a text has."""
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_LINE_OF = re.compile(r"\(byte (\d+)\)$")


class NotText(ValueError):
    """Bytes that are no text; the message says what they are and what to do."""


class Encoding(NamedTuple):
    """Encoding of a text; if it is only probable, the first line that shows it and an excerpt."""

    name: str
    line: int = 0
    excerpt: str = ""


Read = Callable[[], Iterable[bytes]]
"""Reads a text in pieces, each time from its beginning."""


def detect_encoding(read: Read) -> Encoding:
    """Return the encoding of a text, all of which can be decoded by it; raises NotText.

    >>> detect_encoding(lambda: [b"label\\nK\\xe4se\\n"])
    Encoding(name='cp1252', line=2, excerpt='Käse')
    """
    head = _head(read())
    for magic, meaning in NO_TEXT:
        if head.startswith(magic):
            raise NotText(f"it is {meaning}")
    name = next((name for mark, name in MARKS if head.startswith(mark)), "") or _without_mark(head)
    try:
        line = _check(read(), name)
    except UnicodeDecodeError as error:
        if name != "utf-8":
            raise NotText(
                f"it is damaged {name.upper()}: {error.reason}; save it as UTF-8"
            ) from None
        return _windows(read)
    if line:
        raise NotText(f"line {line} holds a NUL character, so it is no text; save it as UTF-8")
    return Encoding(name)


def decode_json(raw: bytes) -> Any:
    """Return what a JSON document holds; raises NotText or ValueError, with the line, if nothing.

    Keys that are there twice are refused: which of them was meant, nobody knows.

    >>> decode_json("\\ufeff[1]".encode())
    [1]
    """
    encoding = detect_encoding(lambda: [raw])
    if encoding.name == WINDOWS:
        raise NotText(
            f"it is not UTF-8 but probably Windows-1252 (line {encoding.line}: "
            f"{encoding.excerpt!r}); save it as UTF-8"
        )
    text = raw.decode(encoding.name)
    try:
        document = msgspec.json.decode(text)
        # The faster decoder keeps the last of equal keys without a word, so this one looks, too.
        json.loads(text, object_pairs_hook=_check_keys)
    except msgspec.DecodeError as error:
        raise ValueError(_with_line(str(error), text)) from error
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    return document


def _check_keys(pairs: list[tuple[str, Any]]) -> None:
    keys = [key for key, _ in pairs]
    twice = next((key for number, key in enumerate(keys) if key in keys[:number]), None)
    if twice is not None:
        raise ValueError(f"the key {twice!r} is there more than once; keep one of them")


def _with_line(message: str, text: str) -> str:
    """Return the decoder's message with the line and column in the place of its byte."""
    match = _LINE_OF.search(message)
    if not match:
        return message
    before = text.encode()[: int(match[1])].decode(errors="ignore")
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    return f"line {line}, column {column}: {message[: match.start()].strip()}"


def _head(pieces: Iterable[bytes]) -> bytes:
    head = b""
    for piece in pieces:
        head += piece[:HEAD]
        if len(head) >= HEAD:
            break
    return head[:HEAD]


def _without_mark(head: bytes) -> str:
    """Return the encoding of a text without a byte order mark, by where its zero bytes are."""
    zeros = head[::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    # Names of columns are Latin letters, so in UTF-16 at least a third of the units are, too.
    # Few of the others have a zero in the other half: Ā, U+0100, and every 256th letter.
    if zeros[1] > half / 3 and zeros[1] > 2 * zeros[0]:
        return "utf-16-le"
    if zeros[0] > half / 3 and zeros[0] > 2 * zeros[1]:
        return "utf-16-be"
    return "utf-8"


def _check(pieces: Iterable[bytes], name: str) -> int:
    """Decode a text; return the line of its first NUL, or 0 without one."""
    decoder = codecs.getincrementaldecoder(name)()
    lines = 1
    for text in _decoded(pieces, decoder):
        if "\0" in text:
            return lines + text.count("\n", 0, text.index("\0"))
        lines += text.count("\n")
    return 0


def _decoded(pieces: Iterable[bytes], decoder: codecs.IncrementalDecoder) -> Iterator[str]:
    for piece in pieces:
        yield decoder.decode(piece)
    yield decoder.decode(b"", final=True)


def _windows(read: Read) -> Encoding:
    """Return Windows-1252 with the first line that shows it; raises NotText if it cannot be."""
    evidence: tuple[int, str] | None = None
    lines = 1
    for piece in read():
        try:
            text = piece.decode(WINDOWS)
        except UnicodeDecodeError:
            raise NotText(
                "it is neither UTF-8, UTF-16 nor Windows-1252; save it as UTF-8"
            ) from None
        if _CONTROLS.search(piece):
            raise NotText("it is no text; save it as UTF-8")
        if evidence is None and not text.isascii():
            place = next(number for number, letter in enumerate(text) if letter > "\x7f")
            before = text[max(place - EXCERPT, 0) : place].rpartition("\n")[2]
            behind = re.split("[\r\n]", text[place : place + EXCERPT], maxsplit=1)[0]
            evidence = lines + text.count("\n", 0, place), before + behind
        lines += text.count("\n")
    return Encoding(WINDOWS, *(evidence or (0, "")))
