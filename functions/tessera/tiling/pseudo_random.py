"""Make numbers that look random and are the same on every machine and with every version."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_GAMMA = 0x9E3779B97F4A7C15  # 2**64 over the golden ratio: the step of splitmix64
_MASK = 2**64 - 1


def pseudo_random(numbers: NDArray[np.uint64], *salts: int) -> NDArray[np.uint64]:
    """Return a pseudo-random number for each number and the salts (integers, the seed one of them).

    numpy's own generators are not used: their streams may change with numpy's version, and the
    same manifest and seed have to be the same tasks for good. This is the output function of
    splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
    """
    # A step for each salt and one more: every bit of each has a part in every bit of the result.
    mixed = numbers.astype(np.uint64)
    for salt in (*salts, 0):
        mixed = mixed + np.uint64(_GAMMA * (salt + 1) & _MASK)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return mixed
