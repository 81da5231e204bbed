"""Show the portal of this machine's stack to other machines, and nothing else of it.

The embedded AWS stays at 127.0.0.1 with its key. This application listens in its place and passes
on the portal's pages and API, by the portal's own table of routes, the calls of a sign-in, and
reads of pictures whose address the portal signed. Addresses in the responses are those that the
browser came by. Why, and what it refuses: docs/decisions/portal-for-a-team.md.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from tessera.portal.answer_body import MAX_BYTES
from tessera.portal.routes import ROUTES
from tessera.stack.guard import SIGN_IN_CALLS

HOST = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
"""Form of a `Host`: it becomes part of pages and headers, so it holds no other character."""
PART = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+"
"""Variable part of a path: no slash, no percent sign, nothing that leads out of its folder."""
MAX_BODY = 2 * MAX_BYTES
"""Bytes of a request: the portal refuses an answer of more than half of it."""
SIGN_IN_CALLS_A_MINUTE = 30
"""Calls of a sign-in from one machine. A person's take four with a new password and a second
factor, and one an hour later on; a class at one address signs in within some minutes."""
REQUESTS_A_MINUTE = 1_200
"""Requests from one machine: a page with its pictures is some 25, and a quick worker sees six pages
a minute. What is more is a script."""
MOST_CLIENTS = 10_000
"""Addresses whose requests are counted; beyond, those that were quiet longest are forgotten."""
PASSED_ON = ("accept", "content-type", "range", "if-none-match", "if-modified-since", "user-agent")
"""Headers of a request that its answer may depend on. None names who asks: the portal takes that
from the token alone."""
OWN_CONNECTION = {
    "connection", "keep-alive", "transfer-encoding", "upgrade", "server", "date",
    # It would hold for every service of this name, for two years, whatever its port.
    "strict-transport-security",
}  # fmt: skip
"""Headers of a response that are of its connection, or promise something for the whole machine."""
REWRITTEN = ("text/html", "application/json")
"""Types of responses that may hold addresses of the stack."""


class Refusal(Exception):
    """Request that is not passed on: its HTTP status, and why in a sentence."""

    def __init__(self, status: int, reason: str, kind: str = "AccessDeniedException") -> None:
        """Keep status, reason, and Cognito's word for it."""
        super().__init__(reason)
        self.status, self.kind = status, kind


@dataclass
class RateLimit:
    """Limit of requests a minute for each client; `clock` counts seconds."""

    a_minute: int
    clock: Callable[[], float] = time.monotonic
    _recent: dict[str, deque[float]] = field(default_factory=dict)

    def check(self, client: str) -> None:
        """Count a request; Refusal if the client made too many within the last minute."""
        now = self.clock()
        recent = self._recent.pop(client, None) or deque()
        while recent and recent[0] <= now - 60:
            recent.popleft()
        self._recent[client] = recent  # at the end: the first one was quiet longest
        if len(self._recent) > MOST_CLIENTS:
            del self._recent[next(iter(self._recent))]
        if len(recent) >= self.a_minute:
            raise Refusal(429, "These are too many requests.", "TooManyRequestsException")
        recent.append(now)


def client_of(host: str) -> str:
    """Return what a client is counted by: its address, of IPv6 the network that is one machine's.

    >>> client_of("192.168.1.7"), client_of("2001:db8::1:2:3:4"), client_of("")
    ('192.168.1.7', '2001:db8::', '')
    """
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address) and not address.ipv4_mapped:
        return str(IPv6Address(int(address) >> 64 << 64))
    return str(address)


def route_pattern(path: str) -> re.Pattern[str]:
    """Return the pattern of a route's paths as a browser sends them.

    >>> bool(route_pattern("/jobs/<job>/claims").fullmatch("/jobs/pets-r1-000/claims"))
    True
    >>> bool(route_pattern("/assets/<name>").fullmatch("/assets/.."))
    False
    """
    return re.compile(re.sub(r"<\w+>", lambda _: PART, re.escape(path)))


PATTERNS = tuple((route.method, route_pattern(route.path)) for route in ROUTES)


def is_portals(method: str, path: str) -> bool:
    """Return whether the portal has a route for this method and path."""
    return any(method == known and pattern.fullmatch(path) for known, pattern in PATTERNS)


def is_picture(method: str, query: str) -> bool:
    """Return whether a request reads an object by an address that was signed for it.

    The guard before the embedded AWS checks the signature.
    """
    if method not in {"GET", "HEAD"}:
        return False
    fields = parse_qs(query, keep_blank_values=True)
    scope = fields.get("X-Amz-Credential", [""])[0].split("/")
    # Signed and without an end would be a key; lists and copies are other queries than these.
    known = all(name.startswith(("X-Amz-", "response-content-")) for name in fields)
    return known and {"X-Amz-Signature", "X-Amz-Expires"} <= fields.keys() and scope[3:4] == ["s3"]


