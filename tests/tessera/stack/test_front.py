"""Other machines get the portal, sign-ins and signed pictures, and nothing else."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote, unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.portal.routes import ROUTES
from tessera.stack.front import (
    MAX_BODY,
    REQUESTS_A_MINUTE,
    SIGN_IN_CALLS_A_MINUTE,
    Front,
    RateLimit,
    Refusal,
)
from tessera.stack.guard import SIGN_IN_CALLS

Result = TypeVar("Result")
ENDPOINT, ORIGIN = "http://127.0.0.1:4566", "https://192.168.1.20:8443"
SIGNED = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=tessera%2F20261125%2Fus-east-1%2Fs3%2F"
    "aws4_request&X-Amz-Date=20261125T120000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=0123"
)
SIGN_IN = {"x-amz-target": "AWSCognitoIdentityProviderService.InitiateAuth"}


class Embedded(httpx.AsyncBaseTransport):
    """Stack behind the front: it answers everything with a page that names its own address."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.away = False
        self.content_type = "text/html; charset=utf-8"

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("refused")
        await request.aread()
        self.requests.append(request)
        headers = {
            "content-type": self.content_type,
            "content-security-policy": f"connect-src 'self' {ENDPOINT}",
            "strict-transport-security": "max-age=1",
            "x-content-type-options": "nosniff",
        }
        page = httpx.ByteStream(f'<a href="{ENDPOINT}/x">'.encode())
        return httpx.Response(200, headers=headers, stream=page)

    @property
    def targets(self) -> list[str]:
        """Method and target of each request."""
        return [f"{r.method} {r.extensions['target'].decode()}" for r in self.requests]


