"""Jobs that are over but whose execution was not told, for want of anyone who came by.

A job's end is told by whoever causes it: the last answer, a stop, the next worker's look at the
list. Where nobody comes any more, or the one who came died on the way, this look every few minutes
makes up for it. It asks the index alone, once for all jobs, whatever the number of executions.
"""

from __future__ import annotations

from tessera.portal.job_lifecycle import announce, finish
from tessera.portal.ports import Ports
from tessera.portal.records import EXPIRED, FULL, OPEN, Job
from tessera.portal.table_layout import OPEN_JOBS, job_key, job_of, read_counts


def close_due_jobs(ports: Ports) -> list[Job]:
    """The jobs that are over, closed now if they were not, and their executions told."""
    names = [name for name, _ in ports.table.query(OPEN_JOBS)]
    jobs = [job_of(item) for item in ports.table.get(*map(job_key, names)) if item]
    return [ended for job in jobs if (ended := _ended(ports, job)).status != OPEN]


def _ended(ports: Ports, job: Job) -> Job:
    if job.status != OPEN:
        return announce(ports, job)
    if ports.clock() >= job.closes:
        return finish(ports, job, EXPIRED)
    if read_counts(ports.table, job).complete(job):
        return finish(ports, job, FULL)
    return job