class Front:
    """Application that other machines talk to; `endpoint` and `api` are where the portal is."""

    def __init__(
        self,
        endpoint: str,
        api: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Pass requests to the portal `api` of the embedded AWS at `endpoint`."""
        self._endpoint, self._portal = endpoint, f"/_aws/execute-api/{api}"
        self._transport = transport
        self._requests = RateLimit(REQUESTS_A_MINUTE, clock)
        self._sign_ins = RateLimit(SIGN_IN_CALLS_A_MINUTE, clock)

    def app(self) -> Router:
        """Return the ASGI application."""

        @asynccontextmanager
        async def lifespan(_: Any) -> AsyncIterator[None]:
            # A cold function takes seconds; more than these connections wait for a free one.
            async with httpx.AsyncClient(
                transport=self._transport,
                timeout=httpx.Timeout(60, pool=60),
                limits=httpx.Limits(max_connections=64),
                verify=False,  # of the stack, which speaks plain HTTP on this machine
                trust_env=False,  # a proxy of this machine's has nothing to do with it
            ) as self._client:
                yield

        # Without routes of its own: those match a path that was decoded, and a key may be any text.
        return Router(default=self._serve, lifespan=lifespan)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # no page of ours opens a web socket
            await send({"type": "websocket.close"})
            return
        response = await self.respond(Request(scope, receive))
        await response(scope, receive, send)

    async def respond(self, request: Request) -> Response:
        """Answer a request, or refuse it with a sentence."""
        try:
            return await self._pass_on(request)
        except Refusal as refusal:
            # Without `error`: that is the portal's own verdict, after which no answer waits longer.
            content = {"__type": refusal.kind, "message": str(refusal)}
            return JSONResponse(content, refusal.status, {"cache-control": "no-store"})
        except httpx.TransportError:
            content = {"message": "The portal does not answer. Please try again in a minute."}
            return JSONResponse(content, 503, {"retry-after": "30", "cache-control": "no-store"})
        except ClientDisconnect:  # nobody is left to answer
            return Response(status_code=400)

    async def _pass_on(self, request: Request) -> Response:
        client = client_of(request.client.host if request.client else "")
        self._requests.check(client)
        origin = own_origin(request.headers, request.url.scheme)
        path, query = raw_target(request)
        if is_picture(request.method, query):  # which a frame without an origin shows
            return await self._picture(request, f"{path}?{query}")
        check_asker(request.method, request.headers, origin)
        call = request.headers.get("x-amz-target", "")
        if request.method == "POST" and path == "/" and call in SIGN_IN_CALLS:
            self._sign_ins.check(client)
            return await self._ask(request, "/", {"x-amz-target": call}, origin)
        if is_portals(request.method, path):
            token = request.headers.get("authorization", "")
            return await self._ask(
                request,
                f"{self._portal}{path}" + (f"?{query}" if query else ""),
                {"authorization": token} if token else {},
                origin,
            )
        raise Refusal(404 if request.method == "GET" else 403, "There is no such page.")

    def _request(
        self, request: Request, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> httpx.Request:
        """Return the request to the stack, with its target byte for byte as it was signed."""
        kept = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        return self._client.build_request(
            request.method,
            self._endpoint,
            headers=kept | {"accept-encoding": "identity"} | dict(headers),
            content=body,
            extensions={"target": target.encode("latin-1")},
        )

    async def _picture(self, request: Request, target: str) -> Response:
        """Pass a picture on as it comes, so that large ones are never held whole."""
        response = await self._client.send(self._request(request, target, {}), stream=True)
        return StreamingResponse(
            response.aiter_raw(),
            response.status_code,
            own_headers(response),
            background=BackgroundTask(response.aclose),
        )

    async def _ask(
        self, request: Request, target: str, headers: Mapping[str, str], origin: str
    ) -> Response:
        """Pass on a request of the portal's page, with this front's addresses in the response."""
        body = await read_body(request)
        response = await self._client.send(self._request(request, target, headers, body))
        content, sent = response.content, own_headers(response)
        sent.pop("content-length", None)
        if response.headers.get("content-type", "").startswith(REWRITTEN):
            content = content.replace(self._endpoint.encode(), origin.encode())
        if policy := sent.get("content-security-policy"):
            sent["content-security-policy"] = policy.replace(self._endpoint, origin)
        return Response(content, response.status_code, sent)


def own_origin(headers: Mapping[str, str], scheme: str) -> str:
    """Return the origin that the browser came by; Refusal if its name can be no host's."""
    host = headers.get("host", "")
    if not HOST.fullmatch(host):
        raise Refusal(421, "This is no service of that name.")
    return f"{scheme}://{host}"


def check_asker(method: str, headers: Mapping[str, str], own: str) -> None:
    """Refuse a request that a page of another origin makes; people may follow its links."""
    if headers.get("origin") not in {None, own}:
        raise Refusal(403, "Pages of other sites may not call this service.")
    followed = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
    if headers.get("sec-fetch-site") == "cross-site" and not followed:
        raise Refusal(403, "Pages of other sites may not call this service.")


def raw_target(request: Request) -> tuple[str, str]:
    """Return path and query as they were sent: a signature covers their very bytes."""
    raw: bytes = request.scope.get("raw_path") or urlsplit(str(request.url)).path.encode()
    query: bytes = request.scope["query_string"]
    return raw.partition(b"?")[0].decode("latin-1"), query.decode("latin-1")


async def read_body(request: Request) -> bytes:
    """Read a request's body; Refusal if it is longer than any answer."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise Refusal(413, "The request is too large.")
    return bytes(body)


def own_headers(response: httpx.Response) -> dict[str, str]:
    """Return a response's headers without those that are of its own connection."""
    return {name: value for name, value in response.headers.items() if name not in OWN_CONNECTION}
