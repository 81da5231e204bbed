"""Work on one item of a stage: a job's answers, a part of the images, or a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.answers.answer_book import AnswerBook
from tessera.tiling.answers.gather import gather_shards
from tessera.tiling.answers.table import answer_rows, unsure_rows
from tessera.tiling.consensus import Consensus, Crowd
from tessera.tiling.consensus import by_parts as consensus_by_parts
from tessera.tiling.consensus.unloaded import Unloaded
from tessera.tiling.label_parts.kept import Gathered, Judged, Kept, Known, Piece, Tallied
from tessera.tiling.label_parts.part import PartAnswers, known_of, load_part
from tessera.tiling.label_parts.part_lines import part_lines
from tessera.tiling.label_parts.plan import ANSWER_FILES, LINE_FILES, OPTIONAL_FILES, Plan
from tessera.tiling.label_run import Files, create_file, manifest_chunks
from tessera.tiling.report.build import images_in_report, images_to_ask_again
from tessera.tiling.report.rounds import EarlierLabels
from tessera.tiling.run.run import Run, read_run
from tessera.tiling.run.run_files import Writable
from tessera.tiling.training.known_labels import read_duplicates, read_gold
from tessera.tiling.training.write_manifests import (
    LineFacts,
    LineFlag,
    LineLabels,
    label_lines,
    make_splice,
    write_manifests,
)


def work_on_item(files: Files, event: Mapping[str, Any]) -> None:
    """Work on the item of a stage that an event of the state ConsolidatePart names.

    Doing it again leaves the same.
    """
    stage, item = event["parts"]["stage"], event["parts"]["item"]
    run = read_run(files.get(f"{event['home']}run.json"), {**event, "jobs": ()})
    kept = Kept(files, run)
    plan = kept.plan()
    kept = Kept(files, replace(run, jobs=plan.jobs))
    _WORK[stage](kept, plan, item)


def rounds_of(run: Run) -> range:
    """Return the rounds after each of which a run's images are labeled, the newest last."""
    return range(1, run.round + 1)


# ── Answers ──────────────────────────────────────────────────────────────────────────────────────


def _gather(kept: Kept, plan: Plan, job: int) -> None:
    """Read a job's answers, and keep them by part."""
    run = kept.run

    def create(name: str) -> AbstractContextManager[Writable]:
        name = _piece_name(kept, name, job) if name in ANSWER_FILES else name
        return create_file(kept.files, run.home, name)

    for name in ANSWER_FILES:  # also where this job has none, and an earlier attempt left some
        kept.files.put(f"{run.home}{_piece_name(kept, name, job)}", b"", content_type="text/csv")
    book = gather_shards(kept.files, run, [plan.shards[job]], create)
    with create("answers.csv") as file:
        for rows in answer_rows(book, (*run.settings.classes, run.settings.escape)):
            file.write(rows)
    whole = _columns(book)
    ends = [plan.start_of(part) for part in range(plan.parts + 1)]
    answered = np.unique(np.searchsorted(ends, whole.image, "right") - 1).tolist()
    absent = np.unique(np.searchsorted(ends, whole.unloaded_image, "right") - 1).tolist()
    # an answer may name a line that the manifest does not have, which is in no part
    parts = sorted(part for part in {*answered, *absent} if part < plan.parts)
    for part in parts:
        kept.put(_cut(whole, plan.lines_of(part)), "piece", job, part)
    set_aside = np.array(book.set_aside, np.int32)
    names = list(book.workers)
    sizes = len(book.image), len(book.size)
    gathered = Gathered(names, *sizes, dict(book.noted), set_aside, parts)
    kept.put(gathered, "gather", job)


def _columns(book: AnswerBook) -> Piece:
    """Return all answers of a book as columns of equal length."""
    size = np.array(book.size, np.int32)
    return Piece(
        image=np.array(book.image, np.int32),
        worker=np.repeat(np.array(book.worker, np.int32), size),
        label=np.array(book.label, np.int8),
        seconds=np.array(book.seconds, np.float32),
        submission=np.repeat(np.arange(len(size), dtype=np.int32), size),
        row=np.arange(len(book.image), dtype=np.int32),
        unloaded_image=np.array(book.unloaded_image, np.int32),
        unloaded_worker=np.array(book.unloaded_worker, np.int32),
    )


def _cut(whole: Piece, lines: range) -> Piece:
    """Return the answers to the images of a part."""
    rows = (whole.image >= lines.start) & (whole.image < lines.stop)
    absent = (whole.unloaded_image >= lines.start) & (whole.unloaded_image < lines.stop)
    columns = {name: getattr(whole, name)[rows] for name in Piece.__struct_fields__[:6]}
    columns |= {name: getattr(whole, name)[absent] for name in Piece.__struct_fields__[6:]}
    return Piece(**columns)


