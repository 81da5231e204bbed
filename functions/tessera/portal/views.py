"""Views behind the sign-in: a worker's work, and what requesters see of it.

A view gets the ports, the site and a request that its route has let in (`rights.Rights`), and
returns the response. The routes are in `routes.ROUTES`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from tessera.portal import leases, progress, task_page
from tessera.portal.answer_body import choices_in, read_answer, sets_in
from tessera.portal.claims import Claim, claim
from tessera.portal.corrections import answered_tasks, correct, read_own_answer
from tessera.portal.errors import Invalid, Unknown, Unusable
from tessera.portal.exclusions import answered_before, excluded_tasks
from tessera.portal.http import Request, Response, empty_response, json_response
from tessera.portal.job_lifecycle import list_open
from tessera.portal.page_names import hide_indexes, page_names
from tessera.portal.ports import Ports
from tessera.portal.practice import practice_id, practice_of
from tessera.portal.qualification import (
    describe,
    is_qualified,
    judge,
    qualification_of,
    require_attempt,
    require_qualified,
    standing,
)
from tessera.portal.records import FULL, LEASE_GRACE, Job, WorkerCursor, WorkerStats
from tessera.portal.rights import (
    REQUESTERS,
    REVIEWERS,
    is_member,
    job_and_items,
    job_for,
    job_to_watch,
)
from tessera.portal.sessions import end_session, end_sessions, require_active
from tessera.portal.signing import grant
from tessera.portal.site import Site, read_file
from tessera.portal.submissions import Outcome, submission_keys, submit
from tessera.portal.table_layout import (
    Counts,
    counts_of,
    cursor_key,
    cursor_of,
    read_worker_items,
    stats_key,
    stats_of,
)
from tessera.portal.task_lines import indexes_of, read_line, sources_of
from tessera.portal.worker_stats import is_stopped
from tessera.tiling.answers.flags import read_flags
from tessera.tiling.page.page_choices import page_choices_in
from tessera.tiling.page.page_copy import original_uri

MAX_SKIPS = 10
"""Tasks skipped in one claim, because they need no people or their pages cannot be shown, before
the browser is asked to come again. Each costs some reads, a write and the pre-annotation Lambda,
and an HTTP API gives up a request after 30 seconds."""

AGAIN_SECONDS = 1
"""Seconds after which a page asks again where a claim skipped as many tasks as it may: the next one
goes on there."""

MAX_SHOWING = 8
"""Tasks that a page may say it shows: more than it may hold (`claims.MAX_HELD`)."""

PREVIEW_SECONDS = 10 * LEASE_GRACE
"""Seconds for which a requester's look at a task may load its images."""


# ── A worker's work ──────────────────────────────────────────────────────────────────────────────


def show_me(ports: Ports, site: Site, request: Request) -> Response:
    """Tell who is signed in."""
    require_active(ports, request)
    is_requester = REQUESTERS in request.groups
    me = {
        "worker": request.worker,
        "name": request.name,
        "requester": is_requester,
        "reviewer": is_requester or REVIEWERS in request.groups,
    }
    return json_response(200, me)


def sign_out(ports: Ports, site: Site, request: Request) -> Response:
    """End the worker's sign-in at once; with `?everywhere`, all that began before it, too."""
    require_active(ports, request)  # or an ended sign-in could move the mark that ended it
    if request.query == "everywhere":
        end_sessions(ports, request.worker, request.signed_in)
    else:
        end_session(ports, request)
    return empty_response()


def list_jobs(ports: Ports, site: Site, request: Request) -> Response:
    """List the open jobs of the worker: the question, the tasks left, what they did.

    A job of which something cannot be read is named in `broken`, and keeps no other off the list.
    """
    require_active(ports, request)
    is_requester, listed = REQUESTERS in request.groups, list_open(ports)
    jobs = [job for job in listed.jobs if is_member(job, request) or is_requester]
    # Whose job it is cannot be read either, so only those who may see every job are told.
    broken = listed.broken if is_requester else []
    summaries = []
    items_of_jobs = read_worker_items(ports.table, jobs, request.worker)
    for job, (counters, stats) in zip(jobs, items_of_jobs, strict=True):
        try:
            barred = excluded_tasks(ports, job, request.worker).count(1)
            summary = _job_summary(job, counts_of(job, counters), stats_of(stats), barred)
            if not is_qualified(ports, job, request.worker):
                summary["qualification"] = describe(ports, job, request.worker)
            summaries.append(summary | {"member": is_member(job, request)})
        except Exception as error:  # whatever is wrong with one job is wrong with it alone
            ports.report(job.name, error)
            broken.append(job.name)
    return json_response(200, {"jobs": summaries, "broken": sorted(broken)})


