"""Pseudo-random numbers: those of today are those of any other day."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.pseudo_random import pseudo_random

SALTS = st.lists(st.integers(0, 2**53), max_size=3)


def test_the_numbers_never_change() -> None:
    """A run of the same manifest and seed must have the same tasks with every release."""
    numbers = pseudo_random(np.arange(3, dtype=np.uint64), 7, 1).tolist()
    assert numbers == [7084762027518950502, 971679412769828022, 7445128510616342530]


@given(numbers=st.lists(st.integers(0, 2**64 - 1), max_size=20), salts=SALTS)
def test_a_number_depends_on_itself_and_the_salts_alone(
    numbers: list[int], salts: list[int]
) -> None:
    together = pseudo_random(np.array(numbers, np.uint64), *salts).tolist()
    alone = [pseudo_random(np.array([n], np.uint64), *salts).tolist()[0] for n in numbers]
    assert together == alone
    assert len(set(together)) == len(set(numbers))  # each step can be undone
