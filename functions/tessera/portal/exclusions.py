"""Tell which tasks of a job a worker may not have, from the file that was written with the tasks.

It is known when the job opens, so a claim passes any number of such tasks without reading them:
docs/decisions/portal-exclusions.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import msgspec

from tessera.portal.ports import Ports, worker_id
from tessera.portal.records import Job
from tessera.tiling.errors import NOT_JSON
from tessera.tiling.workers.exclusions import (
    ANSWERED_BY,
    Exclusions,
    Ranges,
    read_exclusions,
)

KEPT_WORKERS = 1024
"""Workers whose tasks a function keeps: 100 KB each in a job of 100,000 tasks at most."""

Get = Callable[[str], bytes]


def excluded_tasks(ports: Ports, job: Job, worker: str) -> bytes:
    """Return a byte for each task of the job, 1 if the worker may not have it; empty if all may."""
    if not job.exclusions:
        return b""
    # Answers name workers with the service before the identifier; a file made by hand may not.
    names = (worker, worker_id(ports, worker))
    return _excluded_tasks(ports.files.get, job.exclusions, names, job.tasks)


@lru_cache(maxsize=KEPT_WORKERS)
def _excluded_tasks(get: Get, uri: str, names: tuple[str, ...], tasks: int) -> bytes:
    excluded = bytearray(tasks)
    for name in names:
        ranges = _ranges(get, uri, tasks).get(name, [])
        for start, end in zip(ranges[::2], ranges[1::2], strict=True):
            excluded[start:end] = b"\1" * (end - start)
    return bytes(excluded)


@lru_cache(maxsize=4)  # it never changes while a job is open; 7 MB where every task differs
def _ranges(get: Get, uri: str, tasks: int) -> Ranges:
    return read_exclusions(get(uri), tasks)


def write_exclusions(ports: Ports, job: Job) -> None:
    """Write the exclusions of a manifest that came without them, reading it as a stream."""
    exclusions = Exclusions()
    for task, line in enumerate(ports.files.iter_lines(job.manifest)):
        exclusions.add(task, sorted(set(answered_by(line))))
    exclusions.write(job.manifest, ports.files.writer)


def restore_exclusions(ports: Ports, job: Job) -> None:
    """Write the job's exclusions anew from its manifest if their file is gone or cannot be read."""
    if not job.exclusions:
        return
    try:
        read_exclusions(ports.files.get(job.exclusions), job.tasks)
    except Exception:  # absent, refused or garbled: the manifest has all that it had
        write_exclusions(ports, job)


def answered_by(line: bytes) -> list[str]:
    """Return the workers that a task's line says answered one of its images before.

    >>> answered_by(b'{"source": "[]", "answered-by": "ann ben"}')
    ['ann', 'ben']
    """
    if ANSWERED_BY.encode() not in line:
        return []
    try:
        record = msgspec.json.decode(line)
        return str(record.get(ANSWERED_BY, "")).split()
    except (*NOT_JSON, AttributeError):
        return []  # a line that is no task is found when it is shown


def answered_before(ports: Ports, line: bytes, worker: str) -> bool:
    """Return whether the worker answered one of the task's images in an earlier round.

    Asked of a line that is read in any case: a job opened before there were exclusions has none.
    """
    names = answered_by(line)
    return worker in names or worker_id(ports, worker) in names
