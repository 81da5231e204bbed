"""`tessera consolidate`: turn answers from any source into labels, by the methods that runs use."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from tessera.csv_file import Notices
from tessera.exits import Refused
from tessera.file_types import IN_FILE, OutFile
from tessera.foreign_answers import (
    Numbers,
    consolidate_by_name,
    read_crowd,
    read_evidence,
    with_shares,
)
from tessera.image_columns import match_rows, read_columns
from tessera.screen import aside, counted, json_option, print_json, waiting, warn
from tessera.tiling.class_shares import FROM_GOLD, MIN_RANDOM_GOLD
from tessera.tiling.consensus import Consensus, Crowd, Evidence
from tessera.tiling.consensus.gold_doubts import find_gold_doubts
from tessera.tiling.csv_field import csv_field
from tessera.tiling.guesses import MIN_NATS, Columns, Guesses, learn
from tessera.tiling.method_names import DEFAULT_METHOD, METHOD_NAMES, Method
from tessera.whole_file import whole

TABLES: dict[Method, float] = {"hierarchical": 4.7, "dawid-skene": 6.2}
"""Tables of workers by labels by labels that are in memory at once, as measured."""
BYTES_A_NUMBER, GIGABYTE = 8, 1_000_000_000
ROWS_AT_A_TIME = 50_000
"""Rows formatted together: memory holds no text of the whole file."""
PLAIN = re.compile(r"[0-9A-Za-z_./:]*")
"""Names that no spreadsheet runs and no reader of CSV takes apart, one after the other."""

NOT_USED = (
    "the model was not used: it knows {nats:.3f} nats of an answer, less than {least}. Are the "
    "rows those of these images, in this order? With few answers it may need more of them"
)
NOT_CONVERGED = (
    "the estimates still moved at the last iteration: labels of low confidence are less certain "
    "than they look. Compare with those of --method majority"
)

FEW_GOLD = (
    "--shares gold has no effect: --gold has {n} with an answer, and {least} are needed to tell "
    "shares"
)

COPIES = (
    "{n} workers gave the same answers, right or wrong, and count as one person: {names}. It may "
    "be one person, or a program"
)
EXPERTS = (
    "{n} workers gave the same answers: {names}. They may be experts, or one person, so each "
    "counts as one; known labels (--gold) tell which"
)

GOLD_DOUBTS = (
    "{n} may be wrong: {named}. Look at them, and mend those that are wrong in {file}: a "
    "wrong one makes workers and confidences look worse than they are"
)
NAMED_GOLD = 5
"""Tasks named in a warning at most; the summary as JSON has all."""


@click.command("consolidate")
@click.argument("answers", type=IN_FILE)
@click.option(
    "--method",
    type=click.Choice(METHOD_NAMES),
    default=DEFAULT_METHOD,
    show_default=True,
    help="Method of consolidation.",
)
@click.option(
    "--gold", type=IN_FILE,
    help="CSV file of known labels (task,label), to calibrate the confidence.",
)  # fmt: skip
@click.option(
    "--prelabels", type=IN_FILE,
    help="CSV file of a model's guesses (task,label,confidence) that no worker has seen.",
)  # fmt: skip
@click.option(
    "--embeddings", type=IN_FILE,
    help="Array of numbers (.npy), one row an image, that a model learns the labels from.",
)  # fmt: skip
@click.option(
    "--probabilities", type=IN_FILE,
    help="The same with the class probabilities of a model of your own.",
)  # fmt: skip
@click.option(
    "--ids", type=IN_FILE,
    help="Text file with the task of each row of these, one a line; without it tasks are rows.",
)  # fmt: skip
@click.option(
    "--shares", metavar="LABEL=SHARE,... | gold",
    help="Labels' shares of all tasks, if you know them: ok=0.95,scratch=0.05; gold takes them "
    "from the tasks of --gold, if those were drawn at random.",
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
    embeddings: Path | None,
    probabilities: Path | None,
    ids: Path | None,
    shares: str | None,
    unreadable: str | None,
    out: Path,
    as_json: bool,
) -> None:
    """Turn ANSWERS, a CSV file with the columns task, worker and label, into labels.

    The result has the columns task, label, confidence, answers and gain; a task that most workers
    could not judge has no label. The rows are taken to be in the order in which answers came: of
    a worker's answers to one task the first counts. A row without a label is no answer.

    With --embeddings or --probabilities a model learns from the answers and is weighed as one more
    annotator, and images that nobody was asked about get a label too.
    """
    workers, labels, notices = Numbers(), Numbers(), Notices(answers)
    columns = read_columns(embeddings, probabilities)
    if problem := _problem_of_options(method, columns, ids, shares, gold):
        raise Refused(problem)
    crowd, tasks = read_crowd(answers, workers, labels, unreadable, notices)
    if columns:
        crowd, tasks = match_rows(answers, crowd, tasks, columns, ids)
    _check_room(answers, crowd, method)
    evidence, more = read_evidence(answers, tasks, labels, gold, prelabels, crowd.classes)
    if shares is not None:
        evidence = with_shares(evidence, shares, list(labels))
    with waiting(f"Consolidating {len(crowd):,} answers"):
        if columns:
            guesses, consensus = learn(columns, crowd, evidence)
        else:
            guesses = None
            consensus = consolidate_by_name(crowd, tasks, method, evidence)
        write_labels(out, consensus, tasks, list(labels))
    warnings = [*notices, *more]
    if shares == FROM_GOLD and (drawn := answered_gold(crowd, evidence)) < MIN_RANDOM_GOLD:
        warnings.append(FEW_GOLD.format(n=counted(drawn, "task"), least=MIN_RANDOM_GOLD))
    doubted = gold_in_doubt(crowd, evidence, tasks, list(labels))
    if doubted:
        warnings.append(_gold_doubts(doubted, gold))
    warnings += _doubts(consensus, [*workers], guesses)
    warn(warnings)
    summary = summarize(crowd, consensus, guesses)
    if as_json:
        in_doubt = {"gold_in_doubt": doubted} if gold else {}
        print_json(summary | in_doubt | {"warnings": warnings})
    else:
        items = (f"{key.replace('_', ' ')}: {value}" for key, value in summary.items())
        aside.print(", ".join(items))


def _problem_of_options(
    method: Method,
    columns: Columns | None,
    ids: Path | None,
    shares: str | None,
    gold: Path | None,
) -> str:
    """Return what does not go together in the options of a call; nothing if all does."""
    if columns and method != DEFAULT_METHOD:
        return f"--embeddings and --probabilities need --method {DEFAULT_METHOD}."
    if ids and not columns:
        return "--ids names the rows of --embeddings or --probabilities; give one of them."
    if shares is not None and method != DEFAULT_METHOD:
        return f"--shares needs --method {DEFAULT_METHOD}."
    if shares == FROM_GOLD and not gold:
        return "--shares gold takes them from known labels; give them with --gold FILE."
    return ""


def _doubts(consensus: Consensus, workers: Sequence[str], guesses: Guesses | None) -> Iterator[str]:
    """Yield what speaks against trusting the labels."""
    for text, groups in ((COPIES, consensus.copies), (EXPERTS, consensus.experts)):
        for group in groups:
            names = ", ".join(workers[worker] for worker in group[:5])
            yield text.format(n=len(group), names=names)
    if not consensus.converged:
        yield NOT_CONVERGED
    if guesses and not guesses.used:
        yield NOT_USED.format(nats=guesses.nats, least=MIN_NATS)


def gold_in_doubt(
    crowd: Crowd, evidence: Evidence, tasks: Iterable[str], labels: Sequence[str]
) -> list[dict[str, Any]]:
    """Describe the tasks whose known label the answers contradict, the surest first."""
    if evidence.known is None:
        return []
    doubts = find_gold_doubts(crowd, evidence)
    images = {*doubts.image.tolist()}
    names = {number: task for number, task in enumerate(tasks) if number in images}
    rows = []
    columns = doubts.image.tolist(), doubts.label.tolist(), doubts.confidence.tolist()
    for image, label, confidence in zip(*columns, strict=True):
        given = crowd.label[crowd.image == image]
        rows.append({
            "task": names[image],
            "gold": labels[int(evidence.known[image])],
            "label": labels[label],
            "confidence": round(confidence, 4),
            "answers": len(given),
            "agreeing": int((given == label).sum()),
        })  # fmt: skip
    return rows


def _gold_doubts(doubted: Sequence[dict[str, Any]], gold: Path | None) -> str:
    """Return the warning of known labels that the answers contradict."""
    named = [
        f"{row['task']} is given as {row['gold']!r}, and {row['agreeing']:,} of "
        f"{row['answers']:,} workers say {row['label']!r}"
        for row in doubted[:NAMED_GOLD]
    ]
    if len(doubted) > NAMED_GOLD:
        named.append(f"and {len(doubted) - NAMED_GOLD:,} more (--json names all)")
    n = counted(len(doubted), "known label")
    return GOLD_DOUBTS.format(n=n, named="; ".join(named), file=gold)


def _check_room(answers: Path, crowd: Crowd, method: Method) -> None:
    """Refuse what would take more memory than there is, which ends a process without a word."""
    tables = TABLES.get(method, 0)
    needed = tables * crowd.workers * crowd.classes**2 * BYTES_A_NUMBER
    room = machine_memory()
    if needed > room:
        raise Refused(
            f"{answers}: {counted(crowd.workers, 'worker')} and {counted(crowd.classes, 'label')} "
            f"take {math.ceil(needed / GIGABYTE):,} GB with --method {method}, for a table "
            f"of labels for each worker; this machine has {room / GIGABYTE:.0f}. Choose --method "
            "majority"
        )


def machine_memory() -> int:
    """Return the bytes of this machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def answered_gold(crowd: Crowd, evidence: Evidence) -> int:
    """Count the tasks of a known label that somebody has answered."""
    if evidence.known is None:
        return 0
    answered = np.zeros(crowd.images, np.bool_)
    answered[crowd.image[crowd.label >= 0]] = True
    return int((answered & (evidence.known >= 0)).sum())


