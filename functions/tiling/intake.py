"""A manifest's lines, many at a time, into batches of images; the rest is told to the caller.

Three ways lead to the same result, and each block of lines takes the first that is sure of it:
lines that all look alike are checked as one text and never decoded; lines with more keys are
decoded together and made to look alike; anything else is read line by line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tiling.manifest import (
    BYTE_ORDER_MARK,
    LONGEST_BUCKET,
    LONGEST_KEY,
    LONGEST_LINE,
    Image,
    Labeled,
    LineReader,
    Rejected,
    record_type,
)
from tiling.repeats import marks
from tiling.settings import Settings
from tiling.shelf import PLAIN, UNKNOWN, Batch, Form

NEWLINE, SLASH, SPACE, QUOTE = b'\n/ "'
SCHEME = b"s3://"
_FIRST_LINE = re.compile(rb'(\{ ?"source-ref" ?: ?")s3://[^"\\]+(" ?\}\r?\n)')
_BUCKET = re.compile(rb"s3://[^/\"\\]+/")


class Counts:
    """How many lines were what."""

    def __init__(self) -> None:
        """Start from nothing."""
        self.lines = self.labeled = self.rejected = self.gold = 0


class Intake:
    """Blocks of lines in, batches of images out."""

    def __init__(
        self, settings: Settings, controls: frozenset[int], reject: Callable[[Rejected], object]
    ) -> None:
        """Leave out the lines in `controls`, and hand what cannot be used to `reject`."""
        self.counts = Counts()
        self.form = PLAIN
        self._reader = LineReader(settings)
        self._decode = msgspec.json.Decoder(
            record_type(settings.label_attribute), strict=True
        ).decode_lines
        self._prelabels = {name: number for number, name in enumerate(settings.choices)}
        self._controls = controls
        self._reject = reject
        self._marked = settings.repeats == "once"

    def batch(self, block: bytes) -> Batch:
        """The images of a block of lines, in order."""
        first = self.counts.lines
        if first == 0:
            block = block.removeprefix(BYTE_ORDER_MARK)
            if look := _FIRST_LINE.match(block):
                self.form = Form(look[1], look[2] + look[1], look[2])
        ends = _line_ends(block)
        self.counts.lines += len(ends)
        batch = None if self.form is PLAIN else self._alike(block, ends, first)
        if batch is None and (bare := self._decoded(block, ends)) is not None:
            bare_ends = _line_ends(bare)
            batch = self._alike(bare, bare_ends, first) if len(bare_ends) == len(ends) else None
        return self._one_by_one(block, first) if batch is None else batch

    def _alike(self, block: bytes, ends: NDArray[np.int64], first: int) -> Batch | None:
        """The batch of lines that all have the form, with nothing in them to decode; or None.

        Each line begins and ends as the form says if `between` is there count-1 times, and holds
        no other quote if their number is right; so between the two is a JSON string as it stands.
        """
        form, count = self.form, len(ends)
        bucket = _BUCKET.match(block, len(form.head))
        if not bucket or not (block.startswith(form.head) and block.endswith(form.tail)):
            return None
        if b"\\" in block:
            return None
        alone = block.count(form.between + bucket[0]) == count - 1
        if not alone and block.count(form.between + SCHEME) != count - 1:
            return None
        text = np.frombuffer(block, np.uint8)
        controls = 2 if b"\r" in form.tail else 1
        quotes = (form.head + form.tail).count(b'"')
        if np.count_nonzero(text < SPACE) != controls * count:
            return None
        if np.count_nonzero(text == QUOTE) != quotes * count:
            return None
        lines = np.concatenate([_ZERO, ends[:-1]])
        starts, ends = lines + len(form.head), ends - len(form.tail)
        keys = starts + len(bucket[0]) if alone else _keys(text, starts)
        sizes = ends - keys
        if sizes.min() < 1 or sizes.max() > LONGEST_KEY or (keys - starts).max() > LONGEST_BUCKET:
            return None
        characters = _characters(block, text, starts, ends)
        if characters is None:
            return None
        return Batch(
            text=block,
            starts=lines,
            characters=characters,
            indexes=np.arange(first, first + count),
            marks=marks(block, starts, ends) if self._marked else None,
        )

    def _decoded(self, block: bytes, ends: NDArray[np.int64]) -> bytes | None:
        """The block with nothing in its lines but images without a prelabel; or None."""
        count, whole = len(ends), block.count(b"}\n") + block.count(b"}\r\n")
        if not block.startswith(b"{") or block.count(b"\n{") != count - 1 or whole != count:
            return None  # not sure that no object spans two lines, or two share one
        if np.diff(ends, prepend=0).max() > LONGEST_LINE:
            return None
        try:
            block.decode()
            records = self._decode(block)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if len(records) != count or not all(map(_is_bare, records)):
            return None
        uris = [record.source_ref for record in records]
        form = self.form
        between = form.between.decode().join(uris)
        return form.head + between.encode() + form.tail

    def _one_by_one(self, block: bytes, first: int) -> Batch:
        """The batch of lines that need to be looked at each; what is no image is counted."""
        images: list[Image] = []
        for index, line in enumerate(block[:-1].split(b"\n"), first):
            read = self._reader.read(index, line)
            match read:
                case Image() if index not in self._controls:
                    images.append(read)
                case Image():
                    self.counts.gold += 1
                case Labeled():
                    self.counts.labeled += 1
                case Rejected():
                    self.counts.rejected += 1
                    self._reject(read)
        return batch_of(images, self.form, self._prelabels, self._marked)


def batch_of(images: list[Image], form: Form, prelabels: dict[str, int], marked: bool) -> Batch:
    """The batch of images that are known one by one."""
    items = [item(image) for image in images]
    between = form.between.join(text for text, _ in items)
    text = form.head + between + form.tail if items else b""
    sizes = np.fromiter((len(text) for text, _ in items), np.int64, len(items))
    steps = sizes + len(form.between)
    starts = np.cumsum(steps) - steps
    guessed = any(image.prelabel is not None for image in images)
    return Batch(
        text=text,
        starts=starts,
        characters=np.fromiter((size for _, size in items), np.uint16, len(items)),
        indexes=np.fromiter((image.index for image in images), np.int64, len(items)),
        marks=_marks_of(images) if marked else None,
        prelabels=_numbers(images, prelabels) if guessed else None,
        confidences=_confidences(images) if guessed else None,
    )


def item(image: Image) -> tuple[bytes, int]:
    """What stands between `{"source-ref":"` and `","index":` in a task, and its characters.

    It stands in a JSON string in a JSON string, so it is escaped twice. Characters are counted
    as the service sees them, in UTF-16 units: it escapes once less, and may count either way.

    >>> item(Image(0, 's3://b/"k"', "cat", None, None, b""))[1]
    27
    """
    inner = msgspec.json.encode(image.source_ref)[1:-1]
    if image.prelabel is not None:
        if image.prelabel_confidence is not None:
            sure = msgspec.json.encode(image.prelabel_confidence)
            inner += b'","prelabel-confidence":' + sure + b',"prelabel":'
        else:
            inner += b'","prelabel":'
        inner += msgspec.json.encode(image.prelabel)[:-1]
    characters = len(inner) if inner.isascii() else len(inner.decode().encode("utf-16-le")) // 2
    return inner.replace(b"\\", b"\\\\").replace(b'"', b'\\"'), characters


def _line_ends(block: bytes) -> NDArray[np.int64]:
    """Where each line is over, its line end included."""
    return np.flatnonzero(np.frombuffer(block, np.uint8) == NEWLINE) + 1


_ZERO = np.zeros(1, np.int64)


def _is_bare(record: Any) -> bool:
    return record.label is msgspec.UNSET and record.prelabel is None and record.gold is None


def _keys(text: NDArray[np.uint8], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each URI's key begins; beyond the next URI if it has none."""
    after = starts + len(SCHEME)
    slashes = np.append(np.flatnonzero(text == SLASH), len(text))
    found = slashes[np.searchsorted(slashes, after)]
    return np.where(found > after, found + 1, len(text) * 2)  # an empty bucket is none either


