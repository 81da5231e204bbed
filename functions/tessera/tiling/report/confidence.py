"""Summarize answers, confidences, gold accuracy and calibration, and find the doubtful images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Consensus, Crowd
from tessera.tiling.consensus.gold_doubts import GoldDoubts
from tessera.tiling.report.figures import mean_figure, round_figure

DOUBTFUL = 24
"""Images shown as the most doubtful: four printed rows of six, and a report.html of a size that
can be mailed, since `tessera report` puts their pictures into it."""


def answer_figures(
    crowd: Crowd,
    *,
    seconds: NDArray[np.float32],
    submission: NDArray[np.int32],
    round_: NDArray[np.int8],
    noted: Mapping[str, int],
) -> dict[str, Any]:
    """Count the answers by kind and round, and say how long they took.

    The arrays have a row for each answer of the crowd; `seconds` are not a number where nobody
    measured. `noted` counts by reason what could not be used.
    """
    timed = seconds[seconds >= 0]
    rounds = np.bincount(round_, minlength=1)
    return {
        "used": len(crowd),
        "unreadable": int((crowd.label < 0).sum()),
        "by_round": {str(number): int(rounds[number]) for number in np.flatnonzero(rounds)},
        "submissions": len(np.unique(submission)),
        # the median, because a worker who went for lunch is in the mean for hours
        "seconds_per_image": round(float(np.median(timed)), 3) if len(timed) else None,
        "timed": len(timed),
        "noted": dict(sorted(noted.items())),
    }


def confidence_figures(consensus: Consensus) -> dict[str, Any]:
    """Count the labels by tenths of confidence, and say what the confidence rests on."""
    labeled = consensus.label >= 0
    confidence = consensus.confidence[labeled]
    return {
        "mean": mean_figure(confidence),
        "tenths": np.bincount(_tenths(confidence), minlength=10).tolist(),
        "calibrated_by": "gold" if consensus.calibrated_on else "default",
        "calibrated_on": consensus.calibrated_on,
        "rho": round_figure(consensus.rho),
        "skew": round_figure(consensus.skew),
        # said only where it matters: a settled estimate is what everybody expects
        **({} if consensus.converged else {"converged": False}),
        "unanimous": int((labeled & (consensus.agreement == 1) & (consensus.answers > 1)).sum()),
        "one_answer": int((labeled & (consensus.answers == 1)).sum()),
    }


def gold_figures(consensus: Consensus, known: NDArray[np.int16]) -> dict[str, Any]:
    """Count how often the workers' own label of a gold image is its known one.

    `known` has the class of each gold image, else -1.
    """
    # the consensus labels gold images as if their label were not known
    answered = (known >= 0) & (consensus.label >= 0) & (consensus.answers > 0)
    return {
        "images": int((known >= 0).sum()),
        "answered": int(answered.sum()),
        "right": int((consensus.label[answered] == known[answered]).sum()),
        "mean_confidence": mean_figure(consensus.confidence[answered]),
    }


def calibration_figures(consensus: Consensus, known: NDArray[np.int16]) -> list[dict[str, Any]]:
    """Say for each tenth of confidence how many of its gold images are labeled right."""
    answered = (known >= 0) & (consensus.label >= 0) & (consensus.answers > 0)
    return reliability(consensus.confidence[answered], consensus.label[answered] == known[answered])


def reliability(confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Say for each tenth of confidence how many images there are and how many are right."""
    tenths = _tenths(confidence)
    return [
        {
            "from": tenth / 10,
            "images": int((tenths == tenth).sum()),
            "mean_confidence": mean_figure(confidence[tenths == tenth]),
            "right": mean_figure(right[tenths == tenth]),
        }
        for tenth in np.unique(tenths).tolist()
    ]


def most_doubtful(consensus: Consensus) -> NDArray[np.int64]:
    """Return the indices of the answered images whose label is least sure, most doubtful first."""
    # what has no answers is not doubtful but missing, and has its own place in the report
    answered = np.flatnonzero((consensus.answers > 0) & (consensus.label >= 0))
    order = np.argsort(consensus.confidence[answered], kind="stable")[:DOUBTFUL]
    return answered[order]


def doubtful_figures(
    crowd: Crowd,
    consensus: Consensus,
    choices: Sequence[str],
    sources: Mapping[int, str],
) -> list[dict[str, Any]]:
    """Describe the most doubtful images and the answers to each.

    `choices` are the names of the classes, then that of -1. Images without a URI in `sources` are
    left out: an answer may name a line that was never asked.
    """
    images = most_doubtful(consensus)
    answers = _answers(crowd, images, choices)
    return [
        {
            "index": image,
            "source": sources[image],
            "label": choices[int(consensus.label[image])],
            "confidence": round_figure(consensus.confidence[image]),
            "said": dict(answers[image].most_common()),
        }
        for image in images.tolist()
        if image in sources
    ]


def gold_doubt_figures(
    doubts: GoldDoubts,
    crowd: Crowd,
    known: NDArray[np.int16],
    choices: Sequence[str],
    sources: Mapping[int, str],
) -> list[dict[str, Any]]:
    """Describe the gold images whose label may be wrong, `DOUBTFUL` at most, and their answers.

    `choices` and `sources` are as for `doubtful_figures`.
    """
    images = doubts.image[:DOUBTFUL]
    answers = _answers(crowd, images, choices)
    columns = images.tolist(), doubts.label.tolist(), doubts.confidence.tolist()
    return [
        {
            "index": image,
            "source": sources[image],
            "gold": choices[int(known[image])],
            "label": choices[label],
            "confidence": round_figure(confidence),
            "said": dict(answers[image].most_common()),
        }
        for image, label, confidence in zip(*columns, strict=False)
        if image in sources
    ]


def _answers(
    crowd: Crowd, images: NDArray[np.int64], choices: Sequence[str]
) -> dict[int, Counter[str]]:
    """Count the answers to each of a few images by their names."""
    answers: dict[int, Counter[str]] = {image: Counter() for image in images.tolist()}
    # of these images' answers alone: a million rows are sifted once, not counted in Python
    rows = np.flatnonzero(np.isin(crowd.image, images))
    for image, label in zip(crowd.image[rows].tolist(), crowd.label[rows].tolist(), strict=True):
        answers[image][choices[label]] += 1
    return answers


def _tenths(confidence: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the tenth that each confidence is in, from 0 to 9; 1.0 is in the last."""
    tenths: NDArray[np.int64] = np.minimum(confidence * 10, 9).astype(np.int64)
    return tenths
