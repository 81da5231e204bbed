"""Hash image sources, many at a time, so that the same image on two lines is found."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WIDEST = 32
"""Words of each piece that are copied out at a time: more would leave the processor's cache."""


def marks(
    text: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    """96 bits of each piece of a text, eight bytes at a time for all pieces together.

    A piece's last word overlaps the one before, so pieces need at least eight bytes, which every
    S3 URI has. Two pieces with equal marks are taken for the same image: the chance that any two
    of 16 million differ nevertheless is below 1e-14.
    """
    lengths = ends - starts
    longest, shortest = int(lengths.max(initial=0)), int(lengths.min()) if len(lengths) else 0
    order = slice(None) if longest == shortest else np.argsort(-lengths)
    lengths, starts, ends = lengths[order], starts[order], ends[order]
    mark = lengths.astype(np.uint64)
    check = np.zeros_like(mark)
    done = 0
    while wide := min((shortest - done) // 8, WIDEST):
        for words in _rows(text, starts, done, wide).T:
            _stir(mark, check, words)
        done += 8 * wide
    for read in range(done, longest, 8):
        more = int(np.searchsorted(-lengths, -read))  # a piece that is over stays as it is
        places = np.minimum(starts[:more] + read, ends[:more] - 8)
        _stir(mark[:more], check[:more], _words(text)[places])
    marked, checked = np.empty_like(mark), np.empty(len(mark), np.uint32)
    marked[order] = mark * _ODD
    checked[order] = check >> np.uint64(32)
    return marked, checked


def _rows(text: bytes, starts: NDArray[np.int64], skip: int, wide: int) -> NDArray[np.uint64]:
    """So many words of each piece, `skip` bytes from its start on: one copy a piece, not a word."""
    places = (len(text) - skip - 8 * wide + 1,)
    pieces = np.ndarray(places, f"V{8 * wide}", text, skip, (1,))[starts]
    return pieces.view(np.uint64).reshape(len(starts), wide)


def _words(text: bytes) -> Marks:
    """The eight bytes that begin at each place of a text; nothing is copied."""
    return np.ndarray((max(len(text) - 7, 0),), np.uint64, text, 0, (1,))


def _stir(mark: Marks, check: Marks, word: Marks) -> None:
    """Mix one word more into each mark, in place."""
    mark ^= word
    mark *= _ODD
    mark ^= mark >> _SHIFT
    check += mark  # where two marks meet at last, their ways there still differ


Marks = NDArray[np.uint64]


_ODD = np.uint64(0x9E3779B97F4A7C15)


_SHIFT = np.uint64(29)