def summarize(crowd: Crowd, consensus: Consensus, guesses: Guesses | None) -> dict[str, Any]:
    """Return what was consolidated, in numbers."""
    labeled = consensus.label >= 0
    gold = consensus.calibrated_on
    summary = {
        "tasks": crowd.images,
        "workers": crowd.workers,
        "answers": len(crowd),
        "labeled": int(labeled.sum()),
        "mean_confidence": (
            round(float(consensus.confidence[labeled].mean()), 4) if labeled.any() else None
        ),
        "calibrated_by": f"{gold} gold" if gold else "default",
    }
    if guesses:
        unasked = int((labeled & (consensus.answers == 0)).sum())
        summary |= {
            "labeled_by_the_model_alone": unasked,
            "model_knows_nats_an_answer": round(guesses.nats, 3),
            "model_agrees_out_of_fold": round(guesses.accuracy, 4),
        }
    return summary


def write_labels(out: Path, consensus: Consensus, tasks: Iterable[str], labels: list[str]) -> None:
    """Write task, label, confidence, answers and gain, in the order in which tasks came."""
    of_label = [f",{csv_field(label)}," for label in labels]
    of_label.append(",,")  # of -1, which is no label
    of_answers = [f",{number}," for number in range(int(consensus.answers.max(initial=0)) + 1)]
    of_share = [f"{number / 10_000:.4f}" for number in range(10_001)]
    of_gain = [f"{share}\n" for share in of_share]
    with whole(out) as part, part.open("w", encoding="utf-8", newline="") as file:
        file.write("task,label,confidence,answers,gain\n")
        for start, names_of_tasks in enumerate(_batched(tasks, ROWS_AT_A_TIME)):
            rows = slice(start * ROWS_AT_A_TIME, start * ROWS_AT_A_TIME + len(names_of_tasks))
            # one look at them all: names that need no quotes and no guard are the rule
            fields = (
                names_of_tasks
                if PLAIN.fullmatch("".join(names_of_tasks))
                else map(csv_field, names_of_tasks)
            )
            # Fields come from tables, in a third of the time of a format: a million rows are usual.
            columns = (
                fields,
                map(of_label.__getitem__, consensus.label[rows].tolist()),
                map(of_share.__getitem__, _ten_thousandths(consensus.confidence[rows])),
                map(of_answers.__getitem__, consensus.answers[rows].tolist()),
                map(of_gain.__getitem__, _ten_thousandths(consensus.gain[rows])),
            )
            pieces = [""] * (len(columns) * len(names_of_tasks))
            for number, column in enumerate(columns):
                pieces[number :: len(columns)] = column
            file.write("".join(pieces))


def _ten_thousandths(shares: NDArray[np.float32]) -> list[int]:
    numbers: list[int] = np.rint(shares.astype(np.float64) * 10_000).astype(np.int64).tolist()
    return numbers


def _batched(names: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(names)
    while batch := list(islice(rest, size)):
        yield batch