# ── The consensus ────────────────────────────────────────────────────────────────────────────────


def _tally(kept: Kept, plan: Plan, part: int) -> None:
    """Read a part's gold lines, and count its images by the number of their answers."""
    if kept.run.counts.get("gold"):
        gold = read_gold(_lines(kept, plan, part), kept.run.settings)
        classes = np.fromiter(gold.values(), np.int16, len(gold))
        kept.put(Known(np.fromiter(gold.keys(), np.int64, len(gold)), classes), "known", part)
    loaded = load_part(kept, plan, kept.answers(), part)
    tallies = [
        dict(consensus_by_parts.tally(loaded.until(round_, None))) for round_ in rounds_of(kept.run)
    ]
    kept.put(Tallied(tallies, loaded.kept), "tally", part)


def _sample(kept: Kept, plan: Plan, part: int) -> None:
    """Sample a part, as the whole crowd would be sampled."""
    loaded, (_, known) = load_part(kept, plan, kept.answers(), part), known_of(kept, plan, part)
    tallies = kept.get(list[list[dict[int, int]]], "tallies")
    samples = []
    for place, round_ in enumerate(rounds_of(kept.run)):
        own = [consensus_by_parts.Tally(by_round[place]) for by_round in tallies]
        strides = consensus_by_parts.plan_strides(add_tallies(own))
        before = add_tallies(own[:part])
        samples.append(consensus_by_parts.sample(loaded.until(round_, known), before, strides))
    kept.put(samples, "sample", part)


def add_tallies(tallies: list[consensus_by_parts.Tally]) -> consensus_by_parts.Tally:
    """Return the tally of several parts together."""
    return sum(tallies, consensus_by_parts.Tally())


def _count(kept: Kept, plan: Plan, part: int) -> None:
    """Count a part's answers by what the models say of its images."""
    loaded, (_, known) = load_part(kept, plan, kept.answers(), part), known_of(kept, plan, part)
    counts = [
        None if fit.whole else consensus_by_parts.count(loaded.until(round_, known), fit)
        for round_, fit in zip(rounds_of(kept.run), kept.fits(), strict=True)
    ]
    kept.put(counts, "count", part)


def _judge(kept: Kept, plan: Plan, part: int) -> None:
    """Label a part's images by the final models, and decide what is written of its lines."""
    answers = kept.answers()
    loaded, (gold, known) = load_part(kept, plan, answers, part), known_of(kept, plan, part)
    judged: list[Consensus] = [
        consensus_by_parts.judge(loaded.until(round_, known), learned)
        for round_, learned in zip(rounds_of(kept.run), kept.learned(), strict=True)
    ]
    earlier = [EarlierLabels(one.label, one.confidence) for one in judged[:-1]]
    kept.put(Judged(judged[-1], earlier), "judge", part)
    lines = plan.lines_of(part)
    aside = np.concatenate([np.empty(0, np.int32), *(job.set_aside for job in answers.jobs)])
    facts = LineFacts(
        gold=gold.by_line() if gold else {},
        unloaded=loaded.unloaded.workers_by_image(len(lines)),
        set_aside=(aside[(aside >= lines.start) & (aside < lines.stop)] - lines.start).tolist(),
    )
    kept.put(label_lines(judged[-1], kept.run.settings, facts), "labels", part)


# ── The lines ────────────────────────────────────────────────────────────────────────────────────


def _write(kept: Kept, plan: Plan, part: int) -> None:
    """Write a part's lines of the manifests, and its images to ask again."""
    loaded = load_part(kept, plan, kept.answers(), part)
    lines, run = plan.lines_of(part), kept.run
    consensus = kept.judged(part).consensus
    known = known_of(kept, plan, part)[1]
    watched = images_in_report(
        loaded.crowd, consensus, known, loaded.unloaded, len(run.settings.classes)
    )

    def create(name: str) -> AbstractContextManager[Writable]:
        return create_file(kept.files, run.home, _piece_name(kept, name, part))

    outcomes = write_manifests(
        _lines(kept, plan, part),
        run.settings,
        _with_duplicates(kept, plan, part),
        make_splice(run),
        create,
        watched=[lines.start + image for image in watched],
        rule=run.pictures,
        first_line=lines.start,
    )
    again = images_to_ask_again(run, outcomes)
    with create("unsure.csv") as file:
        for rows in _unsure_rows(loaded, again, lines, kept.answers().names) if again else ():
            file.write(rows)
    kept.put(outcomes, "write", part)


