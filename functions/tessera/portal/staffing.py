"""Tell whether the portal has the people that a round still needs.

Nobody answers an image twice, so in a later round a page may be left for which there is no account
any more: without another one the run would wait until its jobs expire. Those who count are people
who label: neither accounts that the tool made for itself nor requesters, unless they are at work in
the run; and nobody who failed the project's qualification for good, or was stopped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeAlias

from tessera.portal.exclusions import excluded_tasks
from tessera.portal.job_lifecycle import open_jobs
from tessera.portal.leases import drop_task
from tessera.portal.ports import Ports
from tessera.portal.qualification import failed_workers, qualification_of
from tessera.portal.records import OPEN, Job
from tessera.portal.rights import REQUESTERS
from tessera.portal.table_layout import (
    PageFailure,
    all_cursors,
    all_tasks,
    put_failure,
    read_jobs,
)
from tessera.portal.worker_stats import stopped_workers

Emails: TypeAlias = Callable[[str], Iterable[tuple[str, str]]]
"""Returns worker and email of each account of a group, or of all for an empty name."""

OWN = re.compile(r"(simulated-\d+|you)@example\.com")
"""Addresses of accounts that the tool makes for itself: simulated workers, who label the example
alone, and whoever labels alone at this machine."""


NOBODY_LEFT = "Everybody who may have more pages of this has answered its pictures before."
"""Reason that requesters see beside a page that is not asked."""


def people(emails: Emails, team: str = "", *, active: Collection[str] = ()) -> list[str]:
    """Return the workers who may be expected to label for a team, or for everybody.

    The tool's own accounts and requesters are none of them, except those of `active`, who did.
    """
    requesters = dict(emails(REQUESTERS))
    return [
        worker
        for worker, email in emails(team)
        if worker in active or (worker not in requesters and not OWN.fullmatch(email))
    ]


def spare_pages(ports: Ports, emails: Emails) -> Iterator[tuple[str, int]]:
    """Take pages of later rounds that nobody is left for out of their jobs, which so can end.

    Yield each job with the number of such pages. Their images keep the answers that they have; a
    first round waits, for it has images without any.
    """
    for job in open_jobs(ports):
        if job.exclusions and job.workers == 1:  # one more answer each, as later rounds ask
            try:
                spared = _spare_pages(ports, emails, job)
            except Exception as error:  # whatever is wrong with one job is wrong with it alone
                ports.report(job.name, error)
            else:
                if spared:
                    yield job.name, spared


def _spare_pages(ports: Ports, emails: Emails, job: Job) -> int:
    """Take the pages of one job that nobody is left for out of it, and return their number."""
    short = _pages_without_workers(ports, emails, job)
    for number in short:
        failure = PageFailure(number, NOBODY_LEFT, ports.clock(), set_aside=True)
        ports.table.write(put_failure(job.name, failure))
        drop_task(ports, job, number)
    return len(short)


def pages_without_workers(ports: Ports, emails: Emails, names: Iterable[str]) -> int:
    """Return how many open pages of these jobs need more workers than there are accounts for."""
    jobs = read_jobs(ports.table, names)
    return sum(len(_pages_without_workers(ports, emails, job)) for job in jobs)


def _pages_without_workers(ports: Ports, emails: Emails, job: Job) -> list[int]:
    """Return the open pages of a job that need more workers than there are accounts for."""
    # Whoever asked for a page of the job is at it, a requester or a simulated worker too.
    active = all_cursors(ports.table, job.name).keys()
    return short_pages(ports, job, people(emails, job.team, active=active))


def without_pages(ports: Ports, job: Job) -> set[str]:
    """Return who gets no more pages of a job: who was stopped, or failed its qualification."""
    stopped = stopped_workers(ports.table, job)
    if not job.qualify:
        return stopped
    return stopped | failed_workers(ports, qualification_of(ports, job).records, job.qualify)


def short_pages(ports: Ports, job: Job, workers: Collection[str]) -> list[int]:
    """Return the job's pages that these workers, with those who answered, can never complete."""
    if job.status != OPEN:
        return []
    workers = set(workers) - without_pages(ports, job)
    barred = [0] * job.tasks
    for worker in workers:
        # Nobody is barred from most tasks of a later round, so its few ones are looked for.
        excluded = excluded_tasks(ports, job, worker)
        number = excluded.find(1)
        while number >= 0:
            barred[number] += 1
            number = excluded.find(1, number + 1)
    able = [len(workers) - count for count in barred]
    short = {number for number, count in enumerate(able) if count < job.workers}
    if not short:
        return []
    now = ports.clock()
    for task in all_tasks(ports.table, job.name):
        # Answers count whoever gave them: their accounts may be gone. So do pages in hand, which
        # who was stopped may still send.
        in_hand = {worker for worker, lease in task.leases.items() if lease.lapses > now}
        others = (task.answers.keys() | in_hand) - workers
        if task.dropped or able[task.number] + len(others) >= job.workers:
            short.discard(task.number)
    return sorted(short)
