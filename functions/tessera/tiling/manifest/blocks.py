"""Parse blocks of manifest lines into batches of images, and count what else the lines are.

Three ways lead to the same result (a property test holds them to it), and each block takes the
first that is sure of it:

1. uniform lines, with the same bytes around each S3 URI, are checked as one text, never decoded;
2. lines with more keys are decoded together, and their URIs then checked as in 1;
3. anything else is read line by line by `LineReader`, which also words the reasons.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from itertools import compress
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from tessera.tiling.errors import NOT_JSON
from tessera.tiling.manifest.batch import ESCAPED, PLAIN, Batch, LineTemplate
from tessera.tiling.manifest.class_rule import NoClass
from tessera.tiling.manifest.fingerprints import fingerprints
from tessera.tiling.manifest.items import (
    Prelabels,
    batch_of_images,
    prelabel_numbers,
    with_prelabels,
)
from tessera.tiling.manifest.lines import (
    BYTE_ORDER_MARK,
    MAX_LINE_CHARACTERS,
    Confidence,
    Image,
    Labeled,
    LineReader,
    Rejected,
    record_type,
)
from tessera.tiling.manifest.set_rule import label_rule
from tessera.tiling.manifest.source_rule import ANY_SOURCE, SourceRule
from tessera.tiling.manifest.sources import MAX_KEY_BYTES, bucket_problem
from tessera.tiling.settings import Settings

NEWLINE, RETURN, SLASH, SPACE, QUOTE, OPEN, CLOSE = b'\n\r/ "{}'
SCHEME = b"s3://"
HEAD = b'{"source-ref":"'
_FIRST_LINE = re.compile(rb'(\{ ?"source-ref" ?: ?")s3://[^"\\]+(" ?\}\r?\n)')
"""Spellings of a line that common JSON writers make; any other goes the slower ways."""
_BUCKET = re.compile(rb"s3://[^/\"\\]+/")
_EVERY_BUCKET = re.compile(rb"s3://([^/]*)/")
Scalar = str | int | float | bool | None
"""Value of a key that means nothing, where it is none of a kind that holds others."""
_ZERO = np.zeros(1, np.int64)


class InputCounts(msgspec.Struct):
    """Counts of the lines read so far, and of those that became no image, by what they are."""

    lines: int = 0
    labeled: int = 0
    rejected: int = 0
    gold: int = 0


class BlockParser:
    """Parser of one manifest's blocks, in their order."""

    def __init__(
        self,
        settings: Settings,
        gold_indexes: frozenset[int],
        on_rejected: Callable[[Rejected], object],
        on_renumbered: Callable[[Labeled], object] = lambda _: None,
        rule: SourceRule = ANY_SOURCE,
    ) -> None:
        """Leave the lines in `gold_indexes` out of batches, and hand bad ones to `on_rejected`.

        Labeled lines whose class has another number in this run go to `on_renumbered`; `rule`
        tells which pictures the lines may name.
        """
        self._rule = rule
        self.counts = InputCounts()
        self.template = PLAIN
        # Whether all lines of the last block had the keys of the first, among which gold's is not.
        self.are_alike = False
        self._reader = LineReader(settings, rule)
        self._label_rule = label_rule(settings)
        record = record_type(settings.label_attribute)
        self._decode_lines = msgspec.json.Decoder(record, strict=True).decode_lines
        self._attribute = settings.label_attribute
        # One object for each label, of which no new string is made for every line.
        self._choice: Any = Literal.__getitem__(settings.choices)
        self._decode_alike: Callable[[bytes], list[Any]] | None = None
        self._are_bare = self._have_confidence = False
        self._label_numbers = {name: number for number, name in enumerate(settings.choices)}
        self._choices = frozenset(settings.choices) | {None}
        self._gold_indexes = gold_indexes
        self._on_rejected = on_rejected
        self._on_renumbered = on_renumbered
        self._with_fingerprints = settings.repeats == "once"
        self._has_boxes = settings.has_boxes

    def parse(self, block: bytes) -> Batch:
        """Return the images of the next block of whole lines, in order."""
        first = self.counts.lines
        if self._has_boxes:  # each has numbers of its own to check, and a line is read for them
            self.counts.lines += block.count(b"\n")
            return self._parse_one_by_one(block, first)
        if first == 0:  # one program writes a manifest, so its first line shows how the others are
            block = block.removeprefix(BYTE_ORDER_MARK)
            if match := _FIRST_LINE.match(block):
                self.template = LineTemplate(match[1], match[2] + match[1], match[2])
            else:
                self._expect_alike(block[: block.index(b"\n")])
        ends = _line_ends(block)
        self.counts.lines += len(ends)
        batch = None
        if self.template not in (PLAIN, ESCAPED):  # which no line of a manifest follows
            batch = self._parse_uniform(block, self.template, ends, first)
        self.are_alike = batch is not None
        if batch is None:
            batch = self._parse_together(block, ends, first)
        if batch is None:
            self.are_alike = False
            batch = self._parse_one_by_one(block, first)
        return batch

    def _expect_alike(self, first_line: bytes) -> None:
        """Prepare for lines with the keys of the first one."""
        record = type_of_alike(first_line, self._attribute, self._choice)
        if record is None:
            return
        names = {field.name for field in msgspec.structs.fields(record)}
        if "prelabel" not in names and "prelabel_confidence" in names:
            return  # a confidence of nothing: possible, and not worth a way of its own
        self._decode_alike = msgspec.json.Decoder(record, strict=True).decode_lines
        self._are_bare = "prelabel" not in names
        self._have_confidence = "prelabel_confidence" in names
        if names <= {"source_ref", "prelabel", "prelabel_confidence"} and not self._are_bare:
            self.template = ESCAPED

    def _parse_uniform(
        self, block: bytes, template: LineTemplate, ends: NDArray[np.int64], first: int
    ) -> Batch | None:
        """Return the batch of lines that all follow the template; None if any does not.

        Hot path: all of the grouping takes 0.5 s a million lines, and 3.8 s if each is read by
        itself (docs/decisions/grouping-constants.md). Only numpy and methods of bytes may touch
        the lines, never a loop of Python.
        """
        prefix = uniform_prefix(block, template, len(ends))
        if prefix is None:
            return None

        lines = len(ends)
        if not _are_allowed(
            self._rule,
            block,
            prefix,
            # As the prefix is counted for all lines but the first, which is looked at itself.
            lambda start: (
                block.startswith(template.head + start)
                and block.count(template.separator + start) == lines - 1
            ),
        ):
            return None
        text = np.frombuffer(block, np.uint8)
        line_starts = np.concatenate([_ZERO, ends[:-1]])
        starts, ends = line_starts + len(template.head), ends - len(template.tail)
        if not _are_sources(block, text, starts, ends, prefix):
            return None
        characters = _count_characters(block, text, starts, ends)
        if characters is None:
            return None
        return Batch(
            text=block,
            line_starts=line_starts,
            characters=characters,
            indexes=np.arange(first, first + len(ends)),
            fingerprints=fingerprints(block, starts, ends) if self._with_fingerprints else None,
        )

    def _parse_together(self, block: bytes, ends: NDArray[np.int64], first: int) -> Batch | None:
        """Return the batch of lines that are all good, decoded in one call; None if any is not.

        Hot path, like the uniform one. A loop of Python may take one attribute from each record, no
        more (docs/decisions/grouping-constants.md).
        """
        if not _is_one_object_a_line(block, ends):
            return None
        # Most lines have the first one's keys, and a type of those alone is decoded the fastest.
        records = _decode(self._decode_alike, block) if self._decode_alike else None
        alike = self.are_alike = records is not None
        records = _decode(self._decode_lines, block) if records is None else records
        if records is None or len(records) != len(ends):
            return None
        if alike and self.template is ESCAPED:
            batch = self._parse_prelabeled(records, first)
            if batch is not None:
                return batch
        sources = [record.source_ref for record in records]
        # The sources alone, as lines of their own: so the checks are those of the uniform way.
        template = PLAIN if self.template is ESCAPED else self.template
        bare = template.join_text(sources)
        bare_ends = _line_ends(bare)
        if len(bare_ends) != len(ends):  # a line break inside a source
            return None
        batch = self._parse_uniform(bare, template, bare_ends, first)
        if batch is None or (alike and self._are_bare):
            return batch
        if alike:  # not decoded again: that would only show the same prelabels
            return self._with_prelabels(batch, slice(None), sources, records)
        return self._with_meanings(batch, sources, records)

    def _parse_prelabeled(self, records: list[Any], first: int) -> Batch | None:
        """Return the batch of images that all have a prelabel, or all one with a confidence.

        Hot path: the records are encoded again in one call, in the order that items have, and
        escaped in another. None if any lacks a key, or has what JSON escapes.

            {"source-ref":"s3://pets/1.jpg","prelabel-confidence":0.9,"prelabel":"cat"}\\n
            |--- head ----||----------------------- item --------------------------||tail
        """
        block = msgspec.json.Encoder().encode_lines(records)
        lines, text = len(records), np.frombuffer(block, np.uint8)
        quotes = np.flatnonzero(text == QUOTE)
        each = 10 if self._have_confidence else 8  # two of a key, and two of a string
        if len(quotes) != each * lines or b"\\" in block:
            return None
        # No string holds a quote, so each line's third one is where its source begins.
        starts, ends, item_ends = quotes[2::each] + 1, quotes[3::each], quotes[each - 1 :: each]
        begin_with = partial(_begin_with, block, starts)
        bucket = _BUCKET.match(block, len(HEAD))
        prefix = bucket[0] if bucket and begin_with(bucket[0]) else SCHEME
        if not begin_with(prefix) or not _are_allowed(self._rule, block, prefix, begin_with):
            return None
        characters = _count_characters(block, text, starts, item_ends)
        if characters is None or not _are_sources(block, text, starts, ends, prefix):
            return None
        prelabels = [record.prelabel for record in records]
        confidences = np.full(lines, np.inf)
        if self._have_confidence:
            confidences = np.array([record.prelabel_confidence for record in records], np.float64)
        return Batch(
            text=block.replace(b'"', b'\\"'),
            line_starts=starts - len(HEAD) + each * np.arange(lines),
            characters=characters,
            indexes=np.arange(first, first + lines),
            fingerprints=fingerprints(block, starts, ends) if self._with_fingerprints else None,
            prelabels=prelabel_numbers(prelabels, self._label_numbers),
            confidences=confidences,
        )

    def _with_meanings(self, batch: Batch, sources: list[str], records: list[Any]) -> Batch | None:
        """Return the batch with prelabels, without labeled lines; None if any line is not sure."""
        if self._gold_indexes and any(record.gold is not None for record in records):
            return None
        if not {record.gold for record in records} <= self._choices:
            return None
        unlabeled = [record.label is msgspec.UNSET for record in records]
        if all(unlabeled):
            return self._with_prelabels(batch, slice(None), sources, records)
        labeled = [record for record in records if record.label is not msgspec.UNSET]
        if not all(map(self._has_class, labeled)):
            return None
        asked, sources = list(compress(records, unlabeled)), list(compress(sources, unlabeled))
        batch_or_none = self._with_prelabels(batch, np.array(unlabeled), sources, asked)
        # Counted only now that nothing can send the block on to be read line by line.
        self.counts.labeled += len(labeled) if batch_or_none is not None else 0
        return batch_or_none

    def _with_prelabels(
        self,
        batch: Batch,
        rows: slice | NDArray[np.bool_],
        sources: list[str],
        records: list[Any],
    ) -> Batch | None:
        """Return the rows of a batch with their prelabels; None if any is none of the labels."""
        prelabels = [record.prelabel for record in records]
        confidences = [getattr(record, "prelabel_confidence", None) for record in records]
        try:
            numbers = prelabel_numbers(prelabels, self._label_numbers)
        except KeyError:  # none of the labels, or spelled otherwise
            return None
        guesses = Prelabels(prelabels, confidences, numbers)
        return with_prelabels(batch, rows, sources, guesses, self.template)

    def _has_class(self, record: Any) -> bool:
        """Return whether a labeled line is sure to name a class of the run by its number."""
        try:
            return not self._label_rule.read(record.label, record.metadata or None).renumbered
        except NoClass:
            return False

    def _parse_one_by_one(self, block: bytes, first: int) -> Batch:
        """Return the batch of lines that have to be read singly, and count the others."""
        images: list[Image] = []
        # Without the last line's end, behind which there would be one line more, an empty one.
        for index, text in enumerate(block[:-1].split(b"\n"), first):
            line = self._reader.read(index, text)
            match line:
                case Image() if index not in self._gold_indexes:
                    images.append(line)
                case Image():
                    self.counts.gold += 1
                case Labeled():
                    self.counts.labeled += 1
                    if line.renumbered:
                        self._on_renumbered(line)
                case Rejected():
                    self.counts.rejected += 1
                    self._on_rejected(line)
        return batch_of_images(
            images,
            self.template,
            self._label_numbers,
            with_fingerprints=self._with_fingerprints,
        )


