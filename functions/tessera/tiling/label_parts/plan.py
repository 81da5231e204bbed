"""Decide which runs are labeled in parts, how they are cut, and which stage follows which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from tessera.tiling.answers.flags import FLAGGED
from tessera.tiling.answers.gather import AskedShard
from tessera.tiling.run.run import Run
from tessera.tiling.run.run_size import ANSWER_BYTES, BASE_MEGABYTES, MOST_TOGETHER, needs_one_piece

PART_ANSWERS = 8_000_000
"""Answers of a part, two million images' at four: a fifth of what the default memory holds, since
a state that fails repeats its part, and a small part takes a minute."""

MOST_WHOLE = MOST_TOGETHER
"""Answers of a run in one piece at most; tests and benchmarks set it to have a small run cut."""

STAGES = (
    "gather", "join-answers", "tally", "sample", "count", "judge", "write", "join"
)  # fmt: skip
"""Stages in their order; each is run for all its items before the next one begins."""
ANSWER_FILES = ("answers.csv", "odd-answers.jsonl", FLAGGED)
"""Files that are put together from each job's answers."""
LINE_FILES = ("training.manifest", "unlabeled.manifest", "uncertain.manifest", "unlabeled.csv")
"""Files that are put together from each part's lines; the round's unsure.csv is one more."""
OPTIONAL_FILES = frozenset({"odd-answers.jsonl", FLAGGED, "unsure.csv"})
"""Files that a run has only if there is something in them."""


class Plan(msgspec.Struct):
    """Parts of a run: the lines of its manifest, the number of parts, and the asked shards.

    `jobs` is how the newest round's jobs ended.
    """

    lines: int
    parts: int
    shards: list[AskedShard]
    jobs: list[dict[str, Any]]

    def lines_of(self, part: int) -> range:
        """Return the lines of a part."""
        return range(self.start_of(part), self.start_of(part + 1))

    def start_of(self, part: int) -> int:
        """Return the first line of a part."""
        return self.lines * part // self.parts

    def items(self, stage: str) -> int:
        """Return how many items a stage is run for."""
        files = {"join-answers": len(ANSWER_FILES), "join": len(LINE_FILES) + 1}
        return len(self.shards) if stage == "gather" else files.get(stage, self.parts)


def make_plan(run: Run, shards: Sequence[AskedShard]) -> Plan:
    """Return how a run is cut; a part has about `PART_ANSWERS`, at most one a line."""
    lines = run.counts["lines"]
    parts = min(max(-(-run.expected_answers // PART_ANSWERS), 1), max(lines, 1))
    return Plan(lines, parts, list(shards), [dict(job) for job in run.jobs])


def fits_in_one(run: Run, megabytes: int) -> bool:
    """Return whether a run is labeled in one piece by a function that has so much memory."""
    if needs_one_piece(run.settings):
        return True
    room = (megabytes - BASE_MEGABYTES) * 1_000_000 // ANSWER_BYTES
    return run.expected_answers <= min(room, MOST_WHOLE)


def left_out(run: Run) -> list[str]:
    """Return sentences on what a run goes without that is labeled in parts, for its report."""
    notices = [
        "The run is so large that it was labeled in parts: nobody looked for workers who hand in "
        "one another's answers."
    ]
    if run.settings.remember_workers:
        notices.append(
            "For the same reason, what earlier runs tell of the workers was not used; every worker "
            "was judged by this run alone."
        )
    return notices


def next_stage(stage: str) -> str:
    """Return the stage after this one, "" after the last; that after "" is the first."""
    place = STAGES.index(stage) + 1 if stage else 0
    return STAGES[place] if place < len(STAGES) else ""