def _unsure_rows(
    loaded: PartAnswers, again: Any, lines: range, names: list[str]
) -> Iterator[bytes]:
    """Yield the rows of unsure.csv, with images by their line in the manifest."""
    crowd, first = loaded.crowd, np.int32(lines.start)
    numbered = Crowd(
        lines.stop, crowd.workers, crowd.classes, crowd.image + first, crowd.worker, crowd.label
    )
    unloaded = Unloaded(loaded.unloaded.image + first, loaded.unloaded.worker)
    return unsure_rows(again, numbered, unloaded, names)


def _with_duplicates(kept: Kept, plan: Plan, part: int) -> LineLabels:
    """Return the labels of a part's lines; a duplicate has those of its first line, in any part."""
    own = kept.line_labels(part)
    if not kept.run.counts.get("repeats"):
        return own
    lines = plan.lines_of(part)
    pairs = read_duplicates(kept.files.iter_lines(f"{kept.run.home}repeats.csv"))
    mine = [(later, first) for later, first in pairs.items() if later in lines]
    if not mine:
        return own
    later, first = np.array(mine, np.int64).T
    columns: list[NDArray[Any]] = [
        own.label.copy(), own.confidence.copy(), own.support.copy(), own.flags.copy()
    ]  # fmt: skip
    for other in range(part + 1):  # what a line repeats comes before it
        of_other = plan.lines_of(other)
        rows = (first >= of_other.start) & (first < of_other.stop)
        if rows.any():
            source = kept.line_labels(other)
            places, from_ = later[rows] - lines.start, first[rows] - of_other.start
            for column, name in zip(columns, LineLabels.__dataclass_fields__, strict=True):
                column[places] = getattr(source, name)[from_]
    columns[3][later - lines.start] |= np.uint8(LineFlag.DUPLICATE)
    return LineLabels(*columns)


def _lines(kept: Kept, plan: Plan, part: int) -> Iterator[bytes]:
    """Yield the manifest's bytes of a part; the last has whatever comes after its lines, too."""
    lines = plan.lines_of(part)
    # a manifest with more lines than it had is noticed only by who reads on
    end = None if part == plan.parts - 1 else lines.stop
    return part_lines(manifest_chunks(kept.files, kept.run), lines.start, end)


# ── Files ────────────────────────────────────────────────────────────────────────────────────────


def _join_answers(kept: Kept, plan: Plan, item: int) -> None:
    """Put one of the files of all answers together from those of the jobs."""
    _join_pieces(kept, ANSWER_FILES[item], ANSWER_FILES[item], len(plan.shards))


def _join_file(kept: Kept, plan: Plan, item: int) -> None:
    """Put one of the run's files together from those of the parts."""
    if item < len(LINE_FILES):
        _join_pieces(kept, LINE_FILES[item], LINE_FILES[item], plan.parts)
    else:
        _join_pieces(kept, "unsure.csv", f"round-{kept.run.round}/unsure.csv", plan.parts)


def _piece_name(kept: Kept, name: str, number: int) -> str:
    """Return the name of a piece of a file, in the run's folder."""
    return f"{kept.folder}{number:04d}-{name}"


def _join_pieces(kept: Kept, name: str, target: str, count: int) -> None:
    """Write a file of its pieces one after the other; of headers in CSV the first stays."""
    home, files = kept.run.home, kept.files
    pieces = [f"{home}{_piece_name(kept, name, number)}" for number in range(count)]
    pieces = [piece for piece in pieces if files.size(piece)]
    if not pieces and name in OPTIONAL_FILES:
        return
    with create_file(files, home, target) as file:
        for number, piece in enumerate(pieces):
            chunks = files.iter_chunks(piece, None, if_missing=FileNotFoundError(piece))
            if number and name.endswith(".csv"):
                chunks = _without_header(chunks)
            for chunk in chunks:
                file.write(chunk)


def _without_header(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the chunks from the second line on; the first chunk has all of the first line."""
    first = next(chunks, b"")
    while b"\n" not in first and (more := next(chunks, b"")):
        first += more
    yield first[first.find(b"\n") + 1 :]
    yield from chunks


_WORK: dict[str, Callable[[Kept, Plan, int], None]] = {
    "gather": _gather,
    "join-answers": _join_answers,
    "tally": _tally,
    "sample": _sample,
    "count": _count,
    "judge": _judge,
    "write": _write,
    "join": _join_file,
}
