"""Tell which tasks of a job are offered to others before a worker, and until when.

It is decided when the round is grouped and read once, so that a claim is one request and costs the
same as any other. No response tells it: docs/decisions/first-offers.md.
"""

from __future__ import annotations

from functools import lru_cache

from tessera.portal.exclusions import KEPT_WORKERS, Get
from tessera.portal.ports import Ports, worker_id
from tessera.portal.records import Job
from tessera.tiling.workers.first_offers import FirstOffers, read_first_offers


def reserved_tasks(ports: Ports, job: Job, worker: str) -> tuple[bytes, float]:
    """Return a byte for each task, 1 if others are offered it first, and when that ends.

    The bytes are empty if no task is reserved for others.
    """
    if not job.offers:
        return b"", 0.0
    try:
        names = (worker, worker_id(ports, worker))
        reserved = _reserved(ports.files.get, job.offers, job.tasks, names)
        return reserved, job.opened + _offers(ports.files.get, job.offers, job.tasks).seconds
    except Exception as error:  # an order is worth no page: without it they are for anyone
        ports.report(job.name, error)
        return b"", 0.0


@lru_cache(maxsize=KEPT_WORKERS)
def _reserved(get: Get, uri: str, tasks: int, names: tuple[str, ...]) -> bytes:
    return _offers(get, uri, tasks).reserved(names)


@lru_cache(maxsize=4)  # it never changes while a job is open; 13 MB for a thousand workers
def _offers(get: Get, uri: str, tasks: int) -> FirstOffers:
    return read_first_offers(get(uri), tasks)


def either(one: bytes, other: bytes) -> bytes:
    """Return bytes of 0 and 1 that are 1 where either is; empty bytes are zeros.

    >>> either(b"\\0\\1\\0", b"\\1\\0\\0"), either(b"", b"\\1")
    (b'\\x01\\x01\\x00', b'\\x01')
    """
    if not one or not other:
        return one or other
    both = int.from_bytes(one, "big") | int.from_bytes(other, "big")
    return both.to_bytes(len(one), "big")
