"""The portal's HTTP door: a request of API Gateway's payload format 2.0 in, a response out.

Public: the page, its assets, the frame. Everything else carries a token that the authorizer has
checked; its claims say who the worker is, so no route takes a worker's name from the request.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from tessera.portal import claims, progress, records, task_page
from tessera.portal.answer_body import MAX_BYTES, read_answer
from tessera.portal.errors import Busy, Invalid, PortalError, TooLarge, TooMany, Unknown
from tessera.portal.job_lifecycle import open_jobs
from tessera.portal.ports import Ports
from tessera.portal.records import Job
from tessera.portal.store import Key
from tessera.portal.submissions import submit
from tessera.portal.table_layout import read_counts, stats_key, stats_of

Response: TypeAlias = dict[str, Any]

REQUESTERS = "requesters"
"""The group that sees progress and every task."""

REQUESTS_PER_MINUTE = 240
"""Requests a worker may make in a minute. Twenty pages a minute, each with its claim, its answer
and a renewal, take 60; what is more is a script."""

MAX_SKIPS = 10
"""Tasks looked at in one claim that turn out to be not for this worker, or not for people."""

SAFE_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


@dataclass(frozen=True)
class Site:
    """Where the pages lie, and how the browser signs in."""

    ui: Path
    cognito: str
    client: str
    region: str
    aws_crowd: bool = False
    rate: int = REQUESTS_PER_MINUTE


@dataclass(frozen=True)
class Request:
    """A request whose token, if it has one, was checked."""

    method: str
    path: str
    body: bytes
    worker: str
    name: str
    query: str
    groups: frozenset[str]
    parts: dict[str, str] = field(default_factory=dict)


def read_request(event: Mapping[str, Any]) -> Request:
    """The request in an API Gateway event."""
    http = event["requestContext"]["http"]
    claims_ = event["requestContext"].get("authorizer", {}).get("jwt", {}).get("claims", {})
    body = event.get("body") or ""
    length = len(body) * (3 / 4 if event.get("isBase64Encoded") else 1)
    if length > MAX_BYTES + 4:
        raise TooLarge(f"A request may have {MAX_BYTES // 1024} KiB.")
    data = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    path = event["rawPath"]
    stage = event["requestContext"].get("stage", "$default")
    if stage != "$default":
        path = path.removeprefix(f"/{stage}")
    return Request(
        method=http["method"],
        path="/" + path.strip("/"),
        body=data,
        worker=str(claims_.get("sub", "")),
        name=str(
            claims_.get("email") or claims_.get("cognito:username") or claims_.get("username", "")
        ),
        query=event.get("rawQueryString", ""),
        groups=frozenset(groups_in(claims_.get("cognito:groups", ""))),
    )


def groups_in(claim: str | list[str]) -> list[str]:
    """The groups of a token; API Gateway writes the list as text.

    >>> groups_in("[requesters cats]")
    ['requesters', 'cats']
    """
    return claim if isinstance(claim, list) else re.findall(r"[^\s,\[\]\"]+", claim)


def respond(ports: Ports, site: Site, event: Mapping[str, Any]) -> Response:
    """The response to an API Gateway event; what the portal refuses, it refuses with a sentence."""
    try:
        request = read_request(event)
        for method, pattern, route in ROUTES:
            if match := re.fullmatch(pattern, request.path):
                if request.method != method:
                    continue
                known = replace(request, parts=match.groupdict())
                if route not in PUBLIC:
                    _admit(ports, site, known)
                return route(ports, site, known)
        raise Unknown("There is no such page.")
    except PortalError as error:
        return json_response(error.status, {"message": str(error)})


def _admit(ports: Ports, site: Site, request: Request) -> None:
    """Let a worker with a token in, unless he asks too often."""
    if not request.worker:
        raise Unauthorized("Please sign in.")
    minute = int(ports.clock() // 60)
    rate = Key(f"rate#{request.worker}", str(minute))
    if ports.table.count(rate, "requests", expires=(minute + 5) * 60) > site.rate:
        raise TooMany("That was a lot at once. Please wait a minute.")


class Unauthorized(PortalError):
    """The request carries no checked token."""

    status = 401


def json_response(status: int, content: Any) -> Response:
    """A response in JSON."""
    return {
        "statusCode": status,
        "headers": SAFE_HEADERS
        | {
            "content-type": "application/json",
            "cache-control": "no-store",
            "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        },
        "body": msgspec.json.encode(content).decode(),
    }


def page_response(body: str, kind: str, policy: str, *, seconds: int = 0) -> Response:
    """A response with a page or a part of one."""
    cache = f"max-age={seconds}" if seconds else "no-cache"
    headers = {"content-type": f"{kind}; charset=utf-8", "cache-control": cache}
    return {
        "statusCode": 200,
        "headers": SAFE_HEADERS | headers | {"content-security-policy": policy},
        "body": body,
    }


@lru_cache(maxsize=32)
def _file(path: Path, changed: int) -> str:
    return path.read_text("utf-8")


def read_file(path: Path) -> str:
    """A page's text, read again when the file has changed."""
    return _file(path, path.stat().st_mtime_ns)


