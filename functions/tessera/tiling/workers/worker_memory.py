"""Keep what a project's runs learned of its workers, for the next run's consolidation.

That is one object a project, `projects/<project>/workers.json` in the bucket of the runs. A run
that asks for it (setting `remember_workers`) copies it into its own folder before its first
consolidation, and is consolidated by the copy from then on: the same answers give the same bytes
again, whatever later runs learn. At its end it adds what it has learned itself, once. Each run
halves what was known before. It is a help and no need: a memory that cannot be used costs no run
its labels. It is data about people: docs/operations.md says how it is kept and deleted,
docs/decisions/consensus-memory.md what it is worth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import NamedTuple, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Crowd, Evidence, Floats, consolidate
from tessera.tiling.consensus.memory import count_answers
from tessera.tiling.method_names import DEFAULT_METHOD
from tessera.tiling.run.run import Run
from tessera.tiling.run.run_record import Files, note_workers

DECAY = 0.5
"""Weight of what a run learned when the next one begins; at full weight memory is worth half as
much (docs/decisions/consensus-memory.md)."""
MAX_RUNS = 1_000
"""Runs whose names are kept, so that none counts twice; whoever repeats an older one is told."""
MAX_BYTES = 200_000_000
"""Bytes of a memory that is read: 10,000 workers with tables of fifty labels."""
MAX_ANSWERS = 10_000_000
"""Answers of a run that is remembered: more tell no more of a worker, and take memory."""
ATTEMPTS = 8
"""Attempts at a write that other runs of the project may be faster at."""
JSON = "application/json"
COPY_NAME = "workers.json"
"""Name of the object, in the project's folder and in that of a run that uses it."""
VERSION = 1
"""Version of the object's form that is written, and the newest that is read."""
MOST = 2.0 * MAX_ANSWERS
"""Bound of every figure in a memory: each run adds half of its answers, and halves the others'."""


class MemoryUnusable(ValueError):
    """Memory of workers that cannot be used: the message says why."""


class MemoryNewer(MemoryUnusable):
    """Memory that a newer Tessera wrote, which is not this one's to replace."""


class LabeledRun(Protocol):
    """Run with its answers and what is known beside them; `report.build.RunResult` is one."""

    @property
    def run(self) -> Run:
        """Return the run."""

    @property
    def crowd(self) -> Crowd:
        """Return the answers."""

    @property
    def names(self) -> Sequence[str]:
        """Return the workers' names."""

    @property
    def weighed(self) -> Evidence:
        """Return what is known beside the answers."""


class Place(Protocol):
    """Folder of a run in a project; `Run` and `RunFolder` are such."""

    @property
    def home(self) -> str:
        """Return the URI of the run's folder."""

    @property
    def project(self) -> str:
        """Return the project's name."""

    @property
    def execution(self) -> str:
        """Return the execution that owns the run."""


class RunFolder(NamedTuple):
    """Run that has no answers yet."""

    home: str
    project: str
    execution: str


class WorkerCounts(msgspec.Struct, forbid_unknown_fields=True):
    """Counts of a worker: answers, those to gold images, and answers by class and label.

    All decay, so they are no whole numbers.
    """

    answers: float
    gold_right: float
    gold_wrong: float
    counts: list[list[float]]


class LabelList(msgspec.Struct, forbid_unknown_fields=True):
    """Workers by name, as they answered questions with these labels."""

    labels: list[str]
    workers: dict[str, WorkerCounts]


class _Form(msgspec.Struct):
    """Version of the form that a memory has."""

    version: int = VERSION


class Memory(msgspec.Struct, forbid_unknown_fields=True):
    """Contents of workers.json: the runs that counted, oldest first, and workers by label list."""

    version: int = VERSION
    runs: list[str] = []
    lists: list[LabelList] = []
    unusable: str | msgspec.UnsetType = msgspec.UNSET
    """In the copy of a run that could not use its project's memory: why not."""

    def without(self, worker: str) -> Memory:
        """Return the memory without a worker."""
        lists = [
            LabelList(one.labels, {name: of for name, of in one.workers.items() if name != worker})
            for one in self.lists
        ]
        return Memory(self.version, self.runs, lists, self.unusable)

    def names(self) -> set[str]:
        """Return the names of all workers in it."""
        return {name for one in self.lists for name in one.workers}


