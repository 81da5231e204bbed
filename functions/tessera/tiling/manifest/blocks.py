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
from itertools import compress
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tessera.tiling.manifest.batch import PLAIN, Batch, LineTemplate
from tessera.tiling.manifest.class_rule import ClassRule, NoClass
from tessera.tiling.manifest.fingerprints import fingerprints
from tessera.tiling.manifest.items import (
    batch_of_images,
    encode_prelabel,
    prelabel_confidences,
    prelabel_numbers,
)
from tessera.tiling.manifest.lines import (
    BYTE_ORDER_MARK,
    MAX_LINE_CHARACTERS,
    Image,
    Labeled,
    LineReader,
    Rejected,
    record_type,
)
from tessera.tiling.manifest.sources import MAX_KEY_BYTES, bucket_problem
from tessera.tiling.settings import Settings

NEWLINE, SLASH, SPACE, QUOTE = b'\n/ "'
SCHEME = b"s3://"
_FIRST_LINE = re.compile(rb'(\{ ?"source-ref" ?: ?")s3://[^"\\]+(" ?\}\r?\n)')
"""Spellings of a line that common JSON writers make; any other goes the slower ways."""
_BUCKET = re.compile(rb"s3://[^/\"\\]+/")
_EVERY_BUCKET = re.compile(rb"s3://([^/]*)/")
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
    ) -> None:
        """Leave the lines in `gold_indexes` out of batches, and hand bad ones to `on_rejected`.

        Labeled lines whose class has another number in this run go to `on_renumbered`.
        """
        self.counts = InputCounts()
        self.template = PLAIN
        self._reader = LineReader(settings)
        self._class_rule = ClassRule(settings)
        record = record_type(settings.label_attribute)
        self._decode_lines = msgspec.json.Decoder(record, strict=True).decode_lines
        self._label_numbers = {name: number for number, name in enumerate(settings.choices)}
        self._choices = frozenset(settings.choices) | {None}
        self._gold_indexes = gold_indexes
        self._on_rejected = on_rejected
        self._on_renumbered = on_renumbered
        self._with_fingerprints = settings.repeats == "once"

    def parse(self, block: bytes) -> Batch:
        """Return the images of the next block of whole lines, in order."""
        first = self.counts.lines
        if first == 0:  # one program writes a manifest, so its first line shows how the others are
            block = block.removeprefix(BYTE_ORDER_MARK)
            if match := _FIRST_LINE.match(block):
                self.template = LineTemplate(match[1], match[2] + match[1], match[2])
        ends = _line_ends(block)
        self.counts.lines += len(ends)
        batch = None
        if self.template is not PLAIN:  # which nothing but a list of URIs follows
            batch = self._parse_uniform(block, self.template, ends, first)
        if batch is None:
            batch = self._parse_together(block, ends, first)
        return self._parse_one_by_one(block, first) if batch is None else batch

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
        text = np.frombuffer(block, np.uint8)
        line_starts = np.concatenate([_ZERO, ends[:-1]])
        starts, ends = line_starts + len(template.head), ends - len(template.tail)
        keys = _key_starts(text, starts) if prefix == SCHEME else starts + len(prefix)
        key_bytes = ends - keys
        if not _have_buckets(block, prefix):
            return None
        if key_bytes.min() < 1 or key_bytes.max() > MAX_KEY_BYTES:
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
        """Return the batch of lines that are all good, decoded in one call; None if any is not."""
        records = self._decode_block(block, ends)
        if records is None:
            return None
        sources = [record.source_ref.encode() for record in records]
        # The sources alone, as lines of their own: so the checks are those of the uniform way.
        bare = self.template.join(sources)
        bare_ends = _line_ends(bare)
        if len(bare_ends) != len(ends):  # a line break inside a source
            return None
        batch = self._parse_uniform(bare, self.template, bare_ends, first)
        # Keys that mean nothing here are the usual ones, and then the bare lines are all there is.
        if batch is None or not any(map(_has_more_keys, records)):
            return batch
        unlabeled = [record.label is msgspec.UNSET for record in records]
        asked = list(compress(records, unlabeled))
        labeled = [record for record in records if record.label is not msgspec.UNSET]
        if not self._are_usable(asked) or not all(map(self._has_class, labeled)):
            return None
        # Counted only now that nothing can send the block on to be read line by line.
        self.counts.labeled += len(records) - len(asked)
        return self._add_prelabels(
            batch, list(compress(sources, unlabeled)), asked, np.array(unlabeled)
        )

    def _decode_block(self, block: bytes, ends: NDArray[np.int64]) -> list[Any] | None:
        """Return the block's lines as records, or None unless each is sure to be one object.

        The decoder does not mind where lines end: two objects on one line, or one on two, would
        shift every index after them.
        """
        lines = len(ends)
        closed = block.count(b"}\n") + block.count(b"}\r\n")
        if not block.startswith(b"{") or block.count(b"\n{") != lines - 1 or closed != lines:
            return None
        if np.diff(ends, prepend=0).max() > MAX_LINE_CHARACTERS:
            return None
        try:
            block.decode()  # the decoder does not check text in keys that it skips
            records: list[Any] = self._decode_lines(block)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return records if len(records) == lines else None

    def _are_usable(self, asked: list[Any]) -> bool:
        """Whether all prelabels and gold labels are labels, and no line is to be left out."""
        prelabels = {record.prelabel for record in asked}
        golds = {record.gold for record in asked}
        if self._gold_indexes and golds != {None}:
            return False
        return prelabels | golds <= self._choices

    def _has_class(self, record: Any) -> bool:
        """Whether a labeled line is sure to name a class of the run by its number."""
        try:
            return not self._class_rule.read(record.label, record.metadata or None).renumbered
        except NoClass:
            return False

    def _add_prelabels(
        self, batch: Batch, sources: list[bytes], asked: list[Any], rows: NDArray[np.bool_]
    ) -> Batch:
        """Return the batch without its labeled lines (`rows` are the others), prelabels included.

        Pairs of prelabel and confidence recur, so each different one is encoded once.
        """
        pairs = [(record.prelabel, record.prelabel_confidence) for record in asked]
        encoded = {pair: encode_prelabel(*pair) for pair in set(pairs)}
        items = [source + encoded[pair][0] for source, pair in zip(sources, pairs, strict=True)]
        more = np.fromiter((encoded[pair][1] for pair in pairs), np.uint16, len(pairs))
        any_prelabel = any(prelabel is not None for prelabel, _ in encoded)
        return Batch(
            text=self.template.join(items),
            line_starts=self.template.line_starts(items),
            characters=batch.characters[rows] + more,
            indexes=batch.indexes[rows],
            fingerprints=None if batch.fingerprints is None else batch.fingerprints.rows(rows),
            prelabels=prelabel_numbers(asked, self._label_numbers) if any_prelabel else None,
            confidences=prelabel_confidences(asked) if any_prelabel else None,
        )

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


def _line_ends(block: bytes) -> NDArray[np.int64]:
    """Return where each line is over, its line end included."""
    return np.flatnonzero(np.frombuffer(block, np.uint8) == NEWLINE) + 1


def _has_more_keys(record: Any) -> bool:
    """Whether a record has any key that means something besides its source."""
    return (
        record.label is not msgspec.UNSET or record.prelabel is not None or record.gold is not None
    )


def _have_buckets(block: bytes, prefix: bytes) -> bool:
    """Whether S3 can have all buckets of uniform lines; False as well where that is not sure.

    A key with a URI of its own inside gives one name more, and a name that spans lines is none.
    """
    names = set(_EVERY_BUCKET.findall(block)) if prefix == SCHEME else {prefix[len(SCHEME) : -1]}
    return not any(bucket_problem(name.decode("latin-1")) for name in names)


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