# ── Pages ────────────────────────────────────────────────────────────────────────────────────────


def show_portal(ports: Ports, site: Site, request: Request) -> Response:
    """The page a worker signs in to and works on."""
    from liquid import Environment

    page = Environment(autoescape=True).from_string(
        read_file(site.ui / "portal" / "index.liquid.html")
    )
    html = page.render(cognito=site.cognito, client=site.client, region=site.region)
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src 'self' {site.cognito}; frame-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )
    return page_response(html, "text/html", policy)


ASSETS = {"portal.js": "text/javascript", "portal.css": "text/css", "icon.svg": "image/svg+xml"}


def show_asset(ports: Ports, site: Site, request: Request) -> Response:
    """A script or a style sheet of the page."""
    name = request.parts["name"]
    if name not in ASSETS:
        raise Unknown("There is no such page.")
    return page_response(read_file(site.ui / "portal" / name), ASSETS[name], "default-src 'none'")


def show_frame(ports: Ports, site: Site, request: Request) -> Response:
    """The sandbox that a requester's page runs in: scripts, and no way to the portal's token."""
    crowd = " https://assets.crowd.aws" if site.aws_crowd and request.query == "crowd=aws" else ""
    policy = (
        f"sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'{crowd}; "
        f"style-src 'unsafe-inline'{crowd}; font-src data:{crowd}; img-src * data: blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
    return page_response(read_file(site.ui / "portal" / "frame.html"), "text/html", policy)


# ── A worker's work ──────────────────────────────────────────────────────────────────────────────


def show_me(ports: Ports, site: Site, request: Request) -> Response:
    """Who is signed in."""
    claims.require_active(ports, request.worker)
    requester = REQUESTERS in request.groups
    return json_response(
        200, {"worker": request.worker, "name": request.name, "requester": requester}
    )


def list_jobs(ports: Ports, site: Site, request: Request) -> Response:
    """The open jobs of the worker: the question, the tasks left, what he did."""
    claims.require_active(ports, request.worker)
    listed = []
    for job in open_jobs(ports):
        if job.team and job.team not in request.groups and REQUESTERS not in request.groups:
            continue
        counts = read_counts(ports.table, job)
        mine = stats_of(ports.table.get(stats_key(job.name, request.worker))[0])
        left = max(0, job.answers - counts.answered - counts.excused)
        listed.append(
            {
                "job": job.name,
                "title": job.title,
                "question": job.question,
                "tasks": job.tasks,
                "left": left,
                "mine": {"answers": mine.answers, "images": mine.images, "seconds": mine.seconds},
                "minutes": job.seconds / 60,
                "closes": iso(job.closes),
            }
        )
    return json_response(200, {"jobs": listed})


def iso(when: float) -> str:
    """A moment for the page.

    >>> iso(0)
    '1970-01-01T00:00:00Z'
    """
    return datetime.fromtimestamp(int(when), UTC).isoformat()[:-6] + "Z"


def claim_task(ports: Ports, site: Site, request: Request) -> Response:
    """The worker's next page, or the one he holds; 204 when there is none for him now."""
    job = _job(ports, request)
    showing = _showing(request.body)
    for _ in range(MAX_SKIPS):
        claimed = claims.claim(ports, job, request.worker, showing, request.name)
        if claimed is None:
            return {"statusCode": 204, "headers": SAFE_HEADERS | {"cache-control": "no-store"}}
        line = task_page.read_line(ports, job, claimed.task)
        if task_page.answered_before(ports, line, request.worker):
            claims.exclude(ports, job, request.worker, claimed.task)
        elif (task_input := task_page.prepare(ports, job, line)) is None:
            claims.drop_task(ports, job, claimed.task)
        else:
            break
    else:
        raise Busy("Looking for a page that you have not had. One moment.")
    page = _render(ports, site, job, task_input, claimed.lease.until)
    return json_response(
        200,
        {
            "task": str(claimed.task),
            "lease": iso(claimed.lease.until),
            "seconds": claimed.lease.until - ports.clock(),
            "images": len(task_page.indexes_of(line) or ()),
            "page": page.html,
            "crowd": page.crowd,
        },
    )


def _showing(body: bytes) -> set[int]:
    """The tasks that the worker's page has already."""
    if not body:
        return set()
    try:
        showing = msgspec.json.decode(body, type=dict[str, list[str]]).get("showing", [])
        return {int(task) for task in showing[:8]}
    except (msgspec.DecodeError, ValueError) as error:
        raise Invalid('The request is not {"showing": ["task", …]}.') from error


def _render(
    ports: Ports, site: Site, job: Job, task_input: dict[str, Any], until: float
) -> task_page.Page:
    seconds = max(1, int(until - ports.clock()))

    def grant(uri: str) -> str:
        return ports.files.presign(uri, seconds) if uri.startswith("s3://") else uri

    return task_page.render(
        _template(ports.files.get, job.page),
        task_input,
        grant,
        stand_in=read_file(site.ui / "crowd-form.js"),
        bridge=read_file(site.ui / "portal" / "page.js"),
        aws=site.aws_crowd,
    )


@lru_cache(maxsize=8)
def _template(read: Callable[[str], bytes], uri: str) -> str:
    """A job's page; it does not change while the job is open."""
    return read(uri).decode()


def answer_task(ports: Ports, site: Site, request: Request) -> Response:
    """Save the worker's answer: 200 saved, 409 surplus, 400 with a sentence when it is wrong."""
    job = _job(ports, request)
    number = _number(job, request)
    line = task_page.read_line(ports, job, number)
    answer = read_answer(request.body, task_page.indexes_of(line), job.choices)
    outcome = submit(ports, job, request.worker, number, answer)
    if outcome == "saved":
        return json_response(200, {"outcome": outcome, "message": "Saved."})
    message = "Others had answered this page by the time your answer came, so it is not needed."
    return json_response(409, {"outcome": outcome, "message": message})


def renew_lease(ports: Ports, site: Site, request: Request) -> Response:
    """Keep the worker's seat for another full time."""
    job = _job(ports, request)
    lease = claims.renew(ports, job, request.worker, _number(job, request))
    seconds = lease.until - ports.clock()
    return json_response(200, {"lease": iso(lease.until), "seconds": seconds})


def skip_task(ports: Ports, site: Site, request: Request) -> Response:
    """Give the worker's seat to another."""
    job = _job(ports, request)
    claims.give_back(ports, job, request.worker, _number(job, request))
    return json_response(200, {"outcome": "returned"})


def _job(ports: Ports, request: Request) -> Job:
    return claims.job_for(ports, request.parts["job"], request.worker, request.groups)


def _number(job: Job, request: Request) -> int:
    number = int(request.parts["task"])
    if number >= job.tasks:
        raise Unknown("There is no such page.")
    return number


# ── A requester's view ───────────────────────────────────────────────────────────────────────────


def show_progress(ports: Ports, site: Site, request: Request) -> Response:
    """How a job stands, for requesters only."""
    job = _requested(ports, request)
    return json_response(200, progress.progress(ports, job))


def show_task(ports: Ports, site: Site, request: Request) -> Response:
    """A task as workers see it, with what was answered, to look at and not to answer."""
    job = _requested(ports, request)
    number = _number(job, request)
    line = task_page.read_line(ports, job, number)
    task_input = task_page.prepare(ports, job, line)
    if task_input is None:
        raise Unknown("The pre-annotation function keeps this task from people.")
    page = _render(ports, site, job, task_input, ports.clock() + records.GRACE * 10)
    answers = progress.answers_of(ports, job, number)
    return json_response(
        200, {"task": str(number), "page": page.html, "crowd": page.crowd, "answers": answers}
    )


def _requested(ports: Ports, request: Request) -> Job:
    if REQUESTERS not in request.groups:
        raise Unknown("There is no such page.")
    return claims.job_for(ports, request.parts["job"], request.worker, request.groups | {"*"})


JOB = r"/jobs/(?P<job>[A-Za-z0-9-]{1,63})"
TASK = JOB + r"/tasks/(?P<task>[0-9]{1,9})"
ROUTES: list[tuple[str, str, Callable[[Ports, Site, Request], Response]]] = [
    ("GET", r"/", show_portal),
    ("GET", r"/assets/(?P<name>[a-z.]{1,20})", show_asset),
    ("GET", r"/frame", show_frame),
    ("GET", r"/me", show_me),
    ("GET", r"/jobs", list_jobs),
    ("POST", JOB + r"/claims", claim_task),
    ("PUT", TASK + r"/answer", answer_task),
    ("PUT", TASK + r"/lease", renew_lease),
    ("DELETE", TASK + r"/lease", skip_task),
    ("GET", JOB, show_progress),
    ("GET", TASK, show_task),
]
PUBLIC = {show_portal, show_asset, show_frame}
