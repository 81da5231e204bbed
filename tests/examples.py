"""Number of examples that a property tries where the profile's own is too many or too few."""

from __future__ import annotations

from hypothesis import settings

FULL = 100
"""Examples of a property in CI, if it names no number."""


def examples(count: int) -> int:
    """Return `count` in CI, and no more than the profile's number under `make quick`.

    A number given to `hypothesis.settings` itself would hold under every profile.
    """
    profile = settings.default.max_examples if settings.default else FULL
    return count if profile >= FULL else min(count, profile)
