"""Pictures in S3: fetched many at a time, and what their first bytes tell of them."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from PIL import Image, UnidentifiedImageError

from tessera.aws.storage import Storage
from tessera.picture_types import MEDIA_TYPES

AT_ONCE = 16
"""Pictures that are fetched at the same time: each waits for S3, not for this machine."""
HEAD = 32
"""Bytes at the start of a file that tell its type; the longest such mark is 12."""

# Pillow takes a very large picture for an attack on whoever decodes it; here bounds are set.
Image.MAX_IMAGE_PIXELS = None

Job = TypeVar("Job")
Result = TypeVar("Result")


class Missing(Exception):
    """Picture that does not exist, may not be read, or that no reader can open."""


class Undecodable(Exception):
    """Reason why a picture cannot be decoded."""


def fetch(storage: Storage, uri: str, *, first: int | None = None) -> bytes:
    """Return one picture, or its first bytes; Missing says why it cannot be read."""
    try:
        return storage.get_range(uri, 0, first) if first else storage.get(uri)
    except (ClientError, BotoCoreError) as error:
        raise Missing(f"{uri}: {error}") from error


def fetch_with_etag(storage: Storage, uri: str) -> tuple[bytes, str]:
    """Return one picture and its ETag; Missing says why it cannot be read."""
    try:
        return storage.get_with_etag(uri)
    except (ClientError, BotoCoreError) as error:
        raise Missing(f"{uri}: {error}") from error


def in_order(
    work: Callable[[Job], Result], jobs: Iterable[Job], *, at_once: int = AT_ONCE
) -> Iterator[tuple[Job, Result | Missing]]:
    """Yield each job with its result, in order; only so many are begun before their turn."""
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


def kind_of(head: bytes) -> str:
    """Return the suffix of a picture's type by its first bytes; empty if it is none we know.

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
    return _kind_of_box(head)


def _kind_of_box(head: bytes) -> str:
    """Return the suffix of a picture in ISO's box format, by the brands in its first box.

    Cameras write another brand first for pictures of more bits or several frames.
    """
    if head[4:8] != b"ftyp":
        return ""
    brands = {head[start : start + 4] for start in range(8, min(len(head), head[3] or 8), 4)}
    if brands & {b"avif", b"avis"}:
        return "avif"
    return "heic" if brands & {b"heic", b"heix", b"hevc", b"hevx", b"mif1", b"msf1"} else ""


def media_type(head: bytes) -> str:
    """Return the media type of a picture by its first bytes.

    >>> media_type(b"BM")
    'image/bmp'
    """
    return MEDIA_TYPES.get(kind_of(head), "application/octet-stream")


def check_decodes(content: bytes, *, most_pixels: int) -> None:
    """Raise Undecodable, which says why, if Pillow cannot decode a picture whole."""
    if not content:
        raise Undecodable("0 bytes")
    try:
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
            if width * height > most_pixels:
                raise Undecodable(f"{width:,} × {height:,} pixels are too many")
            # A JPEG is decoded at an eighth of its size: all of its bytes are read, for less work.
            image.draft("RGB", (width // 8 or 1, height // 8 or 1))
            image.load()
    except UnidentifiedImageError:
        kind = kind_of(content[:HEAD])
        reason = f"damaged: no {kind} that can be opened" if kind else "not a picture"
        raise Undecodable(reason) from None
    except Undecodable:
        raise
    except Exception as error:  # a damaged file makes Pillow raise what its format's reader does
        raise Undecodable(f"damaged: {str(error) or type(error).__name__}") from error