def uniform_prefix(block: bytes, template: LineTemplate, lines: int) -> bytes | None:
    r"""Return what every item begins with, or None unless all lines follow the template.

    That is `s3://bucket/` if all are in one bucket, else `s3://`. Nothing is decoded, only counted:

        {"source-ref": "s3://pets/1.jpg"}\n{"source-ref": "s3://pets/2.jpg"}\n
        |---- head ----||--- item ----||--- separator ----||--- item ----|tail

        separator and prefix   lines - 1   every line begins and ends as the first does
        quotes                 4 a line    so no item has one, and each ends where tail begins
        backslashes            none        so an item is its own JSON string
        bytes below 0x20       1 a line    the line's end; JSON allows none inside a string

    >>> uniform_prefix(b"s3://pets/1\ns3://pets/2\n", PLAIN, 2)
    b's3://pets/'
    """
    bucket = _BUCKET.match(block, len(template.head))
    if not bucket or not (block.startswith(template.head) and block.endswith(template.tail)):
        return None
    if b"\\" in block:
        return None
    # Searching for the bucket's name, too, checks it for all lines with the one for the template.
    prefix = bucket[0]
    if block.count(template.separator + prefix) != lines - 1:
        prefix = SCHEME
        if block.count(template.separator + prefix) != lines - 1:
            return None
    text = np.frombuffer(block, np.uint8)
    controls = 2 if b"\r" in template.tail else 1
    quotes = (template.head + template.tail).count(b'"')
    if np.count_nonzero(text < SPACE) != controls * lines:
        return None
    if np.count_nonzero(text == QUOTE) != quotes * lines:
        return None
    return prefix


