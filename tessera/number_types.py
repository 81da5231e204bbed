"""Name the numbers that options take: each has bounds, and is a number."""

from __future__ import annotations

import math
from typing import Any

import click


class Amount(click.FloatRange):
    """Type of an option that takes a number within bounds, and neither `nan` nor `inf`."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number; a usage error if it is none that can be counted with."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):  # nan is beyond no bound
            self.fail(f"{value!r} is not a valid float.", param, ctx)
        return number


class PortNumber(click.IntRange):
    """Type of an option that takes a port that programs may listen on."""

    name = "integer"

    def __init__(self) -> None:
        """Take what TCP has."""
        super().__init__(1, 65535)

    def _describe_range(self) -> str:
        """Say nothing in the help of a range that everybody knows."""
        return ""


COUNT = click.IntRange(min=1)
"""Type of an option that takes how many there are to be of something."""
SEED = click.IntRange(min=0)
"""Type of an option that takes the seed of what looks like chance."""
SHARE = Amount(0, 1)
"""Type of an option that takes a share of a whole."""
DOLLARS = Amount(min=0)
"""Type of an option that takes a price."""
