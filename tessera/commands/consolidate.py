"""`tessera consolidate`: turn answers from any source into labels, by the methods that runs use."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import click

from tessera.csv_file import Notices
from tessera.foreign_answers import Numbers, read_crowd, read_evidence
from tessera.out_file import OutFile
from tessera.screen import aside, json_option, print_json, waiting, warn
from tessera.tiling.consensus import Consensus, Crowd, consolidate
from tessera.tiling.csv_field import guard_formula
from tessera.tiling.method_names import DEFAULT_METHOD, METHOD_NAMES, Method

NOT_CONVERGED = (
    "the estimates still moved at the last iteration: labels of low confidence are less certain "
    "than they look. Compare with those of --method majority"
)


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
    "--out", type=OutFile(), required=True,
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
    could not judge has no label. The rows are taken to be in the order in which answers came: of
    a worker's answers to one task the first counts. A row without a label is no answer.
    """
    tasks, labels, notices = Numbers(), Numbers(), Notices(answers)
    crowd = read_crowd(answers, tasks, labels, unreadable, notices)
    evidence, more = read_evidence(answers, tasks, labels, gold, prelabels, crowd.classes)
    warnings = [*notices, *more]
    with waiting(f"Consolidating {len(crowd):,} answers"):
        consensus = consolidate(crowd, method, evidence=evidence)
        write_labels(out, consensus, list(tasks), list(labels))
    if not consensus.converged:
        warnings.append(NOT_CONVERGED)
    warn(warnings)
    summary = summarize(crowd, consensus)
    if as_json:
        print_json(summary | {"warnings": warnings})
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
            writer.writerow(
                [
                    guard_formula(task),
                    guard_formula(name),
                    f"{confidence:.4f}",
                    answers,
                    f"{gain:.4f}",
                ]
            )