def _job_summary(job: Job, counts: Counts, own: WorkerStats, barred: int) -> dict[str, Any]:
    """Return what a worker sees of a job; `barred` is the number of tasks that they may not have.

    They answered an image of each of those before.
    """
    stopped = is_stopped(job, own)
    left, open_to_worker = max(0, job.answers - counts.done), job.tasks - barred - own.answers
    return {
        "job": job.name,
        "title": job.title,
        "question": job.question,
        "tasks": job.tasks,
        "project": job.project,
        "left": left,
        "left_for_you": 0 if stopped else max(0, min(left, open_to_worker)),
        "done_for_you": stopped or open_to_worker <= 0,
        **({"stopped": True} if stopped else {}),
        "mine": {"answers": own.answers, "images": own.images, "seconds": own.seconds},
        "minutes": job.seconds / 60,
        "closes": iso_time(job.closes),
    }


def claim_task(ports: Ports, site: Site, request: Request) -> Response:
    """Lease a task to the worker, the one they hold or the next: 204 when there is none now."""
    worker, showing = request.worker, _showing(request.body)
    keys = cursor_key(request.job, worker), stats_key(request.job, worker)
    job, (item, stats) = job_and_items(ports, request, *keys)
    if is_stopped(job, stats_of(stats)):  # what they have in hand they may still send
        return empty_response()
    require_qualified(ports, job, worker)
    cursor: WorkerCursor | None = cursor_of(item)
    avoid: set[int] = set()
    for _ in range(MAX_SKIPS):
        claimed = claim(ports, job, worker, showing, request.name, cursor, avoid)
        cursor = None  # the next round must read what this one wrote
        if claimed is None:
            return empty_response()
        # Only a task that the worker has is read and prepared: candidates would cost as much each.
        line = read_line(ports, job, claimed.task)
        if answered_before(ports, line, worker):
            leases.exclude(ports, job, worker, claimed.task)
            continue
        try:
            task_input = task_page.prepare(ports, job, line)
            if task_input is not None:
                return _claimed(ports, site, claimed, line, task_input)
            leases.drop_task(ports, job, claimed.task)
        except Unusable as error:  # the worker goes on with another one
            leases.note_failure(ports, job, worker, claimed.task, str(error))
            avoid.add(claimed.task)
    return empty_response(again=AGAIN_SECONDS)


def _claimed(
    ports: Ports, site: Site, claimed: Claim, line: bytes, task_input: dict[str, Any]
) -> Response:
    until, names = claimed.lease.until, _names(claimed.job, claimed.task, line)
    content = {
        "task": str(claimed.task),
        "lease": iso_time(until),
        "seconds": until - ports.clock(),
        "images": len(names),
        **_page(ports, site, claimed.job, hide_indexes(task_input, names), until),
    }
    if practice := practice_id(claimed.job):  # for the browser to show before the first page
        content["practice"] = practice
    return json_response(200, content)


def show_practice(ports: Ports, site: Site, request: Request) -> Response:
    """Show the job's practice page, with the label of each picture; nothing of it is stored."""
    job = job_for(ports, request)
    practice = practice_of(ports, job)
    content = {
        "practice": practice_id(job),
        "labels": practice.labels,
        "seconds": job.seconds,
        **_page(ports, site, job, practice.task_input, ports.clock() + job.seconds),
    }
    return json_response(200, content)


def show_qualification(ports: Ports, site: Site, request: Request) -> Response:
    """Show the pictures by which the worker may qualify, without their labels: 409 if not now."""
    is_requester = REQUESTERS in request.groups
    job = job_to_watch(ports, request) if is_requester else job_for(ports, request)
    test = qualification_of(ports, job)
    if not is_requester:  # who sees every task may look at these, too
        require_attempt(ports, job, standing(ports, job, request.worker))
    until = ports.clock() + job.seconds
    content = {
        "practice": practice_id(job),
        "seconds": job.seconds,
        "images": len(test.labels),
        **_page(ports, site, job, test.task_input, until, test.pictures),
    }
    return json_response(200, content)


