"""Task files: lines that Ground Truth takes, and offsets that find them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.grouping.orders import RoundRobin
from tessera.tiling.grouping.task_file import (
    TASKS_AT_ONCE,
    TaskFile,
    encode_index,
    encode_rising_indexes,
    write_consecutive,
    write_round_robin,
)
from tests.tiling.folder import Folder
from tests.tiling.grouping.buffers import buffer_of, image

NAME = "round-1/tasks-000.manifest"


@given(
    count=st.integers(1, 300),
    tasks=st.integers(1, 3 * TASKS_AT_ONCE),
    first=st.sampled_from([0, 995, 123_456_789]),
    duplicates=st.sets(st.integers(0, 299)),
)
def test_round_robin_writes_the_bytes_of_the_same_plan_in_any_order(
    count: int, tasks: int, first: int, duplicates: set[int]
) -> None:
    buffer = buffer_of([image(first + i, f"s3://pets/{i}.jpg") for i in range(count)])
    positions = np.array([i for i in range(count) if i not in duplicates], np.uint32)
    if not len(positions):
        return
    plan = RoundRobin(positions, min(tasks, len(positions)))
    fast, slow = Folder(), Folder()
    with TaskFile(NAME, fast.create) as file:
        write_round_robin(file, buffer, plan)
    with TaskFile(NAME, slow.create) as file:
        write_consecutive(file, buffer, plan.as_consecutive())
    assert fast.files == slow.files
    tasks_read = fast.indexes()  # found by the offsets
    assert tasks_read == [
        (positions[task :: plan.tasks] + first).tolist() for task in range(plan.tasks)
    ]


def test_extra_keys_stand_behind_the_source() -> None:
    folder = Folder()
    buffer = buffer_of([image(i, f"s3://pets/{i}.jpg") for i in range(3)])
    plan = RoundRobin(np.arange(3, dtype=np.uint32), 2).as_consecutive()
    with TaskFile(NAME, folder.create) as file:
        write_consecutive(file, buffer, plan, extra_keys=lambda rows: b',"n":%d' % len(rows))
    assert [line["n"] for line in folder.lines()] == [2, 1]
    assert folder.indexes() == [[0, 2], [1]]


def test_a_file_that_failed_has_no_offsets() -> None:
    folder = Folder()

    def fail() -> None:
        with TaskFile(NAME, folder.create) as file:
            file.write(b"half a line")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        fail()
    assert folder.files == {}


@given(
    steps=st.lists(st.integers(1, 1500), min_size=1, max_size=60),
    first=st.integers(0, 10**12),
    after=st.sampled_from([b"", b"},"]),
)
def test_rising_indexes_are_written_as_each_alone(
    steps: list[int], first: int, after: bytes
) -> None:
    indexes = (first + np.cumsum(steps) - steps[0]).tolist()
    pieces = zip(*encode_rising_indexes(indexes, after), strict=True)
    expected = [encode_index(index) + after for index in indexes]
    assert [front + back for front, back in pieces] == expected
    span = range(indexes[0], indexes[0] + len(indexes))
    pieces = zip(*encode_rising_indexes(span, after), strict=True)
    assert [front + back for front, back in pieces] == [encode_index(i) + after for i in span]
