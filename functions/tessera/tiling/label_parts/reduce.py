"""Put together what the items of a stage left, and begin the next stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tessera.tiling.answers.gather import list_shards
from tessera.tiling.consensus import by_parts
from tessera.tiling.consensus.by_parts import Counts, Learned
from tessera.tiling.label_parts.kept import Answers, Gathered, Kept
from tessera.tiling.label_parts.plan import Plan, fits_in_one, make_plan, next_stage
from tessera.tiling.label_parts.work import add_tallies, rounds_of
from tessera.tiling.label_run import Files, known_beside
from tessera.tiling.run.run import Run


def begin_stage(files: Files, run: Run, stage: str, megabytes: int) -> dict[str, Any] | None:
    """Return the next stage as the result of the state ConsolidateLabels, or None if there is none.

    `stage` is the one whose items are done, "" before the first; a run that the function's memory
    holds has no stages.
    """
    kept = Kept(files, run)
    if stage:
        plan = kept.plan()
        _REDUCE.get(stage, _nothing)(kept, plan)
    elif fits_in_one(run, megabytes):
        return None
    else:
        plan = make_plan(run, list(list_shards(files, run)))
        kept.put(plan, "plan")
    following = next_stage(stage)
    while following and not plan.items(following):  # nobody was asked
        _REDUCE.get(following, _nothing)(kept, plan)
        following = next_stage(following)
    if not following:
        return None
    parts = {"stage": following, "items": plan.items(following)}
    return {"outcome": "by-parts", "run": run.name, "round": run.round, "parts": parts}


def _nothing(kept: Kept, plan: Plan) -> None:
    """Leave what the items left as it is."""


def _number_workers(kept: Kept, plan: Plan) -> None:
    """Number the workers of all jobs by name."""
    jobs = kept.get_all(Gathered, "gather", len(plan.shards))
    names = sorted({worker for job in jobs for worker in job.workers})
    place = {name: number for number, name in enumerate(names)}
    ranks = [np.array([place[worker] for worker in job.workers], np.int32) for job in jobs]
    kept.put(Answers(names, ranks, jobs), "answers")


def _add_up_tallies(kept: Kept, plan: Plan) -> None:
    """Keep the tallies of all parts in one place."""
    parts = kept.in_parallel(lambda part: kept.tallied(part).tallies, range(plan.parts))
    kept.put(parts, "tallies")


def _fit(kept: Kept, plan: Plan) -> None:
    """Fit a model to the samples of all parts, for each round."""
    parts = kept.in_parallel(kept.samples, range(plan.parts))
    tallies = kept.get(list[list[dict[int, int]]], "tallies")
    workers, classes = len(kept.answers().names), len(kept.run.settings.classes)
    fits = []
    for place, _ in enumerate(rounds_of(kept.run)):
        own = [by_parts.Tally(by_round[place]) for by_round in tallies]
        strides = by_parts.plan_strides(add_tallies(own))
        samples = by_parts.put_together([part[place] for part in parts])
        fits.append(by_parts.fit(samples, strides, workers, classes, known_beside(kept.run, None)))
    kept.put(fits, "fits")


def _learn(kept: Kept, plan: Plan) -> None:
    """Add up the expected counts of all parts, and learn the final model of each round."""
    totals: list[Counts | None] = [None for _ in rounds_of(kept.run)]
    # in the order of the parts, one at a time: sums are then the same whoever adds them up
    for part in range(plan.parts):
        for place, counts in enumerate(kept.counts(part)):
            total = totals[place]
            totals[place] = counts if total is None or counts is None else total + counts
    learned: list[Learned] = [
        by_parts.learn(fit, counts) for fit, counts in zip(kept.fits(), totals, strict=True)
    ]
    kept.put(learned, "learned")


_REDUCE: dict[str, Callable[[Kept, Plan], None]] = {
    "gather": _number_workers,
    "tally": _add_up_tallies,
    "sample": _fit,
    "count": _learn,
}
