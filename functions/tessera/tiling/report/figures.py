"""Round the figures of report.json: four decimals, and None for what nobody could measure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

DIGITS = 4
"""Decimals of a share: more than a few thousand answers can tell."""


def round_figure(value: Any) -> float | None:
    """Round a number, or return None if it is not a number.

    >>> round_figure(0.123456), round_figure(float("nan"))
    (0.1235, None)
    """
    return None if np.isnan(value) else round(float(value), DIGITS)


def mean_figure(values: NDArray[Any]) -> float | None:
    """Return the rounded mean, or None if there are no values."""
    return round_figure(values.mean()) if len(values) else None
