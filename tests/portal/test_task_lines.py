"""Lines of the tasks manifest, read in blocks, and their offsets."""

from __future__ import annotations

import json
import struct
from itertools import pairwise
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.portal import task_lines
from tests.portal.world import World, answer_of


@pytest.mark.thorough
def test_claims_and_answers_read_a_block_of_the_manifest_once_however_long_it_is() -> None:
    gets = []
    for tasks in (20, 5000):
        fresh = World()
        job = fresh.open(tasks=tasks, workers=2)
        fresh.ask("POST", f"/jobs/{job.name}/claims", "ann")
        fresh.files.requests.clear()  # page, offsets and first block are read by now
        for worker in ("ann", "ben"):
            for _ in range(10):
                task = fresh.ask("POST", f"/jobs/{job.name}/claims", worker)[1]["task"]
                path = f"/jobs/{job.name}/tasks/{task}/answer"
                assert fresh.ask("PUT", path, worker, answer_of(job, int(task)))[0] == 200
        gets.append(fresh.files.requests["GetObject"])
    assert gets == [0, 0]


@given(st.binary(min_size=1, max_size=60), st.data())
def test_a_part_of_a_file_is_the_same_out_of_blocks_of_any_length(
    content: bytes, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(content) - 1))
    end = data.draw(st.integers(start + 1, len(content)))
    world = World()
    world.files.put("s3://labels/file", content)
    with patch.object(task_lines, "BLOCK_BYTES", data.draw(st.integers(1, 70))):
        assert (
            task_lines.read_part(world.files.get_range, "s3://labels/file", start, end)
            == (content[start:end])
        )


@given(st.lists(st.binary().map(lambda line: line.replace(b"\n", b"")), max_size=20), st.booleans())
def test_offsets_are_the_line_starts_and_the_end(lines: list[bytes], ended: bool) -> None:
    text = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    pieces = [text[start : start + 5] for start in range(0, len(text), 5)]
    starts = list(task_lines.line_starts(iter(pieces)))
    read = [text[a:b].rstrip(b"\n") for a, b in pairwise(starts)]
    assert read == [line.rstrip(b"\n") for line in text.splitlines(keepends=False)] or b"\r" in text
    assert starts[-1] == len(text)


def test_missing_offsets_are_written_once(world: World) -> None:
    job = world.open(tasks=3)
    written = world.files.get(job.offsets)
    manifest = world.files.get(job.manifest)
    offsets = struct.unpack("<4Q", written)
    assert offsets[0] == 0
    assert offsets[-1] == len(manifest)
    assert json.loads(manifest[offsets[1] : offsets[2]])["source"].startswith("[")
