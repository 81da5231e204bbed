"""Life of a job: opened from Ground Truth's request; closed when full, stopped or out of time.

Whoever causes a job's end closes it and resumes the executions that wait for it: the last answer, a
stop, the next worker who looks at the list. Where nobody comes any more, or the one who came died
on the way, `close_due_jobs` does it on a schedule (docs/decisions/due-jobs.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from tessera.portal.errors import Busy, Invalid, Unknown
from tessera.portal.exclusions import restore_exclusions, write_exclusions
from tessera.portal.job_request import read_request
from tessera.portal.output import write_output
from tessera.portal.ports import Ports, uri_if_present
from tessera.portal.qualification import find_qualification
from tessera.portal.records import EXPIRED, FULL, OPEN, REPAIRING, STOPPED, Job
from tessera.portal.repair import repair
from tessera.portal.store import Change
from tessera.portal.table_layout import (
    job_key,
    job_of,
    open_key,
    put_job,
    put_stripe,
    read_counts,
    read_job,
    read_listed_items,
    stripes,
)
from tessera.portal.task_lines import write_offsets
from tessera.portal.task_updates import attempts
from tessera.tiling.manifest.source_rule import RULE_NAME
from tessera.tiling.onboarding.practice import beside_tasks, practice_name
from tessera.tiling.run.jobs import COMPLETED
from tessera.tiling.run.jobs import STOPPED as JOB_STOPPED
from tessera.tiling.run.offsets import count_tasks
from tessera.tiling.workers.exclusions import exclusions_name
from tessera.tiling.workers.first_offers import first_offers_name
from tessera.tiling.workers.gold_uses import gold_uses_name

REPAIR_TIMEOUT = 900.0
"""Seconds after which a repair that has not ended was broken off: no function runs longer."""

LABELING_JOB_STATUS = {FULL: COMPLETED, STOPPED: JOB_STOPPED, EXPIRED: JOB_STOPPED}
"""LabelingJobStatus, as Ground Truth has it, of a job that ended so."""


class JobRecord(msgspec.Struct):
    """File that S3 keeps of a job: enough to open it again when the index is lost."""

    request: dict[str, Any]
    tokens: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Return the record as JSON."""
        return msgspec.json.encode(self)


# ── Opening ──────────────────────────────────────────────────────────────────────────────────────


def open_job(ports: Ports, request: Mapping[str, Any], token: str = "") -> Job:
    """Open the job of a request for workers, and return it.

    A job of this name that exists is attached to, with all its answers: the token joins those that
    wait for its end, and time starts anew if it was stopped or out of time. Neither costs more for
    more tasks. Raises `Invalid` when the name belongs to a job with another manifest.
    """
    job = _put_open_job(ports, read_request(request), token)
    # After the table, which knows the tokens of all who opened the job.
    ports.files.put(job.record, JobRecord(dict(request), job.tokens).encode())
    if job.status == REPAIRING:
        repair(ports, job)
        job = read_job(ports.table, job.name)
    if job.status == OPEN and (job.tasks == 0 or read_counts(ports.table, job).complete(job)):
        return finish(ports, job, FULL)
    return job if job.status == OPEN else resume_executions(ports, job)


def _put_open_job(ports: Ports, wanted: Job, token: str) -> Job:
    """Write the job, new or attached to, with its entry in the list and a new one's counters."""
    for _ in attempts(ports):
        item = ports.table.get(job_key(wanted.name))[0]
        before = job_of(item) if item else None
        job = _attached(ports, before, wanted, token) if before else _new(ports, wanted, token)
        if _lacks_index(ports, job, before):
            # From its first write on: nobody may claim before the index knows what is answered.
            job = replace(job, status=REPAIRING, repairing=ports.clock())
        changes = [put_job(job, before)]
        if job.status in {OPEN, REPAIRING}:
            changes.append(Change("put", open_key(job.name), {"team": job.team}))
        if before is None and job.status == OPEN:  # else the repair makes them
            changes += [put_stripe(job, stripe) for stripe in stripes(job)]
        if ports.table.write(*changes):
            return job
    raise Busy(f"{wanted.name} is being opened by others")


