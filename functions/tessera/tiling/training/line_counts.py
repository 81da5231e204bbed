"""Count how the lines of a manifest end, and check that the counts add up."""

from __future__ import annotations

import msgspec


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
