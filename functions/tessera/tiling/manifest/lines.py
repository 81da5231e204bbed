"""What a line of a manifest says: an image to ask, one that is labeled already, or why neither."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import Annotated, Any

import msgspec

from tessera.tiling.errors import ManifestUnreadable
from tessera.tiling.settings import Settings

LONGEST_LINE = 100_000
"""Characters in a manifest line, as Ground Truth counts them."""
LONGEST_BYTES = 4 * LONGEST_LINE
"""More bytes than this are more characters than that, in any script."""
TOO_LONG = f"longer than {LONGEST_LINE:,} characters"
BLOCK = 1024 * 1024
"""Bytes that are looked at together: enough to be fast, few enough to stay in the cache."""
GZIP = b"\x1f\x8b"
LONGEST_KEY = 1024
"""Bytes in the key of an S3 object."""
LONGEST_BUCKET = 255
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

    >>> from tessera.tiling.settings import read_settings
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
        decoder = msgspec.json.Decoder(record_type(settings.label_attribute))
        self._decode = decoder.decode
        self._choices = frozenset(settings.choices) | {None}
        self._attribute = settings.label_attribute

    def read(self, index: int, line: bytes) -> Line:
        """What the line with this number is."""
        raw = line.removesuffix(b"\r")
        if index == 0:
            raw = raw.removeprefix(BYTE_ORDER_MARK)
        try:
            check_text(raw)
            record = self._decode(raw)
            if record.label is not msgspec.UNSET:
                self._check_label(record)
                return Labeled(index, raw)
            self._check(record)
        except BadLine as bad:
            return Rejected(index, str(bad), shown(line))
        except RecursionError:
            return Rejected(index, "nested too deep", shown(line))
        except msgspec.ValidationError as error:
            return Rejected(index, _validation_reason(str(error)), shown(line))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return Rejected(index, f"not JSON: {error}", shown(line))
        return Image(
            index,
            record.source_ref,
            record.prelabel,
            record.prelabel_confidence,
            record.gold,
            raw,
        )

    def _check_label(self, record: Any) -> None:
        if bytes(record.label) == b"null":
            raise BadLine(f"{self._attribute}: null is no label; without the key it is asked")
        check_source(record.source_ref)

    def _check(self, record: Any) -> None:
        check_source(record.source_ref)
        if record.prelabel not in self._choices:
            raise BadLine(f"prelabel: {record.prelabel[:80]!r} is none of the labels")
        if record.gold not in self._choices:
            raise BadLine(f"gold: {record.gold[:80]!r} is none of the labels")


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
            ("label", msgspec.Raw | msgspec.UnsetType, msgspec.UNSET),
        ],
        rename={
            "source_ref": "source-ref",
            "prelabel_confidence": "prelabel-confidence",
            "label": attribute,
        },
        gc=False,
    )


def check_text(raw: bytes) -> None:
    """Raise BadLine if this cannot be a line of a manifest, whatever it says."""
    if len(raw) > LONGEST_BYTES:
        raise BadLine(TOO_LONG)
    if not raw or raw.isspace():
        raise BadLine("the line is empty")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        mark = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
        raise BadLine("UTF-16, not UTF-8" if mark else "not UTF-8") from error
    if len(text) > LONGEST_LINE:
        raise BadLine(TOO_LONG)
    if "\0" in text:
        raise BadLine("holds a NUL: UTF-16, or no text")


def check_source(uri: str) -> None:
    """Raise BadLine if this is not the address of an S3 object."""
    match = _ADDRESS.fullmatch(uri)
    if not match:
        raise BadLine("source-ref: not an S3 URI such as s3://bucket/key")
    if len(match[1]) > LONGEST_BUCKET:
        raise BadLine("source-ref: the bucket's name is longer than S3 allows")
    if len(uri) > LONGEST_KEY // 4 and len(match[2].encode()) > LONGEST_KEY:
        raise BadLine(f"source-ref: the key is longer than {LONGEST_KEY} bytes")


_ADDRESS = re.compile(r"s3://([^/]+)/(.+)", re.DOTALL)


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

    Every physical line counts, so that a line's number is the same for every reader.

    >>> list(manifest_lines([b"a\\nb", b"c\\n", b"d"]))
    [b'a', b'bc', b'd']
    """
    for block in blocks(chunks):
        yield from block[:-1].split(b"\n")


def blocks(chunks: Iterable[bytes], size: int = BLOCK) -> Iterator[bytes]:
    """A manifest in pieces of whole lines, each with its line end, the last one too.

    A line too long to be used is cut, not gathered: memory is bounded whatever comes.
    """
    rest = b""
    for piece in plain(chunks):
        view = memoryview(piece)
        for start in range(0, len(piece), size):
            stop = min(start + size, len(piece))
            end = piece.rfind(b"\n", start, stop) + 1
            if end:
                yield b"".join((rest, view[start:end]))
                rest = piece[end:stop]
            else:
                rest += piece[start:stop]
            rest = rest[: LONGEST_BYTES + 1]
    if rest:
        yield rest + b"\n"


def plain(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces themselves, or what they unpack to if the first bytes are those of gzip."""
    pieces = iter(chunks)
    first = b""
    while len(first) < len(GZIP) and (piece := next(pieces, None)) is not None:
        first += piece
    if first.startswith(GZIP):
        yield from _unpacked(chain([first], pieces))
    else:
        yield first
        yield from pieces


def _unpacked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What gzip members one after the other hold, never more than a piece of it at a time."""
    member = None
    for piece in pieces:
        packed = piece
        while packed:
            if member is None:
                packed = packed.lstrip(b"\0")  # padding between members, or after the last
                if not packed:
                    break
                member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            try:
                text = member.decompress(packed, BLOCK)
            except zlib.error as error:
                raise ManifestUnreadable(f"the manifest is damaged gzip: {error}") from error
            if text:
                yield text
            packed = member.unconsumed_tail
            if member.eof:
                packed, member = member.unused_data, None
    if member is not None:
        raise ManifestUnreadable("the manifest is gzip that ends early")