def answer_qualification(ports: Ports, site: Site, request: Request) -> Response:
    """Judge the worker's qualification: how many pictures are right, and whether that is enough."""
    job = job_for(ports, request)
    judge(ports, job, request.worker, request.body)
    return json_response(200, describe(ports, job, request.worker))


def _showing(body: bytes) -> set[int]:
    """Return the tasks that the worker's page shows already."""
    if not body:
        return set()
    try:
        showing = msgspec.json.decode(body, type=dict[str, list[str]]).get("showing", [])
        return {int(task) for task in showing[:MAX_SHOWING]}
    except (msgspec.DecodeError, ValueError) as error:
        raise Invalid('The request is not {"showing": ["task", …]}.') from error


def answer_task(ports: Ports, site: Site, request: Request) -> Response:
    """Save the worker's answer: 200 saved, 409 surplus or different, 400 when it is wrong."""
    keys = submission_keys(request.job, request.worker, request.task)
    job, items = job_and_items(ports, request, *keys)
    number = _task_number(job, request)
    answer = _read_answer(job, number, read_line(ports, job, number), request)
    outcome = submit(ports, job, request.worker, number, answer, items)
    if outcome == "surplus" and job.status != FULL and not job.takes_answers(ports.clock()):
        return json_response(409, {"outcome": outcome, "message": ENDED})
    return json_response(200 if outcome == "saved" else 409, _told(outcome))


def _read_answer(job: Job, number: int, line: bytes, request: Request) -> Any:
    """Return the answer to a task in a request; raises `Invalid` if the kind of task has none."""
    indexes = _indexes(job, line)
    names = page_names(number, indexes or [])
    return read_answer(request.body, indexes, _choices(job, line), names, job.kind)


def _choices(job: Job, line: bytes) -> tuple[str, ...]:
    """Return what may be chosen on a task's page: all that the job knows, or what the task says."""
    of_page = page_choices_in(line) if job.is_multi else None
    return job.choices if of_page is None else tuple(of_page)


MESSAGES: dict[Outcome, str] = {
    "saved": "Saved.",
    "surplus": "Others had answered this page by the time your answer came, so it is not needed.",
    "different": "You sent other labels for this page before, and those are saved. "
    "Send it once more to correct them.",
}
"""What a worker is told of each outcome of an answer."""

ENDED = "This job ended before your answer came, so it is not kept."
"""Message on an answer that came after a job was stopped, or its time was up."""


def _told(outcome: Outcome) -> dict[str, str]:
    return {"outcome": outcome, "message": MESSAGES[outcome]}


def renew_lease(ports: Ports, site: Site, request: Request) -> Response:
    """Make the worker's lease last its full time again: 404 when the task went to somebody else."""
    job = job_for(ports, request)
    number = _task_number(job, request)
    lease = leases.renew(ports, job, request.worker, number)
    # The images' addresses end with the lease that they were signed for, so they are renewed too.
    content = {
        "lease": iso_time(lease.until),
        "seconds": lease.until - ports.clock(),
        "addresses": _addresses(ports, number, read_line(ports, job, number), lease.until),
    }
    return json_response(200, content)


def list_answers(ports: Ports, site: Site, request: Request) -> Response:
    """List the pages that the worker answered last, the newest first."""
    numbers = answered_tasks(ports, job_for(ports, request), request.worker)
    return json_response(200, {"tasks": [str(number) for number in numbers]})


def show_answer(ports: Ports, site: Site, request: Request) -> Response:
    """Show a page that the worker answered, with what they answered, to correct it."""
    job = job_for(ports, request)
    number = _task_number(job, request)
    answer = read_own_answer(ports, job, request.worker, number)
    line = read_line(ports, job, number)
    until, names = ports.clock() + job.seconds, _names(job, number, line)
    content = answer["answerContent"]
    choices = sets_in(content) if job.is_multi else choices_in(content)
    flags = read_flags(content)
    content = {
        "task": str(number),
        "sent": answer["submissionTime"],
        "choices": {name: choices[index] for name, index in names.items() if index in choices},
        "flags": {name: flags[index] for name, index in names.items() if index in flags},
        "seconds": job.seconds,
        **_page_of_task(ports, site, job, line, names, until),
        "addresses": _addresses(ports, number, line, until),
    }
    return json_response(200, content)


