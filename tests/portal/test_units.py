"""What a page costs the table: no partition key is written so often that it holds a job back."""

from __future__ import annotations

import pytest

from tests.portal.units import Labeling

MOST_WRITTEN = 5.0
"""Units a page that any one partition key may take. A key takes 1,000 a second: 200 pages a second,
4,000 people at twenty seconds a page, on one job (docs/limits.md)."""


@pytest.mark.thorough
@pytest.mark.parametrize(("answers", "people"), [(1, 8), (2, 12), (3, 20)])
def test_no_partition_takes_more_write_units_a_page_than_a_large_crowd_leaves_it(
    answers: int, people: int
) -> None:
    labeling = Labeling(tasks=120, answers=answers, people=people)

    assert labeling.answers == 120 * answers
    (partition, units), *_ = labeling.written().items()
    assert units <= MOST_WRITTEN, f"{partition}: {labeling.written()}"


@pytest.mark.thorough
def test_a_page_is_three_requests() -> None:
    labeling = Labeling(tasks=120, answers=2, people=12)

    assert 2.8 < labeling.requests / labeling.answers < 3.2