def _lacks_index(ports: Ports, job: Job, before: Job | None) -> bool:
    """Return whether the index has not, or not all of, what S3 has of a job.

    Either the index was lost with the job in it, or a repair of the job was broken off.
    """
    if before:
        return before.status == REPAIRING
    # The record is there of a job that had leases, unless its opening broke off just before.
    has_record = ports.files.size(job.record) is not None
    return has_record or next(ports.files.list_uris(job.responses), None) is not None


def _new(ports: Ports, wanted: Job, token: str) -> Job:
    files, manifest = ports.files, wanted.manifest
    if files.size(wanted.offsets) is None:
        write_exclusions(ports, wanted)
        write_offsets(ports, wanted)
    return replace(
        wanted,
        tasks=count_tasks(files.size(wanted.offsets) or 0),
        opened=ports.clock(),
        choices=_choices(ports, wanted),
        # Gold labels lie beside the tasks and never in them: a worker could read them there.
        gold=uri_if_present(files, beside_tasks(manifest, "gold.csv")),
        exclusions=uri_if_present(files, exclusions_name(manifest)),
        gold_uses=uri_if_present(files, gold_uses_name(manifest)),
        offers=uri_if_present(files, first_offers_name(manifest)),
        practice=uri_if_present(files, practice_name(manifest)),
        qualification=find_qualification(ports, wanted),
        sources=_sources(ports, wanted),
        tokens=(token,) if token else (),
    )


def _sources(ports: Ports, job: Job) -> str:
    """Return the rule, in JSON, of what the job's pages may show; empty if it has none."""
    uri = uri_if_present(ports.files, beside_tasks(job.manifest, RULE_NAME))
    return ports.files.get(uri).decode() if uri else ""


def _attached(ports: Ports, job: Job, wanted: Job, token: str) -> Job:
    if job.manifest != wanted.manifest:
        raise Invalid(f"{job.name} is already the name of a job with another manifest")
    tokens = (*job.tokens, token) if token and token not in job.tokens else job.tokens
    if job.status == FULL:  # nothing is left to ask: only the new token has to be answered
        return replace(job, tokens=tokens, announced=False, version=job.version + 1)
    # An open job keeps its time, or a redrop could keep it open for ever.
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


def _choices(ports: Ports, job: Job) -> tuple[str, ...]:
    """Return the choices that an answer may name: the label categories; if there are none, any."""
    if not job.categories:
        return ()
    document = msgspec.json.decode(ports.files.get(job.categories))
    return tuple(str(entry["label"]) for entry in document["labels"])


def restore(ports: Ports, uri: str) -> Job:
    """Write a job's index anew from S3, opening the job if the index lost it, and return the job.

    `uri` is that of the job's record.
    """
    record = msgspec.json.decode(ports.files.get(uri), type=JobRecord)
    name = read_request(record.request).name
    job = _readable_job(ports, name)
    if job is None:
        open_job(ports, record.request, *record.tokens[-1:])
    else:
        restore_exclusions(ports, job)
        repair(ports, job)
    return close_if_full(ports, read_job(ports.table, name))


def _readable_job(ports: Ports, name: str) -> Job | None:
    """Return the job in the index, or None; an item that cannot be read is as good as lost."""
    item = ports.table.get(job_key(name))[0]
    try:
        return job_of(item) if item else None
    except msgspec.ValidationError:
        ports.table.write(Change("delete", job_key(name)))
        return None


# ── Closing ──────────────────────────────────────────────────────────────────────────────────────


def finish(ports: Ports, job: Job, status: str) -> Job:
    """Close an open job under this status, resume the executions that wait, and return it."""
    for _ in attempts(ports):
        if job.status != OPEN:
            return resume_executions(ports, job)
        closed = replace(job, status=status, version=job.version + 1)
        if ports.table.write(put_job(closed, job)):
            return resume_executions(ports, closed)
        job = read_job(ports.table, job.name)  # somebody attached to it, or closed it
    raise Busy(f"{job.name} is being changed by others")