def decode_memory(document: bytes) -> Memory:
    """Return the memory that a workers.json holds; MemoryUnusable if it is not as one is written.

    All of it is looked at, since a run could fail at any of it after people have labeled.
    """
    if len(document) >= MAX_BYTES:
        raise MemoryUnusable(f"it has {MAX_BYTES // 1_000_000} MB or more")
    try:
        version = msgspec.json.decode(document, type=_Form).version
        if version > VERSION:
            raise MemoryNewer(f"it has version {version} of its form, which a newer Tessera wrote")
        memory = msgspec.json.decode(document, type=Memory)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MemoryUnusable(f"it is not as Tessera writes it: {error}") from error
    if version < VERSION:
        raise MemoryUnusable(f"it has version {version} of its form, which no Tessera wrote")
    for one in memory.lists:
        if len({*one.labels}) < len(one.labels):
            raise MemoryUnusable("a label is twice in one list")
        for name, worker in one.workers.items():
            if not _is_sound(worker, len(one.labels)):
                raise MemoryUnusable(
                    f"the figures of {name} are no counts of {len(one.labels)} labels"
                )
    return memory


def _is_sound(worker: WorkerCounts, classes: int) -> bool:
    """Return whether a worker's figures are counts, with a row and a column for each class."""
    counts = worker.counts
    if len(counts) != classes or any(len(row) != classes for row in counts):
        return False
    rows = [[worker.answers, worker.gold_right, worker.gold_wrong], *counts]
    return all(0 <= figure <= MOST for row in rows for figure in row)


def _usable(document: bytes) -> Memory:
    """Return the memory that a workers.json holds, or an empty one that says why it does not."""
    try:
        return decode_memory(document)
    except MemoryUnusable as error:
        return Memory(unusable=str(error))


def memory_uri(run: Place) -> str:
    """Return where the memory of a run's project lies."""
    bucket = run.home.removeprefix("s3://").partition("/")[0]
    return f"s3://{bucket}/projects/{run.project}/{COPY_NAME}"


def with_memory(files: Files, run: Run, evidence: Evidence, names: Sequence[str]) -> Evidence:
    """Return the evidence with what was known of these workers when the run was first labeled."""
    if not run.settings.remember_workers:
        return evidence
    counts = earlier_counts(recall(files, run), names, run.settings.classes)
    return replace(evidence, earlier=counts)


def recall(files: Files, run: Place) -> Memory:
    """Return the memory that the run is consolidated by, and note its version in run.json.

    A project's memory that cannot be used is as none, and the run's copy says why.
    """
    copy = f"{run.home}{COPY_NAME}"
    document = files.get_up_to(copy, MAX_BYTES)
    if document is None:
        document = files.get_up_to(memory_uri(run), MAX_BYTES)
        memory = Memory() if document is None else _usable(document)
        if document is None or memory.unusable:
            document = msgspec.json.encode(memory)
        if not files.put_if_absent(copy, document, content_type=JSON):
            document = files.get(copy)
        version = sha256(document).hexdigest()[:12]
        note_workers(files, f"{run.home}run.json", run.execution, version)
    return _usable(document)


def with_notice(files: Files, run: Run, evidence: Evidence) -> Run:
    """Return the run with a notice if it could not use its project's memory of workers."""
    if not run.settings.remember_workers or evidence.earlier is not None:
        return run
    reason = recall(files, run).unusable
    if not reason:
        return run
    notice = (
        f"What is remembered of workers in {memory_uri(run)} cannot be used: {reason}. This run is "
        "labeled as if nobody were known, and begins it anew at its end, unless a newer Tessera "
        "wrote it. S3 keeps the file as it was for 90 days."
    )
    return replace(run, notices=[*run.notices, notice])


def remembered_workers(memory: Memory, classes: Sequence[str]) -> tuple[list[str], Floats | None]:
    """Return the workers of whom something is known, and their answers as `earlier_counts`."""
    names = sorted(memory.names())
    return names, earlier_counts(memory, names, classes)


def earlier_counts(memory: Memory, names: Sequence[str], classes: Sequence[str]) -> Floats | None:
    """Return the answers that are remembered of workers (classes x workers x labels), or None.

    Of other label lists those answers count whose class and label have a name that is here too.
    """
    place = {name: number for number, name in enumerate(names)}
    number = {label: row for row, label in enumerate(classes)}
    counts = np.zeros((len(classes), len(names), len(classes)))
    for one in memory.lists:
        shared = [row for row, label in enumerate(one.labels) if label in number]
        if len(shared) < 2:  # of one label alone nobody can be wrong
            continue
        here = [number[one.labels[row]] for row in shared]
        for name, worker in one.workers.items():
            if name in place:
                table = np.array(worker.counts)[np.ix_(shared, shared)]
                counts[np.ix_(here, [place[name]], here)] += table[:, None, :]
    return counts if counts.any() else None


