"""Tell whether the portal has the people that a round still needs.

Nobody answers an image twice, so in a later round a page may be left for which there is no account
any more: without another one the run would wait until its jobs expire.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np

from tessera.portal.exclusions import excluded_tasks
from tessera.portal.ports import Ports
from tessera.portal.records import OPEN, Job
from tessera.portal.table_layout import all_tasks, read_jobs
from tessera.stack.cloud import Cloud


def pages_without_workers(cloud: Cloud, names: Iterable[str]) -> int:
    """Return how many open pages of these jobs need more workers than there are accounts for."""
    accounts: dict[str, list[str]] = {}
    short = 0
    for job in read_jobs(cloud.ports.table, names):
        if job.team not in accounts:
            accounts[job.team] = list(cloud.users.workers(job.team))
        short += len(short_pages(cloud.ports, job, accounts[job.team]))
    return short


def short_pages(ports: Ports, job: Job, workers: Collection[str]) -> list[int]:
    """Return the job's pages that these workers, with those who answered, can never complete."""
    if job.status != OPEN:
        return []
    able = np.full(job.tasks, len(workers), np.int32)
    for worker in workers:
        if excluded := excluded_tasks(ports, job, worker):
            able -= np.frombuffer(excluded, np.uint8)
    short = set(np.flatnonzero(able < job.workers).tolist())
    if not short:
        return []
    for task in all_tasks(ports.table, job.name) if short else ():
        # Answers count whoever gave them: their accounts may be gone.
        gone = task.answers.keys() - set(workers)
        if task.dropped or able[task.number] + len(gone) >= job.workers:
            short.discard(task.number)
    return sorted(short)