def _begin_with(block: bytes, starts: NDArray[np.int64], prefix: bytes) -> bool:
    """Return whether each text that begins at one of the places begins with the prefix.

    Hot path: a copy of the beginnings is compared at once, a seventh of what a search takes.
    """
    if len(block) - int(starts[-1]) < len(prefix):
        return False
    places = (len(block) - len(prefix) + 1,)
    beginnings = np.ndarray(places, f"V{len(prefix)}", block, 0, (1,))[starts]
    return beginnings.tobytes() == prefix * len(starts)


def type_of_alike(first_line: bytes, attribute: str, choice: Any) -> Any:
    """Return a type of lines that have no other keys than the first one; None if there is none.

    None if that has a label or is gold, which are rare, or is no object. A decoder that looks for
    all keys that mean something takes half as long again.
    """
    try:
        members = msgspec.json.decode(first_line, type=dict[str, msgspec.Raw])
    except NOT_JSON:
        return None
    if "source-ref" not in members or members.keys() & {"gold", attribute}:
        return None
    fields: list[Any] = [("source_ref", str)]
    # In the order in which items have them, as the records are encoded again.
    if "prelabel-confidence" in members:
        fields.append(("prelabel_confidence", Confidence | None, None))
    if "prelabel" in members:
        fields.append(("prelabel", choice | None, None))
    names = {"source_ref": "source-ref", "prelabel_confidence": "prelabel-confidence"}
    for place, (key, value) in enumerate(members.items()):
        if key not in ("source-ref", "prelabel", "prelabel-confidence"):
            # A value is made of it, but of one that holds others only its place is noted.
            kind: Any = msgspec.Raw if bytes(value)[:1] in b"[{" else Scalar
            fields.append((f"key_{place}", kind, None))
            names[f"key_{place}"] = key
    return msgspec.defstruct(
        "Alike", fields, rename=names, forbid_unknown_fields=True, omit_defaults=True, gc=False
    )


