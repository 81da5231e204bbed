r"""Encode images as items: the JSON that stands for an image in a task, up to its number.

The `source` of a task is a JSON list inside a JSON string, so everything is escaped twice. An item
is what differs from image to image; `index` follows when the task is put together:

    {"source":"[{\"source-ref\":\"s3://pets/1.jpg\",\"prelabel\":\"cat\",\"index\":7},…
                                  |-------------- item --------------|

Its `characters` are counted as the service sees them, which unescapes once. They are UTF-16 code
units, which are never fewer than code points: Ground Truth does not say which of them it counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import add
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from tessera.tiling.manifest.batch import NO_PRELABEL, Batch, LineTemplate
from tessera.tiling.manifest.boxes import Box
from tessera.tiling.manifest.fingerprints import Fingerprints, fingerprints
from tessera.tiling.manifest.lines import Image


def encode_item(image: Image) -> tuple[bytes, int]:
    """Return an image's item and its characters.

    >>> encode_item(Image(0, "s3://b/k", "cat", None, None, b""))
    (b's3://b/k\\\\",\\\\"prelabel\\\\":\\\\"cat', 25)
    """
    # Without its quotes: they are of the record, which the item stands inside.
    source, characters = _escape(msgspec.json.encode(image.source_ref)[1:-1])
    box, of_box = encode_box(image.box) if image.box else (b"", 0)
    prelabel, more = encode_prelabel(image.prelabel, image.prelabel_confidence)
    return source + box + prelabel, characters + of_box + more


def encode_box(box: Box) -> tuple[bytes, int]:
    """Return what a box adds to an item, without its last quote, and its characters."""
    # A text, not a list: an item ends inside a string, before `","index"`.
    name = b"" if box.name is None else b'","box-class":' + msgspec.json.encode(box.name)[:-1]
    return _escape(b'","box":"' + box.text.encode() + name)


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
    prelabels = [image.prelabel for image in images]
    confidences = [image.prelabel_confidence for image in images]
    any_prelabel = prelabels.count(None) < len(prelabels)
    return Batch(
        text=template.join(items),
        line_starts=template.line_starts(items),
        characters=np.fromiter((characters for _, characters in pairs), np.uint16, len(pairs)),
        indexes=np.fromiter((image.index for image in images), np.int64, len(images)),
        fingerprints=_fingerprints_of(images) if with_fingerprints else None,
        prelabels=prelabel_numbers(prelabels, label_numbers) if any_prelabel else None,
        confidences=prelabel_confidences(prelabels, confidences) if any_prelabel else None,
    )


class Prelabels(NamedTuple):
    """Columns of images' prelabels, with the number of each."""

    names: list[str | None]
    confidences: list[float | None]
    numbers: NDArray[np.uint8]


def with_prelabels(
    batch: Batch,
    rows: slice | NDArray[np.bool_],
    sources: list[str],
    prelabels: Prelabels,
    template: LineTemplate,
) -> Batch:
    """Return some rows of a batch of bare sources, given once more as texts, with their prelabels.

    Sources have to be their own JSON strings, as those of uniform lines are.
    """
    names, confidences, numbers = prelabels
    # Each different pair is encoded once: without confidences there are as many as labels.
    pairs = list(zip(names, confidences, strict=True))
    encoded = {pair: encode_prelabel(*pair) for pair in {*pairs}}
    endings = {pair: ending.decode() for pair, (ending, _) in encoded.items()}
    units = {pair: characters for pair, (_, characters) in encoded.items()}
    text = template.join_text(list(map(add, sources, map(endings.__getitem__, pairs))))
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord(b"\n")) + 1
    more = np.fromiter(map(units.__getitem__, pairs), np.uint16, len(pairs))
    any_prelabel = names.count(None) < len(names)
    return Batch(
        text=text,
        line_starts=np.concatenate([np.zeros(min(len(ends), 1), np.int64), ends[:-1]]),
        characters=batch.characters[rows] + more,
        indexes=batch.indexes[rows],
        fingerprints=None if batch.fingerprints is None else batch.fingerprints.rows(rows),
        prelabels=numbers if any_prelabel else None,
        confidences=prelabel_confidences(names, confidences) if any_prelabel else None,
    )


def prelabel_numbers(
    prelabels: Sequence[str | None], label_numbers: Mapping[str, int]
) -> NDArray[np.uint8]:
    """Return the number of each prelabel, NO_PRELABEL without one."""
    numbers: dict[str | None, int] = {None: NO_PRELABEL}
    numbers.update(label_numbers)
    return np.fromiter(map(numbers.__getitem__, prelabels), np.uint8, len(prelabels))


def prelabel_confidences(
    prelabels: Sequence[str | None], confidences: Sequence[float | None]
) -> NDArray[np.float64]:
    """Return the confidence of each prelabel; without one infinite, to be sorted last."""
    if None not in prelabels and None not in confidences:
        return np.array(confidences, np.float64)
    pairs = zip(prelabels, confidences, strict=True)
    numbers = (np.inf if None in pair else pair[1] for pair in pairs)
    return np.fromiter(numbers, np.float64, len(prelabels))


def _fingerprints_of(images: list[Image]) -> Fingerprints:
    sources = [image.identity.encode() for image in images]
    lengths = np.fromiter(map(len, sources), np.int64, len(sources))
    ends = np.cumsum(lengths)
    return fingerprints(b"".join(sources), ends - lengths, ends)
