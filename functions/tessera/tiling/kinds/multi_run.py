"""Label a run of several labels an image: sets of answers become sets of labels, and a report.

It goes the way of `label_run`: answers are gathered and written to answers.csv, the manifest is
read again and each line written where it belongs. What differs is the consensus, one for each label
(`consensus.label_sets`), the form of the labels (`training.set_splice`), and that an image is asked
again while any of its labels is in doubt, about those alone (`grouping.doubts`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from tessera.tiling.answers.answer_book import AnswerBook
from tessera.tiling.answers.gather import gather_answers
from tessera.tiling.answers.table import AnswerTable, answer_rows, answer_table, unsure_rows
from tessera.tiling.consensus.em import Evidence
from tessera.tiling.consensus.label_sets import UNREADABLE, SetConsensus, consolidate_sets
from tessera.tiling.consolidation_rules import RULES
from tessera.tiling.decisions import read_decisions
from tessera.tiling.kinds.kind_result import Files, KindResult
from tessera.tiling.label_run import (
    create_file,
    manifest_chunks,
    read_flagged,
    read_repeats,
    write_pieces,
)
from tessera.tiling.report.announcement import state_result
from tessera.tiling.report.build import images_to_ask_again, next_round_figures
from tessera.tiling.report.headline import headline
from tessera.tiling.report.label_sets import set_figures
from tessera.tiling.run.run import Run
from tessera.tiling.run.run_files import CreateFile
from tessera.tiling.training.label_splice import creation_date
from tessera.tiling.training.line_counts import (
    SET_ASIDE_REASON,
    UNANSWERED_REASON,
    UNLOADED_REASON,
    LineOutcomes,
)
from tessera.tiling.training.set_splice import SetSplice
from tessera.tiling.training.write_manifests import (
    LineFacts,
    LineLabels,
    label_lines,
    write_manifests,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedSets:
    """Answers of a run of sets, what reviewers decided, and what both add up to.

    `lines` has a row a line of the manifest, in which a label of 0 stands for the whole set.
    `duplicates` has the line that a duplicate repeats, `reviewed` how many images were decided.
    """

    book: AnswerBook
    table: AnswerTable
    consensus: SetConsensus
    lines: LineLabels
    duplicates: Mapping[int, int]
    reviewed: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SetResult:
    """Answers, labels and counts that a run of sets has after its newest round.

    `by_label` has the lines with each label, in the order of the classes; `again` are the images
    that the next round asks.
    """

    run: Run
    judged: JudgedSets
    lines: LineOutcomes
    by_label: list[int]
    again: Sequence[int]

    @property
    def table(self) -> AnswerTable:
        """Return the answers in columns."""
        return self.judged.table

    @property
    def consensus(self) -> SetConsensus:
        """Return what the answers add up to."""
        return self.judged.consensus

    def label_of(self, image: int) -> str:
        """Return the names of the labels that an image has, on one line."""
        if not 0 <= image < len(self.consensus.has):
            return ""
        has = self.consensus.has[image]
        return ", ".join(
            name for name, is_on in zip(self.run.settings.classes, has, strict=True) if is_on
        )


def label_multi_run(files: Files, run: Run, home: str) -> KindResult:
    """Write the manifests of a multi-label run into `home`, and return its figures."""
    result = _label(files, run, home)
    if result.again and home == run.home:
        table = result.table
        labels = labels_to_ask(result, result.again)
        rows = unsure_rows(result.again, table.crowd, table.unloaded, table.names, labels)
        create = partial(create_file, files, run.home)
        write_pieces(create, f"round-{run.round}/unsure.csv", rows)
    return KindResult(_figures(files, result, home), summarize_sets(result))


def labels_to_ask(result: SetResult, images: Sequence[int]) -> list[list[str]]:
    """Return the names of the labels to ask of each image: those in doubt, or all of them.

    All are asked where the image has no answer, or lacks one because it did not load.
    """
    classes, consensus = result.run.settings.classes, result.consensus
    rows = np.asarray(images, np.int64)
    asked = consensus.in_doubt(result.run.settings.gain)[rows]
    lacks_all = ~consensus.labeled[rows] | np.isin(rows, result.lines.retry)
    asked[lacks_all | ~asked.any(axis=1)] = True
    return [
        [name for name, is_asked in zip(classes, row, strict=True) if is_asked]
        for row in asked.tolist()
    ]


def judge_sets(files: Files, run: Run, create: CreateFile) -> JudgedSets:
    """Gather a run's answers and consolidate them; `create` creates the files that list them."""
    settings = run.settings
    book = gather_answers(files, run, create)
    table = answer_table(book, images=run.counts["lines"], classes=len(settings.classes))
    # before the manifest is read again: if it is gone, these are what is left
    write_pieces(create, "answers.csv", answer_rows(book, (*settings.classes, settings.escape)))
    evidence = Evidence(rules=RULES[run.rules])
    consensus = consolidate_sets(table.crowd, settings.method, evidence=evidence, asked=table.asked)
    decisions = read_decisions(files, run.home).sets(settings)
    consensus, repeats = consensus.with_decisions(decisions), read_repeats(files, run)
    facts = LineFacts(
        reviewed=decided_whole(decisions, len(settings.classes)),
        duplicates=repeats,
        unloaded=table.unloaded.workers_by_image(table.crowd.images),
        set_aside=book.set_aside,
    )
    return JudgedSets(
        book=book,
        table=table,
        consensus=consensus,
        lines=label_lines(consensus.of_images(), settings, facts),
        duplicates=repeats,
        reviewed=len(decisions),
    )


