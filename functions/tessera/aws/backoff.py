"""Wait before the next attempt, a random time, so that those who met do not meet again."""

from __future__ import annotations

import random
import time

FIRST_WAIT = 0.01
"""Longest wait in seconds before the second attempt: as long as a write of the table takes."""
LONGEST_WAIT = 0.25
"""Longest wait of all in seconds: twelve attempts then wait one second together, on the average, in
which a worker does not take the portal for stuck."""


def back_off(attempt: int) -> None:
    """Wait before an attempt; the first one is 0, and does not wait.

    Full jitter: any time up to a bound that doubles. Source: M. Brooker, Exponential Backoff and
    Jitter, AWS Architecture Blog, 2015.
    """
    if attempt:
        time.sleep(random.uniform(0, min(FIRST_WAIT * 2 ** (attempt - 1), LONGEST_WAIT)))
