"""Sample the shape of a manifest's pictures, so that tiles have it before the first one is shown.

A picture's size stands in its first bytes. It is read here without a library, which would be the
largest of the functions' package for this alone (docs/decisions/page-shape-of-the-run.md). Nothing
but looks depends on it, so whatever cannot be read is passed over.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from statistics import median

from tessera.tiling.manifest.lines import Image, read_manifest
from tessera.tiling.manifest.source_rule import ANY_SOURCE, SourceRule
from tessera.tiling.manifest.stream import manifest_lines
from tessera.tiling.settings import Settings

FIRST_LINES = 1000
"""Lines at the start of a manifest among which the sample is taken: read in a moment."""
SAMPLE = 32
"""Pictures looked at: their median is off by a tenth of the pictures at most, in two of three
runs, and they are read in one or two round trips to S3."""
AT_ONCE = 16
"""Pictures read at the same time: each waits for S3, not for the processor."""
FIRST_BYTES = 128 * 1024
"""Bytes read of each: a JPEG of a camera has its preview, up to 64 KiB, before its size."""
PATIENCE = 5.0
"""Seconds after which the sample is what has come: nobody waits longer for looks."""

SAME_SHAPE = 0.04
"""Difference of two shapes that is none: smaller copies have sides of whole pixels. The page of
boxes has the same bound (ui/boxes/script/box.js)."""
MOST_NAMED = 5
"""Pictures that a notice names."""

ReadRange = Callable[[str, int, int], bytes]
"""Reads the bytes of an object from a start up to an end; it may raise what it likes."""

TURNED = frozenset({5, 6, 7, 8})
"""Orientations by EXIF in which browsers show a picture on its side."""
_ORIENTATION_TAG = 0x0112


def sample_shape(
    chunks: Iterable[bytes],
    settings: Settings,
    read_range: ReadRange,
    rule: SourceRule = ANY_SOURCE,
) -> float | None:
    """Return the median of width by height of some of a manifest's pictures; None if unknown."""
    lines = read_manifest(manifest_lines(chunks), settings, rule)
    first = islice((line.source_ref for line in lines if isinstance(line, Image)), FIRST_LINES)
    sizes = _read_sizes(_spread(list(first)), read_range)
    shapes = [width / height for _, (width, height) in sizes]
    return round(median(shapes), 3) if shapes else None


def check_box_shapes(
    chunks: Iterable[bytes],
    settings: Settings,
    read_range: ReadRange,
    rule: SourceRule = ANY_SOURCE,
) -> list[str]:
    """Return a sentence on pictures of another shape than their boxes were drawn on, if any are.

    `chunks` have a line for each box. The page takes no answers for these: the box of a picture
    that a camera turned, and browsers show turned, would be about another part of it.
    """
    lines = read_manifest(manifest_lines(chunks), settings, rule)
    boxes = {
        line.source_ref: line.box
        for line in islice(lines, FIRST_LINES)
        if isinstance(line, Image) and line.box is not None
    }
    sizes = _read_sizes(_spread(list(boxes)), read_range)
    others = [
        f"{uri} ({width} × {height}, not {box.picture_width:g} × {box.picture_height:g})"
        for uri, (width, height) in sorted(sizes)
        for box in [boxes[uri]]
        if abs(width / height / (box.picture_width / box.picture_height) - 1) >= SAME_SHAPE
    ]
    if not others:
        return []
    return [
        f"{len(others):,} of {len(sizes):,} pictures that were looked at have, as browsers show "
        f"them, another shape than their image_size says, so that their boxes cannot be judged: "
        f"{', '.join(others[:MOST_NAMED])}. Turn the pictures upright, or mend image_size and boxes"
    ]


def _spread(sources: Sequence[str]) -> list[str]:
    """Return up to `SAMPLE` of the sources, spread evenly over them."""
    step = max(len(sources) / SAMPLE, 1)
    return [sources[int(number * step)] for number in range(min(SAMPLE, len(sources)))]


def _read_sizes(sources: Sequence[str], read_range: ReadRange) -> list[tuple[str, tuple[int, int]]]:
    """Return the sizes of those pictures that can be read before patience is over."""
    sizes: list[tuple[str, tuple[int, int]]] = []
    pool = ThreadPoolExecutor(AT_ONCE)
    reads = {pool.submit(read_range, source, 0, FIRST_BYTES): source for source in sources}
    try:
        for read in as_completed(reads, timeout=PATIENCE):
            # a picture that is gone, or that may not be read, is none of this module's business
            size = None if read.exception() else picture_size(read.result())
            if size:
                sizes.append((reads[read], size))
    except TimeoutError:
        pass  # what came in time is sample enough
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return sizes


def picture_size(content: bytes) -> tuple[int, int] | None:
    """Return a picture's width and height as browsers show it, from its first bytes, or None.

    >>> picture_size(b"GIF89a" + bytes([64, 1, 240, 0]))
    (320, 240)
    """
    try:
        size = _stored_size(content)
    except (struct.error, IndexError):  # cut off, or damaged
        return None
    return size if size and min(size) > 0 else None


def _stored_size(content: bytes) -> tuple[int, int] | None:
    if content.startswith(b"\xff\xd8"):
        return _jpeg_size(content)
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return _pair(">II", content, 16)
    if content.startswith((b"GIF87a", b"GIF89a")):
        return _pair("<HH", content, 6)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return _webp_size(content)
    if content.startswith(b"BM"):
        width, height = _pair("<ii", content, 18)
        return width, abs(height)  # below zero where the rows come from the top
    return None


def _pair(form: str, content: bytes, start: int) -> tuple[int, int]:
    first, second = struct.unpack_from(form, content, start)
    return first, second


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Walk a JPEG's segments to the frame header; an EXIF segment on the way may turn it."""
    position, turned = 2, False
    while content[position] == 0xFF:
        marker = content[position + 1]
        if marker == 0xFF:  # a byte of padding
            position += 1
            continue
        (length,) = struct.unpack_from(">H", content, position + 2)
        if marker == 0xE1 and content[position + 4 :].startswith(b"Exif\0\0"):
            turned = _orientation(content[position + 10 : position + 2 + length]) in TURNED
        # start of frame, of whatever coding; C4, C8 and CC are no frames
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = _pair(">HH", content, position + 5)
            return (height, width) if turned else (width, height)
        position += 2 + length
    return None


def _orientation(exif: bytes) -> int:
    """Return the orientation that an EXIF block gives its picture; 1, upright, if it gives none."""
    try:
        order = "<" if exif.startswith(b"II") else ">"
        (directory,) = struct.unpack_from(f"{order}I", exif, 4)
        (entries,) = struct.unpack_from(f"{order}H", exif, directory)
        for number in range(entries):
            tag, value = _tag(order, exif, directory + 2 + 12 * number)
            if tag == _ORIENTATION_TAG:
                return value
    except struct.error:  # a damaged block turns nothing
        pass
    return 1


def _tag(order: str, exif: bytes, start: int) -> tuple[int, int]:
    """Return an entry's tag and its value, taken for a short number."""
    tag, _type, _count, value = struct.unpack_from(f"{order}HHIH", exif, start)
    return tag, value


def _webp_size(content: bytes) -> tuple[int, int] | None:
    """Return the size of a WebP: lossy, lossless or extended."""
    kind = content[12:16]
    if kind == b"VP8 ":
        width, height = _pair("<HH", content, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        width, height = (int.from_bytes(content[at : at + 3], "little") + 1 for at in (24, 27))
        return width, height
    return None
