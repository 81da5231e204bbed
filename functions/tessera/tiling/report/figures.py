"""Round the figures of report.json, and make those that a run's report begins with.

They have four decimals, and are None for what nobody could measure.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tessera.tiling.run.run import Run
from tessera.tiling.training.line_counts import LineOutcomes

VERSION = 1
"""Version of report.json: it rises when a key changes its meaning or goes away."""
DIGITS = 4
"""Decimals of a share: more than a few thousand answers can tell."""


def round_figure(value: Any) -> float | None:
    """Round a number, or return None if it is not a number.

    >>> round_figure(0.123456), round_figure(float("nan"))
    (0.1235, None)
    """
    return None if np.isnan(value) else round(float(value), DIGITS)


def run_figures(run: Run, lines: LineOutcomes) -> dict[str, Any]:
    """Return what a report begins with: the run, its settings, and what became of its lines."""
    return {
        "version": VERSION,
        "run": run.name,
        # once more outside the settings, for people who read the file from the top
        "question": run.settings.question,
        "method": run.settings.method,
        "settings": msgspec.to_builtins(run.settings),
        "images": msgspec.to_builtins(lines.counts),
        "unlabeled": dict(+lines.reasons),  # reasons that did not occur are left out
    }


def mean_figure(values: NDArray[Any]) -> float | None:
    """Return the rounded mean, or None if there are no values."""
    return round_figure(values.mean()) if len(values) else None
