"""Count where the lines of a manifest were written, and check that the counts add up."""

from __future__ import annotations

import msgspec


class Counts(msgspec.Struct):
    """Lines by where they were written; the keys are those of `images` in report.json.

    `lines` is `training` + `unlabeled` + `rejected`. The others count lines once more:
    `labeled_before`, `gold` and `repeats` say where labels came from, `uncertain` which may change.
    """

    lines: int = 0
    training: int = 0
    unlabeled: int = 0
    rejected: int = 0
    labeled_before: int = 0
    gold: int = 0
    repeats: int = 0
    uncertain: int = 0

    def check(self, lines: int) -> None:
        """Raise AssertionError unless every line of the manifest was written to one place."""
        written = self.training + self.unlabeled + self.rejected
        if not self.lines == lines == written:
            raise AssertionError(
                f"of {lines} lines {self.lines} were read and {written} ended somewhere: {self}"
            )
