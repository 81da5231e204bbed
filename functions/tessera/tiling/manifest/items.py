r"""Encode images as items: the JSON that stands for an image in a task, up to its number.

The `source` of a task is a JSON list inside a JSON string, so everything is escaped twice. An item
is what differs from image to image; `index` follows when the task is put together:

    {"source":"[{\"source-ref\":\"s3://pets/1.jpg\",\"prelabel\":\"cat\",\"index\":7},…
                                  |-------------- item --------------|

Its `characters` are counted as the service sees them, which unescapes once. They are UTF-16 code
units, which are never fewer than code points: Ground Truth does not say which of them it counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tessera.tiling.manifest.batch import NO_PRELABEL, Batch, LineTemplate
from tessera.tiling.manifest.fingerprints import Fingerprints, fingerprints
from tessera.tiling.manifest.lines import Image


def encode_item(image: Image) -> tuple[bytes, int]:
    """Return an image's item and its characters.

    >>> encode_item(Image(0, "s3://b/k", "cat", None, None, b""))
    (b's3://b/k\\\\",\\\\"prelabel\\\\":\\\\"cat', 25)
    """
    # Without its quotes: they are of the record, which the item stands inside.
    source, characters = _escape(msgspec.json.encode(image.source_ref)[1:-1])
    prelabel, more = encode_prelabel(image.prelabel, image.prelabel_confidence)
    return source + prelabel, characters + more


def encode_prelabel(prelabel: str | None, confidence: float | None) -> tuple[bytes, int]:
    """Return what a prelabel adds to an item, without its last quote, and its characters."""
    if prelabel is None:
        return b"", 0
    pairs = b""
    if confidence is not None:
        pairs = b'"prelabel-confidence":' + msgspec.json.encode(confidence) + b","
    # The confidence comes first, so that a prelabel ends where a source would: before `","index"`.
    return _escape(b'",' + pairs + b'"prelabel":' + msgspec.json.encode(prelabel)[:-1])


def _escape(json: bytes) -> tuple[bytes, int]:
    """Return JSON text as it stands inside a JSON string, and its characters."""
    # Before it is escaped once more: the service reads the string, and counts what is in it.
    characters = len(json) if json.isascii() else len(json.decode().encode("utf-16-le")) // 2
    return json.replace(b"\\", b"\\\\").replace(b'"', b'\\"'), characters


def batch_of_images(
    images: list[Image],
    template: LineTemplate,
    label_numbers: Mapping[str, int],
    *,
    with_fingerprints: bool,
) -> Batch:
    """Return the batch of images that were read one by one."""
    pairs = [encode_item(image) for image in images]
    items = [item for item, _ in pairs]
    any_prelabel = any(image.prelabel is not None for image in images)
    return Batch(
        text=template.join(items),
        line_starts=template.line_starts(items),
        characters=np.fromiter((characters for _, characters in pairs), np.uint16, len(pairs)),
        indexes=np.fromiter((image.index for image in images), np.int64, len(images)),
        fingerprints=_fingerprints_of(images) if with_fingerprints else None,
        prelabels=prelabel_numbers(images, label_numbers) if any_prelabel else None,
        confidences=prelabel_confidences(images) if any_prelabel else None,
    )


def prelabel_numbers(images: Iterable[Any], label_numbers: Mapping[str, int]) -> NDArray[np.uint8]:
    """Return the number of each image's prelabel, NO_PRELABEL without one."""
    numbers = (
        NO_PRELABEL if image.prelabel is None else label_numbers[image.prelabel] for image in images
    )
    return np.fromiter(numbers, np.uint8)


def prelabel_confidences(images: Iterable[Any]) -> NDArray[np.float64]:
    """Return the confidence of each image's prelabel; without one infinite, to be sorted last."""
    confidences = (
        np.inf
        if image.prelabel is None or image.prelabel_confidence is None
        else image.prelabel_confidence
        for image in images
    )
    return np.fromiter(confidences, np.float64)


def _fingerprints_of(images: list[Image]) -> Fingerprints:
    sources = [image.source_ref.encode() for image in images]
    lengths = np.fromiter(map(len, sources), np.int64, len(sources))
    ends = np.cumsum(lengths)
    return fingerprints(b"".join(sources), ends - lengths, ends)
