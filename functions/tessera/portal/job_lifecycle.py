"""A job's life: opened from Ground Truth's request, closed when full, stopped or out of time."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from tessera.portal import records
from tessera.portal.errors import Busy, Invalid
from tessera.portal.output import close
from tessera.portal.ports import Ports
from tessera.portal.records import EXPIRED, FULL, OPEN, STOPPED, Job
from tessera.portal.repair import repair
from tessera.portal.store import ABSENT, Change
from tessera.portal.table_layout import (
    OPEN_JOBS,
    item_of,
    job_key,
    job_of,
    open_key,
    read_counts,
    read_job,
    stripe_key,
    stripes,
)

OFFSET = struct.Struct("<Q")

AS_LABELING_JOB = {FULL: "Completed", STOPPED: "Stopped", EXPIRED: "Stopped"}
"""What Ground Truth calls a job that ended so."""

ATTEMPTS = 12


class Record(msgspec.Struct):
    """What S3 keeps of an open job: enough to open it again when the index is lost."""

    request: dict[str, Any]
    tokens: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """The record as a file."""
        return msgspec.json.encode(self)


def restore(ports: Ports, uri: str) -> Job:
    """The job of this record, its index written anew from S3, made if it was lost."""
    record = msgspec.json.decode(ports.files.get(uri), type=Record)
    name = records.read_job(record.request).name
    item = ports.table.get(job_key(name))[0]
    if item is None:
        job = open_job(ports, record.request, *record.tokens[-1:])
    else:
        job = job_of(item)
        repair(ports, job)
    close_if_full(ports, read_job(ports.table, name))
    return read_job(ports.table, name)


def open_job(ports: Ports, request: Mapping[str, Any], token: str = "") -> Job:
    """The job of the request, open for workers.

    A job of this name that exists is attached to, with all its answers: the token joins those that
    wait for its end, and time starts anew if it was stopped or out of time. Neither costs more for
    more tasks. Raises `Invalid` when the name belongs to a job with another manifest.
    """
    wanted = records.read_job(request)
    for _ in range(ATTEMPTS):
        item = ports.table.get(job_key(wanted.name))[0]
        job = _attach(ports, job_of(item), wanted, token) if item else _make(ports, wanted, token)
        expect: Mapping[str, Any] = {"version": job.version - 1} if item else ABSENT
        changes = [Change("put", job_key(job.name), item_of(job), expect)]
        if job.status == OPEN:
            changes.append(Change("put", open_key(job.name), {"team": job.team}))
        if item is None:
            none = {"dealt": 0, "answered": 0, "excused": 0}
            changes += [Change("put", stripe_key(job, n), none) for n in stripes(job)]
        if ports.table.write(*changes):
            break
    else:
        raise Busy(f"{wanted.name} is being opened by others")
    ports.files.put(job.record, Record(dict(request), job.tokens).encode())
    if item is None and next(ports.files.list_uris(job.responses), None):
        repair(ports, job)  # the index had forgotten the job; its answers are there
        job = read_job(ports.table, job.name)
    if job.status == OPEN and (job.tasks == 0 or read_counts(ports.table, job).complete(job)):
        return finish(ports, job, FULL)
    if job.status != OPEN:
        return announce(ports, job)
    return job


def _make(ports: Ports, wanted: Job, token: str) -> Job:
    gold = wanted.manifest.rpartition("/")[0] + "/gold.csv"
    size = ports.files.size(wanted.offsets)
    if size is None:
        write_offsets(ports, wanted)
        size = ports.files.size(wanted.offsets) or OFFSET.size
    return replace(
        wanted,
        tasks=size // OFFSET.size - 1,
        opened=ports.clock(),
        choices=tuple(_choices(ports, wanted)),
        gold=gold if ports.files.size(gold) is not None else "",
        tokens=(token,) if token else (),
    )


def _attach(ports: Ports, job: Job, wanted: Job, token: str) -> Job:
    if job.manifest != wanted.manifest:
        raise Invalid(f"{job.name} is already the name of a job with another manifest")
    tokens = (*job.tokens, token) if token and token not in job.tokens else job.tokens
    if job.status == FULL:
        return replace(job, tokens=tokens, announced=False, version=job.version + 1)
    opened = job.opened if job.status == OPEN else ports.clock()
    return replace(
        job,
        lifetime=wanted.lifetime,
        seconds=wanted.seconds,
        team=wanted.team,
        opened=opened,
        status=OPEN,
        announced=False,
        tokens=tokens,
        version=job.version + 1,
    )


def write_offsets(ports: Ports, job: Job) -> None:
    """Write where each line of the manifest starts and where the last ends, read as a stream."""
    with ports.files.writer(job.offsets) as file:
        for offset in line_starts(ports.files.iter_chunks(job.manifest)):
            file.write(OFFSET.pack(offset))


def line_starts(chunks: Iterator[bytes]) -> Iterator[int]:
    """Where each line starts, and where the last one ends; a line end at the very end starts none.

    >>> list(line_starts(iter([b"a\\nb", b"b\\n"])))
    [0, 2, 5]
    """
    position = started = 0
    yield 0
    for chunk in chunks:
        at = chunk.find(b"\n")
        while at >= 0:
            started = position + at + 1
            yield started
            at = chunk.find(b"\n", at + 1)
        position += len(chunk)
    if position > started:
        yield position


def _choices(ports: Ports, job: Job) -> list[str]:
    """The choices that an answer may name: the label categories, or any where there are none."""
    if not job.categories:
        return []
    document = msgspec.json.decode(ports.files.get(job.categories))
    return [str(entry["label"]) for entry in document["labels"]]


def finish(ports: Ports, job: Job, status: str) -> Job:
    """The job, closed for workers under this status, and whoever waits for its end told."""
    for _ in range(ATTEMPTS):
        if job.status != OPEN:
            break
        closed = replace(job, status=status, version=job.version + 1)
        expect = {"version": job.version}
        if ports.table.write(Change("put", job_key(job.name), item_of(closed), expect)):
            job = closed
            break
        job = read_job(ports.table, job.name)
    else:
        raise Busy(f"{job.name} is being changed by others")
    return announce(ports, job)


def close_if_full(ports: Ports, job: Job) -> None:
    """Close the job if no seat is left to answer."""
    if job.status == OPEN and read_counts(ports.table, job).complete(job):
        finish(ports, read_job(ports.table, job.name), FULL)


def announce(ports: Ports, job: Job) -> Job:
    """The closed job, with every waiting execution told; done again by anyone until it is done."""
    if job.announced or job.status not in AS_LABELING_JOB:
        return job
    for token in job.tokens:
        ports.resume(
            token,
            {"LabelingJobName": job.name, "LabelingJobStatus": AS_LABELING_JOB[job.status]},
        )
    told = replace(job, announced=True, tokens=(), version=job.version + 1)
    ports.table.write(
        Change("put", job_key(job.name), item_of(told), {"version": job.version}),
        Change("delete", open_key(job.name)),
    )
    return told


def stop(ports: Ports, name: str) -> Job:
    """The job, closed with what it has; a closed one stays as it is."""
    return finish(ports, read_job(ports.table, name), STOPPED)


def close_job(ports: Ports, request: Mapping[str, Any]) -> dict[str, Any]:
    """The job as DescribeLabelingJob would say it, closed for workers, its output tree written.

    An index that knows nothing of the job, or holds it half, is no hindrance: S3 has the answers.
    """
    job = records.read_job(request)
    if item := ports.table.get(job_key(job.name))[0]:
        known = job_of(item)
        finish(ports, known, EXPIRED)
    return close(ports, replace(job, choices=tuple(_choices(ports, job))))


def open_jobs(ports: Ports) -> list[Job]:
    """The open jobs by name; those that ended meanwhile are closed and announced on the way."""
    names = [name for name, _ in ports.table.query(OPEN_JOBS)]
    jobs = [job_of(item) for item in ports.table.get(*map(job_key, names)) if item]
    now = ports.clock()
    for job in jobs:
        if job.status != OPEN:
            announce(ports, job)
        elif now >= job.closes:
            finish(ports, job, EXPIRED)
    return [job for job in jobs if job.status == OPEN and now < job.closes]
