"""Read CSV files that other programs wrote, and tell what is odd about them.

Every command reads them here: what cannot be used is refused with file, line and remedy, and what
can be used in one sensible way is used in that way, with a notice.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TextIO

from tessera.exits import Refused
from tessera.screen import counted
from tessera.tiling.csv_field import plain_text
from tessera.tiling.encoding import WINDOWS, Encoding, NotText, detect_encoding

PIECE = 1024 * 1024
"""Bytes that are looked at together for a file's encoding."""
DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
"""Characters that separate columns, the usual one first; Excel writes semicolons in Europe."""
LONGEST_HEADER = 100_000
"""Characters of a header that are looked at, fewer than the longest field of the csv module."""
NO_VALUE = frozenset({"", "nan", "NaN", "NAN", "<NA>"})
"""Spellings of a missing value by spreadsheets and pandas; Nan is a name that people have."""
MISSING_IN_PANDAS = frozenset(
    {"#n/a", "-nan", "1.#ind", "1.#qnan", "n/a", "na", "null", "none", "-1.#ind", "#na"}
)
"""Labels, in lower case, that are taken for missing values when pandas reads them again."""
_SEPARATOR_LINE = re.compile(r"sep=(.)\s*", re.IGNORECASE)
"""First line by which Excel names the separator to itself."""


class Row(NamedTuple):
    """Wanted columns of one row, and the line of the file on which the row begins."""

    line: int
    fields: tuple[str, ...]


