"""Sessions: sign-ins of workers, ended before their tokens are.

A token is good for an hour, whatever became of its sign-in. So the table has a mark of each worker
who was removed or had to sign in again, and of each sign-in that its worker ended. Every request
reads the marks together with its job, which costs no call of its own: a token ends at once
(docs/decisions/portal-sessions.md).
"""

from __future__ import annotations

from tessera.portal.errors import Removed, Unauthorized
from tessera.portal.http import Request
from tessera.portal.ports import Ports
from tessera.portal.store import Change, Item, Key
from tessera.portal.table_layout import removed_key, session_key

LONGEST_TOKEN = 24 * 3600
"""Seconds for which the table remembers that a sign-in was ended: Cognito's longest for a token
that opens the portal. A refresh token is ended at Cognito itself."""


def mark_keys(request: Request) -> tuple[Key, Key]:
    """Return the keys of the marks that may end the requester's sign-in."""
    return removed_key(request.worker), session_key(request.session)


def check_marks(request: Request, worker: Item | None, session: Item | None) -> None:
    """Refuse a worker who was removed, or whose sign-in was ended."""
    worker = worker or {}
    if "since" in worker:
        raise Removed(
            "Your account was removed from this portal. The answers that you sent are kept."
        )
    if session is not None or request.signed_in < worker.get("signed_out", 0):
        raise Unauthorized("You were signed out. Please sign in again.")


def require_active(ports: Ports, request: Request) -> None:
    """Refuse a worker who was removed, or whose sign-in was ended."""
    check_marks(request, *ports.table.get(*mark_keys(request)))


def end_session(ports: Ports, request: Request) -> None:
    """End the sign-in that the request was made with; the worker's others go on."""
    if not request.session:  # a token that does not name its sign-in: all that began before end
        end_sessions(ports, request.worker, request.signed_in + 1)
        return
    now = ports.clock()
    mark = {"ended": now, "expires": int(now) + LONGEST_TOKEN}
    ports.table.write(Change("put", session_key(request.session), mark))


def end_sessions(ports: Ports, worker: str, before: float | None = None) -> float:
    """End all sign-ins of a worker that began before a time; without one, all until now.

    Returns that time: whoever signs in before it has come must do so again.
    """
    # Tokens know whole seconds, so those of the second that has begun are ended, too.
    moment = int(ports.clock()) + 1 if before is None else before
    # Not put: a mark that the worker was removed must stay.
    ports.table.write(Change("add", removed_key(worker), sets={"signed_out": moment}))
    return moment
