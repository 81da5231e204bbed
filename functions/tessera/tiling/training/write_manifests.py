"""Read the manifest again and write each line where it belongs: labeled, unlabeled or uncertain.

The lines are told apart by the rules by which they were grouped, a block at a time, and their
labels are looked up in columns: a million lines take about a second, one by one they would take
nine (docs/decisions/consensus-reading-answers.md). The picture of one block:

    block     {"source-ref":"s3://b/0.jpg"}⏎{"source-ref":"s3://b/1.jpg"}⏎ …
                │ split at "}⏎": a plain line only loses its closing brace
    lines     {"source-ref":"s3://b/0.jpg"      {"source-ref":"s3://b/1.jpg"
    heads     ,"pet":0,"pet-metadata":{…:       ,"pet":1,"pet-metadata":{…:   ← column `label`
    decimals  0.93                              0.81                          ← `confidence`
    tails     ,"type":…,"answers":2,…}}⏎        ,"type":…,"answers":3,…}}⏎    ← `support`
                │ interleaved, joined once, written once
    training  {"source-ref":"s3://b/0.jpg","pet":0,"pet-metadata":{…:0.93,"type":…}}⏎ …

Blocks with lines that were labeled before, cannot be used, end in blanks or carry the label's keys
take the slower way through `LineOpener`, with the same bytes for the lines beside them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from enum import IntFlag
from itertools import compress
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Consensus
from tessera.tiling.csv_field import csv_field
from tessera.tiling.manifest.blocks import BlockParser
from tessera.tiling.manifest.boxes import BoxReader
from tessera.tiling.manifest.class_rule import label_type
from tessera.tiling.manifest.lines import BYTE_ORDER_MARK, record_type
from tessera.tiling.manifest.set_rule import label_rule
from tessera.tiling.manifest.source_rule import ANY_SOURCE, SourceRule
from tessera.tiling.manifest.stream import line_blocks
from tessera.tiling.run.run import MAX_UNLOADED, Run
from tessera.tiling.run.run_files import CreateFile, Writable
from tessera.tiling.settings import Settings
from tessera.tiling.training.label_splice import (
    BY_MODEL_SUPPORT,
    GOLD_SUPPORT,
    REVIEWED_SUPPORT,
    SCALE,
    Ints,
    LabelSplice,
    LineOpener,
    creation_date,
    encode_support,
    to_steps,
)
from tessera.tiling.training.line_counts import (
    SET_ASIDE_REASON,
    UNANSWERED_REASON,
    UNLOADED_REASON,
    UNREADABLE_REASON,
    LineOutcomes,
)

Bools = NDArray[np.bool_]

BLOCK = 256 * 1024
"""Bytes of lines read at once: six times as many are written, and both stay in the cache."""

_BRACE_AND_NEWLINE = b"}\n"


class Splice(Protocol):
    """Bytes that end labeled lines, such as `LabelSplice` makes for one label an image."""

    def pieces(
        self, label: Ints, confidence: Ints, support: Ints
    ) -> tuple[list[bytes], list[bytes], list[bytes]]:
        """Return three pieces for each row, which are joined behind the line's own bytes."""


class LineFlag(IntFlag):
    """Facts about a manifest line that decide where it is written and counted."""

    UNSURE = 1
    """One more answer is expected to help, or there is none yet."""
    UNREADABLE = 2
    """Most workers could not judge the image, or it is known that nobody can."""
    GOLD = 4
    """The label was known beforehand."""
    DUPLICATE = 8
    """The image was asked at an earlier line that shows the same picture."""
    UNLOADED = 16
    """The image did not load for somebody, and has no label."""
    RETRY = 32
    """The image lacks an answer because it did not load: somebody else is to be asked."""
    GIVEN_UP = 64
    """The image did not load for `MAX_UNLOADED` workers: nobody else is asked."""
    SET_ASIDE = 128
    """The page with the image could not be shown, and the image has no label."""


