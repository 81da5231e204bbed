"""Label a run: the answers of all rounds so far become labels, manifests and a report."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from tessera.tiling import decisions
from tessera.tiling.answers import gather
from tessera.tiling.answers.answer_book import AnswerBook
from tessera.tiling.answers.flags import FLAGGED
from tessera.tiling.answers.table import (
    AnswerTable,
    answer_rows,
    answer_table,
    known_classes,
    unsure_rows,
)
from tessera.tiling.class_shares import FROM_GOLD, fill_shares
from tessera.tiling.consensus import Consensus, Evidence, consolidate
from tessera.tiling.consensus.pace import answer_weights, slow_answers
from tessera.tiling.consolidation_rules import RULES
from tessera.tiling.errors import ManifestUnreadable
from tessera.tiling.guesses.asking import ModelResult
from tessera.tiling.judge_run import image_lines, judge_with_model
from tessera.tiling.manifest.box_lines import box_lines
from tessera.tiling.onboarding.qualification import (
    qualification_figures,
    read_standings,
    records_uri,
)
from tessera.tiling.report.build import RunResult, build_report, images_in_report
from tessera.tiling.report.flags import flag_figures
from tessera.tiling.report.render import render_html, render_json
from tessera.tiling.run import run_record
from tessera.tiling.run.run import MAX_UNLOADED, Run
from tessera.tiling.run.run_files import CreateFile, Writable
from tessera.tiling.training.known_labels import read_duplicates, read_gold
from tessera.tiling.training.write_manifests import (
    LineFacts,
    label_lines,
    make_splice,
    write_manifests,
)
from tessera.tiling.workers.skills import SKILLS_NAME, estimate_skills
from tessera.tiling.workers.worker_memory import with_memory, with_notice

Step = Callable[[str], AbstractContextManager[None]]
"""Opens a `with` block around a part of the work, by its name, which a trace shows."""


class Head(Protocol):
    """Size of an object; `tessera.aws.storage.Head` is one."""

    @property
    def size(self) -> int:
        """Return the number of bytes."""


class Files(gather.Files, run_record.Files, Protocol):
    """Stored objects as they are used here; `tessera.aws.storage.Storage` is one."""

    def head(self, uri: str) -> Head | int:
        """Return an object's size, or the HTTP status of S3's refusal."""

    def get_range(self, uri: str, start: int, end: int) -> bytes:
        """Return the bytes from `start` up to, not including, `end`."""

    def iter_chunks(
        self, uri: str, version_id: str | None, *, if_missing: Exception
    ) -> Iterator[bytes]:
        """Iterate over the object's bytes; raise `if_missing` if it does not exist."""

    def put(self, uri: str, data: bytes, *, content_type: str) -> None:
        """Put the object, replacing what is there."""

    def writer(self, uri: str, *, content_type: str) -> AbstractContextManager[Writable]:
        """Open a `with` block that writes one object of any size, piece by piece."""


def label_run(
    files: Files, run: Run, template: Path, step: Step
) -> tuple[RunResult, dict[str, Any]]:
    """Consolidate every round so far, write the run's files, and return the result and its figures.

    `template` is the file of the report's page.
    """
    result = _label(files, run, step, run.home)
    if again := result.images_to_ask_again:
        rows = unsure_rows(again, result.crowd, result.unloaded, result.names)
        write_pieces(partial(create_file, files, run.home), f"round-{run.round}/unsure.csv", rows)
        write_skills(files, result, again)
    return result, write_report(files, result, template)


def write_skills(files: Files, result: RunResult, again: Sequence[int]) -> None:
    """Write who is likely to be right about the images that are asked again.

    Nothing is written where pages are for anyone at once.
    """
    run, consensus = result.run, result.consensus
    if not run.settings.offer_share:
        return
    if consensus.probabilities is None:  # a model's decision has none
        consensus = consolidate(
            result.crowd, run.settings.method, evidence=result.weighed, probabilities=True
        )
    if skills := estimate_skills(consensus, result.crowd, result.names, again):
        uri = f"{run.home}round-{run.round}/{SKILLS_NAME}"
        files.put(uri, skills.encode(), content_type="application/octet-stream")


def label_into(files: Files, run: Run, template: Path, home: str) -> dict[str, Any]:
    """Write the files of a run into another folder than its own, and return its figures."""
    result = _label(files, run, lambda _: nullcontext(), home)
    return write_report(files, result, template, home)


