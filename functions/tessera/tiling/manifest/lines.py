"""Read one line of a manifest: an image to label, one that has a label, or why it is neither."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Annotated, Any

import msgspec

from tessera.tiling.manifest.boxes import Box, BoxReader, BoxUnusable
from tessera.tiling.manifest.class_rule import NoClass
from tessera.tiling.manifest.set_rule import label_rule
from tessera.tiling.manifest.source_rule import ANY_SOURCE, SourceRule
from tessera.tiling.manifest.sources import source_problem
from tessera.tiling.settings import Settings, normal_text

MAX_LINE_CHARACTERS = 100_000
"""Ground Truth's quota for a line of an input manifest."""
MAX_LINE_BYTES = 4 * MAX_LINE_CHARACTERS
"""UTF-8 takes four bytes a character at most, so a longer line is too long without decoding it."""
MAX_EXCERPT_BYTES = 1000
"""Bytes of a rejected line that are kept: enough to recognize it by, whatever was uploaded."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
Confidence = Annotated[float, msgspec.Meta(ge=0, le=1)]

_TOO_LONG = f"longer than {MAX_LINE_CHARACTERS:,} characters"


class Image(msgspec.Struct, frozen=True, gc=False):
    """Line to label: an image, perhaps with a guess at its label or with its known label."""

    index: int
    source_ref: str
    prelabel: str | None
    prelabel_confidence: float | None
    gold: str | None
    raw: bytes
    box: Box | None = None
    """Part of the picture that is asked about, where that is not the whole of it."""

    @property
    def identity(self) -> str:
        """Return what two lines have in common if they ask the same: the picture, or a box of it.

        Where boxes are verified, the question names the box's class, so that is of it, too.
        """
        if self.box is None:
            return self.source_ref
        return f"{self.source_ref}\n{self.box.text}\n{self.box.name or ''}"


class Labeled(msgspec.Struct, frozen=True, gc=False):
    """Line that has a label already, and passes through, perhaps with its class's number here."""

    index: int
    raw: bytes
    renumbered: bool = False


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """Line that cannot be used, with the reason and the beginning of its content."""

    index: int
    reason: str
    content: str
    line: int = 0
    """Line of the manifest, from one, where lines are cut into boxes; else it is the index's."""


Line = Image | Labeled | Rejected


class BadLine(Exception):
    """Reason why one line cannot be used, as it is written down in rejected.jsonl."""


def read_manifest(
    lines: Iterable[bytes], settings: Settings, rule: SourceRule = ANY_SOURCE
) -> Iterator[Line]:
    """Yield every line of a manifest as what it is, in order and without gaps.

    >>> from tessera.tiling.settings import read_settings
    >>> cats = read_settings(b'{"labels": ["cat", "dog"]}')
    >>> lines = [b'{"source-ref": "s3://pets/k"}', b"?"]
    >>> [type(line).__name__ for line in read_manifest(lines, cats)]
    ['Image', 'Rejected']
    """
    reader = LineReader(settings, rule)
    for index, line in enumerate(lines):
        yield reader.read(index, line)


