"""`tessera consolidate`: turn answers from any source into labels, by the methods that runs use."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from tessera.exits import Refused
from tessera.screen import aside, json_option, print_json, progress, waiting, warn
from tessera.tiling.consensus import Consensus, Crowd, Evidence, consolidate, guesses
from tessera.tiling.method_names import DEFAULT_METHOD, METHOD_NAMES, Method

ROWS_AT_A_TIME = 10_000
"""Rows read between two signs of progress."""

NOT_CONVERGED = (
    "the estimates still moved at the last iteration: labels of low confidence are less certain "
    "than they look. Compare with those of --method majority"
)


class Numbers(dict[str, int]):
    """Numbers of names, in order of first appearance.

    >>> numbers = Numbers()
    >>> [numbers[name] for name in ("dog", "cat", "dog")]
    [0, 1, 0]
    """

    def __missing__(self, name: str) -> int:
        """Give a new name the next number."""
        self[name] = len(self)
        return self[name]


@click.command("consolidate")
@click.argument("answers", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--method",
    type=click.Choice(METHOD_NAMES),
    default=DEFAULT_METHOD,
    show_default=True,
    help="Method of consolidation.",
)
@click.option(
    "--gold", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV file of known labels (task,label), to calibrate the confidence.",
)  # fmt: skip
@click.option(
    "--prelabels", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV file of a model's guesses (task,label,confidence) that no worker has seen.",
)  # fmt: skip
@click.option("--unreadable", help="Label which means that a task cannot be judged.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True,
    help="CSV file to write.",
)  # fmt: skip
@json_option("Print the summary as JSON.")
def consolidate_command(
    answers: Path,
    method: Method,
    gold: Path | None,
    prelabels: Path | None,
    unreadable: str | None,
    out: Path,
    as_json: bool,
) -> None:
    """Turn ANSWERS, a CSV file with the columns task, worker and label, into labels.

    The result has the columns task, label, confidence, answers and gain; a task that most workers
    could not judge has no label. The rows are taken to be in the order in which answers came.
    """
    tasks, labels = Numbers(), Numbers()
    crowd = read_crowd(answers, tasks, labels, unreadable)
    evidence = read_evidence(tasks, labels, gold, prelabels, crowd.classes)
    with waiting(f"Consolidating {len(crowd):,} answers"):
        consensus = consolidate(crowd, method, evidence=evidence)
        write_labels(out, consensus, list(tasks), list(labels))
    if not consensus.converged:
        warn([NOT_CONVERGED])
    summary = summarize(crowd, consensus)
    if as_json:
        print_json(summary)
    else:
        items = (f"{key.replace('_', ' ')}: {value}" for key, value in summary.items())
        aside.print(", ".join(items))


def summarize(crowd: Crowd, consensus: Consensus) -> dict[str, Any]:
    """Return what was consolidated, in numbers."""
    labeled = consensus.label >= 0
    gold = consensus.calibrated_on
    return {
        "tasks": crowd.images,
        "workers": crowd.workers,
        "answers": len(crowd),
        "labeled": int(labeled.sum()),
        "mean_confidence": (
            round(float(consensus.confidence[labeled].mean()), 4) if labeled.any() else None
        ),
        "calibrated_by": f"{gold} gold" if gold else "default",
    }


def read_crowd(path: Path, tasks: Numbers, labels: Numbers, unreadable: str | None) -> Crowd:
    """Read a CSV file of answers; tasks and labels get their numbers on the way.

    Workers and labels are numbered by name, so the order of rows decides ties and nothing else.
    """
    workers = Numbers()
    image, worker, label = array("i"), array("i"), array("i")
    with progress("reading answers", None) as advance:
        rows = read_rows(path, ("task", "worker", "label"))
        for number, (task, who, answer) in enumerate(rows, start=1):
            image.append(tasks[task])
            worker.append(workers[who])
            label.append(-1 if answer == unreadable else labels[answer])
            if number % ROWS_AT_A_TIME == 0:
                advance(ROWS_AT_A_TIME)
    return Crowd(
        len(tasks),
        max(len(workers), 1),
        max(len(labels), 1),
        np.frombuffer(image, np.int32),
        number_by_name(worker, workers),
        number_by_name(label, labels).astype(np.int16),
    )


def number_by_name(column: array[int], numbers: Numbers) -> NDArray[np.int32]:
    """Return the column with its names numbered in alphabetical order; -1 stays.

    The names get these numbers, too.
    """
    rank = {name: number for number, name in enumerate(sorted(numbers))}
    table = np.array([*(rank[name] for name in numbers), -1], np.int32)
    numbers.clear()
    numbers.update(rank)
    return table[np.frombuffer(column, np.int32)]


def read_evidence(
    tasks: Numbers, labels: Numbers, gold: Path | None, prelabels: Path | None, classes: int
) -> Evidence:
    """Read what is known of tasks beside answers; rows of other tasks or labels are passed over."""
    evidence = Evidence()
    if prelabels:
        guess, sure = np.full(len(tasks), -1, np.int16), np.zeros(len(tasks))
        for task, label, confidence in read_rows(prelabels, ("task", "label", "confidence")):
            if task in tasks and label in labels:
                guess[tasks[task]] = labels[label]
                sure[tasks[task]] = read_confidence(confidence, prelabels)
        evidence = guesses(guess, sure, classes)
    if gold:
        known = np.full(len(tasks), -1, np.int16)
        for task, label in read_rows(gold, ("task", "label")):
            if task in tasks and label in labels:
                known[tasks[task]] = labels[label]
        evidence = replace(evidence, known=known)
    return evidence


def read_confidence(text: str, path: Path) -> float:
    """Return a number between 0 and 1; raises Refused for any other text."""
    try:
        confidence = float(text)
    except ValueError:
        confidence = -1.0
    if not 0 <= confidence <= 1:
        raise Refused(f"{path}: {text!r} is no confidence between 0 and 1")
    return confidence


def read_rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield these columns of each row of a CSV file; raises Refused if it lacks any."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        # a name that is there twice is that of the last such column, as for csv.DictReader
        places = {name: place for place, name in enumerate(next(reader, []))}
        missing = [name for name in columns if name not in places]
        if missing:
            raise Refused(f"{path}: no column {missing[0]!r}; it needs {', '.join(columns)}")
        wanted = [places[name] for name in columns]
        for row in reader:
            if not row:
                continue
            if len(row) <= max(wanted):
                raise Refused(f"{path}, line {reader.line_num}: fewer fields than columns")
            yield tuple(row[place] for place in wanted)


def write_labels(out: Path, consensus: Consensus, tasks: list[str], labels: list[str]) -> None:
    """Write task, label, confidence, answers and gain, in the order in which tasks came."""
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["task", "label", "confidence", "answers", "gain"])
        for task, label, confidence, answers, gain in zip(
            tasks,
            consensus.label.tolist(),
            consensus.confidence.tolist(),
            consensus.answers.tolist(),
            consensus.gain.tolist(),
            strict=True,
        ):
            name = labels[label] if label >= 0 else ""
            writer.writerow([task, name, f"{confidence:.4f}", answers, f"{gain:.4f}"])
