"""Name labeling jobs, and read their names back.

Nothing is imported but the standard library: every function names its event's run in its log, the
one that a worker waits for too, and the settings beside the other names take ten milliseconds.
"""

from __future__ import annotations

import re
from typing import NamedTuple

JOB_NAME = re.compile(r"(?P<run>.+)-r(?P<round>[1-9][0-9]*)-(?P<shard>[0-9]{3}|[1-9][0-9]{3,})")


class JobName(NamedTuple):
    """Parts of a job's name: one shard of one round of a run."""

    run: str
    round: int
    shard: int


def job_name(run: str, round_: int, shard: int) -> str:
    """Return the name of the job that asks one shard of one round.

    >>> job_name("pets-may-2f9a", 1, 0)
    'pets-may-2f9a-r1-000'
    """
    return f"{run}-r{round_}-{shard:03d}"


def parse_job_name(name: str) -> JobName | None:
    """Return the run, round and shard that `job_name` put together, or None for any other name.

    >>> parse_job_name("pets-may-2f9a-r1-000")
    JobName(run='pets-may-2f9a', round=1, shard=0)
    >>> parse_job_name("pets-may-2f9a")
    """
    match = JOB_NAME.fullmatch(name)
    return match and JobName(match["run"], int(match["round"]), int(match["shard"]))
