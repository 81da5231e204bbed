"""Say in one sentence what became of a run, for whoever asks in passing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tessera.tiling.report.wording import pluralize
from tessera.tiling.training.line_counts import (
    SET_ASIDE_REASON,
    UNANSWERED_REASON,
    UNLOADED_REASON,
    UNREADABLE_REASON,
)

REASONS = {
    UNREADABLE_REASON: "could not be seen",
    UNLOADED_REASON: "did not load",
    SET_ASIDE_REASON: "could not be shown",
    UNANSWERED_REASON: "got no answer",
}
"""Words of the sentence for images without a label, by the reason in unlabeled.csv."""

MOST_SURE = 0.99
"""Share of right labels that is claimed at most: an estimate of a hundred in a hundred is none."""


def headline(figures: Mapping[str, Any], minutes: float | None = None) -> str:
    """Return the sentence, from the figures of a report.

    `minutes` are those from the run's start to its labels, where they are known; else the time that
    people worked stands in, if it was measured.
    """
    images, following = figures["images"], figures.get("next_round")
    parts = [f"{images['training']:,} of {images['lines']:,} labeled{_by_whom(figures, minutes)}"]
    mean = figures["confidence"].get("mean")
    if mean is not None:
        parts.append(f"about {min(mean, MOST_SURE):.0%} right".replace("%", " %"))
    parts += [
        f"{count:,} {REASONS.get(reason, reason)}" for reason, count in figures["unlabeled"].items()
    ]
    if images["rejected"]:
        parts.append(f"{pluralize(images['rejected'], 'line')} could not be used")
    sentence = "; ".join(parts) + "."
    return f"{next_round_sentence(following)} So far {sentence}" if following else sentence


def next_round_sentence(following: Mapping[str, int]) -> str:
    """Return the sentence on a round that comes after a report, from its `next_round`.

    >>> next_round_sentence({"round": 2, "images": 41})
    'Round 2 follows this report and asks 41 images again.'
    """
    images = pluralize(following["images"], "image")
    return f"Round {following['round']} follows this report and asks {images} again."


def _by_whom(figures: Mapping[str, Any], minutes: float | None) -> str:
    people = sum(worker["answers"] > 0 for worker in figures["workers"])
    if not people:
        return ""
    by = f" by {people:,} {'person' if people == 1 else 'people'}"
    if minutes is not None:
        return f"{by} in {duration(minutes)}"
    time = figures["time"]
    return f"{by} with {duration(60 * time['hours'])} of work" if time["measured"] else by


def duration(minutes: float) -> str:
    """Write a time as people say it.

    >>> duration(0.4), duration(16.2), duration(150), duration(60 * 24 * 3)
    ('less than a minute', '16 minutes', '2.5 hours', '3 days')
    """
    if minutes < 1:
        return "less than a minute"
    if minutes < 90:
        return pluralize(round(minutes), "minute")
    hours = minutes / 60
    if hours < 48:
        return f"{hours:.1f} hours".replace(".0 ", " ")
    return pluralize(round(hours / 24), "day")
