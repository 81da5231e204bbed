"""Make the report of a run that was labeled in parts, and what is announced of it.

The figures need all answers at once, and are those of a run in one piece. So the columns lie in
files of scratch space, from which the system loads what is looked at and lets go of the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Consensus, Crowd
from tessera.tiling.consensus.unloaded import Unloaded
from tessera.tiling.label_parts.kept import Answers, Judged, Kept, Piece
from tessera.tiling.label_parts.part import jobs_of, known_of, load_part
from tessera.tiling.label_parts.plan import Plan, left_out
from tessera.tiling.label_run import Files, known_beside, write_report
from tessera.tiling.report.build import RunResult
from tessera.tiling.report.rounds import EarlierLabels
from tessera.tiling.run.run import Run
from tessera.tiling.run.run_files import OpenScratch
from tessera.tiling.training.line_counts import Counts, LineOutcomes

_IMAGE_COLUMNS = ("label", "confidence", "agreement", "gain", "answers", "unreadable")


def report_whole(
    files: Files, run: Run, template: Path, scratch: OpenScratch
) -> tuple[RunResult, dict[str, Any]]:
    """Write the report of a run whose parts are all done; return its result and its figures."""
    run = replace(run, notices=[*run.notices, *left_out(run)])
    kept = Kept(files, run)
    plan, answers = kept.plan(), kept.answers()
    outcomes = _add_up_outcomes(kept.in_parallel(kept.outcomes, range(plan.parts)))
    outcomes.counts.check(run.counts["lines"])
    columns = _load_answers(kept, plan, answers, scratch)
    consensus, earlier = _load_labels(kept, plan, scratch)
    crowd = Crowd(
        plan.lines,
        len(answers.names),
        len(run.settings.classes),
        columns.image,
        columns.worker,
        columns.label,
    )
    result = RunResult(
        run=run,
        crowd=crowd,
        names=answers.names,
        seconds=columns.seconds,
        submission=columns.submission,
        round_=columns.round_,
        noted=answers.noted,
        evidence=known_beside(run, _load_known(kept, plan)),
        consensus=consensus,
        lines=outcomes,
        unloaded=columns.unloaded,
        earlier=earlier,
    )
    return result, write_report(files, result, template)


def _add_up_outcomes(parts: list[LineOutcomes]) -> LineOutcomes:
    """Return the outcomes of all lines; the parts are in the order of their lines."""
    total = LineOutcomes()
    for part in parts:
        for field in msgspec.structs.fields(Counts):
            before = getattr(total.counts, field.name)
            setattr(total.counts, field.name, before + getattr(part.counts, field.name))
        total.reasons.update(part.reasons)
        total.labels.update(part.labels)
        total.labels_before.update(part.labels_before)
        for name, labels in part.boxes.items():
            total.boxes.setdefault(name, Counter()).update(labels)
        total.unsure.extend(part.unsure)
        total.retry.extend(part.retry)
        total.sources.update(part.sources)
        total.by_model += part.by_model
        total.reviewed += part.reviewed
    return total


@dataclass(frozen=True, slots=True, eq=False)
class _Columns:
    """Answers of a whole run in columns of equal length, in order of arrival."""

    image: NDArray[np.int32]
    worker: NDArray[np.int32]
    label: NDArray[np.int8]
    seconds: NDArray[np.float32]
    submission: NDArray[np.int32]
    round_: NDArray[np.int8]
    unloaded: Unloaded


def _in_scratch(scratch: OpenScratch, type_: Any, rows: int) -> NDArray[Any]:
    """Return an array of zeros that lies in a file."""
    if not rows:  # a file without bytes cannot be mapped
        return np.empty(0, type_)
    with scratch() as file:  # the mapping keeps it
        return np.memmap(file, type_, "w+", shape=(rows,))


def _load_answers(kept: Kept, plan: Plan, answers: Answers, scratch: OpenScratch) -> _Columns:
    """Load all answers that count, job by job, so that they are in order of arrival."""
    rows = {part: kept.tallied(part).kept for part in range(plan.parts)}
    total = sum(int(np.count_nonzero(each)) for each in rows.values())
    types = {"image": np.int32, "worker": np.int32, "label": np.int8, "seconds": np.float32,
             "submission": np.int32, "round_": np.int8}  # fmt: skip
    columns = {name: _in_scratch(scratch, type_, total) for name, type_ in types.items()}
    end, place = 0, dict.fromkeys(rows, 0)
    firsts = answers.first_submissions()
    for job, gathered in enumerate(answers.jobs):
        is_kept = np.zeros(gathered.rows, np.bool_)
        of_job = {name: np.empty(gathered.rows, type_) for name, type_ in types.items()}
        for part in gathered.parts:
            piece = kept.get(Piece, "piece", job, part)
            start, place[part] = place[part], place[part] + len(piece.row)
            is_kept[piece.row] = rows[part][start : place[part]]
            of_job["image"][piece.row] = piece.image
            of_job["worker"][piece.row] = answers.ranks[job][piece.worker]
            of_job["label"][piece.row] = piece.label
            of_job["seconds"][piece.row] = piece.seconds
            of_job["submission"][piece.row] = piece.submission + firsts[job]
        of_job["round_"][:] = plan.shards[job].round
        begin, end = end, end + int(np.count_nonzero(is_kept))
        for name, column in columns.items():
            column[begin:end] = of_job[name][is_kept]
    return _Columns(**columns, unloaded=_load_unloaded(kept, plan, answers))


def _load_unloaded(kept: Kept, plan: Plan, answers: Answers) -> Unloaded:
    """Load the images that did not load, in the order of the lines."""
    image, worker = [np.empty(0, np.int32)], [np.empty(0, np.int32)]
    for part in range(plan.parts):
        if _has_unloaded(kept, answers, part):
            unloaded = load_part(kept, plan, answers, part).unloaded
            image.append((unloaded.image + plan.start_of(part)).astype(np.int32))
            worker.append(unloaded.worker)
    return Unloaded(np.concatenate(image), np.concatenate(worker))


def _has_unloaded(kept: Kept, answers: Answers, part: int) -> bool:
    """Return whether any job noted an image of the part that did not load; most runs have none."""
    return any(
        len(kept.get(Piece, "piece", job, part).unloaded_image) for job in jobs_of(answers, part)
    )


def _load_labels(
    kept: Kept, plan: Plan, scratch: OpenScratch
) -> tuple[Consensus, dict[int, EarlierLabels]]:
    """Load the labels of all images, and those after each earlier round."""
    columns: dict[str, Any] = {}
    last: Judged | None = None
    for part in range(plan.parts):
        last, lines = kept.judged(part), slice(plan.start_of(part), plan.start_of(part + 1))
        for name, values in _label_columns(last):
            if name not in columns:
                columns[name] = _in_scratch(scratch, values.dtype, plan.lines)
            columns[name][lines] = values
    assert last is not None, "a plan has a part"
    learned: dict[str, Any] = {
        field.name: getattr(last.consensus, field.name)
        for field in fields(Consensus)
        if field.name not in _IMAGE_COLUMNS
    }
    consensus = Consensus(**learned, **{name: columns[name] for name in _IMAGE_COLUMNS})
    earlier = {
        round_: EarlierLabels(columns[f"label-{round_}"], columns[f"confidence-{round_}"])
        for round_ in range(1, kept.run.round)
    }
    return consensus, earlier


def _label_columns(judged: Judged) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the columns of a part's images by name."""
    for name in _IMAGE_COLUMNS:
        yield name, getattr(judged.consensus, name)
    for round_, labels in enumerate(judged.earlier, 1):
        yield f"label-{round_}", labels.label
        yield f"confidence-{round_}", labels.confidence


def _load_known(kept: Kept, plan: Plan) -> NDArray[np.int16] | None:
    """Load the class of each gold image, else -1; None for a run without any."""
    if not kept.run.counts.get("gold"):
        return None
    known = [known_of(kept, plan, part)[1] for part in range(plan.parts)]
    return np.concatenate([one for one in known if one is not None])
