"""Read wanted columns of a plain CSV file as numbers of names, by column and not by row.

Plain are most files that programs write: UTF-8, commas, no quotes, every row with as many fields as
the header, nothing to strip or to tell of. Of any other file nothing is read here: `read_plain`
returns None, and the reader of rows (`csv_file`) reads or refuses it. So there is one place that
says what is odd, and this one must only be sure that nothing is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tessera.csv_file import readable
from tessera.tiling.csv_field import plain_text

CHUNK = 4 * 1024 * 1024
"""Bytes read at a time: temporary arrays take some ten times as much."""
LONGEST_NAME = 64
"""Bytes of a name that is read here; longer ones are texts, and rare."""
LONGEST_LINE = 100_000
"""Bytes of a line, fewer than the longest field of the csv module."""
WORD = 8
"""Bytes of a name that are compared at once, as one number."""
FIRST_BYTES = np.array([(1 << 8 * size) - 1 for size in range(WORD + 1)], np.uint64)
"""Masks of the first so many bytes of a word."""
FIRST_BEYOND_ASCII = 0x80
NAMES_AT_A_TIME = 50_000
"""Names that are text at a time."""
NEWLINE, COMMA, SPACE, APOSTROPHE = 10, 44, 32, 39

Words = NDArray[np.uint64]
"""Names as numbers of eight bytes each, padded by zeros (words x names)."""


class Names(Mapping[str, int]):
    """Numbers of names that are all in one array of bytes: a million are no million objects."""

    def __init__(self, texts: NDArray[np.bytes_]) -> None:
        """Number names, of UTF-8, in their order."""
        self._texts = texts
        self._numbers: dict[str, int] = {}

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names by number."""
        for start in range(0, len(self._texts), NAMES_AT_A_TIME):
            # Decoded together, which a name with a line's end in it would not survive: none has.
            yield from (
                b"\n".join(self._texts[start : start + NAMES_AT_A_TIME].tolist())
                .decode()
                .split("\n")
            )

    def __len__(self) -> int:
        """Count the names."""
        return len(self._texts)

    def beginning_with(self, characters: Iterable[str]) -> list[str]:
        """Return the names that begin with one of these characters of ASCII, by number."""
        wanted = np.frombuffer("".join(characters).encode("ascii"), np.uint8)
        firsts = np.ascontiguousarray(self._texts).view(np.uint8).reshape(len(self), -1)[:, 0]
        return [text.decode() for text in self._texts[np.isin(firsts, wanted)].tolist()]

    def in_order(self) -> NDArray[np.intp]:
        """Return the numbers of the names in alphabetical order, which is that of their bytes."""
        return np.argsort(self._texts, kind="stable")

    def __getitem__(self, name: str) -> int:
        """Return the number of a name; the first question makes a table of all."""
        if not self._numbers:
            self._numbers = {name: number for number, name in enumerate(self)}
        return self._numbers[name]


class Column(NamedTuple):
    """Column as numbers of its names (rows), and the names by number, in order of appearance."""

    names: Names
    codes: NDArray[np.int32]


class _NotPlainError(Exception):
    """Raised where a file has anything that takes a reader of rows."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Names of one column in one chunk: those that differ, and their numbers (rows)."""

    words: Words
    codes: NDArray[np.int32]


def read_plain(path: Path, columns: tuple[str, ...]) -> list[Column] | None:
    """Return these columns, or None if the file takes a reader of rows."""
    parts: list[list[_Chunk]] = [[] for _ in columns]
    try:
        with readable(path):
            for places, width, lines in _chunks(path, columns):
                for part, column in zip(parts, _columns(lines, width, places), strict=True):
                    part.append(column)
        return [_join(part) for part in parts] if parts[0] else None
    except _NotPlainError:
        return None


def _chunks(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[list[int], int, bytes]]:
    """Yield whole lines, with the places of the wanted columns and the number of all."""
    with path.open("rb") as file:
        header = file.readline(LONGEST_LINE).removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")
        names = header.decode("ascii", "replace").split(",")
        if (
            not header.isascii()
            or b'"' in header
            or any(names.count(name) != 1 for name in columns)
        ):
            raise _NotPlainError
        places, width, rest = [names.index(name) for name in columns], len(names), b""
        while piece := file.read(CHUNK):
            end = piece.rfind(b"\n") + 1
            if not end and len(rest) > LONGEST_LINE:
                raise _NotPlainError
            if end:
                yield places, width, rest + piece[:end]
                rest = piece[end:]
            else:
                rest += piece
        if rest:
            yield places, width, rest + b"\n"


