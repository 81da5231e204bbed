"""Hash image sources, many at a time, so that the same image on two lines is found."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

WORD = 8
"""Bytes that are hashed at once. Names need as many; the shortest S3 URI, s3://bkt/k, has ten."""
MAX_WORDS_AT_ONCE = 32
"""Words of each name that are copied out together: most names in one copy, the longest in a few, so
that the copies stay in the processor's cache (docs/decisions/grouping-constants.md)."""
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio, the usual odd multiplier of multiplicative hashing (Knuth,
The Art of Computer Programming, volume 3, 6.4)."""
_SHIFT = np.uint64(29)
"""Brings down the high bits, which a multiplication mixes best, to the low ones."""


class Fingerprints(NamedTuple):
    """Columns of 96 bits that two images share if, and only if, their sources are the same.

    `hashes` (uint64) are what is sorted and looked up; `checks` (uint32) tell apart the few that
    share a hash by accident. With both, the chance that any two of 16 million different images
    are taken for one is below 1e-14.
    """

    hashes: Hashes
    checks: NDArray[np.uint32]

    def rows(self, rows: slice | NDArray[Any]) -> Fingerprints:
        """Return the fingerprints of some rows."""
        return Fingerprints(self.hashes[rows], self.checks[rows])


def fingerprints(text: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Fingerprints:
    """Return the fingerprints of the names that lie at text[start:end], in their order.

    Hot path: 0.6 s less for a million names than a call of blake2b for each
    (docs/decisions/grouping-constants.md). No loop over names may come in: all advance together, a
    word at a time. The last word of a name overlaps the one before:

        s3://pets/1042.jpg     words at 0, 8 and 10
        |------||------|
                  |------|

    Names are visited from the longest to the shortest, so that those with a word left at any
    offset are always the first rows, a slice and not a mask.
    """
    lengths = ends - starts
    longest, shortest = int(lengths.max(initial=0)), int(lengths.min()) if len(lengths) else 0
    order = slice(None) if longest == shortest else np.argsort(-lengths)
    lengths, starts, ends = lengths[order], starts[order], ends[order]
    hashes = lengths.astype(np.uint64)
    checks = np.zeros_like(hashes)
    offset = 0
    while words := min((shortest - offset) // WORD, MAX_WORDS_AT_ONCE):
        for column in _copy_words(text, starts, offset, words).T:
            _mix_in(hashes, checks, column)
        offset += WORD * words
    for read in range(offset, longest, WORD):
        left = int(np.searchsorted(-lengths, -read))  # rows of names that are longer than `read`
        places = np.minimum(starts[:left] + read, ends[:left] - WORD)
        _mix_in(hashes[:left], checks[:left], _overlapping_words(text)[places])
    result = Fingerprints(np.empty_like(hashes), np.empty(len(hashes), np.uint32))
    result.hashes[order] = hashes * _MULTIPLIER
    result.checks[order] = checks >> np.uint64(32)
    return result


def _copy_words(text: bytes, starts: NDArray[np.int64], offset: int, words: int) -> Hashes:
    """Return a matrix of `words` words of each name, from `offset` bytes after its start on.

    A name's bytes are one copy, not one a word: numpy takes them as a single item of type void.
    """
    places = (len(text) - offset - WORD * words + 1,)
    pieces = np.ndarray(places, f"V{WORD * words}", text, offset, (1,))[starts]
    return pieces.view(np.uint64).reshape(len(starts), words)


def _overlapping_words(text: bytes) -> Hashes:
    """Return a view, without a copy, of the word that begins at each byte of a text."""
    return np.ndarray((max(len(text) - WORD + 1, 0),), np.uint64, text, 0, (1,))


def _mix_in(hashes: Hashes, checks: Hashes, words: Hashes) -> None:
    """Mix one word more into each row, in place."""
    hashes ^= words
    hashes *= _MULTIPLIER
    hashes ^= hashes >> _SHIFT
    # Sums the intermediate states, so two names whose 64-bit hashes collide still differ here.
    checks += hashes
