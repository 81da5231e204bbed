"""What to do next with a run's labels, read off its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tessera.tiling.jobs import COMPLETED
from tessera.tiling.report.wording import pluralize

TRUSTED = 0.8
"""Krippendorff's alpha from which labels are taken as reliable."""
GOLD_WANTED = 100
"""Images with known labels that settle how far to believe a confidence."""


def advice(figures: Mapping[str, Any]) -> list[dict[str, str]]:
    """What to do, most urgent first: what was found, and the step that mends it."""
    return [
        *({"found": found, "do": do} for found, do in _gaps(figures)),
        *({"found": found, "do": do} for found, do in _doubts(figures)),
        {
            "found": f"{pluralize(figures['images']['training'], 'image')} ready for training.",
            "do": f"tessera export {figures['run']} --to imagefolder --split 80/10/10",
        },
    ]


def _gaps(figures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    images, jobs = figures["images"], figures["jobs"]
    ended = [job for job in jobs if job["status"] != COMPLETED]
    if ended:
        yield (
            f"{len(ended)} of {pluralize(len(jobs), 'job')} ended before the last answer.",
            "What they had is used; the rest is in unlabeled.manifest.",
        )
    if images["unlabeled"]:
        why = ", ".join(f"{count:,} {reason}" for reason, count in figures["unlabeled"].items())
        yield (
            f"{pluralize(images['unlabeled'], 'image')} without a label ({why}).",
            "Drop unlabeled.manifest to ask for them again.",
        )
    if images["rejected"]:
        yield (
            f"{pluralize(images['rejected'], 'line')} could not be used.",
            "rejected.jsonl says of each why; mend and drop them.",
        )


def _doubts(figures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if figures["images"]["uncertain"]:
        yield (
            f"{pluralize(figures['images']['uncertain'], 'label')} may change with an answer more.",
            "Give uncertain.manifest to an expert, or raise max_answers.",
        )
    agreement = figures.get("agreement") or {}
    alpha, confused = agreement.get("alpha"), agreement.get("confused")
    if alpha is not None and alpha < TRUSTED and confused:
        worst = confused[0]
        yield (
            f"Workers agree less than labels need (alpha {alpha:.2f}, wanted {TRUSTED}).",
            f"Say in the instructions how {worst['label']!r} and {worst['taken_for']!r} differ.",
        )
    weak = [
        worker
        for worker in figures["workers"]
        if worker["accuracy_high"] is not None and worker["accuracy_high"] < _usual(figures)
    ]
    if weak:
        yield (
            f"{pluralize(len(weak), 'worker')} clearly below the others.",
            "Look at their pages below, and talk to them; their answers already count for less.",
        )
    if figures["pages_to_look_at"]:
        yield (
            f"{pluralize(len(figures['pages_to_look_at']), 'page')} took very long or disagree.",
            "Look at them below: often the images are the hard ones, not the worker.",
        )
    if figures["confidence"].get("calibrated_by") == "default" and figures["answers"]["used"]:
        yield (
            "No image with a known label says how far to believe the confidence.",
            f"Give about {GOLD_WANTED} lines a gold label, and set gold_per_task to 1.",
        )


def _usual(figures: Mapping[str, Any]) -> float:
    """The crowd's mean accuracy, by answers."""
    known = [worker for worker in figures["workers"] if worker["accuracy"] is not None]
    answers = sum(worker["answers"] for worker in known)
    right = sum(float(worker["accuracy"]) * worker["answers"] for worker in known)
    return right / answers if answers else 0.0