def in_a_loop(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine in a thread of its own: tests with a browser leave a loop running here."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


@dataclass
class Seen:
    """Response as a client of the front sees it."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def message(self) -> dict[str, Any]:
        """Content of a refusal."""
        content: dict[str, Any] = json.loads(self.body)
        return content


def ask(
    embedded: Embedded,
    *requests: tuple[str, str],
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    clock: Callable[[], float] = time.monotonic,
) -> list[Seen]:
    """Send requests, one after another, through one front, byte for byte; the responses."""
    app = Front(ENDPOINT, "api1", transport=embedded, clock=clock).app()
    sent = {"host": "192.168.1.20:8443"} | dict(headers or {})

    async def send_all() -> list[Seen]:
        async with app.lifespan_context(app):
            return [await one(app, method, target, sent, body) for method, target in requests]

    return in_a_loop(send_all())


async def one(app: Any, method: str, target: str, headers: dict[str, str], body: bytes) -> Seen:
    """Send a request as its bytes are; a client library would tidy its path up."""
    path, _, query = target.partition("?")
    messages = [{"type": "http.request", "body": body, "more_body": False}]
    seen = Seen()

    async def receive() -> Any:
        return messages.pop() if messages else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            seen.status = message["status"]
            seen.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            seen.body += message.get("body", b"")

    scope = {
        "type": "http", "http_version": "1.1", "scheme": "https", "method": method,
        "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(),
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        "client": ("192.168.1.7", 5), "server": ("192.168.1.20", 8443),
    }  # fmt: skip
    await app(scope, receive, send)
    return seen


PORTAL_PATHS = [(route.method, route.path.replace("<", "").replace(">", "")) for route in ROUTES]


@pytest.mark.parametrize(("method", "path"), PORTAL_PATHS)
def test_every_route_of_the_portal_is_passed_on(method: str, path: str) -> None:
    embedded = Embedded()
    token = {"authorization": "Bearer token", "origin": ORIGIN}
    (response,) = ask(embedded, (method, path), headers=token)
    assert response.status == 200
    assert embedded.targets == [f"{method} /_aws/execute-api/api1{path}"]
    assert embedded.requests[0].headers["authorization"] == "Bearer token"
    assert embedded.requests[0].headers["host"] == "127.0.0.1:4566"
    assert "origin" not in embedded.requests[0].headers


def test_addresses_are_those_that_the_browser_came_by() -> None:
    (response,) = ask(Embedded(), ("GET", "/"))
    assert response.body.decode() == f'<a href="{ORIGIN}/x">'
    assert response.headers["content-security-policy"] == f"connect-src 'self' {ORIGIN}"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "strict-transport-security" not in response.headers


@pytest.mark.parametrize("call", sorted(SIGN_IN_CALLS))
def test_the_calls_of_a_sign_in_are_passed_on_without_anything_else(call: str) -> None:
    embedded = Embedded()
    headers = {"x-amz-target": call, "authorization": "AWS4-HMAC-SHA256 Credential=tessera"}
    (response,) = ask(embedded, ("POST", "/?Action=ListUsers"), headers=headers, body=b"{}")
    assert response.status == 200
    assert embedded.targets == ["POST /"]
    assert "authorization" not in embedded.requests[0].headers


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20))
def test_a_signed_picture_is_asked_for_by_the_very_bytes_of_its_address(key: str) -> None:
    embedded = Embedded()
    target = f"/tessera-inbox/{quote(key, safe='/~')}?{SIGNED}"
    (response,) = ask(embedded, ("GET", target), headers={"sec-fetch-site": "cross-site"})
    assert response.status == 200
    assert embedded.targets == [f"GET {target}"]


SERVICES = st.sampled_from(
    ["DynamoDB_20120810.ListTables", "AWSStepFunctions.StartExecution"]
    + [
        f"AWSCognitoIdentityProviderService.{call}"
        for call in ("ListUserPools", "ListUsers", "SignUp", "AdminCreateUser", "ForgotPassword")
    ]
)
PATHS = st.sampled_from(
    [
        "/tessera-labels", "/tessera-labels?list-type=2", "/tessera-inbox/pets/1.jpg",
        "/_ministack/health", "/_ministack/reset", "/_aws/execute-api/api1/jobs",
        "/us-east-1_pool/.well-known/jwks.json", "/2015-03-31/functions", "/assets/../me",
        "/assets/%2e%2e/me", "/assets/..%2fme", "/jobs/..", "/jobs/a/tasks/./answer",
        "//", "/restapis",
    ]
) | st.text("abc/._-%2?=&", max_size=15).map(lambda text: f"/_{text}")  # fmt: skip


@given(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]), PATHS, SERVICES
)
def test_no_other_request_reaches_the_stack(method: str, path: str, service: str) -> None:
    embedded = Embedded()
    headers = {"x-amz-target": service, "authorization": "AWS4-HMAC-SHA256 Credential=tessera"}
    responses = ask(embedded, (method, path), ("POST", "/"), headers=headers)
    assert all(response.status in {403, 404, 405} for response in responses)
    assert embedded.requests == []


@pytest.mark.parametrize(
    ("method", "query"),
    [
        ("PUT", SIGNED),
        ("DELETE", SIGNED),
        ("GET", SIGNED + "&list-type=2"),
        ("GET", SIGNED + "&uploads"),
        ("GET", SIGNED.replace("%2Fs3%2F", "%2Fsts%2F")),
        ("GET", SIGNED.replace("&X-Amz-Expires=900", "")),
        ("GET", SIGNED.replace("&X-Amz-Signature=0123", "")),
    ],
)
def test_a_signed_address_that_reads_no_picture_is_refused(method: str, query: str) -> None:
    embedded = Embedded()
    ask(embedded, (method, f"/tessera-inbox/1.jpg?{query}"))
    assert embedded.requests == []


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://192.168.1.20:8443"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"},
        {"host": 'evil"><script>'},
        {"host": "a b"},
        {"host": ""},
    ],
)
def test_a_page_of_another_origin_or_a_name_that_is_none_is_refused(headers: Any) -> None:
    embedded = Embedded()
    responses = ask(embedded, ("GET", "/jobs"), ("POST", "/"), headers=SIGN_IN | headers)
    assert {response.status for response in responses} <= {403, 421}
    assert embedded.requests == []


def test_a_link_from_elsewhere_opens_the_portal() -> None:
    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    (response,) = ask(Embedded(), ("GET", "/"), headers=followed)
    assert response.status == 200


def test_sign_ins_are_limited_for_each_machine_and_come_again_after_a_minute() -> None:
    seconds = iter([0.0] * 2 * (SIGN_IN_CALLS_A_MINUTE + 3) + [61.0] * 2)
    calls = [("POST", "/")] * (SIGN_IN_CALLS_A_MINUTE + 4)
    statuses = [
        response.status
        for response in ask(Embedded(), *calls, headers=SIGN_IN, clock=seconds.__next__)
    ]
    assert statuses == [200] * SIGN_IN_CALLS_A_MINUTE + [429] * 3 + [200]


@pytest.mark.thorough
def test_a_refusal_for_too_many_requests_decides_nothing_for_an_answer() -> None:
    calls = [("PUT", "/jobs/a/tasks/1/answer")] * (REQUESTS_A_MINUTE + 1)
    refused = ask(Embedded(), *calls, body=b"{}", clock=lambda: 0.0)[-1]
    assert refused.status == 429
    assert "error" not in refused.message  # the page keeps the answer, and sends it again


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 200)), max_size=60))
def test_no_client_makes_more_requests_in_any_minute_than_it_may(
    requests: list[tuple[str, float]],
) -> None:
    requests.sort(key=lambda request: request[1])
    times = iter([when for _, when in requests])
    limit, admitted = RateLimit(3, times.__next__), list[tuple[str, float]]()
    for client, when in requests:
        with suppress(Refusal):
            limit.check(client)
            admitted.append((client, when))
    for client, when in admitted:
        minute = [w for c, w in admitted if c == client and when - 60 < w <= when]
        assert len(minute) <= 3
    quiet = [(c, w) for c, w in requests if sum(c == d for d, _ in requests) <= 3]
    assert set(quiet) <= set(admitted)


def test_a_stack_that_is_away_is_told_as_one() -> None:
    embedded = Embedded()
    embedded.away = True
    (response,) = ask(embedded, ("PUT", "/jobs/a/tasks/1/answer"), body=b"{}")
    assert response.status == 503
    assert "try again" in response.message["message"]


def test_a_body_longer_than_any_answer_is_refused() -> None:
    embedded = Embedded()
    body = json.dumps("x" * MAX_BODY).encode()
    (response,) = ask(embedded, ("PUT", "/jobs/a/tasks/1/answer"), body=body)
    assert response.status == 413
    assert embedded.requests == []


def test_a_pictures_bytes_are_not_changed() -> None:
    embedded = Embedded()
    embedded.content_type = "image/svg+xml"
    (response,) = ask(embedded, ("GET", f"/tessera-inbox/1.svg?{SIGNED}"))
    assert ENDPOINT in response.body.decode()
