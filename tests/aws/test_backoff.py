"""Who waits before another attempt waits a random time, within a bound that doubles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.aws.backoff import LONGEST_WAIT, back_off


def waited(attempt: int) -> list[float]:
    with pytest.MonkeyPatch.context() as patch:
        seconds: list[float] = []
        patch.setattr("time.sleep", seconds.append)
        back_off(attempt)
    return seconds


def test_the_first_attempt_does_not_wait() -> None:
    assert waited(0) == []


@given(st.integers(1, 100))
def test_a_wait_is_within_its_bound(attempt: int) -> None:
    (seconds,) = waited(attempt)
    assert 0 <= seconds <= min(0.01 * 2 ** (attempt - 1), LONGEST_WAIT)


def test_two_that_met_do_not_come_back_together() -> None:
    assert len({waited(6)[0] for _ in range(100)}) > 90