def _characters(
    block: bytes, text: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.uint16] | None:
    """The UTF-16 units of each item; None if the block is not UTF-8."""
    if block.isascii():
        return (ends - starts).astype(np.uint16)
    try:
        block.decode()
    except UnicodeDecodeError:
        return None
    units = ((text & 0xC0) != 0x80).astype(np.int64) + (text >= 0xF0)
    total = np.concatenate([_ZERO, np.cumsum(units)])
    sizes: NDArray[np.int64] = total[ends] - total[starts]
    return sizes.astype(np.uint16)


def _marks_of(images: list[Image]) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    names = [image.source_ref.encode() for image in images]
    sizes = np.fromiter(map(len, names), np.int64, len(names))
    ends = np.cumsum(sizes)
    return marks(b"".join(names), ends - sizes, ends)


def _numbers(images: list[Image], prelabels: dict[str, int]) -> NDArray[np.uint8]:
    numbers = (UNKNOWN if image.prelabel is None else prelabels[image.prelabel] for image in images)
    return np.fromiter(numbers, np.uint8, len(images))


def _confidences(images: list[Image]) -> NDArray[np.float64]:
    confidences = (
        np.inf
        if image.prelabel is None or image.prelabel_confidence is None
        else image.prelabel_confidence
        for image in images
    )
    return np.fromiter(confidences, np.float64, len(images))
