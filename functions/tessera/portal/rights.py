"""Rights: who may ask what of the portal, by the checked token and by the job's team."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

from tessera.portal.errors import TooMany, Unauthorized, Unknown, UnknownJob
from tessera.portal.http import Request
from tessera.portal.ports import Ports
from tessera.portal.records import Job
from tessera.portal.sessions import check_marks, mark_keys
from tessera.portal.site import Site
from tessera.portal.store import Item, Key
from tessera.portal.table_layout import job_key, job_of, rate_key

REQUESTERS = "requesters"
"""Cognito group whose members see progress and every task."""


REVIEWERS = "reviewers"
"""Cognito group whose members decide pictures of reviews: those for all, and those of a team that
they are in, too."""


def may_review(groups: Collection[str], team: str) -> bool:
    """Return whether a member of these groups may decide a review for a team, or for all."""
    return REQUESTERS in groups or (REVIEWERS in groups and (not team or team in groups))


class Rights(Enum):
    """Right to ask a route; the value is what the documentation says of who has it."""

    PUBLIC = "anybody"
    WORKER = "a signed-in worker"
    REVIEWER = "a member of the group `reviewers` or `requesters`"
    REQUESTER = "a member of the group `requesters`"

    def check(self, ports: Ports, site: Site, request: Request) -> None:
        """Raise what the portal refuses a request with that these rights do not allow.

        Only requests with a token are counted: a public one costs no read of the table.
        """
        if self is Rights.PUBLIC:
            return
        _require_token(request)
        _limit_rate(ports, site, request)
        # Not found, not forbidden: a worker need not know what there is for requesters.
        if not self._groups <= request.groups and REQUESTERS not in request.groups:
            raise Unknown("There is no such page.")

    @property
    def _groups(self) -> frozenset[str]:
        """Groups that whoever asks must be in, unless they are a requester."""
        needed = {Rights.REVIEWER: {REVIEWERS}, Rights.REQUESTER: {REQUESTERS}}
        return frozenset(needed.get(self, ()))


def _require_token(request: Request) -> None:
    """Refuse a request without claims of a checked token.

    The API's authorizer refuses it before; here falls what its routes did not match.
    """
    if not request.worker:
        raise Unauthorized("Please sign in.")


def _limit_rate(ports: Ports, site: Site, request: Request) -> None:
    """Refuse a worker who asks too often; the table forgets a minute's count soon after it."""
    # A count a minute needs no reading before it is written, and no lock.
    minute = int(ports.clock() // 60)
    requests = ports.table.count(
        rate_key(request.worker, minute), "requests", expires=(minute + 5) * 60
    )
    if requests > site.requests_per_minute:
        raise TooMany("That was a lot at once. Please wait a minute.")


def is_member(job: Job, request: Request) -> bool:
    """Return whether whoever asks may work on the job: it is for all, or for a team of theirs."""
    return not job.team or job.team in request.groups


def job_for(ports: Ports, request: Request) -> Job:
    """Return the job in the request's path, if whoever asks may work on it.

    Raises `UnknownJob` if not, `Removed` or `Unauthorized` if their sign-in was ended.
    """
    return job_and_items(ports, request)[0]


def job_and_items(ports: Ports, request: Request, *keys: Key) -> tuple[Job, list[Item | None]]:
    """Return the job as `job_for` does, and the items at other keys, read together."""
    job, items = _read_job(ports, request, *keys)
    if not is_member(job, request):
        raise UnknownJob("There is no such job.")
    return job, items


def job_to_watch(ports: Ports, request: Request) -> Job:
    """Return the job in the path of a requester's request, whatever team it is for."""
    return _read_job(ports, request)[0]


def _read_job(ports: Ports, request: Request, *keys: Key) -> tuple[Job, list[Item | None]]:
    # One read for all: each claim and each answer begins with it.
    marks = mark_keys(request)
    job_item, *items = ports.table.get(job_key(request.job), *marks, *keys)
    check_marks(request, *items[: len(marks)])
    return job_of(job_item), items[len(marks) :]
