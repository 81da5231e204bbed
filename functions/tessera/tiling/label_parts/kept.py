"""Keep what the stages hand on: one object each in the folder `parts/` of the run's round."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from tessera.tiling.answers.gather import READERS
from tessera.tiling.consensus.by_parts import Counts, Fit, Learned, Samples
from tessera.tiling.consensus.result import Consensus
from tessera.tiling.label_parts.packed import pack, unpack
from tessera.tiling.label_parts.plan import Plan
from tessera.tiling.label_run import Files
from tessera.tiling.report.rounds import EarlierLabels
from tessera.tiling.run.run import Run
from tessera.tiling.training.line_counts import LineOutcomes
from tessera.tiling.training.write_manifests import LineLabels

Packed = TypeVar("Packed")


class Piece(msgspec.Struct):
    """Answers of one job to the images of one part, in order of arrival.

    `image` is a line of the manifest; `worker` and `submission` are numbered within the job, as
    `row` is, the answer's place among all of the job. `unloaded_image` and `unloaded_worker` have a
    row for each image that did not load.
    """

    image: NDArray[np.int32]
    worker: NDArray[np.int32]
    label: NDArray[np.int8]
    seconds: NDArray[np.float32]
    submission: NDArray[np.int32]
    row: NDArray[np.int32]
    unloaded_image: NDArray[np.int32]
    unloaded_worker: NDArray[np.int32]


class Gathered(msgspec.Struct):
    """Answers of a job beside their columns: workers by number, and what was noted.

    `parts` are those that it has answers of.
    """

    workers: list[str]
    rows: int
    submissions: int
    noted: dict[str, int]
    set_aside: NDArray[np.int32]
    parts: list[int]


class Answers(msgspec.Struct):
    """All jobs together: the workers by name, and by job the places of its own workers in them."""

    names: list[str]
    ranks: list[NDArray[np.int32]]
    jobs: list[Gathered]

    @property
    def noted(self) -> Counter[str]:
        """Count what was noted in all jobs, by reason."""
        total: Counter[str] = Counter()
        for job in self.jobs:
            total.update(job.noted)
        return total

    def first_submissions(self) -> list[int]:
        """Return by job the number of its first submission among those of all jobs."""
        sizes = [job.submissions for job in self.jobs]
        return list(accumulate(sizes, initial=0))[:-1]


class Tallied(msgspec.Struct):
    """Images of a part by number of readable answers, after each round.

    `kept` tells of the part's answers, in the order of its jobs, which of them count.
    """

    tallies: list[dict[int, int]]
    kept: NDArray[np.bool_]


class Known(msgspec.Struct):
    """Gold lines of a part with their classes, -1 for an image that is known to be unreadable."""

    line: NDArray[np.int64]
    class_: NDArray[np.int16]

    def by_line(self) -> Mapping[int, int]:
        """Return the classes by line within the part."""
        return dict(zip(self.line.tolist(), self.class_.tolist(), strict=True))


class Judged(msgspec.Struct):
    """Consensus of a part, and its labels after each earlier round."""

    consensus: Consensus
    earlier: list[EarlierLabels]


@dataclass(frozen=True, slots=True)
class Kept:
    """Everything that is kept between the stages, by kind and number."""

    files: Files
    run: Run

    def uri(self, kind: str, *numbers: int) -> str:
        """Return where something is kept."""
        name = "-".join([kind, *(f"{number:04d}" for number in numbers)])
        return f"{self.run.home}{self.folder}{name}"

    @property
    def folder(self) -> str:
        """Return the folder's name in that of the run."""
        return f"round-{self.run.round}/parts/"

    def put(self, value: object, kind: str, *numbers: int) -> None:
        """Keep a value, in the place of one that an earlier attempt kept."""
        content_type = "application/msgpack"
        self.files.put(self.uri(kind, *numbers), pack(value), content_type=content_type)

    def get(self, type_: type[Packed], kind: str, *numbers: int) -> Packed:
        """Return what was kept."""
        return unpack(self.files.get(self.uri(kind, *numbers)), type_)

    def get_all(self, type_: type[Packed], kind: str, count: int) -> list[Packed]:
        """Return what was kept under the numbers below `count`."""
        return self.in_parallel(lambda number: self.get(type_, kind, number), range(count))

    def in_parallel(self, read: Callable[[int], Packed], numbers: Iterable[int]) -> list[Packed]:
        """Return what is read for each number; waiting for S3 is most of the time."""
        with ThreadPoolExecutor(READERS) as readers:
            return list(readers.map(read, numbers))

    # each kind has one type, by which it is read

    def plan(self) -> Plan:
        """Return how the run is cut."""
        return self.get(Plan, "plan")

    def answers(self) -> Answers:
        """Return the workers and jobs."""
        return self.get(Answers, "answers")

    def tallied(self, part: int) -> Tallied:
        """Return the tallies of a part."""
        return self.get(Tallied, "tally", part)

    def samples(self, part: int) -> list[Samples]:
        """Return the samples of a part, one for each round."""
        return self.get(list[Samples], "sample", part)

    def fits(self) -> list[Fit]:
        """Return the models that were fitted to the samples, one for each round."""
        return self.get(list[Fit], "fits")

    def counts(self, part: int) -> list[Counts | None]:
        """Return the expected counts of a part, one for each round that is counted."""
        return self.get(list[Counts | None], "count", part)

    def learned(self) -> list[Learned]:
        """Return the final models, one for each round."""
        return self.get(list[Learned], "learned")

    def judged(self, part: int) -> Judged:
        """Return the consensus of a part."""
        return self.get(Judged, "judge", part)

    def line_labels(self, part: int) -> LineLabels:
        """Return what is written of a part's lines, but for duplicates."""
        return self.get(LineLabels, "labels", part)

    def outcomes(self, part: int) -> LineOutcomes:
        """Return where a part's lines were written."""
        return self.get(LineOutcomes, "write", part)
