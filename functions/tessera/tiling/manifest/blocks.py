"""A manifest's lines, many at a time, into batches of images; the rest is told to the caller.

Three ways lead to the same result, and each block of lines takes the first that is sure of it:
lines that all look alike are checked as one text and never decoded; lines with more keys are
decoded together and made to look alike; anything else is read line by line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import compress
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from tessera.tiling.manifest.batch import PLAIN, UNKNOWN, Batch, Form
from tessera.tiling.manifest.fingerprints import marks
from tessera.tiling.manifest.lines import (
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
from tessera.tiling.settings import Settings

NEWLINE, SLASH, SPACE, QUOTE = b'\n/ "'
Number = TypeVar("Number", bound=np.generic)
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
        self._names = frozenset(settings.choices) | {None}
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
        if batch is None:
            batch = self._together(block, ends, first)
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

    def _together(self, block: bytes, ends: NDArray[np.int64], first: int) -> Batch | None:
        """The batch of lines that are all as they should be, decoded together; or None."""
        records = self._records(block, ends)
        if records is None:
            return None
        uris = [record.source_ref for record in records]
        bare = self.form.around([uri.encode() for uri in uris])
        bare_ends = _line_ends(bare)
        batch = self._alike(bare, bare_ends, first) if len(bare_ends) == len(ends) else None
        if batch is None or not any(map(_says_more, records)):
            return batch
        unlabeled = [record.label is msgspec.UNSET for record in records]
        asked = list(compress(records, unlabeled))
        guesses = {(record.prelabel, record.prelabel_confidence) for record in asked}
        golds = {record.gold for record in asked}
        if not {name for name, _ in guesses} | golds <= self._names or (
            self._controls and golds != {None}
        ):
            return None
        if any(bytes(record.label) == b"null" for record in records if record.label):
            return None
        self.counts.labeled += len(records) - len(asked)
        tails = {guess: tail(*guess) for guess in guesses}
        said = [tails[record.prelabel, record.prelabel_confidence] for record in asked]
        items = [
            uri.encode() + text
            for uri, (text, _) in zip(compress(uris, unlabeled), said, strict=True)
        ]
        rows = np.array(unlabeled)
        guessed = guesses - {(None, None)}
        return Batch(
            text=self.form.around(items),
            starts=self.form.starts(items),
            characters=batch.characters[rows] + _column((size for _, size in said), np.uint16),
            indexes=batch.indexes[rows],
            marks=batch.marks and (batch.marks[0][rows], batch.marks[1][rows]),
            prelabels=_numbers(asked, self._prelabels) if guessed else None,
            confidences=_confidences(asked) if guessed else None,
        )

    def _records(self, block: bytes, ends: NDArray[np.int64]) -> list[Any] | None:
        """The block's lines decoded, if it is sure that each is one object; else None."""
        count, whole = len(ends), block.count(b"}\n") + block.count(b"}\r\n")
        if not block.startswith(b"{") or block.count(b"\n{") != count - 1 or whole != count:
            return None  # an object might span two lines, or two share one
        if np.diff(ends, prepend=0).max() > LONGEST_LINE:
            return None
        try:
            block.decode()
            records: list[Any] = self._decode(block)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return records if len(records) == count else None

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
    pairs = [item(image) for image in images]
    items = [text for text, _ in pairs]
    guessed = any(image.prelabel is not None for image in images)
    return Batch(
        text=form.around(items),
        starts=form.starts(items),
        characters=_column((size for _, size in pairs), np.uint16),
        indexes=_column((image.index for image in images), np.int64),
        marks=_marks_of(images) if marked else None,
        prelabels=_numbers(images, prelabels) if guessed else None,
        confidences=_confidences(images) if guessed else None,
    )


def item(image: Image) -> tuple[bytes, int]:
    """What stands between `{"source-ref":"` and `","index":` in a task, and its characters.

    >>> item(Image(0, 's3://b/"k"', "cat", None, None, b""))[1]
    29
    """
    name, size = _escaped(msgspec.json.encode(image.source_ref)[1:-1])
    guess, more = tail(image.prelabel, image.prelabel_confidence)
    return name + guess, size + more


def tail(prelabel: str | None, confidence: float | None) -> tuple[bytes, int]:
    """What a guess adds to an item, and its characters."""
    if prelabel is None:
        return b"", 0
    sure = b""
    if confidence is not None:
        sure = b'"prelabel-confidence":' + msgspec.json.encode(confidence) + b","
    return _escaped(b'",' + sure + b'"prelabel":' + msgspec.json.encode(prelabel)[:-1])


def _escaped(inner: bytes) -> tuple[bytes, int]:
    """JSON text as it stands in a string of JSON, and its characters as the service sees them.

    The service escapes once less. UTF-16 units are counted, of which there are never fewer than
    code points: it may count either way.
    """
    characters = len(inner) if inner.isascii() else len(inner.decode().encode("utf-16-le")) // 2
    return inner.replace(b"\\", b"\\\\").replace(b'"', b'\\"'), characters


def _line_ends(block: bytes) -> NDArray[np.int64]:
    """Where each line is over, its line end included."""
    return np.flatnonzero(np.frombuffer(block, np.uint8) == NEWLINE) + 1


_ZERO = np.zeros(1, np.int64)


def _says_more(record: Any) -> bool:
    return (
        record.label is not msgspec.UNSET or record.prelabel is not None or record.gold is not None
    )


def _column(values: Iterable[Any], kind: type[Number]) -> NDArray[Number]:
    return np.fromiter(values, kind)


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


def _numbers(images: Iterable[Any], prelabels: dict[str, int]) -> NDArray[np.uint8]:
    numbers = (UNKNOWN if image.prelabel is None else prelabels[image.prelabel] for image in images)
    return _column(numbers, np.uint8)


def _confidences(images: Iterable[Any]) -> NDArray[np.float64]:
    confidences = (
        np.inf
        if image.prelabel is None or image.prelabel_confidence is None
        else image.prelabel_confidence
        for image in images
    )
    return _column(confidences, np.float64)
