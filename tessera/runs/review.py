"""Choose the pictures of a run that reviewers decide, and label the run with their decisions.

Whether a picture has one label or several is said by the run's kind of task; boxes have one each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
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
from tessera.tiling.answers.table import AnswerTable
from tessera.tiling.consensus import Consensus
from tessera.tiling.consensus.gold_doubts import find_gold_doubts
from tessera.tiling.consensus.label_sets import UNREADABLE
from tessera.tiling.decisions import FOLDER, NAME, Decisions, Label
from tessera.tiling.kinds.kind_result import Files
from tessera.tiling.kinds.kind_runs import label_reviewed
from tessera.tiling.kinds.multi_run import judge_sets
from tessera.tiling.label_run import judge_answers, manifest_chunks
from tessera.tiling.manifest.lines import Image, read_manifest
from tessera.tiling.manifest.stream import manifest_lines
from tessera.tiling.pseudo_random import pseudo_random
from tessera.tiling.run.run import Run, read_run
from tessera.tiling.run.run_files import Writable
from tessera.tiling.run.run_record import project_of
from tessera.tiling.training.label_splice import SCALE, to_steps
from tessera.tiling.training.write_manifests import LineFlag, LineLabels, label_lines

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Selection:
    """Pictures to review: those of a label, a random share of the labeled ones, or the doubtful.

    Those are the unsure, and gold images whose label the answers contradict.
    """

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
    return read_latest(folder.cloud.storage, folder.home, folder.settings, lines)


def select_pictures(
    folder: RunFolder, selection: Selection, names: dict[str, str], *, most: int = MAX_PICTURES
) -> tuple[list[Picture], int]:
    """Return the pictures to review, those of disagreement first, and how many there would be.

    `names` has what reviewers see of workers, by the names in answers. Beyond `most` pictures the
    surest are left out. What was decided already comes last.
    """
    storage = folder.cloud.storage
    run = read_run(folder.read("run.json"), event_of(folder))
    judged = (_judge_sets if run.settings.is_multi else _judge_labels)(storage, run)
    labels = judged.lines
    wanted = _wanted(judged, selection) & ~labels.has(LineFlag.DUPLICATE)
    order = _order(judged, np.flatnonzero(wanted), [*read_decided(folder).decisions])
    images = _images(folder, run, order)
    answers = _answers(judged, order, names)
    pictures = [
        Picture(
            index=index,
            source=images[index].source_ref,
            label=judged.label_of(index) if labels.label[index] >= 0 else None,
            confidence=int(labels.confidence[index]) / SCALE if labels.label[index] >= 0 else 0.0,
            answers=tuple(answers[index]),
            sure=judged.sure_of(index) if labels.label[index] >= 0 else {},
            **_box_facts(images[index]),
        )
        for index in order.tolist()
        if index in images
    ]
    return pictures[:most], len(pictures)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Judged:
    """Labels of a run's images and what they rest on, in the same words for every kind of task.

    `label_of` is for images that have a label, `answer_of` for rows of answers; `with_label` tells
    which images have the label of a name, `sure_of` how sure each of several labels is.
    `gold_in_doubt` are the gold images whose known label the answers contradict.
    """

    lines: LineLabels
    consensus: Consensus
    table: AnswerTable
    label_of: Callable[[int], Label]
    answer_of: Callable[[int], Label]
    with_label: Callable[[str], Bools]
    sure_of: Callable[[int], dict[str, float]]
    gold_in_doubt: Sequence[int] = ()


def _judge_labels(storage: Files, run: Run) -> _Judged:
    """Return the labels of a run whose images, or boxes, have one each."""
    judged = judge_answers(storage, run, _forget, lambda _: nullcontext())
    lines = label_lines(judged.consensus, run.settings, judged.facts)
    classes = run.settings.classes
    choices = (*classes, run.settings.escape)  # an answer of -1 is the escape
    return _Judged(
        lines=lines,
        consensus=judged.consensus,
        table=judged.table,
        label_of=lambda index: classes[lines.label[index]],
        answer_of=lambda row: choices[judged.table.crowd.label[row]],
        with_label=lambda name: lines.label == classes.index(name),
        sure_of=lambda _: {},
        gold_in_doubt=find_gold_doubts(judged.table.crowd, judged.evidence).image.tolist(),
    )


def _judge_sets(storage: Files, run: Run) -> _Judged:
    """Return the labels of a run whose images have several, each of them a yes or a no."""
    judged = judge_sets(storage, run, _forget)
    sets, table, classes = judged.consensus, judged.table, run.settings.classes
    steps = to_steps(sets.confidence)

    def answer_of(row: int) -> Label:
        answer = int(table.crowd.label[row])
        if answer == UNREADABLE:
            return {run.settings.escape: True}
        asked = -1 if table.asked is None else int(table.asked[row])
        return {
            name: bool(answer >> place & 1)
            for place, name in enumerate(classes)
            if asked >> place & 1
        }

    return _Judged(
        lines=judged.lines,
        consensus=sets.of_images(),
        table=table,
        label_of=lambda index: dict(zip(classes, sets.has[index].tolist(), strict=True)),
        answer_of=answer_of,
        with_label=lambda name: sets.has[:, classes.index(name)] & sets.labeled,
        sure_of=lambda index: dict(zip(classes, (steps[index] / SCALE).tolist(), strict=True)),
    )


def _box_facts(image: Image) -> dict[str, str]:
    """Return what a picture of a review says of its box, if it is one."""
    box = image.box
    return {} if box is None else {"box": box.text, "box_class": box.name or ""}


def _forget(_name: str) -> AbstractContextManager[Writable]:
    """Open a file that nobody reads: the run has these files already."""
    return BytesIO()


def _wanted(judged: _Judged, selection: Selection) -> Bools:
    """Return which lines are selected; lines that are no images may be among them."""
    labels = judged.lines
    labeled = labels.label >= 0
    if selection.label is not None:
        wanted = judged.with_label(selection.label)
    elif selection.share is not None:
        lines = np.arange(len(labels), dtype=np.uint64)
        # by the line alone, so that the same share is the same pictures whenever it is drawn
        wanted = labeled & (pseudo_random(lines) / 2.0**64 < selection.share)
    else:
        # nobody can decide on what loads for nobody
        not_loaded = labels.has(LineFlag.UNLOADED) | labels.has(LineFlag.GIVEN_UP)
        unsure = labels.has(LineFlag.UNSURE) | labels.has(LineFlag.UNREADABLE)
        wanted = unsure & ~(not_loaded & ~labeled) & ~labels.has(LineFlag.GOLD)
        wanted[judged.gold_in_doubt] = True
    return wanted


def _order(judged: _Judged, lines: NDArray[np.intp], decided: Sequence[int]) -> NDArray[np.intp]:
    """Return lines in the order of review: undecided, of disagreement, unsure ones first."""
    consensus = judged.consensus
    undisputed = ~((consensus.agreement[lines] < 1) & (consensus.answers[lines] > 1))
    keys = (lines, judged.lines.confidence[lines], undisputed, np.isin(lines, decided))
    return lines[np.lexsort(keys)]


def _images(folder: RunFolder, run: Run, lines: NDArray[np.intp]) -> dict[int, Image]:
    """Return those of the lines that are images."""
    wanted = set(lines.tolist())
    chunks = manifest_chunks(folder.cloud.storage, run)
    return {
        line.index: line
        for line in read_manifest(manifest_lines(chunks), run.settings, run.pictures)
        if type(line) is Image and line.index in wanted
    }


def _answers(
    judged: _Judged, lines: NDArray[np.intp], names: dict[str, str]
) -> dict[int, list[CrowdAnswer]]:
    """Return who answered what of each line, in order of arrival."""
    table, answers = judged.table, defaultdict[int, list[CrowdAnswer]](list)
    rows = np.flatnonzero(np.isin(table.crowd.image, lines))
    columns = table.crowd.image[rows], table.crowd.worker[rows], rows
    for image, worker, row in zip(*(column.tolist() for column in columns), strict=True):
        name = table.names[worker]
        answers[image].append(CrowdAnswer(names.get(name, name), judged.answer_of(row)))
    return answers


def review_of(folder: RunFolder, pictures: Sequence[Picture], team: str) -> Review:
    """Return the review of a run's pictures, for a team or for every reviewer."""
    settings = folder.settings
    return Review(
        run=folder.name,
        home=folder.home,
        title=settings.question,
        question=settings.question,
        choices=settings.choices,
        escape=settings.escape,
        task=settings.task,
        team=team,
        project=project_of(folder.record["manifest"]),
        pictures=tuple(pictures),
    )


def finish_review(folder: RunFolder, *, teach: bool) -> tuple[Decisions, dict[str, Any]]:
    """Keep what was decided as final, and write the run's labels with it into `review/`.

    Returns the decisions, and the figures of the report.
    """
    storage = folder.cloud.storage
    decisions = Decisions(tuple(read_decided(folder).decisions.values()), teach)
    folder.write(NAME, decisions.encode(), "application/json")
    event = event_of(folder)
    run = read_run(storage.get(f"{event['home']}run.json"), event)
    return decisions, label_reviewed(storage, run, ROOT / "ui")


def left_open(folder: RunFolder, decisions: Decisions) -> list[int]:
    """Return the lines that have no label although one of several was decided: others are open."""
    partly = {
        decision.index
        for decision in decisions.decisions
        if isinstance(decision.label, dict) and folder.settings.escape not in decision.label
    }
    if not partly:
        return []
    rows = islice(folder.lines(f"{FOLDER}unlabeled.csv"), 1, None)  # behind the names of columns
    return sorted(partly.intersection(int(row.partition(b",")[0]) for row in rows))