@dataclass(frozen=True, slots=True, eq=False)
class LineLabels:
    """Labels of manifest lines in columns, one row for each line.

    `label` is a position in the classes or -1, `confidence` is in steps of 1/SCALE, `support` is a
    code of `encode_support`, and `flags` is a set of `LineFlag`s.
    """

    label: NDArray[np.int16]
    confidence: NDArray[np.int32]
    support: NDArray[np.int32]
    flags: NDArray[np.uint8]

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self.label)

    def rows(self, rows: slice | Bools) -> LineLabels:
        """Return the labels of some of the lines."""
        return LineLabels(
            self.label[rows], self.confidence[rows], self.support[rows], self.flags[rows]
        )

    def has(self, flag: LineFlag) -> Bools:
        """Return for each line whether it has the flag, or one of several."""
        return (self.flags & np.uint8(flag)) > 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LineFacts:
    """Facts about manifest lines by which they are labeled, beside the consensus.

    `gold` has known labels by line (-1: known to be unreadable), and they win over the consensus;
    `reviewed` has what reviewers decided (-1: nobody can tell), which wins over both. `duplicates`
    has the line whose label a duplicate takes over; `unloaded` says how many workers each line's
    image did not load for, and `set_aside` are the lines of images on pages that could not be
    shown. `unsure` (lines), where a model has guessed, replaces the rule of `label_lines`.
    """

    gold: Mapping[int, int] = field(default_factory=dict)
    reviewed: Mapping[int, int] = field(default_factory=dict)
    duplicates: Mapping[int, int] = field(default_factory=dict)
    unloaded: NDArray[np.int64] | None = None
    set_aside: Sequence[int] = ()
    unsure: Bools | None = None


def label_lines(consensus: Consensus, settings: Settings, facts: LineFacts) -> LineLabels:
    """Return the label of every manifest line.

    A line is unsure if one more answer is expected to gain more than `settings.gain`, or if it has
    none.
    """
    labels = LineLabels(
        consensus.label.copy(),
        to_steps(consensus.confidence),
        encode_support(to_steps(consensus.agreement), consensus.answers),
        _flags(consensus, settings, facts),
    )
    _set_known(labels, facts.gold, LineFlag.GOLD, GOLD_SUPPORT)
    _set_known(labels, facts.reviewed, LineFlag(0), REVIEWED_SUPPORT)
    if facts.duplicates:  # after gold, so that a duplicate of a gold image has the known label too
        later, first = _columns(facts.duplicates)
        for column in (labels.label, labels.confidence, labels.support, labels.flags):
            column[later] = column[first]
        labels.flags[later] |= np.uint8(LineFlag.DUPLICATE)
    return labels


def _flags(consensus: Consensus, settings: Settings, facts: LineFacts) -> NDArray[np.uint8]:
    """Return the flags of every line by its answers, of which it may have none."""
    # np.uint8(flag): numpy takes an IntFlag for 64 bits wide, and so would the column be
    flags = np.where(consensus.unreadable, np.uint8(LineFlag.UNREADABLE), np.uint8(0))
    unanswered = (consensus.label < 0) & ~consensus.unreadable
    lacks_answers = consensus.answers < settings.answers_per_image
    unsure, unloaded = facts.unsure, facts.unloaded
    if unsure is None:
        unsure = (consensus.gain > settings.gain) | unanswered
    else:  # which may well be content with a single answer
        lacks_answers = lacks_answers & unsure
    flags[unsure] |= np.uint8(LineFlag.UNSURE)
    kept_back = np.zeros(len(flags), np.bool_)
    kept_back[[line for line in facts.set_aside if line < len(flags)]] = True
    flags[kept_back & unanswered] |= np.uint8(LineFlag.SET_ASIDE)
    if unloaded is not None:
        is_given_up = unloaded >= MAX_UNLOADED
        flags[(unloaded > 0) & unanswered] |= np.uint8(LineFlag.UNLOADED)
        flags[(unloaded > 0) & lacks_answers & ~is_given_up] |= np.uint8(LineFlag.RETRY)
        flags[is_given_up] |= np.uint8(LineFlag.GIVEN_UP)
    return flags


def _set_known(labels: LineLabels, known: Mapping[int, int], flag: LineFlag, support: int) -> None:
    """Set the labels of lines that are known, whatever workers say of them."""
    lines, classes = _columns(known)
    labels.label[lines] = classes
    labels.flags[lines] = np.uint8(flag)
    labels.flags[lines[classes < 0]] |= np.uint8(LineFlag.UNREADABLE)
    labels.confidence[lines] = SCALE
    labels.support[lines] = support