def write_report(files: Files, result: RunResult, template: Path, home: str = "") -> dict[str, Any]:
    """Write report.json and report.html of a run, and return their figures.

    Without `home` it is the report of a round, which another may follow.
    """
    final, home = bool(home), home or result.run.home
    flagged = read_flagged(files, home, result.label_of)
    figures = build_report(result, _qualification(files, result.run), flagged, final=final)
    put_report(files, home, figures, render_html(template.read_text("utf-8"), figures))
    return figures


def put_report(files: Files, home: str, figures: Mapping[str, Any], page: str) -> None:
    """Put the files of a report: its figures for programs, and its page for people."""
    files.put(f"{home}report.json", render_json(figures), content_type="application/json")
    files.put(f"{home}report.html", page.encode(), content_type="text/html; charset=utf-8")


def read_flagged(files: Files, home: str, label_of: Callable[[int], str]) -> dict[str, Any]:
    """Return the report's figures of what workers flagged; nothing where nobody flagged any."""
    uri = home + FLAGGED
    return flag_figures(files.iter_lines(uri), label_of) if files.size(uri) else {}


def _qualification(files: Files, run: Run) -> dict[str, Any] | None:
    """Return what workers came to in the project's qualification; None where nobody is tested."""
    if run.settings.qualify is UNSET:
        return None
    standings = read_standings(files, records_uri(run.home, run.project))
    return qualification_figures(run.settings.qualify, standings)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedRun:
    """Answers of a run, what is known beside them, and what they add up to."""

    book: AnswerBook
    table: AnswerTable
    evidence: Evidence
    consensus: Consensus
    model: ModelResult | None
    facts: LineFacts


def judge_answers(files: Files, run: Run, create: CreateFile, step: Step) -> JudgedRun:
    """Gather a run's answers and consolidate them; `create` creates the files that list them."""
    settings = run.settings
    with step("gather answers"):
        book, table = _gather(files, run, create)
    # read only if there are any: it takes a reading of the whole manifest
    gold = read_gold(manifest_chunks(files, run), settings) if run.counts.get("gold") else {}
    review = decisions.read_decisions(files, run.home)
    reviewed = review.classes(settings)
    evidence = _evidence(files, run, table, gold, reviewed if review.teach else {})
    duplicates = read_repeats(files, run)
    unloaded = table.unloaded.workers_by_image(table.crowd.images)
    with step("consolidate"):
        if settings.guesses is UNSET:
            model = None
            consensus = consolidate(
                table.crowd,
                settings.method,
                evidence=evidence,
                probabilities=bool(settings.offer_share),
            )
        else:
            asked = partial(_asked, files, run, {*gold, *duplicates}, unloaded)
            model = judge_with_model(files, run, table.crowd, evidence, asked)
            consensus = model.decision.consensus
    if settings.ask_slowest:
        consensus = with_slowest(consensus, table, settings.ask_slowest)
    consensus = with_decisions(consensus, reviewed)
    return JudgedRun(
        book=book,
        table=table,
        evidence=evidence,
        consensus=consensus,
        model=model,
        facts=LineFacts(
            gold=gold,
            reviewed=reviewed,
            duplicates=duplicates,
            unloaded=unloaded,
            set_aside=book.set_aside,
            unsure=model.decision.unsure if model else None,
        ),
    )


def _gather(files: Files, run: Run, create: CreateFile) -> tuple[AnswerBook, AnswerTable]:
    """Gather a run's answers, and write the file that lists them."""
    settings = run.settings
    book = gather.gather_answers(files, run, create)
    table = answer_table(book, images=run.counts["lines"], classes=len(settings.classes))
    if settings.weigh_seconds:
        weight = answer_weights(table.crowd.worker, table.seconds)
        table = replace(table, crowd=replace(table.crowd, weight=weight))
    # before the manifest is read again: if it is gone, these are what is left
    write_pieces(create, "answers.csv", answer_rows(book, (*settings.classes, settings.escape)))
    return book, table


def _evidence(
    files: Files,
    run: Run,
    table: AnswerTable,
    gold: Mapping[int, int],
    taught: Mapping[int, int],
) -> Evidence:
    """Return what is known beside the answers; `taught` are decisions that workers are held to."""
    known = {**gold, **taught}
    evidence = known_beside(run, known_classes(known, table.crowd.images) if known else None)
    if taught:  # doubtful images were looked at, which are no random ones
        evidence = replace(evidence, random_gold=False)
    return with_memory(files, run, evidence, table.names)


