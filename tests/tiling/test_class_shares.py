"""Shares of labels, as an owner states them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.class_shares import fill_shares, share_problems

CLASSES = ("ok", "scratch", "dent")


@pytest.mark.parametrize(
    ("shares", "problem"),
    [
        ({"okay": 0.9}, "'okay' is none of the labels; is 'ok' meant?"),
        ({"ok": 1.5}, "1.5 of 'ok' is no share between 0 and 1"),
        ({"ok": -0.1}, "-0.1 of 'ok' is no share between 0 and 1"),
        ({"ok": float("nan")}, "nan of 'ok' is no share between 0 and 1"),
        ({"ok": 0.9, "dent": 0.3}, "they add up to 1.2, which is more than 1"),
        ({"ok": 0.5, "scratch": 0.1, "dent": 0.1}, "add up to 0.7; write 1 in all"),
    ],
)
def test_shares_that_cannot_be_are_named(shares: dict[str, float], problem: str) -> None:
    assert any(problem in sentence for sentence in share_problems(shares, CLASSES))


@given(st.dictionaries(st.sampled_from(CLASSES), st.floats(0, 0.33)))
def test_shares_without_a_problem_become_a_distribution(shares: dict[str, float]) -> None:
    if not [*share_problems(shares, CLASSES)]:
        filled = fill_shares(shares, CLASSES)
        assert min(filled) >= 0
        assert sum(filled) == pytest.approx(1, abs=0.011)
        for name, share in shares.items():
            assert filled[CLASSES.index(name)] == share
