"""Pages of images in doubt of the same labels: each image once, and few labels a page."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.tiling.grouping.doubts import WINDOW, share_leftovers, shared_pages, worker_pools

DOUBTS = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 15)), min_size=1, max_size=60)


def pages(rows: list[tuple[int, int]], most: int) -> list[list[tuple[int, int]]]:
    """Return the pool and doubts of the images of each group that shares pages."""
    rows = sorted(rows)
    pools, doubts = np.array(rows, np.int64).T
    return [[rows[row] for row in part.tolist()] for part in shared_pages(pools, doubts, most)]


@given(DOUBTS, st.integers(1, 20))
def test_every_image_is_on_one_page_of_its_pool_and_pages_are_as_few_as_can_be(
    rows: list[tuple[int, int]], most: int
) -> None:
    parts = pages(rows, most)
    assert sorted(image for part in parts for image in part) == sorted(rows)
    assert all(len({pool for pool, _ in part}) == 1 for part in parts)
    mixed = [part for part in parts if len({doubts for _, doubts in part}) > 1]
    assert all(len(part) <= most for part in mixed)
    for pool in {pool for pool, _ in rows}:
        images = sum(one == pool for one, _ in rows)
        of_pool = sum(-(-len(part) // most) for part in parts if part[0][0] == pool)
        assert of_pool <= -(-images // most)


def test_what_is_left_shares_the_page_on_which_it_asks_least() -> None:
    cat, dog, both, bird = 1, 2, 3, 4
    counts = {dog: 45, cat: 13, both: 9, bird: 3}
    parts = pages([(0, doubts) for doubts, count in counts.items() for _ in range(count)], 20)
    kinds = [{doubts: sum(d == doubts for _, d in part) for _, doubts in part} for part in parts]
    assert kinds == [{dog: 40}, {cat: 13, both: 7}, {dog: 5, both: 2, bird: 3}]


def test_images_of_one_doubt_are_spread_evenly_over_their_pages() -> None:
    assert [len(part) for part in pages([(0, 1)] * 21, 20)] == [21]  # cut into 11 and 10


@settings(max_examples=10)  # of hundreds of sets each
@given(st.integers(0, 2**32 - 1))
def test_more_sets_of_labels_than_are_looked_at_together_lose_none(seed: int) -> None:
    chance = np.random.default_rng(seed)
    sets = np.unique(chance.integers(1, 2**50, 2 * WINDOW))
    counts = chance.integers(0, 20, len(sets))
    left = np.zeros(len(sets), np.int64)
    for page in share_leftovers(sets, counts, 20):
        assert sum(images for _, images in page) <= 20
        for place, images in page:
            left[place] += images
    assert (left == counts).all()


@given(
    st.lists(st.frozensets(st.sampled_from("abcdef"), max_size=4), min_size=1, max_size=40),
    st.integers(1, 20),
)
def test_enough_workers_may_take_any_page_of_a_pool(sets: list[frozenset[str]], page: int) -> None:
    free = max(len(frozenset().union(*sets)) - 2, 0)
    pools = worker_pools([" ".join(sorted(one)) for one in sets], page, free).tolist()
    for pool in set(pools):
        members = [one for one, of_pool in zip(sets, pools, strict=True) if of_pool == pool]
        most = sorted(members, key=len)[-page:]
        assert len(frozenset().union(*most)) <= max(free, *map(len, members))
