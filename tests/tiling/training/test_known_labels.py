"""Gold labels and duplicates are read by line."""

from __future__ import annotations

from random import Random

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
def test_duplicates_are_read_as_they_were_written(numbers: dict[int, int]) -> None:
    # nothing repeats a line that repeats another one
    duplicates = {later: first for later, first in numbers.items() if first not in numbers}
    rows = [b"index,first", *(b"%d,%d" % pair for pair in duplicates.items())]
    assert read_duplicates(rows) == duplicates


@given(st.dictionaries(st.integers(1, 60), st.integers(0, 59)), st.randoms())
def test_a_chain_of_repeats_leads_to_its_first_line(
    numbers: dict[int, int], random: Random
) -> None:
    repeats = [(later, first) for later, first in numbers.items() if first < later]
    random.shuffle(repeats)
    firsts = read_duplicates([b"index,first", *(b"%d,%d" % pair for pair in repeats)])
    assert firsts.keys() == dict(repeats).keys()
    for later, first in repeats:
        assert firsts[later] == firsts.get(first, first) < later
        assert firsts[later] not in firsts