def correct_answer(ports: Ports, site: Site, request: Request) -> Response:
    """Save a correction, which counts instead of the worker's answer: 200 saved, 409 too late."""
    job = job_for(ports, request)
    number = _task_number(job, request)
    answer = _read_answer(job, number, read_line(ports, job, number), request)
    outcome = correct(ports, job, request.worker, number, answer)
    if outcome == "saved":
        return json_response(200, _told(outcome))
    message = "This job has ended, so its pages can no longer be corrected."
    return json_response(409, {"outcome": outcome, "message": message})


def skip_task(ports: Ports, site: Site, request: Request) -> Response:
    """Skip the task, which goes to others first: 409 for whoever skips more than they label."""
    job = job_for(ports, request)
    leases.skip(ports, job, request.worker, _task_number(job, request))
    return json_response(200, {"outcome": "returned"})


# ── A requester's view ───────────────────────────────────────────────────────────────────────────


def show_progress(ports: Ports, site: Site, request: Request) -> Response:
    """Report the job's progress."""
    return json_response(200, progress.progress(ports, job_to_watch(ports, request)))


def show_task(ports: Ports, site: Site, request: Request) -> Response:
    """Show a task as workers see it, with its answers, to look at and not to answer."""
    job = job_to_watch(ports, request)
    number = _task_number(job, request)
    line = read_line(ports, job, number)
    names = _names(job, number, line)
    content = {
        "task": str(number),
        **_page_of_task(ports, site, job, line, names, ports.clock() + PREVIEW_SECONDS),
        "images": [*names.values()],
        "answers": progress.answers_of(ports, job, number),
    }
    return json_response(200, content)


# ── What several views need ──────────────────────────────────────────────────────────────────────


def _task_number(job: Job, request: Request) -> int:
    if request.task >= job.tasks:
        raise Unknown("There is no such page.")
    return request.task


def _indexes(job: Job, line: bytes) -> list[str] | None:
    """Return the indexes that an answer to a task must name, or None for a custom task's."""
    return None if job.is_custom else indexes_of(line)


def _names(job: Job, number: int, line: bytes) -> dict[str, str]:
    """Return the index of each image of a task by its name on the page."""
    return page_names(number, _indexes(job, line) or [])


def _page_of_task(
    ports: Ports, site: Site, job: Job, line: bytes, names: Mapping[str, str], until: float
) -> dict[str, Any]:
    """Return the page of a task by the names of its images; `Unknown` if it is not for people."""
    task_input = task_page.prepare(ports, job, line)
    if task_input is None:
        raise Unknown("The pre-annotation function keeps this task from people.")
    return _page(ports, site, job, hide_indexes(task_input, names), until)


def _page(
    ports: Ports,
    site: Site,
    job: Job,
    task_input: dict[str, Any],
    until: float,
    pictures: Collection[str] = (),
) -> dict[str, Any]:
    """Return the page of an input, with what its frame needs, for the content of a response.

    Its images can be loaded until the given time; `pictures` are shown whatever the job's rule of
    sources says: those that Tessera copied.
    """
    page = task_page.render(
        _template(ports.files.get, job.page),
        task_input,
        grant(ports, until, job.sources, pictures),
        stand_ins=task_page.StandIns(
            read_file(site.ui / "crowd-form.js"), read_file(site.ui / "crowd-elements.js")
        ),
        bridge=read_file(site.ui / "portal" / "words.js")
        + read_file(site.ui / "portal" / "page.js"),
        aws=site.aws_crowd,
        custom=job.is_custom,
    )
    return {"page": page.html, "crowd": page.crowd}


def _addresses(ports: Ports, task: int, line: bytes, until: float) -> dict[str, str]:
    """Return the addresses of a task's images by their names on the page, until the given time.

    Where the page shows a smaller copy, the original's stands beside it, for the zoom.
    """
    sources, sign = sources_of(line), grant(ports, until)
    names = page_names(task, indexes_of(line) or [])
    if not sources:
        return {}
    addresses = {name: sign(sources[index]) for name, index in names.items()}
    originals = {name: original_uri(sources[index]) for name, index in names.items()}
    return addresses | {f"{name}-original": sign(uri) for name, uri in originals.items() if uri}


@lru_cache(maxsize=8)  # a job's page does not change while the job is open
def _template(get: Callable[[str], bytes], uri: str) -> str:
    return get(uri).decode()


def iso_time(seconds: float) -> str:
    """Return a time for the page.

    >>> iso_time(0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()[:-6] + "Z"
