"""Summarize a run of several labels an image: each label's images, sureness and agreement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.answers.table import AnswerTable
from tessera.tiling.consensus.label_sets import SetConsensus, answers_to, asks
from tessera.tiling.report.confidence import answer_figures, confidence_figures
from tessera.tiling.report.figures import mean_figure, round_figure, run_figures
from tessera.tiling.report.headline import headline
from tessera.tiling.report.time_and_cost import cost_figures, time_figures
from tessera.tiling.run.run import Run
from tessera.tiling.training.line_counts import LineOutcomes


def set_figures(
    run: Run,
    table: AnswerTable,
    consensus: SetConsensus,
    lines: LineOutcomes,
    by_label: Sequence[int],
    noted: Mapping[str, int],
) -> dict[str, Any]:
    """Return what report.json says: the keys that other runs have, and each label's figures.

    `by_label` has the lines with each label, `noted` counts by reason what could not be used.
    """
    settings, classes = run.settings, run.settings.classes
    answers = answer_figures(
        table.crowd,
        seconds=table.seconds,
        submission=table.submission,
        round_=table.round_,
        noted=noted,
    )
    rounds = _rounds(run, table)
    alike = _alike(table, consensus)
    compared = int(labels_asked(table).sum())
    figures = {
        **run_figures(run, lines),
        "labels": dict(zip(classes, by_label, strict=True)),
        **({"notices": run.notices} if run.notices else {}),
        "answers": answers,
        "confidence": confidence_figures(consensus.of_images()),
        **({"reviewed": lines.reviewed} if lines.reviewed else {}),
        "by_label": _by_label(run, table, consensus),
        "workers": _workers(table, consensus, alike),
        "jobs": run.jobs,
        "manifest": run.manifest_uri,
        "started": run.started,
        "agreement": {"compared": compared, "agreeing": int(alike.sum())},
        "rounds": rounds,
        "time": time_figures(len(table.crowd), answers["seconds_per_image"], settings),
        "cost": cost_figures(rounds, settings),
        "next": [],
    }
    return figures | {"headline": headline(figures)}


def _by_label(run: Run, table: AnswerTable, consensus: SetConsensus) -> list[dict[str, Any]]:
    """Describe each label by the images that were answered, in the order of the settings."""
    labeled = consensus.labeled
    return [
        {
            "label": name,
            "images": int(consensus.has[labeled, place].sum()),
            "share": mean_figure(consensus.has[labeled, place]),
            "mean_confidence": mean_figure(consensus.confidence[labeled, place]),
            "agreement": mean_figure(consensus.agreement[labeled, place]),
            "in_doubt": int(consensus.in_doubt(run.settings.gain)[labeled, place].sum()),
            "answers": len(answers_to(table.crowd, place, table.asked)),
        }
        for place, name in enumerate(run.settings.classes)
    ]


def labels_asked(table: AnswerTable) -> NDArray[np.int64]:
    """Count the labels that each answer says yes or no to, none if it cannot judge (answers)."""
    crowd, every = table.crowd, (1 << table.crowd.classes) - 1
    asked = np.full(len(crowd), every) if table.asked is None else table.asked & every
    return np.where(crowd.label >= 0, np.bitwise_count(asked), 0).astype(np.int64)


def _alike(table: AnswerTable, consensus: SetConsensus) -> NDArray[np.int64]:
    """Count for each answer the labels of which it says what the consensus says (answers)."""
    crowd = table.crowd
    alike = np.zeros(len(crowd), np.int64)
    for place in range(crowd.classes):
        yes = (crowd.label >> place & 1).astype(np.bool_)
        alike += (yes == consensus.has[crowd.image, place]) & asks(table.asked, place)
    return np.where(crowd.label >= 0, alike, 0)


def _workers(
    table: AnswerTable, consensus: SetConsensus, alike: NDArray[np.int64]
) -> list[dict[str, Any]]:
    """Describe each worker, most answers first; what nobody could measure is None.

    `accuracy` is the mean over the labels of how often their yes or no is right.
    """
    crowd, asked = table.crowd, labels_asked(table)
    known = ~np.isnan(consensus.accuracy)
    sums, counts = np.where(known, consensus.accuracy, 0).sum(axis=0), known.sum(axis=0)
    rows = []
    for worker, name in enumerate(table.names):
        own = crowd.worker == worker
        readable = int((own & (crowd.label >= 0)).sum())
        seconds = table.seconds[own]
        timed = seconds[seconds >= 0]
        accuracy = float(sums[worker] / counts[worker]) if counts[worker] else None
        agreed = float(alike[own].sum() / asked[own].sum()) if readable else None
        rows.append(
            {
                "worker": name,
                "answers": int(own.sum()),
                "unreadable": int(own.sum()) - readable,
                "accuracy": accuracy if accuracy is None else round_figure(accuracy),
                "agreement": agreed if agreed is None else round_figure(agreed),
                "seconds_per_image": round(float(np.median(timed)), 3) if len(timed) else None,
            }
        )
    return sorted(rows, key=lambda row: (-row["answers"], row["worker"]))


def _rounds(run: Run, table: AnswerTable) -> list[dict[str, Any]]:
    """Say of each round how much it asked and how much was answered."""
    return [
        {
            "round": number,
            "tasks": tasks,
            "images": len(np.unique(table.crowd.image[table.round_ == number])),
            "answers": int((table.round_ == number).sum()),
        }
        for number, tasks in sorted(run.tasks.items())
    ]
