"""Counts that do not add up stop a run before its files are believed."""

from __future__ import annotations

import pytest

from tessera.tiling.training.line_counts import Counts


def test_lines_that_all_ended_somewhere_pass() -> None:
    Counts(lines=6, training=3, unlabeled=2, rejected=1, labeled_before=1, gold=1).check(6)


@pytest.mark.parametrize(
    "counts",
    [
        Counts(lines=5, training=3, unlabeled=2),
        Counts(lines=6, training=3, unlabeled=2),
        Counts(lines=6, training=3, unlabeled=2, rejected=2),
    ],
)
def test_a_line_too_few_or_too_many_is_told_with_the_numbers(counts: Counts) -> None:
    with pytest.raises(AssertionError, match=f"of 6 lines {counts.lines} were read"):
        counts.check(6)
