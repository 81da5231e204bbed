"""Count where the lines of a manifest were written, and check that the counts add up."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    Numbers = array[int]
else:  # an array's type takes no parameter where the struct is read by its types
    Numbers = array

UNREADABLE_REASON, UNANSWERED_REASON = "unreadable", "no answer"
UNLOADED_REASON = "did not load"
SET_ASIDE_REASON = "page could not be shown"
"""Why an image has no label, as unlabeled.csv and report.json say it."""


class Counts(msgspec.Struct):
    """Lines by where they were written; the keys are those of `images` in report.json.

    `lines` is `training` + `unlabeled` + `rejected`. The others count lines once more:
    `labeled_before`, `gold` and `repeats` say where labels came from, `uncertain` which may change,
    and `renumbered` which of those labeled before had another number for their class.
    """

    lines: int = 0
    training: int = 0
    unlabeled: int = 0
    rejected: int = 0
    labeled_before: int = 0
    gold: int = 0
    repeats: int = 0
    uncertain: int = 0
    renumbered: int = 0

    def check(self, lines: int) -> None:
        """Raise AssertionError unless every line of the manifest was written to one place."""
        written = self.training + self.unlabeled + self.rejected
        if not self.lines == lines == written:
            raise AssertionError(
                f"of {lines} lines {self.lines} were read and {written} ended somewhere: {self}"
            )


class LineOutcomes(msgspec.Struct):
    """Counts of a manifest's written lines, and what else the report needs to know of them.

    `reasons` counts images without a label, `labels` images by their label's position in the
    classes, and `labels_before` lines that were labeled before by theirs; `unsure` are the images
    to ask again, `retry` those that lack an answer because they did not load for somebody,
    `by_model` counts those that a model alone has labeled, `reviewed` those decided in a review,
    and `sources` are the URIs of a few images by line.
    """

    counts: Counts = msgspec.field(default_factory=Counts)
    reasons: Counter[str] = msgspec.field(default_factory=Counter)
    labels: Counter[int] = msgspec.field(default_factory=Counter)
    labels_before: Counter[int] = msgspec.field(default_factory=Counter)
    unsure: Numbers = msgspec.field(default_factory=lambda: array("i"))
    retry: Numbers = msgspec.field(default_factory=lambda: array("i"))
    by_model: int = 0
    reviewed: int = 0
    sources: dict[int, str] = msgspec.field(default_factory=dict)
    boxes: dict[str, Counter[int]] = msgspec.field(default_factory=dict)
    """Numbers of verified boxes by their class and then by label, -1 being none."""
