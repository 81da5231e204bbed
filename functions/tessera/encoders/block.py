"""Embed the pictures of one block of a run: read, decode, encode, and write a row for each line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tessera.encoders.choice import Encoder
from tessera.encoders.decoding import Pixels, decode
from tessera.tiling.guesses import embedding_blocks
from tessera.tiling.guesses.embedding_blocks import read_pictures, read_plan, rows_name, write_rows

BATCH = 32
"""Pictures encoded at a time: more are no faster, and 224 pixels of them are 19 MB."""
AT_ONCE = 4
"""Pictures read and decoded at a time: while one comes from S3 another is decoded, and memory holds
four of the largest."""
MOST_BYTES = 50_000_000
"""Bytes of a picture that is read; a larger one has no embedding."""


class Files(embedding_blocks.Files, Protocol):
    """Stored objects as they are used here; `tessera.aws.storage.Storage` is one."""

    def get_if_allowed(self, uri: str, limit: int) -> bytes | None:
        """Return the object's first bytes, at most `limit`, or None if S3 refuses it."""


class Embedded(NamedTuple):
    """Counts of a block: its lines, and those whose picture has an embedding."""

    lines: int
    usable: int


def embed_block(
    files: Files, home: str, block: int, encoder_named: Callable[[str], Encoder]
) -> Embedded | None:
    """Write the rows of a block's pictures, and return their counts; None if they were written.

    A picture that cannot be read or decoded has a row of zeros. A fault of S3 is raised, so that
    the block is tried again.
    """
    uri = home + rows_name(block)
    if files.size(uri) is not None:  # by a call that was repeated, or by a run taken over
        return None
    encoder = encoder_named(read_plan(files, home).encoder)
    names = read_pictures(files, home, block)
    rows = np.concatenate([*_rows(files, names, encoder)])
    with files.writer(uri) as file:
        write_rows(file, rows)
    return Embedded(len(rows), int(rows.any(axis=1).sum()))


def _rows(files: Files, names: Sequence[str], encoder: Encoder) -> Iterator[NDArray[np.float32]]:
    """Yield the rows of a batch after the other; the next one is read while one is encoded."""

    def load(name: str) -> Pixels | None:
        content = files.get_if_allowed(name, MOST_BYTES + 1) if name else None
        return decode(content, encoder.size) if content and len(content) <= MOST_BYTES else None

    width = encoder.encode([np.full((encoder.size, encoder.size, 3), 128, np.uint8)]).shape[1]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        coming = pool.map(load, names[:BATCH])
        for start in range(0, len(names), BATCH):
            pictures = list(coming)
            coming = pool.map(load, names[start + BATCH : start + 2 * BATCH])
            rows = np.zeros((len(pictures), width), np.float32)
            decoded = [place for place, picture in enumerate(pictures) if picture is not None]
            if decoded:
                rows[decoded] = encoder.encode([p for p in pictures if p is not None])
            yield rows
