"""`tessera consolidate`: labels out of anybody's answers, by the method that runs use."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tessera.exits import Refused
from tessera.screen import aside, json_option, print_json, progress, waiting
from tessera.tiling.method_names import DEFAULT_METHOD, METHOD_NAMES, Method

if TYPE_CHECKING:
    from tessera.tiling.consensus import Consensus, Crowd

COLUMNS = ("task", "worker", "label")
ROWS_AT_A_TIME = 10_000


class Names(dict[str, int]):
    """Numbers for names, in order of first appearance.

    >>> names = Names()
    >>> [names[name] for name in ("dog", "cat", "dog")]
    [0, 1, 0]
    """

    def __missing__(self, name: str) -> int:
        """The next number."""
        self[name] = len(self)
        return self[name]


@click.command("consolidate")
@click.argument("answers", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--method", type=click.Choice(METHOD_NAMES), default=DEFAULT_METHOD, show_default=True
)
@click.option(
    "--gold", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Known labels (task,label): they calibrate the confidence and score the workers.",
)  # fmt: skip
@click.option(
    "--prelabels", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A model's guesses (task,label,confidence), as evidence; none that workers were shown.",
)  # fmt: skip
@click.option("--unreadable", help="The label that says a task cannot be judged.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
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
    """Consolidate ANSWERS, a CSV file with the columns task, worker and label.

    The result has the columns task, label, confidence, answers and gain; a task that most workers
    could not judge has no label. The file's order is the order in which answers came.
    """
    from tessera.tiling.consensus import consolidate

    tasks, workers, labels = Names(), Names(), Names()
    crowd = read_crowd(answers, tasks, workers, labels, unreadable)
    evidence = read_evidence(tasks, labels, gold, prelabels, crowd.classes)
    with waiting(f"Consolidating {len(crowd):,} answers"):
        found = consolidate(crowd, method, evidence=evidence)
        write_labels(out, found, list(tasks), list(labels))
    summary = {
        "tasks": crowd.images,
        "workers": crowd.workers,
        "answers": len(crowd),
        "labeled": int((found.label >= 0).sum()),
        "mean_confidence": round(float(found.confidence[found.label >= 0].mean()), 4)
        if (found.label >= 0).any()
        else None,
        "calibrated_by": f"{found.calibrated_on} gold" if found.calibrated_on else "default",
    }
    if as_json:
        print_json(summary)
    else:
        aside.print(", ".join(f"{key.replace('_', ' ')}: {said}" for key, said in summary.items()))


def read_crowd(
    path: Path, tasks: Names, workers: Names, labels: Names, unreadable: str | None
) -> Crowd:
    """The answers of a CSV file as a crowd; the names get their numbers on the way.

    Workers and labels are numbered by name, so the order of rows decides ties and nothing else.
    """
    from array import array

    import numpy as np

    from tessera.tiling.consensus import Crowd

    image, worker, label = array("i"), array("i"), array("i")
    with progress("reading answers", None) as advance:
        for number, row in enumerate(rows(path, COLUMNS), start=1):
            image.append(tasks[row["task"]])
            worker.append(workers[row["worker"]])
            label.append(-1 if row["label"] == unreadable else labels[row["label"]])
            if number % ROWS_AT_A_TIME == 0:
                advance(ROWS_AT_A_TIME)
    return Crowd(
        len(tasks),
        max(len(workers), 1),
        max(len(labels), 1),
        np.frombuffer(image, np.int32),
        renumbered(worker, workers),
        renumbered(label, labels).astype(np.int16),
    )


def renumbered(column: Any, names: Names) -> Any:
    """The column with its names numbered in their own order; -1 stays."""
    import numpy as np

    rank = {name: number for number, name in enumerate(sorted(names))}
    table = np.array([*(rank[name] for name in names), -1], np.int32)
    names.clear()
    names.update(rank)
    return table[np.frombuffer(column, np.int32)]


def read_evidence(
    tasks: Names, labels: Names, gold: Path | None, prelabels: Path | None, classes: int
) -> Any:
    """What is known of tasks beside answers; rows of other tasks or labels are passed over."""
    from dataclasses import replace

    import numpy as np

    from tessera.tiling.consensus import Evidence, guesses

    evidence = Evidence()
    if prelabels:
        guess, sure = np.full(len(tasks), -1, np.int16), np.zeros(len(tasks))
        for row in rows(prelabels, ("task", "label", "confidence")):
            if row["task"] in tasks and row["label"] in labels:
                guess[tasks[row["task"]]] = labels[row["label"]]
                sure[tasks[row["task"]]] = _share(row["confidence"], prelabels)
        evidence = guesses(guess, sure, classes)
    if gold:
        known = np.full(len(tasks), -1, np.int16)
        for row in rows(gold, ("task", "label")):
            if row["task"] in tasks and row["label"] in labels:
                known[tasks[row["task"]]] = labels[row["label"]]
        evidence = replace(evidence, known=known)
    return evidence


def _share(text: str, path: Path) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise Refused(f"{path}: {text!r} is no confidence between 0 and 1")
    return share


def rows(path: Path, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """The rows of a CSV file that must have these columns."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = [name for name in columns if name not in (reader.fieldnames or ())]
        if missing:
            raise Refused(f"{path}: no column {missing[0]!r}; it needs {', '.join(columns)}")
        for row in reader:
            if any(row[name] is None for name in columns):
                raise Refused(f"{path}, line {reader.line_num}: fewer fields than columns")
            yield row


def write_labels(out: Path, found: Consensus, tasks: list[str], labels: list[str]) -> None:
    """Write task, label, confidence, answers and gain, in the order in which tasks came."""
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["task", "label", "confidence", "answers", "gain"])
        for task, label, confidence, answers, gain in zip(
            tasks,
            found.label.tolist(),
            found.confidence.tolist(),
            found.answers.tolist(),
            found.gain.tolist(),
            strict=True,
        ):
            name = labels[label] if label >= 0 else ""
            writer.writerow([task, name, f"{confidence:.4f}", answers, f"{gain:.4f}"])
