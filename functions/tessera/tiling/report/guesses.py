"""Report what a model knew that learned from the answers, what it saved, and its audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tessera.tiling.consensus import Crowd, consolidate
from tessera.tiling.guesses.annotator import MIN_NATS, Guesses
from tessera.tiling.guesses.asking import Judged, ModelResult
from tessera.tiling.report.confidence import reliability
from tessera.tiling.report.figures import round_figure
from tessera.tiling.report.workers import wilson_interval
from tessera.tiling.settings import Settings

CONTESTED = 24
"""Images shown whose label is not the model's guess: as many as of the most doubtful ones."""
CONTRADICTING = 20
"""Workers named who contradicted the model, those whom the labels uphold most often first."""


def most_contested(model: ModelResult | None) -> NDArray[np.int64]:
    """Return the answered images whose label is not the guess, where the model was surest first.

    Among them are the likeliest errors, of people or of the model.
    """
    if model is None or model.judged.guesses is None:
        return np.empty(0, np.int64)
    guess, sure = _guess(model.judged.guesses)
    label = model.decision.consensus.label
    images = np.flatnonzero(
        (sure > 0) & (label >= 0) & (model.judged.consensus.answers > 0) & (guess != label)
    )
    return images[np.argsort(-sure[images], kind="stable")[:CONTESTED]].astype(np.int64)


def _guess(guesses: Guesses) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return the class that each image is guessed to be, and how sure the model is of it."""
    p = guesses.probabilities
    return p.argmax(axis=1), p.max(axis=1).astype(np.float32)


def contest_figures(
    model: ModelResult, choices: Sequence[str], sources: Mapping[int, str], names: Sequence[str]
) -> dict[str, Any]:
    """Return how many answers contradict the model, how many labels uphold them, whose, and where.

    `choices` are the names of the classes, `names` the workers'; images without a URI in `sources`
    are left out.
    """
    judged, label = model.judged, model.decision.consensus.label
    if judged.guesses is None:
        return {}
    guess, sure = _guess(judged.guesses)
    crowd = judged.crowd
    against = (crowd.label >= 0) & (sure[crowd.image] > 0) & (crowd.label != guess[crowd.image])
    upheld = against & (crowd.label == label[crowd.image])
    images = [
        {
            "index": image,
            "source": sources[image],
            "label": choices[int(label[image])],
            "confidence": round_figure(model.decision.consensus.confidence[image]),
            "guess": choices[int(guess[image])],
            "sure": round_figure(sure[image]),
        }
        for image in most_contested(model).tolist()
        if image in sources
    ]
    return {
        "contradicted": int(against.sum()),
        "upheld": int(upheld.sum()),
        "contradicted_by": _contradicting(crowd, against, upheld, names),
        "contested": images,
    }


def _contradicting(
    crowd: Crowd, against: NDArray[np.bool_], upheld: NDArray[np.bool_], names: Sequence[str]
) -> list[dict[str, Any]]:
    """Return who contradicted the model how often, and how many of those answers labels uphold."""
    answers, right = (
        np.bincount(crowd.worker[rows], minlength=crowd.workers).tolist()
        for rows in (against, upheld)
    )
    contradicting = [worker for worker in range(crowd.workers) if answers[worker]]
    # equals by name, as in the table of workers
    contradicting.sort(key=lambda worker: (-right[worker], -answers[worker], names[worker]))
    return [
        {"worker": names[worker], "answers": answers[worker], "upheld": right[worker]}
        for worker in contradicting[:CONTRADICTING]
    ]


def guess_figures(
    model: ModelResult,
    settings: Settings,
    *,
    round_: NDArray[np.int8],
    known: NDArray[np.int16],
    by_model: int,
    seconds: float,
) -> dict[str, Any]:
    """Return the figures of a run's model; of one that was not used, why.

    `round_` has a row for each answer, `known` the class of each gold image, else -1; `by_model`
    counts the lines that it labeled, and `seconds` is the time of an answer.
    """
    judged, decision = model.judged, model.decision
    guesses = judged.guesses
    figures: dict[str, Any] = {"used": judged.uses_guesses}
    if not judged.uses_guesses:
        figures["why_not"] = model.failure or (
            f"it knew {guesses.nats if guesses else 0:.2f} nats of an answer, and needs {MIN_NATS}"
        )
    if guesses is None:
        return figures
    figures |= {
        "nats": round_figure(guesses.nats),
        "learned_from": guesses.answered,
        **_compare(guesses, judged, decision.consensus.label, known),
        "labeled": by_model,
    }
    if judged.uses_guesses:
        figures["saved"] = _saved(judged, settings, round_, seconds)
    if (audit := decision.audit) is not None and settings.audited is not None:
        low, high = wilson_interval(audit.accuracy, audit.effective)
        figures["audit"] = {
            "images": len(audit.images),
            "compared": audit.compared,
            "right": round_figure(audit.accuracy) if audit.compared else None,
            "right_low": round_figure(low),
            "right_high": round_figure(high),
            "wanted": settings.audited.right,
            "passed": bool(audit.compared) and audit.accuracy >= settings.audited.right,
        }
    return figures


def _compare(
    guesses: Guesses,
    judged: Judged,
    label: NDArray[np.int16],
    known: NDArray[np.int16],
) -> dict[str, Any]:
    """Compare the guesses, none of which knows the image's own answers, with labels and gold."""
    p = guesses.probabilities
    guess = p.argmax(axis=1)
    has_guess = p.any(axis=1)
    answered = has_guess & (judged.consensus.answers > 0) & (label >= 0)
    gold = has_guess & (known >= 0)
    same = guess == label
    sure = p.max(axis=1).astype(np.float32)
    return {
        "compared": int(answered.sum()),
        "same": int((answered & same).sum()),
        "gold": int(gold.sum()),
        "gold_right": int((gold & (guess == known)).sum()),
        "calibration": reliability(sure[answered], same[answered]),
    }


def _saved(
    judged: Judged, settings: Settings, round_: NDArray[np.int8], seconds: float
) -> dict[str, Any]:
    """Estimate the answers that the same images would have had without a model.

    The first round's images tell: all had `answers_per_image`, and of some the answers alone would
    have asked again. Whatever has not been asked yet is not counted as saved.
    """
    crowd, first = judged.crowd, round_ == 1
    seed = replace(
        crowd, image=crowd.image[first], worker=crowd.worker[first], label=crowd.label[first]
    )
    alone = consolidate(seed, evidence=judged.beside)
    asked = alone.answers > 0
    again = float((asked & (alone.gain > settings.gain)).sum() / max(asked.sum(), 1))
    further = settings.max_answers - settings.answers_per_image
    # each further round leaves about the same share of those that it asks
    each = settings.answers_per_image + sum(again ** (step + 1) for step in range(further))
    images = int((judged.consensus.label >= 0).sum())
    saved = max(images * each - len(crowd), 0.0)
    return {
        "answers_without": round(images * each),
        "answers": len(crowd),
        "hours": round(saved * seconds / 3600, 4),
    }
