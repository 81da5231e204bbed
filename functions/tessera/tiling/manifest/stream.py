"""Cut a manifest's bytes, plain or gzip, into blocks of whole lines.

Memory is bounded by a block and the longest line that can be used, whatever comes: lines that are
too long are cut, and gzip is unpacked a block at a time.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain

from tessera.tiling.errors import ManifestUnreadable
from tessera.tiling.manifest.lines import MAX_LINE_BYTES

BLOCK_BYTES = 1024 * 1024
"""Bytes of lines that are parsed together: enough that a call of numpy costs nothing beside its
work, few enough for the processor's cache (docs/decisions/grouping-constants.md)."""
GZIP_MAGIC = b"\x1f\x8b"


def manifest_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a manifest without their line ends.

    Every physical line counts, empty ones too, so that a line's index is the same for every reader.

    >>> list(manifest_lines([b"a\\nb", b"c\\n", b"d"]))
    [b'a', b'bc', b'd']
    """
    for block in line_blocks(pieces):
        yield from block[:-1].split(b"\n")


def line_blocks(pieces: Iterable[bytes], size: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Yield blocks of whole lines of about `size` bytes; each line has its end, the last one too.

    Raises ManifestUnreadable if the manifest is gzip that is damaged or ends early.
    """
    rest = b""
    for piece in unpack(pieces):
        view = memoryview(piece)
        for start in range(0, len(piece), size):
            stop = min(start + size, len(piece))
            end = piece.rfind(b"\n", start, stop) + 1
            if end:
                yield b"".join((rest, view[start:end]))
                rest = piece[end:stop]
            else:
                rest += piece[start:stop]
            # One byte over the limit is kept, so that the line is still seen to be too long.
            rest = rest[: MAX_LINE_BYTES + 1]
    if rest:
        yield rest + b"\n"


def unpack(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the pieces themselves, or what they unpack to if they begin like gzip.

    The first bytes decide, not the name or content type, which uploads often get wrong.
    """
    rest = iter(pieces)
    first = b""
    while len(first) < len(GZIP_MAGIC) and (piece := next(rest, None)) is not None:
        first += piece
    if first.startswith(GZIP_MAGIC):
        yield from _decompress(chain([first], rest))
    else:
        yield first
        yield from rest


def _decompress(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what gzip members, one after the other, unpack to, a block at most at a time."""
    member = None
    for piece in pieces:
        packed = piece
        while packed:
            if member is None:
                packed = packed.lstrip(b"\0")  # padding between members, or after the last
                if not packed:
                    break
                member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            try:
                # The bound makes a small file that unpacks to gigabytes harmless.
                text = member.decompress(packed, BLOCK_BYTES)
            except zlib.error as error:
                raise ManifestUnreadable(f"the manifest is damaged gzip: {error}") from error
            if text:
                yield text
            packed = member.unconsumed_tail
            if member.eof:
                packed, member = member.unused_data, None
    if member is not None:
        raise ManifestUnreadable("the manifest is gzip that ends early")
