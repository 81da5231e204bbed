"""The figures of a run: what came in, what came out, and how far to believe it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tessera.tiling.report.charts import charts
from tessera.tiling.report.next_steps import advice
from tessera.tiling.report.wording import number, percent
from tessera.tiling.settings import Settings
from tessera.tiling.training.line_counts import Counts

VERSION = 1
"""Of the shape of `report.json`: it rises when a key changes its meaning or goes away."""


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
    **more: Any,
) -> dict[str, Any]:
    """Everything that `report.json` says, in the order in which a person would ask.

    `more` is the figures of `tiling.figures`, by their keys; `docs/report.md` names them all.
    """
    figures = {
        "version": VERSION,
        "run": run,
        "question": settings.question,
        "method": settings.method,
        "settings": msgspec.to_builtins(settings),
        "images": msgspec.to_builtins(counts),
        "unlabeled": dict(unlabeled),
        "labels": dict(labels),
        "answers": dict(answers),
        "confidence": dict(confidence),
        "gold": dict(gold),
        "workers": workers,
        "pages_to_look_at": pages,
        "jobs": jobs,
        **more,
    }
    return figures | {"next": advice(figures)}


def write_report(figures: Mapping[str, Any]) -> bytes:
    """`report.json`: indented, because people read it too."""
    return msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n"


def render_report(
    template: str, figures: Mapping[str, Any], pictures: Mapping[int, str] | None = None
) -> str:
    """`report.html`: the figures in the page that `ui/report.liquid.html` is the template of.

    `pictures` has addresses of pictures, or pictures themselves as data URIs, by image.
    """
    from liquid import Environment  # late: only the end of a run needs it

    environment = Environment(autoescape=True)
    environment.filters["percent"] = percent
    environment.filters["number"] = number
    doubtful = [
        image | {"picture": (pictures or {}).get(image["index"], "")}
        for image in figures.get("doubtful") or []
    ]
    return environment.from_string(template).render(
        report=dict(figures), charts=charts(figures), doubtful=doubtful
    )