def _columns(by_line: Mapping[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the lines of a mapping, and what it has of each."""
    lines = np.fromiter(by_line.keys(), np.int64, len(by_line))
    return lines, np.fromiter(by_line.values(), np.int64, len(by_line))


class _Files(msgspec.Struct):
    """Files that lines are written to: three manifests, and why lines are in the second."""

    training: Writable
    unlabeled: Writable
    uncertain: Writable
    reasons: Writable


FILE_NAMES = ("training.manifest", "unlabeled.manifest", "uncertain.manifest", "unlabeled.csv")


def make_splice(run: Run) -> LabelSplice:
    """Return what ends the labeled lines of a run."""
    settings = run.settings
    # class ids are positions in the settings' labels, even if the escape stands between them
    classes = [(settings.labels.index(name), name) for name in settings.classes]
    created = creation_date(run.started)
    return LabelSplice(
        settings.label_attribute,
        classes,
        run=run.name,
        created=created,
        label_type=label_type(settings),
    )


def write_manifests(
    chunks: Iterable[bytes],
    settings: Settings,
    labels: LineLabels,
    splice: Splice,
    create: CreateFile,
    *,
    watched: Iterable[int] = (),
    rule: SourceRule = ANY_SOURCE,
    first_line: int = 0,
) -> LineOutcomes:
    """Write every line of a manifest where it belongs, in order and in its own bytes; count all.

    `chunks` are the manifest's bytes, `labels` has a row for each of its lines, and `create`
    creates the files of `FILE_NAMES`. The URIs of the `watched` lines are kept. Where the bytes are
    a part of a manifest, `first_line` is the index of their first line in the whole. Raises
    AssertionError if the manifest has more lines than `labels`: no image may get another's label.
    """
    outcomes = LineOutcomes()
    opener = LineOpener(settings.label_attribute)
    classes_of = _ClassesBefore(settings)
    boxes = BoxReader(settings) if settings.task == "verify" else None
    watched = sorted(watched)  # so that a block finds its own by bisection
    with ExitStack() as stack:
        files = _Files(*(stack.enter_context(create(name)) for name in FILE_NAMES))
        files.reasons.write(b"index,reason,source\n")
        for block in _read_blocks(chunks, settings, labels, opener, rule, first_line):
            if block.is_open:
                _write_open_lines(block, splice, files)
            else:
                _write_closed_lines(block, splice, files, opener)
            _write_unlabeled(block, files)
            _count(outcomes, block)
            if block.labeled_before.any():
                outcomes.labels_before.update(classes_of(block))
            _keep_sources(outcomes, block, watched)
            if boxes is not None:
                _count_boxes(outcomes, block, boxes)
    return outcomes


class _Source(msgspec.Struct, rename="kebab", gc=False):
    """URI of an image, of all that its line has."""

    source_ref: str


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Lines that were read at once, with a row for each: its label, and what kind of line it is.

    Lines that are neither images nor labeled before cannot be used. Where `is_open`, the lines have
    lost their closing brace, and all are ready for a splice.
    """

    start: int
    lines: list[bytes]
    is_open: bool
    labels: LineLabels
    images: Bools
    labeled_before: Bools
    renumbered: int

    @property
    def end(self) -> bytes:
        """What a line needs behind it to be as it was."""
        return _BRACE_AND_NEWLINE if self.is_open else b"\n"

    def source(self, row: int) -> str:
        """Return the URI of an image."""
        return msgspec.json.decode(self.whole_line(row), type=_Source).source_ref

    def whole_line(self, row: int) -> bytes:
        """Return a line as it was, without its end."""
        return self.lines[row] + (b"}" if self.is_open else b"")

    @property
    def labeled(self) -> Bools:
        """Images that have a label now."""
        return self.images & (self.labels.label >= 0)

    @property
    def uncertain(self) -> Bools:
        """Images whose label may still change."""
        return self.labeled & self.labels.has(LineFlag.UNSURE)


def _read_blocks(
    chunks: Iterable[bytes],
    settings: Settings,
    labels: LineLabels,
    opener: LineOpener,
    rule: SourceRule,
    first_line: int,
) -> Iterator[_Block]:
    """Cut the manifest into blocks of lines, told apart as when they were grouped."""
    rejected: list[int] = []
    # Duplicates were found when the manifest was grouped, and gold lines are images here.
    settings = msgspec.structs.replace(settings, repeats="each")
    renumbered: dict[int, bytes] = {}
    parser = BlockParser(
        settings,
        frozenset(),
        lambda line: rejected.append(line.index),
        lambda line: renumbered.update({line.index - start: line.raw}),
        rule,
    )
    for block in line_blocks(chunks, BLOCK):
        start = parser.counts.lines  # the block's first line
        rejected.clear()
        renumbered.clear()
        batch = parser.parse(block)
        count = parser.counts.lines - start
        if start + count > len(labels):
            raise AssertionError(f"the manifest has more than the {len(labels)} lines it had")
        if start == 0:
            block = block.removeprefix(BYTE_ORDER_MARK)
        images = np.zeros(count, np.bool_)
        images[batch.indexes - start] = True
        labeled_before = ~images
        labeled_before[np.array(rejected, np.int64) - start] = False
        lines = block.split(_BRACE_AND_NEWLINE)
        is_open = lines.pop() == b"" and len(lines) == count and not labeled_before.any()
        # a batch that is the block's own text was not decoded: its lines have no other keys
        is_open = is_open and (batch.text is block or opener.is_open_without_brace(block))
        if not is_open:
            lines = _split_lines(block)
            for row, line in renumbered.items():
                lines[row] = line
        yield _Block(
            start=first_line + start,
            lines=lines,
            is_open=is_open,
            labels=labels.rows(slice(start, start + count)),
            images=images,
            labeled_before=labeled_before,
            renumbered=len(renumbered),
        )


def _split_lines(block: bytes) -> list[bytes]:
    """Split a block into its lines without their ends, of either kind."""
    lines = block[:-1].split(b"\n")
    return [line.removesuffix(b"\r") for line in lines] if b"\r" in block else lines


def _splice_rows(block: _Block, splice: Splice) -> tuple[list[bytes], list[bytes], list[bytes]]:
    rows = block.labels.rows(block.labeled)
    return splice.pieces(rows.label, rows.confidence, rows.support)


def _write_open_lines(block: _Block, splice: Splice, files: _Files) -> None:
    """Write the labeled lines of a block of plain images: the hot path, drawn above."""
    heads, decimals, tails = _splice_rows(block, splice)
    pieces = [b""] * (4 * len(heads))
    pieces[0::4] = compress(block.lines, block.labeled.tolist())
    pieces[1::4], pieces[2::4], pieces[3::4] = heads, decimals, tails
    files.training.write(b"".join(pieces))


def _write_closed_lines(block: _Block, splice: Splice, files: _Files, opener: LineOpener) -> None:
    """Write a block's lines that are labeled now, opened one by one, or were labeled before."""
    labeled = block.labeled
    kept = labeled | block.labeled_before
    splices = map(b"".join, zip(*_splice_rows(block, splice), strict=True))
    files.training.write(
        b"".join(
            opener.open(line) + next(splices) if is_new else line + b"\n"
            for line, is_new in zip(
                compress(block.lines, kept.tolist()), labeled[kept].tolist(), strict=True
            )
        )
    )


def _write_unlabeled(block: _Block, files: _Files) -> None:
    """Write the images that have no label and why, and once more those whose label is unsure.

    They stand as they came in, so that the manifests can be dropped again.
    """
    unlabeled = block.images & ~block.labeled
    for file, rows in ((files.unlabeled, unlabeled), (files.uncertain, block.uncertain)):
        if rows.any():
            file.write(block.end.join(compress(block.lines, rows.tolist())) + block.end)
    indexes = np.flatnonzero(unlabeled)
    if len(indexes):
        flags = block.labels.flags[indexes].tolist()
        entries = (
            f"{block.start + row},{_reason(flag)},{csv_field(block.source(row))}\n"
            for row, flag in zip(indexes.tolist(), flags, strict=True)
        )
        files.reasons.write("".join(entries).encode())


def _reason(flags: int) -> str:
    """Return why an image with these flags has no label."""
    if flags & LineFlag.UNREADABLE:
        return UNREADABLE_REASON
    if flags & LineFlag.UNLOADED:
        return UNLOADED_REASON
    return SET_ASIDE_REASON if flags & LineFlag.SET_ASIDE else UNANSWERED_REASON


def _count(outcomes: LineOutcomes, block: _Block) -> None:
    """Add a block's lines to the counts, and its unsure images to those to ask again."""
    counts, labeled = outcomes.counts, block.labeled
    # by columns: a loop over lines would take as long as writing them
    images, new, before = _total(block.images), _total(labeled), _total(block.labeled_before)
    counts.lines += len(block.lines)
    counts.labeled_before += before
    counts.training += new + before
    counts.renumbered += block.renumbered
    counts.unlabeled += images - new
    counts.rejected += len(block.lines) - images - before
    counts.gold += _total(block.images & block.labels.has(LineFlag.GOLD))
    counts.repeats += _total(block.images & block.labels.has(LineFlag.DUPLICATE))
    counts.uncertain += _total(block.uncertain)
    outcomes.reviewed += _total(block.images & (block.labels.support == REVIEWED_SUPPORT))
    outcomes.by_model += _total(labeled & (block.labels.support == BY_MODEL_SUPPORT))
    unlabeled = block.images & ~labeled
    for label, lines in enumerate(np.bincount(block.labels.label[labeled]).tolist()):
        outcomes.labels[label] += lines
    unreadable = unlabeled & block.labels.has(LineFlag.UNREADABLE)
    unloaded = unlabeled & ~unreadable & block.labels.has(LineFlag.UNLOADED)
    outcomes.reasons[UNREADABLE_REASON] += _total(unreadable)
    others = unlabeled & ~unreadable & ~unloaded
    set_aside = others & block.labels.has(LineFlag.SET_ASIDE)
    outcomes.reasons[SET_ASIDE_REASON] += _total(set_aside)
    outcomes.reasons[UNANSWERED_REASON] += _total(others & ~set_aside)
    outcomes.reasons[UNLOADED_REASON] += _total(unloaded)
    # a duplicate is asked again at its first line, and only there
    asked = block.images & ~block.labels.has(LineFlag.DUPLICATE)
    again = asked & block.labels.has(LineFlag.UNSURE) & ~block.labels.has(LineFlag.GIVEN_UP)
    outcomes.unsure.extend((np.flatnonzero(again) + block.start).tolist())
    retry = asked & block.labels.has(LineFlag.RETRY)
    outcomes.retry.extend((np.flatnonzero(retry) + block.start).tolist())


def _total(rows: Bools) -> int:
    return int(np.count_nonzero(rows))


class _ClassesBefore:
    """Reader of the classes of a block's lines that were labeled before, as places in the classes.

    The same rule reads them as when they were let through.
    """

    def __init__(self, settings: Settings) -> None:
        """Prepare for the settings' classes and their key."""
        self._decode = msgspec.json.Decoder(record_type(settings.label_attribute)).decode
        self._rule = label_rule(settings)

    def __call__(self, block: _Block) -> Iterator[int]:
        """Yield the class of each line."""
        for line in compress(block.lines, block.labeled_before.tolist()):
            record = self._decode(line)
            known = self._rule.read(record.label, record.metadata or None)
            yield from self._rule.places(known)


MOST_BOX_CLASSES = 1_000
"""Classes of boxes that are counted by name: a manifest may name each box in another way."""


def _count_boxes(outcomes: LineOutcomes, block: _Block, boxes: BoxReader) -> None:
    """Count a block's boxes by their class and by what people say of them."""
    for row in np.flatnonzero(block.images).tolist():
        name = boxes.box(block.whole_line(row)).name or ""
        if name not in outcomes.boxes and len(outcomes.boxes) >= MOST_BOX_CLASSES:
            name = ""
        label = int(block.labels.label[row])
        outcomes.boxes.setdefault(name, Counter())[label] += 1


def _keep_sources(outcomes: LineOutcomes, block: _Block, watched: list[int]) -> None:
    """Keep the URIs of a block's watched images."""
    first = bisect_left(watched, block.start)
    last = bisect_left(watched, block.start + len(block.lines))
    for index in watched[first:last]:
        row = index - block.start
        if block.images[row]:  # an answer may name a line that was never asked
            outcomes.sources[index] = block.source(row)
