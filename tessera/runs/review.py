"""Choose the pictures of a run that reviewers decide, and label the run with their decisions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessera.portal.reviews import (
    MAX_PICTURES,
    CrowdAnswer,
    LatestDecisions,
    Picture,
    Review,
    read_latest,
)
from tessera.runs.folder import RunFolder
from tessera.stack.local_stack import ROOT
from tessera.tiling.decisions import NAME, Decisions
from tessera.tiling.label_run import (
    JudgedRun,
    judge_answers,
    label_reviewed,
    manifest_chunks,
)
from tessera.tiling.manifest.lines import Image, read_manifest
from tessera.tiling.manifest.stream import manifest_lines
from tessera.tiling.pseudo_random import pseudo_random
from tessera.tiling.report.build import RunResult
from tessera.tiling.run.run import Run, read_run
from tessera.tiling.run.run_files import Writable
from tessera.tiling.run.run_record import project_of
from tessera.tiling.training.label_splice import SCALE
from tessera.tiling.training.write_manifests import LineFlag, LineLabels, label_lines

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Selection:
    """Pictures to review: those of a label, a random share of the labeled ones, or the unsure."""

    label: str | None = None
    share: float | None = None


def event_of(folder: RunFolder) -> dict[str, Any]:
    """Return the event with which the run's labels were made last."""
    record = folder.record
    return {
        "run": folder.name,
        "home": folder.home,
        "round": record["rounds"][-1]["round"] if record["rounds"] else 1,
        "started": folder.report["started"],
        "execution": record["execution"],
        "jobs": folder.report["jobs"],
    }


def read_decided(folder: RunFolder) -> LatestDecisions:
    """Return what reviewers decided of a run so far."""
    lines = folder.record["counts"]["lines"]
    return read_latest(folder.cloud.storage, folder.home, folder.settings.choices, lines)


def select_pictures(
    folder: RunFolder, selection: Selection, names: dict[str, str], *, most: int = MAX_PICTURES
) -> tuple[list[Picture], int]:
    """Return the pictures to review, those of disagreement first, and how many there would be.

    `names` has what reviewers see of workers, by the names in answers. Beyond `most` pictures the
    surest are left out. What was decided already comes last.
    """
    storage = folder.cloud.storage
    run = read_run(folder.read("run.json"), event_of(folder))
    judged = judge_answers(storage, run, _forget, lambda _: nullcontext())
    labels = label_lines(judged.consensus, run.settings, **judged.of_lines)
    answered = np.zeros(len(labels), np.bool_)
    answered[judged.table.crowd.image] = True
    wanted = _wanted(run, labels, selection) & ~labels.has(LineFlag.DUPLICATE)
    order = _order(judged, labels, np.flatnonzero(wanted), [*read_decided(folder).decisions])
    sources = _sources(folder, run, order)
    answers = _answers(judged, order, names, (*run.settings.classes, run.settings.escape))
    pictures = [
        Picture(
            index=index,
            source=sources[index],
            label=_label(labels, index, run.settings.classes),
            confidence=int(labels.confidence[index]) / SCALE if labels.label[index] >= 0 else 0.0,
            answers=tuple(answers[index]),
        )
        for index in order.tolist()
        if index in sources
    ]
    return pictures[:most], len(pictures)


def _forget(_name: str) -> AbstractContextManager[Writable]:
    """Open a file that nobody reads: the run has these files already."""
    return BytesIO()


def _wanted(run: Run, labels: LineLabels, selection: Selection) -> Bools:
    """Return which lines are selected; lines that are no images may be among them."""
    labeled = labels.label >= 0
    if selection.label is not None:
        wanted: Bools = labels.label == run.settings.classes.index(selection.label)
    elif selection.share is not None:
        lines = np.arange(len(labels), dtype=np.uint64)
        # by the line alone, so that the same share is the same pictures whenever it is drawn
        wanted = labeled & (pseudo_random(lines) / 2.0**64 < selection.share)
    else:
        # nobody can decide on what loads for nobody
        not_loaded = labels.has(LineFlag.UNLOADED) | labels.has(LineFlag.GIVEN_UP)
        unsure = labels.has(LineFlag.UNSURE) | labels.has(LineFlag.UNREADABLE)
        wanted = unsure & ~(not_loaded & ~labeled) & ~labels.has(LineFlag.GOLD)
    return wanted


def _order(
    judged: JudgedRun, labels: LineLabels, lines: NDArray[np.intp], decided: Sequence[int]
) -> NDArray[np.intp]:
    """Return lines in the order of review: undecided, of disagreement, unsure ones first."""
    consensus = judged.consensus
    undisputed = ~((consensus.agreement[lines] < 1) & (consensus.answers[lines] > 1))
    keys = (lines, labels.confidence[lines], undisputed, np.isin(lines, decided))
    return lines[np.lexsort(keys)]


def _sources(folder: RunFolder, run: Run, lines: NDArray[np.intp]) -> dict[int, str]:
    """Return the URIs of those of the lines that are images."""
    wanted = set(lines.tolist())
    chunks = manifest_chunks(folder.cloud.storage, run)
    return {
        line.index: line.source_ref
        for line in read_manifest(manifest_lines(chunks), run.settings, run.pictures)
        if type(line) is Image and line.index in wanted
    }


def _answers(
    judged: JudgedRun, lines: NDArray[np.intp], names: dict[str, str], choices: Sequence[str]
) -> dict[int, list[CrowdAnswer]]:
    """Return who answered what of each line, in order of arrival."""
    table, answers = judged.table, defaultdict[int, list[CrowdAnswer]](list)
    rows = np.flatnonzero(np.isin(table.crowd.image, lines))
    columns = table.crowd.image[rows], table.crowd.worker[rows], table.crowd.label[rows]
    for image, worker, label in zip(*(column.tolist() for column in columns), strict=True):
        name = table.names[worker]
        answers[image].append(CrowdAnswer(names.get(name, name), choices[label]))
    return answers


def _label(labels: LineLabels, index: int, classes: Sequence[str]) -> str | None:
    number = int(labels.label[index])
    return classes[number] if number >= 0 else None


def review_of(folder: RunFolder, pictures: Sequence[Picture], team: str) -> Review:
    """Return the review of a run's pictures, for a team or for every reviewer."""
    settings = folder.settings
    return Review(
        run=folder.name,
        home=folder.home,
        title=settings.question,
        question=settings.question,
        choices=tuple(settings.choices),
        team=team,
        project=project_of(folder.record["manifest"]),
        pictures=tuple(pictures),
    )


def finish_review(folder: RunFolder, *, teach: bool) -> tuple[Decisions, RunResult]:
    """Keep what was decided as final, and write the run's labels with it into `review/`."""
    storage = folder.cloud.storage
    decisions = Decisions(tuple(read_decided(folder).decisions.values()), teach)
    folder.write(NAME, decisions.encode(), "application/json")
    template = ROOT / "ui" / "report.liquid.html"
    event = event_of(folder)
    run = read_run(storage.get(f"{event['home']}run.json"), event)
    return decisions, label_reviewed(storage, run, template)
