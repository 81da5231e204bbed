"""Record what the pictures of a task were when its page was first signed: their ETags in S3.

A manifest names pictures by their addresses, and what lies at an address can change. The tool
compares these ETags with those of now (`tessera.runs.picture_changes`), so that a label is not
taken for one of another picture without a word. Why here: docs/decisions/pictures-remembered.md.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import msgspec

from tessera.portal.ports import PARALLEL_READS, Ports
from tessera.portal.records import Job
from tessera.portal.task_lines import sources_of


@cache
def _threads() -> ThreadPoolExecutor:
    """Return threads that are kept: starting them anew took a third of a claim's own time."""
    return ThreadPoolExecutor(PARALLEL_READS)


def record_pictures(ports: Ports, job: Job, task: int, line: bytes) -> None:
    """Write the ETags of a task's pictures by source, unless they are written already.

    Pictures that S3 refuses, or does not have, have none.
    """
    uri = job.pictures(task)
    sources = sorted({source for source in sources_of(line).values() if source[:5] == "s3://"})
    if not sources or ports.files.size(uri) is not None:
        return
    # A page's worth of requests at once takes as long as one, and is made once a task.
    etags = zip(sources, _threads().map(ports.files.etag, sources), strict=True)
    recorded = {source: etag for source, etag in etags if etag}
    if recorded:
        ports.files.put_if_absent(uri, msgspec.json.encode(recorded))
