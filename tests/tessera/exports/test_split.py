"""Parts of a data set: nothing lost, groups whole, classes even, the same for the same seed."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.exports.split import read_shares, split

SHARES = st.sampled_from(["80/10/10", "70/30", "1/1/1", "100/0", "90/5/5"]).map(read_shares)


@given(
    members=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 30)), max_size=120),
    shares=SHARES,
    seed=st.integers(0, 9),
)
def test_every_sample_is_in_one_part_and_groups_stay_whole(
    members: list[tuple[int, int]], shares: dict[str, float], seed: int
) -> None:
    classes, groups = [c for c, _ in members], [g for _, g in members]

    dealt = split(classes, groups, shares, seed=seed)

    assert len(dealt) == len(members)
    assert set(dealt) <= {name for name, share in shares.items() if share > 0}
    parts_of: dict[int, set[str]] = {}
    for group, part in zip(groups, dealt, strict=True):
        parts_of.setdefault(group, set()).add(part)
    assert all(len(parts) == 1 for parts in parts_of.values())
    assert dealt == split(classes, groups, shares, seed=seed)


@given(classes=st.lists(st.integers(0, 9), max_size=300), shares=SHARES, seed=st.integers(0, 9))
def test_each_class_and_the_whole_are_dealt_by_their_shares(
    classes: list[int], shares: dict[str, float], seed: int
) -> None:
    dealt = split(classes, range(len(classes)), shares, seed=seed)

    whole = Counter(dealt)
    of_class = Counter(zip(classes, dealt, strict=True))
    for part, share in shares.items():
        assert abs(whole[part] - share * len(classes)) <= 2
        for number, count in Counter(classes).items():
            assert abs(of_class[number, part] - share * count) <= 3


def test_rare_classes_do_not_all_fall_into_the_largest_part() -> None:
    classes = [number for number in range(100) for _ in range(3)]

    dealt = Counter(split(classes, range(300), read_shares("80/10/10"), seed=0))

    assert dealt == {"train": 240, "validation": 30, "test": 30}


def test_another_seed_deals_otherwise() -> None:
    classes, shares = [0, 1] * 50, read_shares("80/20")

    dealt = [split(classes, range(100), shares, seed=seed) for seed in (1, 2)]

    assert dealt[0] != dealt[1]


@pytest.mark.parametrize("text", ["80", "80/x", "1/2/3/4", "-1/2", "0/0", "nan/1", "inf/1"])
def test_shares_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"80/10/10|no part|makes sense"):
        read_shares(text)
