"""Rank images so that neighbors look alike: pages of pictures whose embeddings are close.

The images are parted in two along their first principal axis, at a wide gap, and so is each part,
down to pages:

    all images ──┬── left part ──┬── page 0    parts end where pages do, so that
                 │               └── page 1    every page is a leaf of the tree
                 └── right part ─── …

Memory holds `IMAGES_AT_ONCE` embeddings; more are ranked one such part after the other.
S. Dasgupta, Y. Freund: Random projection trees and low dimensional manifolds. STOC 2008, with the
principal axis in place of a random one, so that nothing depends on chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

IMAGES_AT_ONCE = 100_000
"""Images ranked together: 100 MB of 256 numbers each. A job of the portal has 40,000 at most."""
ROWS_AT_ONCE = 8_192
"""Rows read at a time, 4 MB of 256 numbers in half precision."""
LEAST_SHARE = 8
"""A part has an eighth of the pages at least, so that a million images take some fifty partings."""
STEPS = 6
"""Power iterations towards the principal axis: it need not be exact, only split well."""
DIGITS = 4
"""Digits of a projection that count, so that another processor's last bit moves no image."""


class Embeddings(Protocol):
    """Rows of numbers, one for each line of the manifest; `EmbeddingsFile` and arrays are some."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the number of rows, and of numbers in each."""

    def __len__(self) -> int:
        """Count the rows."""

    def __getitem__(self, rows: slice, /) -> NDArray[np.floating]:
        """Return a slice of neighboring rows."""


def rank_similar(
    embeddings: Embeddings, indexes: NDArray[np.int64], per_task: int
) -> NDArray[np.uint32]:
    """Return a ranking of images, given by their rising indexes, in which tasks look alike.

    Images without an embedding come last, in the order of the manifest.
    """
    parts: list[NDArray[np.int64]] = []
    without: list[NDArray[np.int64]] = []
    for start in range(0, len(indexes), IMAGES_AT_ONCE):
        rows = read_rows(embeddings, indexes[start : start + IMAGES_AT_ONCE])
        has = rows.any(axis=1)
        ids = np.flatnonzero(has)
        parts.extend(start + ids[part] for part in _pages(rows[ids], per_task))
        without.append(start + np.flatnonzero(~has))
    return np.concatenate([*parts, *without, np.empty(0, np.int64)]).astype(np.uint32)


def read_rows(embeddings: Embeddings, indexes: NDArray[np.int64]) -> Floats:
    """Return the embeddings of images with rising indexes, zeros for one that has no row."""
    rows = np.zeros((len(indexes), embeddings.shape[1]), np.float32)
    position = 0
    while position < len(indexes) and indexes[position] < len(embeddings):
        first = int(indexes[position])
        end = int(np.searchsorted(indexes, min(first + ROWS_AT_ONCE, len(embeddings))))
        block = embeddings[first : int(indexes[end - 1]) + 1]
        rows[position:end] = block[indexes[position:end] - first]
        position = end
    return rows


def _pages(rows: Floats, per_task: int) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of each page, parting them in two until they are few enough."""
    pages = -(-len(rows) // per_task)
    waiting = [(np.arange(len(rows)), pages)] if pages else []
    while waiting:
        ids, pages = waiting.pop()
        if pages == 1:
            yield np.sort(ids)
            continue
        along = _along_axis(rows[ids])
        order = np.argsort(along, kind="stable")
        left, images = _widest_gap(along[order], pages)
        waiting += [(ids[order[images:]], pages - left), (ids[order[:images]], left)]


def _widest_gap(along: NDArray[np.float64], pages: int) -> tuple[int, int]:
    """Return after how many pages, and images, rows in their order along an axis are parted.

    That is where a page ends and the next row is far away, rather in the middle than at an end.
    """
    least = max(pages // LEAST_SHARE, 1)
    lefts = np.arange(least, pages - least + 1)
    # as even as the pages will be: the first ones have one image more
    images = -(-len(along) * lefts // pages)
    gaps = np.round(along[images] - along[images - 1], DIGITS)
    middle = lefts * (pages - lefts) / pages**2
    best = np.lexsort((-middle, -gaps * middle))[0]
    return int(lefts[best]), int(images[best])


def _along_axis(rows: Floats) -> NDArray[np.float64]:
    """Return where rows are along their first principal axis, in few digits."""
    centered = rows - rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    axis = centered[int((centered**2).sum(axis=1).argmax())]  # of a start that is not orthogonal
    for _ in range(STEPS):
        axis = centered.T @ (centered @ axis)
        axis = axis / max(float(np.sqrt((axis**2).sum())), 1e-12)
    # the sign of an axis is left open by all of this
    sign = np.sign(axis[int(np.abs(axis).argmax())])
    along: NDArray[np.float64] = np.round((centered @ axis).astype(np.float64) * sign, DIGITS)
    return along