def resume_executions(ports: Ports, job: Job) -> Job:
    """Resume every execution that waits for a closed job, and take the job off the list.

    It is idempotent: when it breaks off, the next request that finds the job on the list repeats
    it. Executions are resumed first and the job is marked after, so that none is ever forgotten.
    """
    if job.announced or job.status not in LABELING_JOB_STATUS:
        return job
    outcome = {"LabelingJobName": job.name, "LabelingJobStatus": LABELING_JOB_STATUS[job.status]}
    for token in job.tokens:
        ports.resume(token, dict(outcome))
    announced = replace(job, announced=True, tokens=(), version=job.version + 1)
    ports.table.write(put_job(announced, job), Change("delete", open_key(job.name)))
    return announced


def close_if_full(ports: Ports, job: Job) -> Job:
    """Close the job if no seat is left to answer, and return it."""
    if job.status == OPEN and read_counts(ports.table, job).complete(job):
        # Read again: the caller's job is from before its answer.
        return finish(ports, read_job(ports.table, job.name), FULL)
    return job


def _close_if_expired(ports: Ports, job: Job) -> Job:
    """Close the job if its time is up, finish its closing if that broke off, and return it."""
    if job.status != OPEN:
        return resume_executions(ports, job)
    return finish(ports, job, EXPIRED) if ports.clock() >= job.closes else job


def stop(ports: Ports, name: str) -> Job:
    """Close a job with what it has and return it; a closed one stays as it is.

    Raises `Busy` while the job is being repaired.
    """
    job = read_job(ports.table, name)
    if job.status == REPAIRING:
        raise Busy(f"{name} is being put in order. Stop it again in a minute.")
    return finish(ports, job, STOPPED)


class JobList(NamedTuple):
    """Open jobs by name, and the names of jobs on the list that cannot be read."""

    jobs: list[Job]
    broken: list[str]


def list_open(ports: Ports) -> JobList:
    """Return the open jobs, and which cannot be read; those that ended are closed on the way."""
    broken: list[str] = []
    jobs = list(_each(ports, lambda job: _close_if_expired(ports, job), broken))
    return JobList([job for job in jobs if job.status == OPEN], broken)


def open_jobs(ports: Ports) -> list[Job]:
    """Return the open jobs by name, without those that cannot be read."""
    return list_open(ports).jobs


def close_due_jobs(ports: Ports) -> list[Job]:
    """Close full or expired jobs that no request has closed, and return them.

    A repair that was broken off is taken up.

    It asks the index alone, once for all jobs, whatever the number of executions.
    """

    def close_if_due(job: Job) -> Job:
        if job.status == REPAIRING and ports.clock() > job.repairing + REPAIR_TIMEOUT:
            repair(ports, job)
            job = read_job(ports.table, job.name)
        return close_if_full(ports, _close_if_expired(ports, job))

    closed = list(_each(ports, close_if_due, []))
    return [job for job in closed if job.status in LABELING_JOB_STATUS]


def _each(ports: Ports, change: Callable[[Job], Job], broken: list[str]) -> Iterator[Job]:
    """Yield the listed jobs after a change; a `broken` one keeps no other from it, and is noted."""
    for name, item in read_listed_items(ports.table):
        try:
            changed = change(job_of(item))
        except (Busy, Unknown):  # others are at it, and so is the next request
            continue
        except Exception as error:  # whatever is wrong with one job is wrong with it alone
            ports.report(name, error)
            broken.append(name)
        else:
            yield changed


def close_job(ports: Ports, request: Mapping[str, Any]) -> dict[str, Any]:
    """Close the job of a request, write its output tree, and describe it as DescribeLabelingJob.

    The output is written from the request and S3 alone, so an index that lost the job, or holds
    half of it, is no hindrance.
    """
    job = read_request(request)
    if item := ports.table.get(job_key(job.name))[0]:
        finish(ports, job_of(item), EXPIRED)  # one that is full or stopped keeps its status
    return write_output(ports, replace(job, choices=_choices(ports, job)))
