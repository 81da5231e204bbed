"""The offsets file: what one side writes, the other finds lines by."""

import struct
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.run.offsets import (
    count_tasks,
    entry_range,
    offsets_name,
    pack_offsets,
    read_offsets,
)

LINES = st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"") + b"\n"))


@given(lines=LINES)
def test_each_line_is_found_by_its_two_offsets(lines: list[bytes]) -> None:
    text = b"".join(lines)
    packed = pack_offsets(accumulate(map(len, lines), initial=0))
    assert count_tasks(len(packed)) == len(lines)
    for task, line in enumerate(lines):
        first, end = entry_range(task)
        start, stop = read_offsets(packed[first:end])
        assert text[start:stop] == line


@given(offsets=st.lists(st.integers(0, 2**64 - 1)))
def test_offsets_are_little_endian_numbers_of_eight_bytes(offsets: list[int]) -> None:
    packed = pack_offsets(offsets)
    assert packed == b"".join(offset.to_bytes(8, "little") for offset in offsets)
    assert list(read_offsets(packed)) == offsets


def test_half_an_offset_is_an_error() -> None:
    with pytest.raises(struct.error):
        read_offsets(bytes(12))


@pytest.mark.parametrize(
    ("manifest", "name"),
    [
        ("s3://labels/runs/pets/round-1/tasks-000.manifest", "round-1/tasks-000.offsets"),
        ("s3://labels/runs/pets.may/round-1/tasks", "pets.may/round-1/tasks.offsets"),
    ],
)
def test_the_offsets_lie_beside_the_manifest(manifest: str, name: str) -> None:
    assert offsets_name(manifest).endswith(name)