def with_slowest(consensus: Consensus, table: AnswerTable, share: float) -> Consensus:
    """Return the consensus with a gain for images whose only answer was slow, and for no others.

    Images with several answers keep theirs.
    """
    crowd = table.crowd
    slow = np.zeros(crowd.images, np.bool_)
    slow[crowd.image[slow_answers(crowd.worker, table.seconds, share)]] = True
    gain = consensus.gain.copy()
    alone = (consensus.answers == 1) & ~consensus.unreadable
    gain[alone] = np.where(slow[alone], 1.0, 0.0)
    return replace(consensus, gain=gain)


def with_decisions(consensus: Consensus, reviewed: Mapping[int, int]) -> Consensus:
    """Return the consensus with what reviewers decided, for the report to say the same."""
    if not reviewed:
        return consensus
    lines = np.fromiter(reviewed.keys(), np.int64, len(reviewed))
    decided = np.fromiter(reviewed.values(), np.int64, len(reviewed))
    label, confidence = consensus.label.copy(), consensus.confidence.copy()
    unreadable = consensus.unreadable.copy()
    label[lines], confidence[lines], unreadable[lines] = decided, 1, decided < 0
    return replace(consensus, label=label, confidence=confidence, unreadable=unreadable)


def _label(files: Files, run: Run, step: Step, home: str) -> RunResult:
    """Decide each image's label, and write the lines into the files at `home`."""
    create = partial(create_file, files, home)
    judged = judge_answers(files, run, create, step)
    table, consensus = judged.table, judged.consensus
    with step("write manifests"):
        lines = write_manifests(
            manifest_chunks(files, run),
            run.settings,
            label_lines(consensus, run.settings, judged.facts),
            make_splice(run),
            create,
            watched=images_in_report(
                table.crowd,
                consensus,
                judged.evidence.known,
                table.unloaded,
                len(run.settings.classes),
                judged.model,
            ),
            rule=run.pictures,
        )
    # Else labels would be other images': the manifest is not the one that was grouped.
    lines.counts.check(run.counts["lines"])
    return RunResult(
        run=with_notice(files, run, judged.evidence),
        crowd=table.crowd,
        names=table.names,
        seconds=table.seconds,
        submission=table.submission,
        round_=table.round_,
        noted=judged.book.noted,
        evidence=judged.evidence,
        consensus=consensus,
        lines=lines,
        unloaded=table.unloaded,
        model=judged.model,
        reviewed=judged.facts.reviewed,
    )


def known_beside(run: Run, known: NDArray[np.int16] | None) -> Evidence:
    """Return what is known beside a run's answers; `known` has the class of each gold image."""
    shares, classes = run.settings.shares, run.settings.classes
    return Evidence(
        known,
        shares=np.array(fill_shares(shares, classes)) if isinstance(shares, dict) else None,
        random_gold=shares == FROM_GOLD,
        rules=RULES[run.rules],
    )


def _asked(
    files: Files, run: Run, others: Collection[int], unloaded: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which lines are images that people may still be asked, which `others` are not."""
    asked = image_lines(manifest_chunks(files, run), run, others)
    return asked & (unloaded < MAX_UNLOADED)


def read_repeats(files: Files, run: Run) -> dict[int, int]:
    """Return for each duplicate of the run the line that it repeats."""
    if not run.counts.get("repeats"):  # a run without any has no such file
        return {}
    return read_duplicates(files.iter_lines(f"{run.home}repeats.csv"))


def manifest_chunks(files: Files, run: Run) -> Iterator[bytes]:
    """Iterate over the manifest's bytes as they were when it was grouped, with a line an image."""
    gone = ManifestUnreadable(
        f"{run.manifest_uri} is gone as it was when the run began, and labels are written to its "
        "lines. No answer is lost: answers.csv in the run's folder has all, and tessera "
        "consolidate makes labels of it"
    )
    chunks = files.iter_chunks(run.manifest_uri, run.manifest.get("version-id"), if_missing=gone)
    return box_lines(chunks, run.settings)


def create_file(files: Files, home: str, name: str) -> AbstractContextManager[Writable]:
    """Open a `with` block that writes a file of the run, by its name in the run's folder."""
    kind = "text/csv" if name.endswith(".csv") else "application/jsonlines"
    return files.writer(home + name, content_type=kind)


def write_pieces(create: CreateFile, name: str, pieces: Iterable[bytes]) -> None:
    """Write a file of the run piece by piece."""
    with create(name) as file:
        for piece in pieces:
            file.write(piece)