def remember(
    files: Files, run: Run, crowd: Crowd, names: Sequence[str], evidence: Evidence
) -> bool:
    """Add what a run's answers tell of its workers to its project's memory; whether it was added.

    A run counts once, however often it is labeled. A memory that cannot be used is begun anew, and
    that of a newer Tessera left as it is. Nothing is added if others were faster each time.
    """
    consensus = consolidate(crowd, evidence=evidence, probabilities=True)
    counts = count_answers(crowd, consensus, evidence.known)
    learned = _by_worker(crowd, names, counts, evidence.known)
    uri = memory_uri(run)
    for _ in range(ATTEMPTS):
        if files.get_up_to(uri, 1) is None:
            document = msgspec.json.encode(add_run(Memory(), run, learned))
            if files.put_if_absent(uri, document, content_type=JSON):
                return True
            continue  # another run was faster: its memory is read and added to
        stored, etag = files.get_with_etag(uri)
        try:
            memory = decode_memory(stored)
        except MemoryNewer:
            return False
        except MemoryUnusable:
            memory = Memory()
        if run.name in memory.runs:
            return False
        document = msgspec.json.encode(add_run(memory, run, learned))
        if files.put_if_match(uri, document, etag, content_type=JSON):
            return True
    return False


def remember_run(files: Files, result: LabeledRun) -> bool:
    """Remember the workers of a run that has ended, if its settings say so and a method knows them.

    Runs that were consolidated in parts remember nobody: they have no probabilities of all images.
    """
    run = result.run
    knows = run.settings.method == DEFAULT_METHOD and len(result.crowd) > 0
    if not (run.settings.remember_workers and knows) or len(result.crowd) > MAX_ANSWERS:
        return False
    return remember(files, run, result.crowd, result.names, result.weighed)


def _by_worker(
    crowd: Crowd, names: Sequence[str], counts: Floats, known: NDArray[np.int16] | None
) -> dict[str, WorkerCounts]:
    """Return what was counted, by worker."""
    right, wrong = np.zeros((2, crowd.workers))
    if known is not None:
        truth = known[crowd.image]
        gold = (truth >= 0) & (crowd.label >= 0)
        same = crowd.label == truth
        right += np.bincount(crowd.worker[gold & same], minlength=crowd.workers)
        wrong += np.bincount(crowd.worker[gold & ~same], minlength=crowd.workers)
    answers = np.bincount(crowd.worker, minlength=crowd.workers)
    return {
        name: WorkerCounts(
            float(answers[worker]),
            float(right[worker]),
            float(wrong[worker]),
            counts[:, worker].tolist(),
        )
        for worker, name in enumerate(names)
        if answers[worker]
    }


def add_run(memory: Memory, run: Run, learned: Mapping[str, WorkerCounts]) -> Memory:
    """Return the memory after a run: half of what was known before, and half of what it learned."""
    labels = list(run.settings.classes)
    lists = [
        LabelList(one.labels, {name: _decayed(worker) for name, worker in one.workers.items()})
        for one in memory.lists
    ]
    own = next((one for one in lists if one.labels == labels), None)
    if own is None:
        own = LabelList(labels, {})
        lists.append(own)
    for name, worker in learned.items():
        more = _decayed(worker)
        own.workers[name] = _sum(own.workers[name], more) if name in own.workers else more
    return Memory(memory.version, [*memory.runs, run.name][-MAX_RUNS:], lists)


def _decayed(worker: WorkerCounts) -> WorkerCounts:
    # rounded, as halves of halves have ever more digits, and the file holds thousands of tables
    return WorkerCounts(
        round(worker.answers * DECAY, 3),
        round(worker.gold_right * DECAY, 3),
        round(worker.gold_wrong * DECAY, 3),
        np.round(np.array(worker.counts) * DECAY, 3).tolist(),
    )


def _sum(one: WorkerCounts, other: WorkerCounts) -> WorkerCounts:
    return WorkerCounts(
        round(one.answers + other.answers, 3),
        round(one.gold_right + other.gold_right, 3),
        round(one.gold_wrong + other.gold_wrong, 3),
        np.round(np.array(one.counts) + np.array(other.counts), 3).tolist(),
    )
