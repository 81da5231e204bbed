"""Decide which runs are labeled in parts, how they are cut, and which stage follows which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from tessera.tiling.answers.gather import AskedShard
from tessera.tiling.method_names import DEFAULT_METHOD
from tessera.tiling.run import Run

ANSWER_BYTES = 80
"""Memory that a run takes an answer of one image in one piece: 55 to 65 bytes are measured
(benchmarks/RESULTS.md, how far one run can grow), and some are for answers in an odd form."""
BASE_MEGABYTES = 300
"""Memory of the function without a run: 190 MB are measured (benchmarks/RESULTS.md)."""
MOST_TOGETHER = 100_000_000
"""Answers that one piece may have, whatever the memory: 4 to 5 µs each are measured, and the
function has 900 s (benchmarks/RESULTS.md)."""
PART_ANSWERS = 8_000_000
"""Answers of a part, two million images' at four: a fifth of what the default memory holds, since
a state that fails repeats its part, and a small part takes a minute."""

STAGES = (
    "gather", "join-answers", "tally", "sample", "count", "judge", "write", "join"
)  # fmt: skip
"""Stages in their order; each is run for all its items before the next one begins."""
ANSWER_FILES = ("answers.csv", "odd-answers.jsonl")
"""Files that are put together from each job's answers."""
LINE_FILES = ("training.manifest", "unlabeled.manifest", "uncertain.manifest", "unlabeled.csv")
"""Files that are put together from each part's lines; the round's unsure.csv is one more."""
OPTIONAL_FILES = frozenset({"odd-answers.jsonl", "unsure.csv"})
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
    """Return whether a run is labeled in one piece by a function that has so much memory.

    Only the default method's consensus can be put together from parts, and no model learns in them.
    """
    if run.settings.method != DEFAULT_METHOD or run.settings.guesses is not UNSET:
        return True
    room = (megabytes - BASE_MEGABYTES) * 1_000_000 // ANSWER_BYTES
    return run.expected_answers <= min(room, MOST_TOGETHER)


def next_stage(stage: str) -> str:
    """Return the stage after this one, "" after the last; that after "" is the first."""
    place = STAGES.index(stage) + 1 if stage else 0
    return STAGES[place] if place < len(STAGES) else ""
