"""Summarize confidences, gold accuracy and calibration for the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.answers.table import Columns
from tessera.tiling.consensus import Consensus, Crowd
from tessera.tiling.report.agreement import _rounded


def answer_figures(table: Columns) -> dict[str, Any]:
    """How many answers there are, of what kind, and how long they took."""
    crowd = table.crowd
    timed = table.seconds[table.seconds >= 0]
    rounds = np.bincount(table.round_, minlength=1)
    return {
        "used": len(crowd),
        "unreadable": int((crowd.label < 0).sum()),
        "by_round": {str(number): int(rounds[number]) for number in np.flatnonzero(rounds)},
        "submissions": len(np.unique(table.page)),
        "seconds_per_image": round(float(np.median(timed)), 3) if len(timed) else None,
        "timed": len(timed),
    }


def confidence_figures(consensus: Consensus) -> dict[str, Any]:
    """How confident the labels are, in tenths, and what that rests on."""
    labeled = consensus.label >= 0
    confidence = consensus.confidence[labeled]
    tenths = np.bincount(np.minimum(confidence * 10, 9).astype(np.int64), minlength=10)
    return {
        "mean": round(float(confidence.mean()), 4) if len(confidence) else None,
        "tenths": tenths.tolist(),
        "calibrated_by": "gold" if consensus.calibrated_on else "default",
        "calibrated_on": consensus.calibrated_on,
        "rho": round(consensus.rho, 4),
        "unanimous": int((labeled & (consensus.agreement == 1) & (consensus.answers > 1)).sum()),
        "one_answer": int((labeled & (consensus.answers == 1)).sum()),
    }


def gold_figures(consensus: Consensus, known: NDArray[np.int16]) -> dict[str, Any]:
    """How often the crowd's own label of a gold image is its known one."""
    answered = (known >= 0) & (consensus.label >= 0)
    return {
        "images": int((known >= 0).sum()),
        "answered": int(answered.sum()),
        "right": int((consensus.label[answered] == known[answered]).sum()),
        "mean_confidence": (
            round(float(consensus.confidence[answered].mean()), 4) if answered.any() else None
        ),
    }


DOUBTFUL = 24
"""Images shown as the most doubtful ones."""


def calibration(consensus: Consensus, known: NDArray[np.int16]) -> list[dict[str, Any]]:
    """How often labels are right, by how confident they are, on the images that are known."""
    there = (known >= 0) & (consensus.label >= 0)
    confidence = consensus.confidence[there]
    right = consensus.label[there] == known[there]
    tenth = np.minimum(confidence * 10, 9).astype(np.int64)
    return [
        {
            "from": number / 10,
            "images": int((tenth == number).sum()),
            "mean_confidence": _mean(confidence[tenth == number]),
            "right": _mean(right[tenth == number]),
        }
        for number in np.unique(tenth).tolist()
    ]


def doubtful_images(
    crowd: Crowd, consensus: Consensus, classes: Sequence[str], escape: str
) -> list[dict[str, Any]]:
    """The answered images whose label is least sure, with what was said of each."""
    answered = np.flatnonzero((consensus.answers > 0) & (consensus.label >= 0))
    order = np.argsort(consensus.confidence[answered], kind="stable")[:DOUBTFUL]
    chosen = answered[order]
    said: dict[int, Counter[str]] = {int(image): Counter() for image in chosen}
    rows = np.flatnonzero(np.isin(crowd.image, chosen))
    for image, label in zip(crowd.image[rows].tolist(), crowd.label[rows].tolist(), strict=True):
        said[image][classes[label] if label >= 0 else escape] += 1
    return [
        {
            "index": int(image),
            "source": "",
            "label": classes[int(consensus.label[image])],
            "confidence": _rounded(consensus.confidence[image]),
            "said": dict(said[int(image)].most_common()),
        }
        for image in chosen
    ]


def _mean(values: NDArray[Any]) -> float | None:
    return round(float(values.mean()), 4) if len(values) else None
