"""Load the answers of one part as the consensus and the report take them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.answers.table import first_of_worker
from tessera.tiling.consensus import Crowd
from tessera.tiling.consensus.by_parts import Part
from tessera.tiling.consensus.unloaded import Unloaded, unloaded_pairs
from tessera.tiling.label_parts.kept import Answers, Kept, Known, Piece
from tessera.tiling.label_parts.plan import Plan


@dataclass(frozen=True, slots=True, eq=False)
class PartAnswers:
    """Answers of a part, images numbered from its first line.

    `kept` tells of all answers, in the order of the jobs, which of them are in the crowd; `round_`
    has a row for each of the crowd's.
    """

    crowd: Crowd
    round_: NDArray[np.int8]
    unloaded: Unloaded
    kept: NDArray[np.bool_]

    def until(self, round_: int, known: NDArray[np.int16] | None) -> Part:
        """Return the part with the answers of a round and those before it."""
        rows, crowd = self.round_ <= round_, self.crowd
        if not rows.all():
            columns = crowd.image[rows], crowd.worker[rows], crowd.label[rows]
            crowd = replace(crowd, image=columns[0], worker=columns[1], label=columns[2])
        return Part(crowd, known)


def load_part(kept: Kept, plan: Plan, answers: Answers, part: int) -> PartAnswers:
    """Return the answers of a part; a worker who was asked an image twice counts the first time."""
    lines, jobs = plan.lines_of(part), jobs_of(answers, part)
    pieces = kept.in_parallel(lambda job: kept.get(Piece, "piece", job, part), jobs)
    joined = _join(pieces, [answers.ranks[job] for job in jobs])
    rounds = [plan.shards[job].round for job in jobs]
    round_ = np.repeat(np.array(rounds, np.int8), [len(piece.image) for piece in pieces])
    image, workers = joined.image - np.int32(lines.start), len(answers.names)
    kept_rows = first_of_worker(image, joined.worker, workers)
    classes = len(kept.run.settings.classes)
    crowd = Crowd(
        len(lines),
        workers,
        classes,
        image[kept_rows],
        joined.worker[kept_rows],
        joined.label[kept_rows],
    )
    absent = joined.unloaded_image - np.int32(lines.start)
    unloaded = unloaded_pairs(absent, joined.unloaded_worker, crowd, workers)
    return PartAnswers(crowd, round_[kept_rows], unloaded, kept_rows)


def jobs_of(answers: Answers, part: int) -> list[int]:
    """Return the jobs that have answers of a part."""
    return [number for number, job in enumerate(answers.jobs) if part in job.parts]


def _join(pieces: list[Piece], ranks: list[NDArray[np.int32]]) -> Piece:
    """Return the pieces of several jobs as one, with workers numbered by name."""

    def column(name: str, type_: type[np.generic]) -> NDArray[Any]:
        return np.concatenate([np.empty(0, type_), *(getattr(each, name) for each in pieces)])

    def workers(name: str) -> NDArray[np.int32]:
        numbers = [rank[getattr(each, name)] for each, rank in zip(pieces, ranks, strict=True)]
        return np.concatenate([np.empty(0, np.int32), *numbers])

    return Piece(
        image=column("image", np.int32),
        worker=workers("worker"),
        label=column("label", np.int8),
        seconds=column("seconds", np.float32),
        submission=column("submission", np.int32),
        row=column("row", np.int32),
        unloaded_image=column("unloaded_image", np.int32),
        unloaded_worker=workers("unloaded_worker"),
    )


def known_of(kept: Kept, plan: Plan, part: int) -> tuple[Known | None, NDArray[np.int16] | None]:
    """Return a part's gold, and the class of each image where it is known; None without any."""
    if not kept.run.counts.get("gold"):
        return None, None
    gold = kept.get(Known, "known", part)
    known = np.full(len(plan.lines_of(part)), -1, np.int16)
    known[gold.line] = gold.class_
    return gold, known
