"""Group images with several labels by the labels that are in doubt, so that a page asks few.

A page asks the labels that any of its images is in doubt about. Images with the same doubts fill
pages of their own; what is left of each set shares pages, beside those with which it asks least:

    doubts of images    dog × 45          cat × 13     cat, dog × 9
    pages               dog   dog         cat, dog: 5 + 9 + 6        cat
    images              20    20          20                         7

There are as few pages as if all labels were asked of all images: a page more costs a worker more
than a label more (docs/decisions/multi-label-doubts.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]

WINDOW = 256
"""Sets of labels among which a page's next one is looked for, neighbors in their order. All sets
that few labels can make are among them; of more, the time would grow with their square."""


def shared_pages(pools: Rows, doubts: Rows, most: int) -> Iterator[Rows]:
    """Yield the rows that share pages, to be cut into pages of at most `most` images each.

    Rows are images sorted by pool and, within it, by `doubts`, sets with one bit for each label;
    only images of the same pool may share a page.

    >>> rows = shared_pages(np.zeros(5, np.int64), np.array([1, 1, 1, 2, 3]), 2)
    >>> [part.tolist() for part in rows]
    [[0, 1], [3], [2, 4]]
    """
    ends = np.flatnonzero(np.diff(pools, append=-1)) + 1
    first = 0
    for end in ends.tolist():
        for part in _pages_of_pool(doubts[first:end], most):
            yield part + first
        first = end


def _pages_of_pool(doubts: Rows, most: int) -> Iterator[Rows]:
    """Yield the rows that share pages, of images that may all share one."""
    sets, starts, counts = np.unique(doubts, return_index=True, return_counts=True)
    own = counts // most * most
    mixed = []
    for page in list(share_leftovers(sets, counts - own, most)):
        if len(page) > 1:
            mixed.append(page)
        else:  # what is left of a set, and shares its page with no other, joins the set's own
            own[page[0][0]] += page[0][1]
    for start, images in zip(starts.tolist(), own.tolist(), strict=True):
        if images:
            yield np.arange(start, start + images)
    next_row = (starts + own).tolist()
    for page in mixed:
        parts = []
        for place, images in page:
            parts.append(np.arange(next_row[place], next_row[place] + images))
            next_row[place] += images
        yield np.concatenate(parts)


def share_leftovers(sets: Rows, counts: Rows, most: int) -> Iterator[list[tuple[int, int]]]:
    """Yield pages of sets that have fewer than `most` images left, each a set's place and images.

    A page begins with the set that has most, and takes the one with which it asks the fewest labels
    more of an image, until it is full.
    """
    left = counts.copy()
    waiting = iter(np.flatnonzero(counts).tolist())
    window = list(islice(waiting, WINDOW))
    while window:
        place = max(window, key=lambda one: (left[one], -one))
        page, union, images = [], 0, 0
        while True:
            taken = min(int(left[place]), most - images)
            page.append((place, taken))
            left[place] -= taken
            union, images = union | int(sets[place]), images + taken
            if not left[place]:
                window.remove(place)
                window.extend(islice(waiting, 1))
            if images == most or not window:
                break
            place = window[_cheapest(sets[window], left[window], union, images, most)]
        yield page


def _cheapest(sets: Rows, left: Rows, union: int, images: int, most: int) -> int:
    """Return which set makes a page ask the fewest labels beyond those in doubt, by its images."""
    taken = np.minimum(left, most - images)
    grown = np.bitwise_count(sets | union).astype(np.int64)
    asked = grown * (images + taken) - union.bit_count() * images
    return int(((asked - np.bitwise_count(sets) * taken) / taken).argmin())


def worker_pools(workers: Sequence[str], page: int, free: int) -> Rows:
    """Return a pool for each image, so that those of a pool may share pages in any mixture.

    `workers` has the workers who had each image, as one text; enough others must be allowed to take
    a page of up to `page` images, so that at most `free` workers may have had any of them.

    >>> worker_pools(["a b", "a c", "d e"], 2, 3).tolist()
    [0, 0, 1]
    """
    names = {text: frozenset(text.split()) for text in set(workers)}
    if page * max(map(len, names.values()), default=0) <= free:
        return np.zeros(len(workers), np.int64)
    texts = sorted(names)
    begins = begin_groups(map(names.__getitem__, texts), free)
    pool_of = dict(zip(texts, np.cumsum([*begins]).tolist(), strict=True))
    return np.fromiter(map(pool_of.__getitem__, workers), np.int64, len(workers))


def begin_groups(workers: Iterable[frozenset[str]], most: int) -> Iterator[bool]:
    """Yield for each image whether it has to begin a group, after the first.

    `workers` are those who had each image; at most `most` may have had any image of a group.

    >>> [*begin_groups(map(frozenset, ("ab", "ac", "de")), 3)]
    [False, False, True]
    """
    together: frozenset[str] | None = None
    for names in workers:
        grown = names if together is None else together | names
        # one image may itself have had more workers: others of the same join it
        begins = together is not None and len(grown) > max(most, len(together))
        together = names if begins else grown
        yield begins
