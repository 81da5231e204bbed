"""Where each line of the manifest ends: labeled, unlabeled or rejected; and which are unsure.

The manifest is read again by the rules by which it was grouped, block by block; what the lines get
is looked up in columns, so that a million lines take about a second.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import compress
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Consensus
from tessera.tiling.manifest.blocks import Intake
from tessera.tiling.manifest.lines import BYTE_ORDER_MARK, blocks
from tessera.tiling.settings import Settings
from tessera.tiling.training.label_splice import KNOWN, SCALE, Opener, Splices, shares, support
from tessera.tiling.training.line_counts import Counts

UNSURE, UNREADABLE, GOLD, REPEAT = 1, 2, 4, 8
"""Marks of a line: worth asking again, cannot be judged, known beforehand, asked elsewhere."""

BLOCK = 256 * 1024
"""Bytes of lines taken together: six times as many are written, and both stay in the cache."""

_END = b"}\n"

UNREADABLE_REASON, UNANSWERED_REASON = "unreadable", "no answer"


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """A row a line of the manifest: its label or -1, what is said of it, the line's marks.

    The confidence is in parts of `SCALE`; what else the label rests on is one number.
    """

    label: NDArray[np.int16]
    confidence: NDArray[np.int32]
    support: NDArray[np.int32]
    marks: NDArray[np.uint8]

    def part(self, rows: slice) -> Verdicts:
        """Those of some lines."""
        columns = self.label[rows], self.confidence[rows], self.support[rows], self.marks[rows]
        return Verdicts(*columns)


def verdicts(
    consensus: Consensus, *, gain: float, gold: Mapping[int, int], repeats: Mapping[int, int]
) -> Verdicts:
    """What each line is told.

    A gold line has its known label (-1: known to be unreadable); a repeat has that of its first.
    """
    marks = np.where(consensus.unreadable, UNREADABLE, 0).astype(np.uint8)
    unanswered = (consensus.label < 0) & ~consensus.unreadable
    marks[(consensus.gain > gain) | unanswered] |= UNSURE
    label = consensus.label.copy()
    known = np.fromiter(gold.keys(), np.int64, len(gold))
    label[known] = np.fromiter(gold.values(), np.int16, len(gold))
    marks[known] = np.where(label[known] < 0, GOLD | UNREADABLE, GOLD)
    confidence = shares(consensus.confidence)
    confidence[known] = SCALE
    rests_on = support(shares(consensus.agreement), consensus.answers)
    rests_on[known] = KNOWN
    if repeats:
        later = np.fromiter(repeats.keys(), np.int64, len(repeats))
        first = np.fromiter(repeats.values(), np.int64, len(repeats))
        for column in (label, confidence, rests_on, marks):
            column[later] = column[first]
        marks[later] |= REPEAT
    return Verdicts(label, confidence, rests_on, marks)


class Outlet(Protocol):
    """Somewhere that bytes go to."""

    def write(self, data: bytes, /) -> Any:
        """Take some bytes."""


class Outlets(msgspec.Struct):
    """The files that lines end in: three manifests, and why a line is in the second."""

    training: Outlet
    unlabeled: Outlet
    uncertain: Outlet
    reasons: Outlet


class Ended(msgspec.Struct):
    """Where the lines went, how many of each, which are worth asking again, and some pictures."""

    counts: Counts = msgspec.field(default_factory=Counts)
    reasons: Counter[str] = msgspec.field(default_factory=Counter)
    labels: Counter[int] = msgspec.field(default_factory=Counter)
    unsure: array[int] = msgspec.field(default_factory=lambda: array("i"))
    sources: dict[int, str] = msgspec.field(default_factory=dict)


def end_lines(
    chunks: Iterable[bytes],
    settings: Settings,
    told: Verdicts,
    splices: Splices,
    outlets: Outlets,
    *,
    watched: Iterable[int] = (),
) -> Ended:
    """Send every line of the manifest where it belongs, in order and in its own bytes; count all.

    `chunks` are the manifest's bytes; `told` has a row for each of its lines. The sources of the
    `watched` images are kept.
    """
    ended = Ended()
    watched = sorted(watched)
    opener = Opener(settings.label_attribute)
    rejected: list[int] = []
    # Repeats were found when the manifest was grouped; gold lines are images here.
    plain = msgspec.structs.replace(settings, repeats="each")
    intake = Intake(plain, frozenset(), lambda bad: rejected.append(bad.index))
    outlets.reasons.write(b"index,reason\n")
    for block in blocks(chunks, BLOCK):
        start = intake.counts.lines
        rejected.clear()
        batch = intake.batch(block)
        images = batch.indexes - start
        count = intake.counts.lines - start
        part = told.part(slice(start, start + count))
        if len(part.label) < count:
            raise AssertionError(f"the manifest has more than the {len(told.label)} lines it had")
        if start == 0:
            block = block.removeprefix(BYTE_ORDER_MARK)
        asked = np.zeros(count, np.bool_)
        asked[images] = True
        others = ~asked
        others[np.array(rejected, np.int64) - start] = False
        lines = block.split(_END)
        easy = lines.pop() == b"" and len(lines) == count
        # a batch that needed no reading has the block's own text, and no key but the source
        easy = easy and not others.any() and (batch.text is block or opener.needless(block))
        if not easy:
            lines = _lines(block)
        _write(lines, part, asked, others, outlets, splices, None if easy else opener)
        _count(ended, part, asked, others, start)
        for index in watched[bisect_left(watched, start) : bisect_left(watched, start + count)]:
            if asked[index - start]:  # an answer may name a line that was never asked
                line = lines[index - start] + (b"}" if easy else b"")
                ended.sources[index] = msgspec.json.decode(line)["source-ref"]
        _reasons(part, asked, start, outlets.reasons)
    return ended


def _lines(block: bytes) -> list[bytes]:
    """A block's lines without their line ends, of either kind."""
    lines = block[:-1].split(b"\n")
    return [line.removesuffix(b"\r") for line in lines] if b"\r" in block else lines