def _is_one_object_a_line(block: bytes, ends: NDArray[np.int64]) -> bool:
    """Return whether each line is surely one object, if the block has as many objects as lines.

    The decoder does not mind where lines end: two objects on one line, or one on two, would shift
    every index after them.
    """
    lengths = np.diff(ends, prepend=0)
    if lengths.min() < len(b"{}\n") or lengths.max() > MAX_LINE_CHARACTERS:
        return False
    text = np.frombuffer(block, np.uint8)
    last = text[ends - 2]
    if b"\r" in block:
        last = np.where(last == RETURN, text[ends - 3], last)
    return bool((text[ends - lengths] == OPEN).all() and (last == CLOSE).all())


def _decode(decode: Callable[[bytes], list[Any]], block: bytes) -> list[Any] | None:
    """Return the objects of a block as records, or None if any cannot be one."""
    try:
        if not block.isascii():
            block.decode()  # the decoder does not check text in keys that it skips
        return decode(block)
    except NOT_JSON:
        return None


def _line_ends(block: bytes) -> NDArray[np.int64]:
    """Return where each line is over, its line end included."""
    return np.flatnonzero(np.frombuffer(block, np.uint8) == NEWLINE) + 1


def _are_sources(
    block: bytes,
    text: NDArray[np.uint8],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    prefix: bytes,
) -> bool:
    """Return whether S3 can have all objects at text[start:end], which begin with the prefix."""
    keys = _key_starts(text, starts) if prefix == SCHEME else starts + len(prefix)
    key_bytes = ends - keys
    if not _have_buckets(block, prefix):
        return False
    return bool(key_bytes.min() >= 1 and key_bytes.max() <= MAX_KEY_BYTES)


