"""Pictures out of S3: many at a time, each whole or not at all; and what their first bytes tell."""

from __future__ import annotations

import os
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from tessera.archive import place

AT_ONCE = 16
"""Pictures on their way at the same time."""
HEAD = 32
"""Bytes that tell what kind of picture it is."""
SUFFIXES = {
    "jpg": "jpg",
    "jpeg": "jpg",
    "png": "png",
    "gif": "gif",
    "webp": "webp",
    "bmp": "bmp",
    "tif": "tif",
    "tiff": "tif",
}
"""The suffixes that readers of pictures know, in capitals or not, and how we write them."""
MEDIA_TYPES = {"jpg": "image/jpeg", "tif": "image/tiff"}

Job = TypeVar("Job")
Result = TypeVar("Result")


class Missing(Exception):
    """A picture that cannot be had: it is not there, or may not be read."""


def fetch(s3: Any, uri: str, *, first: int | None = None) -> bytes:
    """One picture, or its first bytes; Missing says why not."""
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, key = place(uri)
    part = {"Range": f"bytes=0-{first - 1}"} if first else {}
    try:
        content: bytes = s3.get_object(Bucket=bucket, Key=key, **part)["Body"].read()
    except (ClientError, BotoCoreError) as error:
        raise Missing(f"{uri}: {error}") from error
    return content


def in_order(
    work: Callable[[Job], Result], jobs: Iterable[Job], *, at_once: int = AT_ONCE
) -> Iterator[tuple[Job, Result | Missing]]:
    """Each job with its result, in order; only so many are begun ahead of the one given."""
    waiting = iter(jobs)
    with ThreadPoolExecutor(at_once) as pool:
        begun: deque[tuple[Job, Future[Result]]] = deque(
            (job, pool.submit(work, job)) for job in islice(waiting, 2 * at_once)
        )
        try:
            while begun:
                job, future = begun.popleft()
                try:
                    yield job, future.result()
                except Missing as missing:
                    yield job, missing
                begun.extend((job, pool.submit(work, job)) for job in islice(waiting, 1))
        finally:
            pool.shutdown(cancel_futures=True)


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in its place in one step, so that a file that is there is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    os.replace(part, path)


def suffix_of(uri: str) -> str:
    """The picture's suffix by its name, in the one spelling we use; empty if it tells nothing.

    >>> suffix_of("s3://pets/Tom.JPEG"), suffix_of("s3://pets/tom")
    ('jpg', '')
    """
    return SUFFIXES.get(uri.rpartition("/")[2].rpartition(".")[2].lower(), "")


def kind_of(head: bytes) -> str:
    """The suffix that fits a picture by its first bytes; empty if it is none that we know.

    >>> kind_of(b"GIF89a" + bytes(26))
    'gif'
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith(b"BM"):
        return "bmp"
    if head.startswith((b"II*\0", b"MM\0*")):
        return "tif"
    return ""


def media_type(head: bytes) -> str:
    """The media type of a picture by its first bytes.

    >>> media_type(b"BM")
    'image/bmp'
    """
    kind = kind_of(head)
    return MEDIA_TYPES.get(kind, f"image/{kind}" if kind else "application/octet-stream")


def size_of(content: bytes) -> tuple[int, int]:
    """Width and height of a picture as its file says, turned or not; (0, 0) if it does not.

    >>> size_of(b"GIF89a" + bytes([2, 1, 3, 0]) + bytes(22))
    (258, 3)
    """
    try:
        return _SIZES.get(kind_of(content), _unknown)(content)
    except (struct.error, IndexError):
        return 0, 0


def _unknown(_: bytes) -> tuple[int, int]:
    return 0, 0


def _png(content: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from(">II", content, 16)
    return width, height


def _gif(content: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", content, 6)
    return width, height


def _bmp(content: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<ii", content, 18)
    return abs(width), abs(height)  # a negative height says that the top row comes first


def _webp(content: bytes) -> tuple[int, int]:
    chunk = content[12:16]
    if chunk == b"VP8X":
        width = int.from_bytes(content[24:27], "little") + 1
        return width, int.from_bytes(content[27:30], "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(content[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", content, 26)
    return width & 0x3FFF, height & 0x3FFF


def _jpg(content: bytes) -> tuple[int, int]:
    at = 2
    while at + 4 <= len(content):
        if content[at] != 0xFF:
            return 0, 0
        marker = content[at + 1]
        if marker == 0xFF:  # padding before a marker
            at += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a length
            at += 2
            continue
        # the frame headers, all but the tables of Huffman codes and of arithmetic coding
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", content, at + 5)
            return width, height
        at += 2 + struct.unpack_from(">H", content, at + 2)[0]
    return 0, 0


def _tif(content: bytes) -> tuple[int, int]:
    order = "<" if content[:2] == b"II" else ">"
    (at,) = struct.unpack_from(f"{order}I", content, 4)
    (entries,) = struct.unpack_from(f"{order}H", content, at)
    found: dict[int, int] = {}
    for entry in range(entries):
        tag, kind = struct.unpack_from(f"{order}HH", content, at + 2 + 12 * entry)
        value = struct.unpack_from(
            f"{order}{'H' if kind == 3 else 'I'}", content, at + 10 + 12 * entry
        )
        found[tag] = value[0]
    return found.get(256, 0), found.get(257, 0)


_SIZES = {"png": _png, "gif": _gif, "bmp": _bmp, "webp": _webp, "jpg": _jpg, "tif": _tif}