def _write(
    lines: list[bytes],
    part: Verdicts,
    asked: NDArray[np.bool_],
    others: NDArray[np.bool_],
    outlets: Outlets,
    splices: Splices,
    opener: Opener | None,
) -> None:
    """Write a block's lines: `asked` are images, `others` were labeled before.

    Where there is nothing to open, all lines are without their closing brace already.
    """
    end = b"\n" if opener else _END
    labeled = asked & (part.label >= 0)
    said = (part.label, part.confidence, part.support)
    spliced = splices.many(*(column[labeled] for column in said))
    if opener:
        kept = labeled | others
        splice = map(b"".join, zip(*spliced, strict=True))
        telling = zip(compress(lines, kept.tolist()), labeled[kept].tolist(), strict=True)
        training = [
            opener.open(line) + next(splice) if new else line + end for line, new in telling
        ]
        outlets.training.write(b"".join(training))
    else:
        pieces = [b""] * (4 * len(spliced[0]))
        pieces[::4] = compress(lines, labeled.tolist())
        pieces[1::4], pieces[2::4], pieces[3::4] = spliced
        outlets.training.write(b"".join(pieces))
    unlabeled = asked & ~labeled
    if unlabeled.any():
        _write_lines(outlets.unlabeled, compress(lines, unlabeled.tolist()), end)
    uncertain = _uncertain(part, labeled)
    if uncertain.any():
        _write_lines(outlets.uncertain, compress(lines, uncertain.tolist()), end)


def _write_lines(outlet: Outlet, lines: Iterable[bytes], end: bytes) -> None:
    outlet.write(end.join(lines) + end)


def _uncertain(part: Verdicts, labeled: NDArray[np.bool_]) -> NDArray[np.bool_]:
    unsure: NDArray[np.bool_] = labeled & ((part.marks & UNSURE) > 0)
    return unsure


def _count(
    ended: Ended,
    part: Verdicts,
    asked: NDArray[np.bool_],
    others: NDArray[np.bool_],
    start: int,
) -> None:
    """Add a block to the counts, and its unsure lines to theirs."""
    counts, marks = ended.counts, np.where(asked, part.marks, 0)
    labeled = asked & (part.label >= 0)
    counts.lines += len(asked)
    labeled_before, images = int(np.count_nonzero(others)), int(np.count_nonzero(asked))
    new = int(np.count_nonzero(labeled))
    counts.labeled_before += labeled_before
    counts.training += new + labeled_before
    counts.unlabeled += images - new
    counts.rejected += len(asked) - images - labeled_before
    counts.gold += int(np.count_nonzero(marks & GOLD))
    counts.repeats += int(np.count_nonzero(marks & REPEAT))
    counts.uncertain += int(np.count_nonzero(_uncertain(part, labeled)))
    for label, found in enumerate(np.bincount(part.label[labeled]).tolist()):
        ended.labels[label] += found
    again = np.flatnonzero(marks & (UNSURE | REPEAT) == UNSURE)
    ended.unsure.extend((again + start).tolist())
    blind = int(np.count_nonzero(marks[asked & ~labeled] & UNREADABLE))
    ended.reasons[UNREADABLE_REASON] += blind
    ended.reasons[UNANSWERED_REASON] += images - new - blind


def _reasons(part: Verdicts, asked: NDArray[np.bool_], start: int, outlet: Outlet) -> None:
    """Write down why each of a block's images is without label."""
    without = np.flatnonzero(asked & (part.label < 0))
    if len(without):
        blind = (part.marks[without] & UNREADABLE) > 0
        reasons = (UNANSWERED_REASON.encode(), UNREADABLE_REASON.encode())
        rows = zip((without + start).tolist(), blind.tolist(), strict=True)
        outlet.write(b"".join(b"%d,%b\n" % (index, reasons[unseen]) for index, unseen in rows))
