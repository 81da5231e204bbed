"""The figures of a run: what came in, what came out, and how far to believe it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tiling.settings import Settings

VERSION = 1
"""Of the shape of `report.json`: it rises when a key changes its meaning or goes away."""


class Counts(msgspec.Struct):
    """Where the manifest's lines ended; they must add up."""

    lines: int = 0
    training: int = 0
    unlabeled: int = 0
    rejected: int = 0
    labeled_before: int = 0
    gold: int = 0
    repeats: int = 0
    uncertain: int = 0

    def check(self, lines: int) -> None:
        """Raise unless every line of the manifest ended in exactly one place."""
        ended = self.training + self.unlabeled + self.rejected
        if not self.lines == lines == ended:
            raise AssertionError(
                f"of {lines} lines {self.lines} were read and {ended} ended somewhere: {self}"
            )


def report(
    *,
    run: str,
    settings: Settings,
    counts: Counts,
    unlabeled: Mapping[str, int],
    labels: Mapping[str, int],
    answers: Mapping[str, Any],
    confidence: Mapping[str, Any],
    gold: Mapping[str, Any],
    workers: list[dict[str, Any]],
    pages: list[dict[str, Any]],
    jobs: list[dict[str, Any]],
) -> dict[str, Any]:
    """Everything that `report.json` says, in the order in which a person would ask."""
    return {
        "version": VERSION,
        "run": run,
        "question": settings.question,
        "method": settings.method,
        "images": msgspec.to_builtins(counts),
        "unlabeled": dict(unlabeled),
        "labels": dict(labels),
        "answers": dict(answers),
        "confidence": dict(confidence),
        "gold": dict(gold),
        "workers": workers,
        "pages_to_look_at": pages,
        "jobs": jobs,
    }


def write_report(figures: Mapping[str, Any]) -> bytes:
    """`report.json`: indented, because people read it too."""
    return msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n"


def render_report(template: str, figures: Mapping[str, Any]) -> str:
    """`report.html`: the figures in the page that `ui/report.liquid.html` is the template of."""
    from liquid import Environment  # late: only the end of a run needs it

    return Environment(autoescape=True).from_string(template).render(report=dict(figures))
