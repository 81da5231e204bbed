"""Shard buffers as tests need them."""

from __future__ import annotations

import io

from tessera.tiling.grouping.shard_buffer import ShardBuffer
from tessera.tiling.manifest.batch import LineTemplate
from tessera.tiling.manifest.items import batch_of_images
from tessera.tiling.manifest.lines import Image

HEAD, TAIL = b'{"source-ref": "', b'"}\n'
TEMPLATE = LineTemplate(HEAD, TAIL + HEAD, TAIL)
LABEL_NUMBERS = {"cat": 0, "dog": 1}


def image(index: int, source: str, prelabel: str | None = None, sure: float | None = None) -> Image:
    return Image(index, source, prelabel, sure, None, b"")


def buffer_of(*batches: list[Image], template: LineTemplate = TEMPLATE) -> ShardBuffer:
    """Return a buffer that these batches fill."""
    capacity = sum(map(len, batches))
    buffer = ShardBuffer(io.BytesIO(), capacity, template)
    for images in batches:
        buffer.add(batch_of_images(images, template, LABEL_NUMBERS, with_fingerprints=True))
    return buffer