class LineReader:
    """Reader of single lines: the rule that every faster way of reading must agree with."""

    def __init__(self, settings: Settings, rule: SourceRule = ANY_SOURCE) -> None:
        """Prepare for the settings; `rule` tells which pictures a line may name."""
        self._rule = rule
        self._decode = msgspec.json.Decoder(record_type(settings.label_attribute)).decode
        self._choices = frozenset(settings.choices) | {None}
        self._label_rule = label_rule(settings)
        self._boxes = BoxReader(settings) if settings.has_boxes else None

    def read(self, index: int, line: bytes) -> Line:
        """Return what the line is; `index` counts the manifest's lines from zero."""
        if self._boxes is not None:
            return self._read_box(self._boxes, index, line)
        return self._read_line(index, line)

    def _read_box(self, boxes: BoxReader, index: int, line: bytes) -> Line:
        """Return what a line of one box is; a reason names the box, as its line has others."""
        try:
            check_text(line)
            place = boxes.place(line)
        except (BadLine, BoxUnusable, msgspec.DecodeError, UnicodeDecodeError) as bad:
            return Rejected(index, str(bad), excerpt(line))
        read: Line = Rejected(index, place.problem, excerpt(line))
        if not place.problem:
            read = self._read_line(index, line)
        if isinstance(read, Image):
            try:
                return msgspec.structs.replace(read, box=boxes.box(line))
            except (BoxUnusable, msgspec.DecodeError) as bad:
                read = Rejected(index, str(bad), excerpt(line))
        if isinstance(read, Rejected):
            return Rejected(index, f"{place.name}{read.reason}", read.content, place.line)
        return read

    def _read_line(self, index: int, line: bytes) -> Line:
        raw = line.removesuffix(b"\r")
        if index == 0:
            raw = raw.removeprefix(BYTE_ORDER_MARK)
        try:
            check_text(raw)
            record = self._decode(raw)
            if record.label is not msgspec.UNSET:
                check_source(record.source_ref)
                known = self._label_rule.read(record.label, record.metadata or None)
                if known.renumbered:
                    return Labeled(index, self._label_rule.renumber(raw, known), renumbered=True)
                return Labeled(index, raw)
            self._check_image(record)
        except (BadLine, NoClass) as bad:
            return Rejected(index, str(bad), excerpt(line))
        except RecursionError:  # the decoder's own bound; a line of 10,000 brackets is not JSON
            return Rejected(index, "nested too deep", excerpt(line))
        except msgspec.ValidationError as error:  # JSON, but with a value of the wrong kind
            return Rejected(index, _validation_reason(str(error)), excerpt(line))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return Rejected(index, f"not JSON: {error}", excerpt(line))
        except Exception as error:  # a fault of ours: it takes one line, and no run with it
            return Rejected(index, f"cannot be read, by a fault: {error!r}", excerpt(line))
        return Image(
            index,
            record.source_ref,
            record.prelabel and normal_text(record.prelabel),
            record.prelabel_confidence,
            record.gold and normal_text(record.gold),
            raw,
        )

    def _check_image(self, record: Any) -> None:
        check_source(record.source_ref)
        if problem := self._rule.line_problem(record.source_ref):
            raise BadLine(problem)
        if record.prelabel is not None and normal_text(record.prelabel) not in self._choices:
            raise BadLine(f"prelabel: {record.prelabel[:80]!r} is none of the labels")
        if record.gold is not None and normal_text(record.gold) not in self._choices:
            raise BadLine(f"gold: {record.gold[:80]!r} is none of the labels")


@lru_cache(maxsize=8)
def record_type(attribute: str) -> Any:
    """Return the struct of a line's keys that mean something, with `attribute` as the label's key.

    A type is made at runtime because the settings name the label's key; making one takes as long
    as decoding some 500 lines, so types are kept.
    """
    return msgspec.defstruct(
        "Record",
        [
            ("source_ref", str),
            ("prelabel", str | None, None),
            ("prelabel_confidence", Confidence | None, None),
            ("gold", str | None, None),
            ("label", msgspec.Raw | msgspec.UnsetType, msgspec.UNSET),
            ("metadata", msgspec.Raw | msgspec.UnsetType, msgspec.UNSET),
        ],
        rename={
            "source_ref": "source-ref",
            "prelabel_confidence": "prelabel-confidence",
            "label": attribute,
            "metadata": f"{attribute}-metadata",
        },
        gc=False,
    )


def check_text(raw: bytes) -> None:
    """Raise BadLine if these bytes cannot be a line of a manifest, whatever they say."""
    if len(raw) > MAX_LINE_BYTES:
        raise BadLine(_TOO_LONG)
    if not raw or raw.isspace():
        raise BadLine("the line is empty")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        utf16 = raw[:2] in (b"\xff\xfe", b"\xfe\xff")
        raise BadLine("UTF-16, not UTF-8" if utf16 else "not UTF-8") from error
    if len(text) > MAX_LINE_CHARACTERS:
        raise BadLine(_TOO_LONG)
    if "\0" in text:  # the second byte of most characters in UTF-16 without a byte order mark
        raise BadLine("holds a NUL: UTF-16, or no text")


def check_source(uri: str) -> None:
    """Raise BadLine if this is not the URI of an S3 object."""
    if problem := source_problem(uri):
        raise BadLine(problem)


def _validation_reason(message: str) -> str:
    """Word the decoder's message as a manifest's author would."""
    if "missing required field `source-ref`" in message:
        return "no source-ref"
    problem, _, path = message.partition(" - at `$.")
    if not path:
        return "not a JSON object"
    return f"{path.rstrip('`')}: {problem[0].lower()}{problem[1:]}"


def excerpt(line: bytes) -> str:
    """Return the beginning of a line as text, whatever its bytes are."""
    text = line[:MAX_EXCERPT_BYTES].decode("utf-8", "backslashreplace")
    return text if len(line) <= MAX_EXCERPT_BYTES else text + "…"