def _have_buckets(block: bytes, prefix: bytes) -> bool:
    """Return whether S3 can surely have all buckets of uniform lines.

    A key with a URI of its own inside gives one name more, and a name that spans lines is none.
    """
    names = set(_EVERY_BUCKET.findall(block)) if prefix == SCHEME else {prefix[len(SCHEME) : -1]}
    return not any(bucket_problem(name.decode("latin-1")) for name in names)


def _are_allowed(
    rule: SourceRule, block: bytes, prefix: bytes, all_begin: Callable[[bytes], bool]
) -> bool:
    """Return whether the rule surely allows all sources of a block, decoding nothing.

    `all_begin` tells whether all sources begin so.
    """
    if rule is ANY_SOURCE:
        return True
    # Practice pictures are a page at most. An escape could spell the name of one in another way.
    practice = [uri.encode() for uri in rule.practice or ()]
    if practice and (b"\\" in block or any(uri in block for uri in practice)):
        return False
    # A part of a key that no browser keeps: looked for in all text, since it is rare anywhere.
    if any(part in block for part in (b"/./", b"/../", b'/."', b'/.."', b"/.\n", b"/..\n")):
        return False
    if prefix == SCHEME:
        names = {name.decode("latin-1") for name in _EVERY_BUCKET.findall(block)}
        return all(f"s3://{name}/" in rule.fixed_prefixes(name) for name in names)
    bucket = prefix[len(SCHEME) : -1].decode("latin-1")
    return any(all_begin(start.encode()) for start in rule.fixed_prefixes(bucket))


def _key_starts(text: NDArray[np.uint8], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where the object key of each URI begins: after the first slash behind the scheme.

    A URI without key or bucket gets a place behind all text, so that its key is of no length.
    """
    buckets = starts + len(SCHEME)
    slashes = np.append(np.flatnonzero(text == SLASH), len(text))
    next_slash = slashes[np.searchsorted(slashes, buckets)]
    return np.where(next_slash > buckets, next_slash + 1, len(text) * 2)


def _count_characters(
    block: bytes, text: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.uint16] | None:
    """Return the UTF-16 units of each item, or None if the block is not UTF-8.

    In UTF-8 each character has one byte that is not a continuation (10xxxxxx); those of four
    bytes, which begin with 0xF0 or more, take two units.
    """
    if block.isascii():
        return (ends - starts).astype(np.uint16)
    try:
        block.decode()
    except UnicodeDecodeError:
        return None
    units = ((text & 0xC0) != 0x80).astype(np.int64) + (text >= 0xF0)
    total = np.concatenate([_ZERO, np.cumsum(units)])
    lengths: NDArray[np.int64] = total[ends] - total[starts]
    return lengths.astype(np.uint16)