def _columns(lines: bytes, width: int, places: list[int]) -> Iterator[_Chunk]:
    """Yield the wanted columns of whole lines; raises _NotPlainError if anything is odd."""
    if b"\r" in lines:
        lines = lines.replace(b"\r\n", b"\n")
    data = np.frombuffer(lines, np.uint8)
    # controls (a lone carriage return among them) and quotes are for the reader of rows
    if ((data < SPACE) & (data != NEWLINE)).any() or b'"' in lines:
        raise _NotPlainError
    if (data >= FIRST_BEYOND_ASCII).any():
        _check_utf8(lines)  # all columns: the encoding is that of the file
    ends = np.flatnonzero((data == COMMA) | (data == NEWLINE)).astype(np.int32)
    if len(ends) % width:
        raise _NotPlainError
    table = ends.reshape(-1, width)
    newlines = data[table] == NEWLINE
    if not newlines[:, -1].all() or newlines[:, :-1].any():
        raise _NotPlainError
    starts = np.empty_like(table)
    starts[:, 1:] = table[:, :-1] + 1
    starts[0, 0] = 0
    starts[1:, 0] = table[:-1, -1] + 1
    if int((table - starts).max()) > LONGEST_LINE:
        raise _NotPlainError
    padded = lines + bytes(LONGEST_NAME)
    for place in places:
        yield _names_of(padded, data, starts[:, place], table[:, place])


def _check_utf8(lines: bytes) -> None:
    """Raise _NotPlainError for bytes that are no UTF-8."""
    try:
        lines.decode()
    except UnicodeDecodeError as error:
        raise _NotPlainError from error


def _names_of(
    padded: bytes, data: NDArray[np.uint8], starts: NDArray[np.int32], ends: NDArray[np.int32]
) -> _Chunk:
    """Return the names of a column between these places of the data."""
    lengths = ends - starts
    shortest, longest = int(lengths.min()), int(lengths.max())
    # an empty name is a missing one, which is told of or refused with its line
    if longest > LONGEST_NAME or not shortest:
        raise _NotPlainError
    first, last = data[starts], data[ends - 1]
    if ((first == SPACE) | (first == APOSTROPHE) | (last == SPACE)).any():
        raise _NotPlainError
    # eight bytes from any place on, as one number
    from_place: Words = np.ndarray((len(padded) - WORD + 1,), np.dtype("<u8"), padded, strides=(1,))
    words = np.empty((-(-longest // WORD), len(starts)), np.uint64)
    for number, row in enumerate(words):
        row[:] = from_place[starts + number * WORD]
        if shortest < (number + 1) * WORD:
            row &= FIRST_BYTES[np.clip(lengths - number * WORD, 0, WORD)]
    rows, codes = _factorize(words)
    return _Chunk(words[:, rows], codes)


def _factorize(words: Iterable[Words]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the first row of each name that differs, in order of appearance, and its numbers."""
    firsts, codes = np.zeros(1, np.int64), np.zeros(0, np.int32)
    for row in words:
        of_row, more = _factorize_one(row)
        if len(firsts) == 1:  # nothing differs before this word, such as in one folder's names
            firsts, codes = of_row, more
        elif len(of_row) > 1:
            both = codes.astype(np.uint64) * np.uint64(len(of_row)) + more.astype(np.uint64)
            firsts, codes = _factorize_one(both)
    return firsts, codes


def _factorize_one(keys: Words) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Number the keys in order of appearance: first row of each, and the number of each row."""
    changes = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    if len(changes) < len(keys) // 2:  # a worker's answers often follow one another
        heads = np.concatenate([[0], changes])
        firsts, codes = _number(keys[heads])
        return heads[firsts], np.repeat(codes, np.diff(heads, append=len(keys)))
    return _number(keys)


def _number(keys: Words) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    if (keys[1:] > keys[:-1]).all():  # ids are often in order: nothing to sort, each is new
        return np.arange(len(keys)), np.arange(len(keys), dtype=np.int32)
    order = np.argsort(keys)
    ordered = keys[order]
    begins = np.empty(len(keys), np.bool_)
    begins[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=begins[1:])
    firsts = np.minimum.reduceat(order, np.flatnonzero(begins))
    appearance = np.argsort(firsts)
    rank = np.empty(len(firsts), np.int32)
    rank[appearance] = np.arange(len(firsts), dtype=np.int32)
    codes = np.empty(len(keys), np.int32)
    codes[order] = rank[np.cumsum(begins) - 1]
    return firsts[appearance], codes


def _join(chunks: list[_Chunk]) -> Column:
    """Return a column of all chunks; raises _NotPlainError if a name has to be looked at."""
    most = max(len(chunk.words) for chunk in chunks)

    def word(number: int) -> Words:
        """Return one word of all names: all of them together would be in memory twice."""
        return np.concatenate([
            chunk.words[number]
            if number < len(chunk.words)
            else np.zeros(chunk.words.shape[1], np.uint64)
            for chunk in chunks
        ])  # fmt: skip

    rows, codes = _factorize(word(number) for number in range(most))
    offsets = np.cumsum([0, *(chunk.words.shape[1] for chunk in chunks)])
    joined = np.concatenate(
        [codes[start:][chunk.codes] for start, chunk in zip(offsets, chunks, strict=False)]
    )
    words = np.stack([word(number)[rows] for number in range(most)], axis=1)
    texts = words.view(f"S{WORD * most}")[:, 0]
    names = Names(texts)
    if (texts.view(np.uint8) >= FIRST_BEYOND_ASCII).any():
        _check(names)
    return Column(names, joined)


def _check(names: Names) -> None:
    """Raise _NotPlainError where names of any language are to be stripped."""
    if any(plain_text(name.strip()).strip() != name for name in names):
        raise _NotPlainError