class Notices:
    """Notices about one file: each thing once, with how often it was met and where first."""

    def __init__(self, path: Path) -> None:
        """Begin without any."""
        self._path = path
        self._counts: dict[tuple[str, str], tuple[int, int]] = {}
        self._sentences: list[str] = []

    def count(self, noun: str, remark: str, line: int, times: int = 1) -> None:
        """Count one case more of a remark, which follows the number of `noun`s."""
        before, first = self._counts.get((noun, remark), (0, line))
        self._counts[noun, remark] = before + times, first

    def add(self, sentence: str) -> None:
        """Add a notice about the file as a whole."""
        self._sentences.append(f"{self._path}: {sentence}")

    def __iter__(self) -> Iterator[str]:
        """Iterate over the notices as sentences."""
        yield from self._sentences
        for (noun, remark), (times, first) in self._counts.items():
            yield f"{self._path}: {counted(times, noun)} {remark} (the first on line {first})"


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what the system says of a file that cannot be read into a refusal that names it."""
    try:
        yield
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror or error}") from error


def read_rows(path: Path, columns: tuple[str, ...], notices: Notices) -> Iterator[Row]:
    """Yield these columns of each row of a CSV file, stripped of spaces; Refused as a whole.

    A column may have several names, as in `image|file`, of which the first counts that is there.

    Refused are other encodings than `detect_encoding` knows, missing columns, quotes that do not
    close, and rows with more or fewer fields than the header has columns.
    """
    with readable(path):
        encoding = _encoding_of(path, notices)
        with path.open(encoding=encoding, newline="") as file:
            header = _Header.read(path, file, columns, notices)
            reader = csv.reader(chain(header.lines, file), delimiter=header.delimiter, strict=True)
            yield from _rows(path, reader, columns, header, notices)


class Table(NamedTuple):
    """Columns of a CSV file by name, and its rows: each with the line on which it begins."""

    columns: list[str]
    rows: Iterator[Row]


@contextmanager
def open_table(path: Path, columns: tuple[str, ...], notices: Notices) -> Iterator[Table]:
    """Open a CSV file that has one of these columns, in capitals or not, and yield all of it.

    Fields are stripped of spaces; a row that is short gets empty ones. Refused is what `read_rows`
    refuses.
    """
    with readable(path):
        encoding = _encoding_of(path, notices)
        with path.open(encoding=encoding, newline="") as file:
            header = _Header.read(path, file, ("|".join(columns),), notices, any_case=True)
            reader = csv.reader(chain(header.lines, file), delimiter=header.delimiter, strict=True)
            rows = _numbered(path, reader, header.skipped)
            _, cells = next(rows)
            names = [_plain(name) for name in cells]
            _check_header(path, header, [name.lower() for name in names], ("|".join(columns),))
            yield Table(names, _whole_rows(path, rows, names, notices))


def _plain(cell: str) -> str:
    return plain_text(cell.strip()).strip()


def _whole_rows(
    path: Path, rows: Iterator[tuple[int, list[str]]], header: list[str], notices: Notices
) -> Iterator[Row]:
    """Yield all fields of each row that has any."""
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):
            notices.count("row", "without any value passed over", line)
            continue
        _check_fields(path, line, cells, header, [], notices)
        fields = [_plain(cell) for cell in cells[: len(header)]]
        yield Row(line, (*fields, *[""] * (len(header) - len(fields))))


def refuse_line_end(path: Path, line: int, name: str, field: str) -> None:
    """Refuse a field that goes over several lines, as one behind a stray quote does."""
    if "\n" in field or "\r" in field:
        raise Refused(
            f"{path}, line {line}: the {name} goes over several lines, so a quote is "
            'probably missing or too many. Write a quote inside a field as ""'
        )


def _encoding_of(path: Path, notices: Notices) -> str:
    def read() -> Iterator[bytes]:
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece

    try:
        encoding: Encoding = detect_encoding(read)
    except NotText as error:
        raise Refused(f"{path} cannot be read as CSV: {error}") from error
    if encoding.name == WINDOWS:
        notices.add(
            f"not UTF-8, so it is read as Windows-1252; line {encoding.line} then says "
            f"{encoding.excerpt!r}. If that is wrong, save the file as CSV UTF-8"
        )
    return encoding.name


class _Header(NamedTuple):
    """First lines of a file, and by what its columns are separated."""

    lines: list[str]
    delimiter: str
    skipped: int
    """Lines before the first one that the reader gets."""

    @classmethod
    def read(
        cls,
        path: Path,
        file: TextIO,
        columns: tuple[str, ...],
        notices: Notices,
        *,
        any_case: bool = False,
    ) -> _Header:
        """Find the separator that gives the wanted columns; Refused if none does."""
        skipped, line = 0, file.readline()
        match = None
        while line and (not line.strip() or (match := _SEPARATOR_LINE.fullmatch(line))):
            skipped, line = skipped + 1, file.readline()
        if not line:
            raise Refused(f"{path} is empty; its first line has to name {_in_words(columns)}.")
        candidates = [match[1]] if match else list(DELIMITERS)
        read = line.lower() if any_case else line
        for delimiter in candidates:
            if all(_place_of(name, _cells(read, delimiter)) for name in columns):
                if delimiter != ",":
                    name = DELIMITERS.get(delimiter, repr(delimiter))
                    notices.add(f"columns are separated by {name}, and are read so")
                return cls([line], delimiter, skipped)
        _refuse_header(path, line, columns, skipped + 1)
        raise AssertionError("unreachable")


def _cells(line: str, delimiter: str) -> list[str]:
    # Not the reader's own limit: a line without any column's name is refused for that.
    cells = next(csv.reader([line[:LONGEST_HEADER]], delimiter=delimiter), [])
    # A tab beside a name separates it, if the columns are not separated by something else.
    return [cell.strip(" \r\n") if "\t" in cell else cell.strip() for cell in cells]


def _place_of(column: str, cells: Sequence[str]) -> str:
    """Return the name under which a column is there, of those that `|` separates; empty if none."""
    return next((name for name in column.split("|") if name in cells), "")


def _check_header(
    path: Path, header: _Header, names: Sequence[str], columns: tuple[str, ...]
) -> None:
    """Refuse a header whose first line alone has the columns, as where a quote is missing."""
    if all(_place_of(column, names) for column in columns):
        return
    for name in names:
        refuse_line_end(path, header.skipped + 1, "name of a column", name)
    raise Refused(
        f"{path}, line {header.skipped + 1}: the columns are {', '.join(map(repr, names[:10]))}. "
        f"The first line has to name {_in_words(columns)}"
    )


def _refuse_header(path: Path, line: str, columns: tuple[str, ...], number: int) -> None:
    """Raise Refused with the column that is missing, and the one that may be meant."""
    delimiter = max(DELIMITERS, key=lambda delimiter: len(_cells(line, delimiter)))
    cells = _cells(line, delimiter)
    missing = next(name for name in columns if not _place_of(name, cells)).split("|")[0]
    lower = {cell.casefold(): cell for cell in cells}
    near = get_close_matches(missing, lower, n=1)
    hint = f"; is {lower[near[0]]!r} meant? Rename it" if near else ""
    apart = "" if delimiter == "," else f" Its columns seem to be separated by {delimiter!r}."
    names = ", ".join(repr(cell[:80]) for cell in cells[:10])
    raise Refused(
        f"{path}, line {number}: no column {missing!r} among {names}{hint}. The first line has to "
        f"name {_in_words(columns)}.{apart}"
    )


def _in_words(columns: Sequence[str]) -> str:
    names = [column.split("|") for column in columns]
    spelled = [f"{name} (or {', '.join(more)})" if more else name for name, *more in names]
    return f"the column{'s' if len(names) > 1 else ''} {', '.join(spelled)}"


def _rows(
    path: Path,
    reader: Iterator[list[str]],
    columns: tuple[str, ...],
    header: _Header,
    notices: Notices,
) -> Iterator[Row]:
    """Yield the rows behind the header, each checked against it."""
    rows = _numbered(path, reader, header.skipped)
    _, cells = next(rows)
    names = [name.strip() for name in cells]
    _check_header(path, header, names, columns)
    columns = tuple(_place_of(name, names) for name in columns)
    places = [_place(path, names, name, header.skipped + 1) for name in columns]
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):
            notices.count("row", "without any value passed over", line)
            continue
        _check_fields(path, line, cells, names, places, notices)
        fields = tuple(_plain(cells[place]) for place in places)
        for name, field in zip(columns, fields, strict=True):
            refuse_line_end(path, line, name, field)
        yield Row(line, fields)


def _numbered(
    path: Path, reader: Iterator[list[str]], skipped: int
) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the line that it begins on; Refused if its quotes do not close."""
    begins = skipped + 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            reason = {
                "unexpected end of data": "a quote opens here and never closes",
                "new-line character seen in unquoted field - "
                "do you need to open the file with newline=''?": "a line end inside a field",
            }.get(str(error), str(error))
            raise Refused(
                f"{path}, line {begins}: {reason}. Put a field with quotes, commas or line ends "
                'into quotes, and write a quote inside it as ""'
            ) from error
        yield begins, cells
        begins = skipped + getattr(reader, "line_num", 0) + 1


