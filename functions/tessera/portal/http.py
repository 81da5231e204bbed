"""HTTP requests and responses of the portal, free of any framework.

A request is read from an event of API Gateway's payload format 2.0, whose authorizer has checked
the token: its claims say who the worker is, so no view takes a worker's name from the request.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from tessera.portal.answer_body import MAX_BYTES
from tessera.portal.errors import Invalid, TooLarge, Unknown

SAFE_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    # two years, in which a browser that came once never asks over plain HTTP
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    # A proxy or a hotel's network answers in the portal's place, with any status and any content;
    # the page believes only what carries this.
    "tessera": "portal",
}
"""Headers of every response (docs/threat-model.md)."""

JOB = re.compile(r"[A-Za-z0-9-]{1,63}")
RUN = JOB
TASK = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class Request:
    """Request whose token, if it has one, was checked.

    `worker` is the pool's identifier of whoever asks, empty without a token; `name` is what
    requesters see of them; `session` names the sign-in, which all tokens renewed from it share, and
    `signed_in` is its time in seconds since the epoch; `parts` are the variable parts of the path,
    by name.
    """

    body: bytes
    query: str
    parts: Mapping[str, str]
    worker: str
    name: str
    groups: frozenset[str]
    session: str = ""
    signed_in: float = 0.0

    @property
    def job(self) -> str:
        """Name of the job in the path; raises `Unknown` if it can be none."""
        return self._part("job", JOB)

    @property
    def task(self) -> int:
        """Number of the task in the path; raises `Unknown` if it can be none."""
        return int(self._part("task", TASK))

    @property
    def run(self) -> str:
        """Name of the run in the path; raises `Unknown` if it can be none."""
        return self._part("run", RUN)

    @property
    def index(self) -> int:
        """Line of the image in the path; raises `Unknown` if it can be none."""
        return int(self._part("index", TASK))

    def _part(self, name: str, pattern: re.Pattern[str]) -> str:
        # The router lets through what any path may hold; these parts become keys and file names.
        if not pattern.fullmatch(self.parts[name]):
            raise Unknown("There is no such page.")
        return self.parts[name]


class Response(NamedTuple):
    """Response with its headers, whose names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: str


def read_request(event: Mapping[str, Any], parts: Mapping[str, str]) -> Request:
    """Return the request in an API Gateway event; raises `TooLarge` before the body is decoded."""
    body = event.get("body") or ""
    is_base64 = bool(event.get("isBase64Encoded"))
    length = len(body) * (3 / 4 if is_base64 else 1)
    if length > MAX_BYTES + 4:  # base64 fills up its last four characters
        raise TooLarge(f"A request may have {MAX_BYTES // 1024} KiB.")
    claims = event["requestContext"].get("authorizer", {}).get("jwt", {}).get("claims", {})
    if claims.get("token_use", "id") not in {"id", "access"}:  # a refresh token opens nothing
        claims = {}
    # An id token has the email, an access token only a username; either opens the portal.
    names = (claims.get(claim) for claim in ("email", "cognito:username", "username"))
    return Request(
        body=_decode(body, is_base64),
        query=event.get("rawQueryString", ""),
        parts=parts,
        worker=str(claims.get("sub", "")),
        name=str(next(filter(None, names), "")),
        groups=frozenset(groups_in(claims.get("cognito:groups", ""))),
        session=str(claims.get("origin_jti", "")),
        # A refreshed token keeps the time of its sign-in; `iat` stands in where a pool has none.
        signed_in=float(claims.get("auth_time") or claims.get("iat") or 0),
    )


def _decode(body: str, is_base64: bool) -> bytes:
    """Return a body's bytes; API Gateway encodes those of content types that it takes for binary.

    Raises `Invalid` for what is neither: it is as wrong the second time, and no fault of ours.
    """
    try:
        return base64.b64decode(body) if is_base64 else body.encode()
    except ValueError as error:  # which both of them raise a kind of
        raise Invalid("The request's body is neither text nor base64.") from error


def groups_in(claim: str | list[str]) -> list[str]:
    """Return the groups of a token; API Gateway writes the list as text.

    >>> groups_in("[requesters cats]")
    ['requesters', 'cats']
    """
    return claim if isinstance(claim, list) else re.findall(r"[^\s,\[\]\"]+", claim)


def json_response(status: int, content: Any) -> Response:
    """Return a response in JSON, which no browser keeps or shows as a page."""
    headers = {
        "content-type": "application/json",
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    }
    return Response(status, SAFE_HEADERS | headers, msgspec.json.encode(content).decode())


def empty_response(again: int | None = None) -> Response:
    """Return a response without content; `again` is after how many seconds to ask again."""
    headers = {"cache-control": "no-store"} | ({"retry-after": str(again)} if again else {})
    return Response(204, SAFE_HEADERS | headers, "")


def page_response(body: str, content_type: str, policy: str) -> Response:
    """Return a response with a page or a part of one, under a content security policy.

    It is asked for again each time, so that a deployment is seen at once.
    """
    headers = {
        "content-type": f"{content_type}; charset=utf-8",
        "cache-control": "no-cache",
        "content-security-policy": policy,
    }
    return Response(200, SAFE_HEADERS | headers, body)
