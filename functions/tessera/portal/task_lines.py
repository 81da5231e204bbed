"""Read a task's line of the tasks manifest, however long the manifest is, and write its offsets.

Parts of the file are kept in blocks, because tasks that are dealt at the same time lie close
together: docs/decisions/portal-manifest-in-blocks.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice

import msgspec

from tessera.portal.ports import Ports
from tessera.portal.records import Job
from tessera.tiling.errors import NOT_JSON
from tessera.tiling.run.offsets import entry_range, pack_offsets, read_offsets

BLOCK_BYTES = 1024 * 1024
"""Bytes of a manifest read at once: some hundred tasks, which are dealt one after another. It takes
as long as asking twice for a few bytes, and the next claims and answers need to ask no more."""

KEPT_BLOCKS = 32
"""Blocks that a function keeps: 32 MiB of its 1,024."""

OFFSETS_AT_ONCE = 100_000
"""Offsets packed in one piece; Ground Truth takes no job of more tasks."""

GetRange = Callable[[str, int, int], bytes]


def read_line(ports: Ports, job: Job, task: int) -> bytes:
    """Return the task's line of the manifest, without its line end."""
    get_range = ports.files.get_range
    start, end = read_offsets(read_part(get_range, job.offsets, *entry_range(task)))
    return read_part(get_range, job.manifest, start, end).strip()


def read_part(get_range: GetRange, uri: str, start: int, end: int) -> bytes:
    """Return the bytes from `start` up to `end` of a file that never changes, from kept blocks."""
    first, last = start // BLOCK_BYTES, (end - 1) // BLOCK_BYTES
    blocks = b"".join(_block(get_range, uri, number) for number in range(first, last + 1))
    return blocks[start - first * BLOCK_BYTES : end - first * BLOCK_BYTES]


@lru_cache(maxsize=KEPT_BLOCKS)
def _block(get_range: GetRange, uri: str, number: int) -> bytes:
    return get_range(uri, number * BLOCK_BYTES, (number + 1) * BLOCK_BYTES)


def indexes_of(line: bytes) -> list[str] | None:
    """Return the indexes that a task's answer must name, or None for a line in another form.

    >>> indexes_of(b'{"source":"[{\\\\"index\\\\":4},{\\\\"index\\\\":24}]"}')
    ['4', '24']
    """
    try:
        images = msgspec.json.decode(msgspec.json.decode(line)["source"])
        return [str(image["index"]) for image in images]
    except (*NOT_JSON, KeyError, TypeError):
        return None  # a job of somebody's own: its answers are taken as they come


def sources_of(line: bytes) -> dict[str, str]:
    """Return the image sources of a task by index; empty for a line in another form.

    >>> sources_of(b'{"source":"[{\\\\"source-ref\\\\":\\\\"s3://pets/4.jpg\\\\",\\\\"index\\\\":4}]"}')
    {'4': 's3://pets/4.jpg'}
    """
    try:
        images = msgspec.json.decode(msgspec.json.decode(line)["source"])
        return {str(image["index"]): str(image["source-ref"]) for image in images}
    except (*NOT_JSON, KeyError, TypeError):
        return {}


def write_offsets(ports: Ports, job: Job) -> None:
    """Write the offsets of a manifest that came without them, reading it as a stream."""
    starts = line_starts(ports.files.iter_chunks(job.manifest))
    with ports.files.writer(job.offsets) as file:
        while batch := list(islice(starts, OFFSETS_AT_ONCE)):
            file.write(pack_offsets(batch))


def line_starts(chunks: Iterator[bytes]) -> Iterator[int]:
    """Yield where each line starts, and where the last one ends.

    A line end at the very end of the file starts no line.

    >>> list(line_starts(iter([b"a\\nb", b"b\\n"])))
    [0, 2, 5]
    """
    position = started = 0
    yield 0
    for chunk in chunks:
        end = chunk.find(b"\n")
        while end >= 0:
            started = position + end + 1
            yield started
            end = chunk.find(b"\n", end + 1)
        position += len(chunk)
    if position > started:  # the last line has no line end
        yield position