def _place(path: Path, header: list[str], name: str, line: int) -> int:
    if header.count(name) > 1:
        raise Refused(
            f"{path}, line {line}: {header.count(name)} columns are called {name!r}. Rename all "
            "but the one that counts"
        )
    return header.index(name)


def _check_fields(
    path: Path,
    line: int,
    cells: list[str],
    header: list[str],
    places: list[int],
    notices: Notices,
) -> None:
    """Refuse a row with a field too many, or without a wanted one; count one that is short."""
    if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
        raise Refused(
            f"{path}, line {line}: more fields than columns ({len(cells)} and {len(header)}). Put "
            "a field that holds a comma into quotes"
        )
    if len(cells) <= max(places, default=-1):
        raise Refused(
            f"{path}, line {line}: fewer fields than columns ({len(cells)} and {len(header)}). "
            "Complete or delete the line"
        )
    if len(cells) < len(header):
        notices.count("row", "with fewer fields than columns, read all the same", line)


def is_missing(value: str) -> bool:
    """Return whether a field holds no value.

    >>> [is_missing(value) for value in ("", "NaN", "N/A")]
    [True, True, False]
    """
    return value in NO_VALUE


def canonical_id(text: str) -> str:
    """Return a name as it was before a spreadsheet or pandas took it for a number.

    >>> [canonical_id(text) for text in ("12.0", "1e5", "1.5", "007", "a.jpg")]
    ['12', '100000', '1.5', '007', 'a.jpg']
    """
    match = re.fullmatch(r"[+-]?(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d{1,2}))?", text, re.ASCII)
    if not match or (match[2] is None and match[3] is None):
        return text
    digits, exponent = match[1] + (match[2] or ""), int(match[3] or 0)
    point = len(match[1]) + exponent
    if point < 0 or digits[point:].strip("0"):
        return text  # a fraction, so never a whole number before
    whole = digits[:point].ljust(point, "0").lstrip("0") or "0"
    return f"-{whole}" if text.startswith("-") else whole
