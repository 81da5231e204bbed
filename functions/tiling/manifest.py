"""What a line of a manifest says: an image to ask, one that is labeled already, or why neither."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import Annotated, Any

import msgspec

from tiling.errors import ManifestUnreadable
from tiling.settings import Settings

LONGEST_LINE = 100_000
"""Characters in a manifest line, as Ground Truth counts them."""
LONGEST_BYTES = 4 * LONGEST_LINE
"""More bytes than this are more characters than that, in any script."""
UNPACKED_PIECE = 4 * 1024 * 1024
LONGEST_KEY = 1024
"""Bytes in the key of an S3 object."""
SHOWN = 1000
"""Bytes of a rejected line that are kept to recognize it by."""
Confidence = Annotated[float, msgspec.Meta(ge=0, le=1)]
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Image(msgspec.Struct, frozen=True, gc=False):
    """A line to ask: a picture, perhaps with a guess at its label or with its known label."""

    index: int
    source_ref: str
    prelabel: str | None
    prelabel_confidence: float | None
    gold: str | None
    raw: bytes


class Labeled(msgspec.Struct, frozen=True, gc=False):
    """A line that has its label already, and passes through."""

    index: int
    raw: bytes


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """A line that cannot be used, why, and the beginning of what it holds."""

    index: int
    reason: str
    content: str


Line = Image | Labeled | Rejected


def read_manifest(lines: Iterable[bytes], settings: Settings) -> Iterator[Line]:
    """Every line of the manifest as what it is, in order; nothing is skipped.

    >>> from tiling.settings import read_settings
    >>> cats = read_settings(b'{"labels": ["cat", "dog"]}')
    >>> [type(line).__name__ for line in read_manifest([b'{"source-ref": "s3://b/k"}', b"?"], cats)]
    ['Image', 'Rejected']
    """
    reader = LineReader(settings)
    for index, line in enumerate(lines):
        yield reader.read(index, line)


class LineReader:
    """One line at a time, the same way for everyone who reads a manifest."""

    def __init__(self, settings: Settings) -> None:
        """Learn which key holds the label and which answers there are."""
        self._record = record_type(settings.label_attribute)
        self._decode = msgspec.json.Decoder(self._record).decode
        self._choices = frozenset(settings.choices)
        self._attribute = settings.label_attribute

    def read(self, index: int, line: bytes) -> Line:
        """What the line with this number is."""
        raw = line.removesuffix(b"\r")
        if index == 0:
            raw = raw.removeprefix(BYTE_ORDER_MARK)
        try:
            record = self._record_of(raw)
        except BadLine as bad:
            return Rejected(index, str(bad), shown(line))
        if record is None:
            return Labeled(index, raw)
        return Image(
            index,
            record.source_ref,
            record.prelabel,
            record.prelabel_confidence,
            record.gold,
            raw,
        )

    def _record_of(self, raw: bytes) -> Any:
        """The decoded line, None if it is labeled already; BadLine with the reason otherwise."""
        if not raw or raw.isspace():
            raise BadLine("the line is empty")
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            mark = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
            raise BadLine("UTF-16, not UTF-8" if mark else "not UTF-8") from error
        if len(text) > LONGEST_LINE:
            raise BadLine(f"longer than {LONGEST_LINE:,} characters")
        if "\0" in text:
            raise BadLine("holds a NUL byte: UTF-16, or not text")
        try:
            record = self._decode(raw)
        except RecursionError as error:
            raise BadLine("nested too deep") from error
        except msgspec.ValidationError as error:
            raise BadLine(_validation_reason(str(error))) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadLine(f"not JSON: {error}") from error
        problem = source_problem(record.source_ref)
        if problem:
            raise BadLine(problem)
        if record.label is not msgspec.UNSET:
            if record.label is None:
                raise BadLine(f"{self._attribute}: null is no label; without the key it is asked")
            return None
        for key, name in (("prelabel", record.prelabel), ("gold", record.gold)):
            if name is not None and name not in self._choices:
                raise BadLine(f"{key}: {name[:80]!r} is none of the labels")
        return record


class BadLine(Exception):
    """Why one line cannot be used: the message is the reason that is written down."""


@lru_cache(maxsize=8)
def record_type(attribute: str) -> Any:
    """The keys that mean something in a line, the run's own label attribute among them."""
    return msgspec.defstruct(
        "Record",
        [
            ("source_ref", str),
            ("prelabel", str | None, None),
            ("prelabel_confidence", Confidence | None, None),
            ("gold", str | None, None),
            ("label", Any, msgspec.UNSET),
        ],
        rename={
            "source_ref": "source-ref",
            "prelabel_confidence": "prelabel-confidence",
            "label": attribute,
        },
        gc=False,
    )


def source_problem(uri: str) -> str:
    """Why this is not the address of an S3 object; empty if it is one."""
    match = re.match(r"s3://([^/]+)/(.+)", uri, re.DOTALL)
    if not match:
        return "source-ref: not an S3 URI such as s3://bucket/key"
    if len(match[1]) > 255:
        return "source-ref: the bucket's name is longer than S3 allows"
    if len(match[2].encode()) > LONGEST_KEY:
        return f"source-ref: the key is longer than {LONGEST_KEY} bytes"
    return ""


def _validation_reason(said: str) -> str:
    """The decoder's finding in the words of a manifest."""
    if "missing required field `source-ref`" in said:
        return "no source-ref"
    what, _, where = said.partition(" - at `$.")
    if not where:
        return "not a JSON object"
    return f"{where.rstrip('`')}: {what[0].lower()}{what[1:]}"


def shown(line: bytes) -> str:
    """The beginning of a line as text, whatever its bytes are."""
    text = line[:SHOWN].decode("utf-8", "backslashreplace")
    return text if len(line) <= SHOWN else text + "…"


def manifest_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a manifest that comes in pieces, plain or gzip, without their line ends.

    Every physical line counts, so that a line's number is the same for every reader. A line too
    long to be used is cut, not gathered: memory is bounded whatever the manifest holds.

    >>> list(manifest_lines([b"a\\nb", b"c\\n", b"d"]))
    [b'a', b'bc', b'd']
    """
    rest = b""
    for chunk in plain(chunks):
        *whole, rest = (rest + chunk).split(b"\n") if b"\n" in chunk else [rest + chunk]
        if len(rest) > LONGEST_BYTES:
            rest = rest[: LONGEST_BYTES + 1]
        yield from whole
    if rest:
        yield rest


def plain(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces themselves, or what they unpack to if the first bytes are those of gzip."""
    pieces = iter(chunks)
    first = next(pieces, b"")
    if not first.startswith(b"\x1f\x8b"):
        yield first
        yield from pieces
        return
    unpack, fresh = zlib.decompressobj(31), False
    for piece in chain([first], pieces):
        packed = piece
        while packed:
            try:
                text = unpack.decompress(packed, UNPACKED_PIECE)
            except zlib.error as error:
                raise ManifestUnreadable(f"the manifest is damaged gzip: {error}") from error
            if text:
                yield text
            packed = unpack.unconsumed_tail
            if unpack.eof:  # a file may be several gzip members, one after the other
                packed = unpack.unused_data.lstrip(b"\0")
                unpack = zlib.decompressobj(31)
                fresh = not packed
            else:
                fresh = False
    if not fresh:
        raise ManifestUnreadable("the manifest is gzip that ends early")
