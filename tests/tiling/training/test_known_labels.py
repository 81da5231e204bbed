"""Gold labels and duplicates are read by line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.settings import settings_from
from tessera.tiling.training.known_labels import read_duplicates, read_gold

SETTINGS = settings_from({"labels": ["cat", "cannot see", "dog"]})


def test_gold_labels_are_positions_in_the_classes_and_the_escape_is_none_of_them() -> None:
    lines = [
        b'{"source-ref":"s3://pets/0.jpg","gold":"dog"}',
        b'{"source-ref":"s3://pets/1.jpg"}',
        b"no JSON",
        b'{"source-ref":"s3://pets/3.jpg","gold":"cannot see"}',
        b'{"source-ref":"s3://pets/4.jpg","gold":"cat"}',
    ]
    assert read_gold([b"\n".join(lines)], SETTINGS) == {0: 1, 3: -1, 4: 0}


def test_a_line_that_was_labeled_before_is_no_gold_image() -> None:
    line = b'{"source-ref":"s3://pets/0.jpg","gold":"dog","label":0,"label-metadata":{}}'
    assert read_gold([line], SETTINGS) == {}


@given(st.dictionaries(st.integers(1, 10**7), st.integers(0, 10**7)))
def test_duplicates_are_read_as_they_were_written(duplicates: dict[int, int]) -> None:
    rows = [b"index,first", *(b"%d,%d" % pair for pair in duplicates.items())]
    assert read_duplicates(rows) == duplicates
