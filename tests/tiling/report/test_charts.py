"""The geometry of charts fills its plane and stays in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.report.charts import MATRIX, charts, columns, parts
from tests.tiling.report.small_run import figures


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=6))
def test_parts_fill_the_whole_and_columns_stay_in_the_plane(counts: list[int]) -> None:
    made = parts([(str(number), count) for number, count in enumerate(counts)])

    assert sum(part["count"] for part in made) == sum(counts)
    assert sum(part["width"] for part in made) == pytest.approx(600 if any(counts) else 0, abs=1)
    assert all(0 <= column["y"] <= 160 for column in columns(counts))


def test_a_matrix_too_large_to_read_is_left_out() -> None:
    labels = [f"label {number}" for number in range(MATRIX + 1)]
    agreement = figures()["agreement"] | {"labels": labels}
    assert charts(figures())["matrix"]
    assert charts(figures(agreement=agreement))["matrix"] == []


def test_what_one_image_a_page_would_take_is_as_long_as_the_plane() -> None:
    hours, *others = charts(figures())["effort"]
    assert (hours["name"], hours["saved"], hours["length"]) == ("Hours of work", "75%", 150.0)
    assert [pair["name"] for pair in others] == ["Pages"]
