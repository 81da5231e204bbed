"""Read the lines of a part from the manifest's bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tessera.tiling.manifest.lines import BYTE_ORDER_MARK
from tessera.tiling.manifest.stream import GZIP_MAGIC, line_blocks

UNREADABLE = b"?"
"""Beginning of a line that is no JSON, whatever follows."""


def part_lines(chunks: Iterable[bytes], first: int, end: int | None) -> Iterator[bytes]:
    """Yield the lines from `first` up to, not including, `end`, in pieces, each line with its end.

    Without `end` they are all that follow. What precedes is read and counted: a gigabyte takes a
    second beside the time that S3 takes to send it, and a manifest may be packed, where there is no
    other way.
    """
    line = 0
    is_first = True
    for block in line_blocks(chunks):
        lines = block.count(b"\n")
        if line + lines > first:
            start = _offset(block, max(first - line, 0))
            stop = len(block) if end is None else _offset(block, min(end - line, lines))
            piece = block[start:stop]
            # only the manifest's own first bytes are a mark, or packed; here they are a bad line's
            if is_first and first and piece.startswith((BYTE_ORDER_MARK, GZIP_MAGIC)):
                piece = UNREADABLE + piece
            is_first = False
            yield piece
        line += lines
        if end is not None and line >= end:
            return


def _offset(block: bytes, lines: int) -> int:
    """Return the place in a block where so many lines have ended."""
    place = 0
    for _ in range(lines):
        place = block.index(b"\n", place) + 1
    return place
