"""Record what the pictures of a task were when it was first answered: their ETags in S3.

A manifest names pictures by their addresses, and what lies at an address can change. The tool
compares these ETags with those of now (`tessera.runs.picture_changes`), so that a label is not
taken for one of another picture without a word. Why here: docs/decisions/pictures-remembered.md.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial

import msgspec

from tessera.portal.ports import PARALLEL_READS, Ports
from tessera.portal.records import Job, Task
from tessera.portal.task_lines import read_line, sources_of


@cache
def _threads() -> ThreadPoolExecutor:
    """Return threads that are kept: starting them anew took a third of a claim's own time."""
    return ThreadPoolExecutor(PARALLEL_READS)


def record_pictures(ports: Ports, job: Job, task: Task) -> None:
    """Write the ETags of a task's pictures by source, unless they are written already.

    A picture that was put after somebody got the task has "": nobody knows which one they saw.
    Pictures that S3 refuses, or does not have, have none.
    """
    line = read_line(ports, job, task.number)
    sources = sorted({source for source in sources_of(line).values() if source[:5] == "s3://"})
    if not sources:
        return
    etag_of = partial(_etag, ports, min(lease.since for lease in task.leases.values()))
    # A page's worth of requests at once takes as long as one, and is made once a task.
    etags = zip(sources, _threads().map(etag_of, sources), strict=True)
    recorded = {source: etag for source, etag in etags if etag is not None}
    if recorded:
        ports.files.put_if_absent(job.pictures(task.number), msgspec.json.encode(recorded))


def _etag(ports: Ports, by: float, source: str) -> str | None:
    try:
        return ports.files.etag(source, by)
    except Exception:  # whatever it is: the answer is stored, and must be counted
        return None