def decided_whole(decisions: Mapping[int, Mapping[int, bool]], classes: int) -> dict[int, int]:
    """Return the images of which nothing is left to ask: 0 for a set, -1 if nobody can tell.

    >>> decided_whole({4: {0: True}, 5: {0: True, 1: False}, 6: {-1: True}}, 2)
    {5: 0, 6: -1}
    """
    return {
        image: -1 if UNREADABLE in labels else 0
        for image, labels in decisions.items()
        if UNREADABLE in labels or len(labels) == classes
    }


def _label(files: Files, run: Run, home: str) -> SetResult:
    """Decide each image's labels, and write the lines into the manifests at `home`."""
    create = partial(create_file, files, home)
    judged = judge_sets(files, run, create)
    lines, by_label = _write_lines(files, run, judged, create)
    lines.reviewed = judged.reviewed
    return SetResult(
        run=run,
        judged=judged,
        lines=lines,
        by_label=by_label,
        again=images_to_ask_again(run, lines),
    )


def _write_lines(
    files: Files, run: Run, judged: JudgedSets, create: CreateFile
) -> tuple[LineOutcomes, list[int]]:
    """Write each line of the manifest where it belongs; return the counts, and lines by label."""
    settings, consensus = run.settings, judged.consensus
    # the support says whose answers a line's labels rest on; zero would be a model's
    support = np.arange(1, len(judged.lines) + 1, dtype=np.int32)
    for later, first in judged.duplicates.items():
        support[later] = first + 1
    classes = [(settings.labels.index(name), name) for name in settings.classes]
    created = creation_date(run.started)
    splice = SetSplice(settings.label_attribute, classes, consensus, run=run.name, created=created)
    outcomes = write_manifests(
        manifest_chunks(files, run),
        settings,
        replace(judged.lines, support=support),
        splice,
        create,
        rule=run.pictures,
    )
    outcomes.counts.check(run.counts["lines"])
    before = (outcomes.labels_before[place] for place in range(len(classes)))
    return outcomes, [a + b for a, b in zip(splice.counts.tolist(), before, strict=True)]


def _figures(files: Files, result: SetResult, home: str) -> dict[str, Any]:
    """Return what report.json says of a run of sets."""
    figures = set_figures(
        result.run,
        result.table,
        result.consensus,
        result.lines,
        result.by_label,
        result.judged.book.noted,
    )
    if flagged := read_flagged(files, home, result.label_of):
        figures["flagged"] = flagged
    if home == result.run.home:  # after a review no round follows
        figures |= next_round_figures(result.run, result.again)
    figures["headline"] = headline(figures)
    return figures


def summarize_sets(result: SetResult) -> dict[str, Any]:
    """Return the result of the state ConsolidateLabels: counts, URIs, and what to announce."""
    run, counts, reasons = result.run, result.lines.counts, result.lines.reasons
    asked = counts.lines - counts.rejected - counts.labeled_before
    may_load_elsewhere = run.may_retry and len(result.lines.retry)
    nothing = asked and not len(result.table.crowd) and not may_load_elsewhere
    outcome = "nothing-labeled" if nothing else "again" if result.again else "done"
    causes = (UNANSWERED_REASON, UNLOADED_REASON, SET_ASIDE_REASON)
    return state_result(
        run,
        counts,
        outcome,
        again=len(result.again),
        partial=not run.all_jobs_completed or any(reasons[cause] for cause in causes),
        unloaded=reasons[UNLOADED_REASON],
    )
