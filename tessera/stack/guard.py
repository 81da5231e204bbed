"""Guard the embedded AWS: it answers the owner of its folder and the portal's pages, nobody else.

The embedded AWS believes everybody: it checks no signature, allows every origin and listens for
MQTT besides. Any web page that is open in a browser on the machine could run code through it
(docs/threat-model.md). So it is started behind this ASGI application, which runs in its process:

- a request is for this machine by its `Host`, and comes from no foreign `Origin`;
- it is signed with the key of this stack, which only whoever may read its folder has, or it is for
  the portal, whose API checks tokens itself, or it is one of the calls by which a browser signs in;
- a sign-in's next step belongs to the step before, and its tokens are the pool's own, which the
  embedded Cognito takes on trust;
- wrong passwords lock an account for a while, as Cognito does;
- its owner may hand a sign-in over to a browser, by a code that works once;
- objects are shown in a sandbox, so that a picture that is a document runs no script;
- nothing is taken that the disk has no room for: the embedded S3 would keep it in memory alone;
- the portal's requests wait for a free process instead of starting dozens.
"""

from __future__ import annotations

import asyncio
import base64
import errno
import hashlib
import hmac
import json
import os
import re
import secrets
import shutil
import socket
import sys
import time
from collections import defaultdict
from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, ip_address
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from botocore.auth import SIGNED_HEADERS_BLACKLIST, S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tessera.aws.signature import ALGORITHM, request_form
from tessera.aws.signature import sign as sign_form

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
OPEN_TO_CONTAINERS = "TESSERA_OPEN_TO_CONTAINERS"
"""Variable that is not empty where this machine's containers may ask."""
CONTAINERS = frozenset({"host.docker.internal"})
"""Name of this machine in containers, for a stack that is open to them."""

PORTAL = "/_aws/execute-api/"
OPEN_PATHS = re.compile(
    r"/_ministack/(health|ready)|/[\w-]+/\.well-known/(jwks\.json|openid-configuration)"
)
SIGN_IN_CALLS = frozenset(
    f"AWSCognitoIdentityProviderService.{call}"
    for call in (
        "InitiateAuth",
        "RespondToAuthChallenge",
        "GlobalSignOut",
        "RevokeToken",
        "GetTokensFromRefreshToken",
        "AssociateSoftwareToken",
        "VerifySoftwareToken",
        "SetUserMFAPreference",
    )
)
"""Calls that a browser may make without a key. `SignUp` is none of them: accounts are given.
`ForgotPassword` is none: no mail is sent here, and the embedded Cognito takes any code."""

SIGN_IN_FLOWS = frozenset({"USER_PASSWORD_AUTH", "REFRESH_TOKEN_AUTH"})
"""Ways to begin a sign-in: those that the template gives the portal's client."""

MAX_BODY = 64 * 1024 * 1024
"""Bytes of a request that is held to check its signature; S3's are signed by hash, and not held."""
MAX_SKEW = 15 * 60
"""Seconds that a signature's date may be off, as on AWS."""
CHALLENGE_SECONDS = 15 * 60
"""Seconds that a sign-in may take from one step to the next: Cognito's longest session."""
WRONG_PASSWORDS, LOCKED = 5, 15 * 60
"""Wrong passwords in a row that lock an account, and for how many seconds; Cognito's are alike."""
SAVE_SECONDS = 3.0
"""Seconds between two saves while something changes: what a power cut may take of accounts. Answers
are in S3, on disk, before they are told to be saved."""
SAVED = ("cognito", "stepfunctions")
"""Services that are saved while they run. The portal's table is none: an index older than the
answers would be believed, and one that is missing is rebuilt from them. The rest is saved by a
deployment."""
RESERVED = "TESSERA_RESERVED_BYTES"
"""Variable with the bytes of the disk that stay free, for accounts, runs and the log."""
ENTRANCE = "/_tessera/entrance/"
"""Path below which a browser is signed in by a code that the stack's owner made."""
ENTRANCE_SECONDS = 60
"""Seconds for which such a code is good: a browser that has to start takes some of them."""
PROCESSES = 2 * (os.cpu_count() or 2) + 4
"""Requests that functions answer at the same time, each in a process of 65 MB; more wait."""


class Refusal(Exception):
    """Request that is not answered: its HTTP status, why in a sentence, and AWS's word for it."""

    def __init__(self, status: int, reason: str, kind: str = "AccessDeniedException") -> None:
        """Keep status, reason and kind."""
        super().__init__(reason)
        self.status, self.kind = status, kind


DISK_FULL = "InsufficientStorage"
"""Word for a refusal because the disk is full; S3 on AWS has none, for its own never is."""


def check_room(request: Request, room: Callable[[], int]) -> None:
    """Refuse what is to be kept where the disk has no room for it; raises Refusal.

    What only reads or deletes is answered, and so is what stays in memory.
    """
    if not request.is_kept:
        return
    length = request.headers.get("content-length", "")
    if room() < (int(length) if length.isdecimal() else 0):
        raise Refusal(
            507,
            "The disk of the local stack is full, so this is not saved. Make room on it, and try "
            "again: what is saved already stays.",
            DISK_FULL,
        )


class Request(NamedTuple):
    """Parts of an HTTP request that decide whether it is answered."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]

    @property
    def url(self) -> str:
        """Address of the request as it was signed."""
        query = f"?{self.query}" if self.query else ""
        return f"http://{self.headers.get('host', '')}{self.path}{query}"

    @property
    def is_portal(self) -> bool:
        """Whether it is for the portal, whose API checks tokens."""
        return self.path.startswith(PORTAL)

    @property
    def is_kept(self) -> bool:
        """Return whether it brings what is written to disk: an object, or a worker's page."""
        several = self.method == "POST" and re.search(r"(^|&)(uploads|uploadId)\b", self.query)
        work = self.method == "POST" and self.is_portal
        return self.method == "PUT" or work or bool(several)

    @property
    def is_sign_in(self) -> bool:
        """Whether it is one of the calls by which a browser signs in."""
        return self.method == "POST" and self.headers.get("x-amz-target", "") in SIGN_IN_CALLS


def read_request(scope: Scope) -> Request:
    """Read the parts of a request out of its ASGI scope."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    path = scope.get("raw_path") or scope["path"].encode()
    return Request(
        scope["method"],
        path.partition(b"?")[0].decode("latin-1"),
        scope["query_string"].decode("latin-1"),
        headers,
    )


def check_peer(client: Sequence[Any] | None, networks: Collection[IPv4Network]) -> None:
    """Refuse a connection from another machine: only this one and its containers are answered."""
    address = ip_address(client[0]) if client else None
    if address is None or address.is_loopback:
        return
    if not any(address in network for network in networks):
        raise Refusal(403, "This service is for its own machine.")


CONTAINER_INTERFACES = re.compile(r"docker\d+|br-[0-9a-f]{12}|podman\d+|cni-podman\d+")
"""Names that Docker and Podman give the bridges of their networks on Linux."""


def container_networks(routes: str) -> list[IPv4Network]:
    """Return the networks of containers on this machine, of Linux's table of routes.

    >>> container_networks("Iface Destination Gateway Flags RefCnt Use Metric Mask\\n"
    ...     "eth0 0001A8C0 00000000 0001 0 0 0 00FFFFFF\\n"
    ...     "docker0 000011AC 00000000 0001 0 0 0 0000FFFF\\n")
    [IPv4Network('172.17.0.0/16')]
    """
    networks = []
    for fields in map(str.split, routes.splitlines()[1:]):
        if CONTAINER_INTERFACES.fullmatch(fields[0]) and fields[2] == "00000000":
            address, mask = (bytes.fromhex(fields[i])[::-1] for i in (1, 7))  # little endian
            networks.append(IPv4Network((address, str(IPv4Address(mask)))))
    return networks


def check_place(request: Request, hosts: frozenset[str], port: int) -> None:
    """Refuse a request for another host, or from a page of another origin.

    A name that somebody else's DNS points at this machine is another host.
    """
    host = request.headers.get("host", "")
    names = own_names(hosts, port)
    if host not in names:
        raise Refusal(421, f"This is no service of {host!r}.")
    if not request.path.startswith("/"):
        raise Refusal(400, f"{request.path!r} is no path.", "ValidationException")
    if request.method in {"GET", "HEAD"} and "X-Amz-Signature=" in request.query:
        return  # a picture in a page's frame, which has no origin; its signature is checked next
    origin = request.headers.get("origin")
    if origin is not None and origin not in {f"http://{name}" for name in names}:
        raise Refusal(403, f"Pages of {origin} may not call this service.")
    if request.headers.get("sec-fetch-site") == "cross-site" and not _opens_portal(request):
        raise Refusal(403, "Pages of other sites may not call this service.")


@lru_cache
def own_names(hosts: frozenset[str], port: int) -> frozenset[str]:
    """Return what a request for one of these hosts may have as its `Host`."""
    return frozenset(name for known in hosts for name in (known, f"{known}:{port}"))


def _opens_portal(request: Request) -> bool:
    """Return whether a person follows a link to the portal from another site, a mail's perhaps."""
    navigates = request.headers.get("sec-fetch-mode") == "navigate"
    return request.is_portal and navigates and request.method == "GET"


def check_signature(
    request: Request, body: bytes | None, secret_of: Callable[[str], str | None], now: float
) -> None:
    """Refuse a request that is not signed with a key of this stack (AWS Signature Version 4).

    `body` is None where the signature covers the body's hash, which the headers then have.
    """
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    header = request.headers.get("authorization", "")
    if "X-Amz-Signature" in query:
        credential, names = query.get("X-Amz-Credential", ""), query.get("X-Amz-SignedHeaders", "")
        signature, date = query["X-Amz-Signature"], query.get("X-Amz-Date", "")
    elif header.startswith(f"{ALGORITHM} "):
        parts = dict(re.findall(r"(\w+)=([^,\s]+)", header))
        credential, names = parts.get("Credential", ""), parts.get("SignedHeaders", "")
        signature, date = parts.get("Signature", ""), request.headers.get("x-amz-date", "")
        check_date(date, now)
    else:
        raise Refusal(403, "This service wants requests that are signed with its own key.")
    key, *scope = credential.split("/")
    secret = secret_of(key)
    if len(scope) != 4 or not secret:
        raise Refusal(403, "The request is signed with a key that this stack does not know.")
    signed = names.split(";")
    expected = sign_plain(request, body, signed, secret, scope, date) or sign(
        request, body, signed, Credentials(key, secret), scope, date
    )
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise Refusal(403, "The request's signature is not that of this stack's key.")


def check_date(date: str, now: float) -> None:
    """Refuse a signature whose date is off by more than `MAX_SKEW`."""
    try:
        signed = read_date(date)
    except ValueError:
        raise Refusal(403, "The request's signature has no date.") from None
    if abs(now - signed) > MAX_SKEW:
        raise Refusal(403, "The request was signed too long ago, or by another clock.")


@lru_cache(maxsize=64)  # requests of one second have the same
def read_date(date: str) -> float:
    """Return a signature's date in seconds since the epoch; raises ValueError if it is none."""
    return datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()


UNLISTED = frozenset(["", *SIGNED_HEADERS_BLACKLIST])
"""Headers that botocore leaves out of what it signs; a name that is empty is left to it, too."""

PLAIN_PATH = re.compile(r"/[\w/.~%+=@,:&!$'()*;-]*", re.ASCII)
"""Paths that an S3 signature holds as they are; with others, botocore's signer has its own way."""


def sign_plain(
    request: Request,
    body: bytes | None,
    names: list[str],
    secret: str,
    scope: list[str],
    date: str,
) -> str:
    """Return the signature that a request without a query should have, or "" if `sign` must tell.

    A page of the portal takes twenty such requests, mostly to the table, and botocore's signer took
    a tenth of this process's time. To the byte what `sign` returns, where it returns anything.
    """
    day, region, service, _ = scope
    is_plain = request.path == "/" or (service == "s3" and PLAIN_PATH.fullmatch(request.path))
    listed = names == sorted({*names} - UNLISTED) and "host" in names
    if request.query or not is_plain or not listed or day != date[:8]:
        return ""
    values = {name: request.headers.get(name, "") for name in names}
    content = values.get("x-amz-content-sha256")
    if content is None:
        content = hashlib.sha256(body or b"").hexdigest()
    headers = {name: " ".join(value.split()) for name, value in values.items()}
    form = request_form(request.method.upper(), request.path, headers, content)
    return sign_form(form, secret, date, region, service)


def sign(
    request: Request,
    body: bytes | None,
    names: list[str],
    credentials: Credentials,
    scope: list[str],
    date: str,
) -> str:
    """Return the signature that a request should have, by botocore's own signer."""
    _, region, service, _ = scope
    by_query = "X-Amz-Signature" in request.query
    signer: Any = (S3SigV4QueryAuth if by_query else S3SigV4Auth if service == "s3" else SigV4Auth)(
        credentials, service, region
    )
    query = "&".join(
        pair for pair in request.query.split("&") if not pair.startswith("X-Amz-Signature=")
    )
    headers = {name: request.headers.get(name, "") for name in names}
    url = request._replace(query=query).url
    copy = AWSRequest(request.method, url, headers, data=body or b"")
    copy.context["timestamp"] = date
    text = signer.string_to_sign(copy, signer.canonical_request(copy))
    signature: str = signer.signature(text, copy)
    return signature


class Lockout:
    """Wrong passwords by account; too many in a row lock it for a while."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without any."""
        self._clock = clock
        self._wrong: defaultdict[str, list[float]] = defaultdict(list)

    def is_locked(self, account: str) -> bool:
        """Return whether the account had too many wrong passwords of late."""
        since = self._clock() - LOCKED
        recent = [when for when in self._wrong[account] if when > since]
        self._wrong[account] = recent
        return len(recent) >= WRONG_PASSWORDS

    def count(self, account: str, *, wrong: bool) -> None:
        """Count a try; a right password forgets the wrong ones before it."""
        if wrong:
            self._wrong[account].append(self._clock())
        else:
            self._wrong.pop(account, None)


class Challenge(NamedTuple):
    """Step of a sign-in that waits for its answer: whose it is, what it asks, until when."""

    accounts: frozenset[str]
    name: str
    until: float


class SignIns:
    """Sign-ins under way, with the checks that the embedded Cognito leaves out.

    It would answer a challenge that it never set, for anybody's name, and take tokens that nobody
    signed. `is_good` tells whether the pool signed a token and has not revoked it.
    """

    def __init__(
        self, is_good: Callable[[str], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start without any."""
        self._is_good, self._clock = is_good, clock
        self._challenges: dict[str, Challenge] = {}

    def check(self, call: str, content: Mapping[str, Any]) -> None:
        """Refuse a call whose tokens are not the pool's, or whose step was not asked for."""
        for token, kind in tokens_in(content):
            claims = claims_of(token)
            if claims.get("token_use") != kind or not self._is_good(token):
                raise not_authorized("The token is not one of this pool, or it was revoked.")
            if claims.get("exp", 0) <= time.time():
                raise not_authorized("The token has expired.")
        if call == "InitiateAuth" and content.get("AuthFlow") not in SIGN_IN_FLOWS:
            raise not_authorized("This client does not sign in that way.")
        if call == "RespondToAuthChallenge":
            self._check_challenge(content)
        elif "Session" in content and "AccessToken" not in content:
            self._challenge(content)  # the steps in which an authenticator is set up

    def _check_challenge(self, content: Mapping[str, Any]) -> None:
        challenge = self._challenge(content)
        account = str(member(content, "ChallengeResponses").get("USERNAME", "")).casefold()
        if challenge.name != content.get("ChallengeName") or account not in challenge.accounts:
            raise not_authorized("This is not the step that the sign-in is at.")

    def _challenge(self, content: Mapping[str, Any]) -> Challenge:
        challenge = self._challenges.get(str(content.get("Session")))
        if challenge is None or challenge.until <= self._clock():
            raise not_authorized("The sign-in took too long, or was never begun. Begin again.")
        return challenge

    def note(self, content: Mapping[str, Any], response: Mapping[str, Any]) -> None:
        """Remember the step that a call's response asks for, and forget the one it answered."""
        now = self._clock()
        before = self._challenges.get(str(content.get("Session")))
        if "AuthenticationResult" in response:
            self._challenges.pop(str(content.get("Session")), None)
        if "Session" not in response:
            return
        names = {str(member(content, "AuthParameters").get("USERNAME", ""))}
        names.add(str(member(response, "ChallengeParameters").get("USER_ID_FOR_SRP", "")))
        accounts = before.accounts if before else {name.casefold() for name in names if name}
        name = response.get("ChallengeName", before.name if before else "")
        self._challenges = {key: each for key, each in self._challenges.items() if each.until > now}
        self._challenges[response["Session"]] = Challenge(
            frozenset(accounts), name, now + CHALLENGE_SECONDS
        )


def not_authorized(reason: str) -> Refusal:
    """Return the refusal that Cognito answers a sign-in with."""
    return Refusal(400, reason, "NotAuthorizedException")


def tokens_in(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the tokens that a call carries, each with the kind that it must be of."""
    parameters = member(content, "AuthParameters")
    for holder, name, kind in (
        (content, "AccessToken", "access"),
        (content, "RefreshToken", "refresh"),
        (content, "Token", "refresh"),
        (parameters, "REFRESH_TOKEN", "refresh"),
    ):
        if name in holder:
            yield str(holder[name]), kind


def claims_of(token: str) -> Mapping[str, Any]:
    """Return what a token says, unchecked; nothing if it is none."""
    try:
        text = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, IndexError):
        return {}
    return claims if isinstance(claims, dict) else {}


class Entrances:
    """Sign-ins that the owner of the stack hands over to a browser, each by a code that works once.

    A page can take no token from its address: that stays in the browser's history, and anybody
    could plant their own there. A code is made by a signed request alone, and opens once.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start without any."""
        self._clock = clock
        self._pages: dict[str, tuple[float, bytes]] = {}

    def make(self, content: Mapping[str, Any]) -> str:
        """Return the code for a session and the address within the portal that it goes on to."""
        session, target = json.dumps(content["session"]), str(content["target"])
        if not target.startswith(PORTAL):
            raise Refusal(400, "An entrance leads to the portal.", "ValidationException")
        # `<` could end the script; within JSON it may be written so, and nothing else can.
        values = json.dumps([session, target]).replace("<", "\\u003c")
        page = (
            "<!doctype html><title>Tessera</title><script>"
            f"const [session, target] = {values};"
            'sessionStorage.setItem("session", session); location.replace(target);</script>'
        )
        code = secrets.token_urlsafe(24)
        self._pages[code] = (self._clock() + ENTRANCE_SECONDS, page.encode())
        return code

    def open(self, code: str) -> bytes:
        """Return the page that signs a browser in; Refusal if the code was used or is too old."""
        until, page = self._pages.pop(code, (0.0, b""))
        if until <= self._clock():
            raise Refusal(404, "This link has been used, or is too old.")
        return page


class Guard:
    """ASGI application that passes on what may be answered, and refuses the rest."""

    def __init__(
        self,
        app: App,
        *,
        port: int,
        hosts: frozenset[str],
        secret_of: Callable[[str], str | None],
        is_good: Callable[[str], bool],
        save: Callable[[], None] = lambda: None,
        networks: Collection[IPv4Network] = (),
        processes: int = PROCESSES,
        room: Callable[[], int] = lambda: sys.maxsize,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Guard `app`, which listens at `port` under the names `hosts`.

        `secret_of` gives the secret of an access key, or None if it is not one of this stack;
        `is_good` tells whether a pool of this stack signed a token and has not revoked it; `save`
        writes what a power cut must not take, and is called soon after something changed. Besides
        this machine, only `networks` are answered. `room` gives the bytes that the disk may take.
        """
        self._room = room
        self._save, self._changed, self._sleep = save, False, sleep
        self._networks = networks
        self._app, self._port, self._hosts, self._secret_of = app, port, hosts, secret_of
        self._lockout, self._sign_ins = Lockout(), SignIns(is_good)
        self._entrances = Entrances()
        # A function that the portal waits for must not wait for the portal: each kind has its own.
        self._portal = asyncio.Semaphore(processes)
        self._functions = asyncio.Semaphore(processes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection's request."""
        if scope["type"] == "lifespan":
            saving = asyncio.create_task(self._save_changes())
            try:
                await self._app(scope, stopping(receive, saving), send)
            finally:
                saving.cancel()
            return
        if scope["type"] != "http":
            return  # no page of ours opens a web socket
        request = read_request(scope)
        # A run goes on by requests of its functions, so whatever changes comes with one.
        self._changed = self._changed or request.method not in {"GET", "HEAD"}
        try:
            check_peer(scope.get("client"), self._networks)
            check_place(request, self._hosts, self._port)
            if request.is_portal:
                check_room(request, self._room)
                async with self._portal:
                    await self._app(scope, receive, without_cors(send))
            elif request.is_sign_in:
                await self._sign_in(request, scope, receive, send)
            elif request.path.startswith(ENTRANCE):
                await self._enter(request, receive, send)
            elif OPEN_PATHS.fullmatch(request.path):
                await self._app(scope, receive, without_cors(send))
            else:
                await self._signed(request, scope, receive, send)
        except Refusal as refusal:
            await answer(send, refusal.status, refusal.kind, str(refusal))

    async def _enter(self, request: Request, receive: Receive, send: Send) -> None:
        """Make a code for the owner, or sign the browser in that has one."""
        headers = [(b"cache-control", b"no-store"), (b"referrer-policy", b"no-referrer")]
        if request.method == "POST":
            body = await read_body(receive)
            check_signature(request, body, self._secret_of, time.time())
            content, kind = self._entrances.make(read_object(body)).encode(), b"text/plain"
        else:
            content, kind = self._entrances.open(request.path.removeprefix(ENTRANCE)), b"text/html"
        headers.append((b"content-type", kind + b"; charset=utf-8"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content, "more_body": False})

    async def _save_changes(self) -> None:
        """Save soon after each change, as long as the embedded AWS runs."""
        pause = SAVE_SECONDS
        while True:
            await self._sleep(pause)
            if not self._changed:
                continue
            self._changed, began = False, time.monotonic()
            # In the loop, so that no request changes what is being copied; a twentieth of the time.
            self._save()
            if self._room() < 0:  # it may not have been written whole: again, until it is
                self._changed = True
            pause = max(SAVE_SECONDS, 20 * (time.monotonic() - began))

    async def _signed(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request that is signed; a function's invocation waits for its turn."""
        body = None
        if "x-amz-content-sha256" not in request.headers and "X-Amz-Signature" not in request.query:
            body = await read_body(receive)
            receive = replay(body)
        check_signature(request, body, self._secret_of, time.time())
        check_room(request, self._room)
        if request.path.endswith("/invocations"):
            async with self._functions:
                await self._app(scope, receive, without_cors(send))
        else:
            await self._app(scope, receive, sandboxed(without_cors(send)))

    async def _sign_in(self, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a step of a sign-in that may be taken, and count a wrong password or code."""
        body = await read_body(receive)
        content = read_object(body)
        account = account_in(content)
        if account and self._lockout.is_locked(account):
            raise not_authorized("Password attempts exceeded")  # Cognito's words: the page knows
        if account:  # as wrong until it is known to be right: many at once must not all be tried
            self._lockout.count(account, wrong=True)
        self._sign_ins.check(request.headers["x-amz-target"].partition(".")[2], content)
        status, response = 0, bytearray()

        async def noted(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            status = message.get("status", status)
            response.extend(message.get("body", b""))
            await send(message)

        await self._app(scope, replay(body), without_cors(noted))
        if status == 200:
            if account:
                self._lockout.count(account, wrong=False)
            self._sign_ins.note(content, read_object(bytes(response)))


def read_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in a body; an empty one if there is none."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def member(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object's member that is an object, too; an empty one if it is none."""
    inner = content.get(name)
    return inner if isinstance(inner, dict) else {}


def account_in(content: Mapping[str, Any]) -> str:
    """Return whose password or code a step of a sign-in gives, in lower case; else nothing.

    Codes are counted apart: a right password before each guess must not forget the wrong ones.
    """
    parameters = member(content, "AuthParameters")
    responses = member(content, "ChallengeResponses")
    if "PASSWORD" in parameters:
        return str(parameters.get("USERNAME", "")).casefold()
    if "SOFTWARE_TOKEN_MFA_CODE" in responses:
        return f"code of {responses.get('USERNAME', '')}".casefold()
    return ""


async def read_body(receive: Receive) -> bytes:
    """Read a request's whole body; raises Refusal if it is larger than `MAX_BODY`."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise Refusal(413, "The request is too large.")
        if not message.get("more_body"):
            return bytes(body)


def stopping(receive: Receive, task: asyncio.Task[None]) -> Receive:
    """Return what receives messages, and ends a task before the embedded AWS stops.

    It saves everything itself then, and whoever stops it waits until nothing is written any more.
    """

    async def received() -> MutableMapping[str, Any]:
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            task.cancel()
        return message

    return received


def replay(body: bytes) -> Receive:
    """Return what hands on a body that was read already."""
    messages: list[MutableMapping[str, Any]] = [
        {"type": "http.request", "body": body, "more_body": False}
    ]

    async def receive() -> MutableMapping[str, Any]:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive


def without_cors(send: Send) -> Send:
    """Return what sends a response without the headers that would open it to other origins."""

    async def stripped(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [
                (name, value)
                for name, value in message.get("headers", [])
                if not name.lower().startswith(b"access-control-")
            ]
        await send(message)

    return stripped


OBJECT_POLICY = b"sandbox; default-src 'none'; style-src 'unsafe-inline'"
"""Content security policy of objects: a document of no origin, without scripts."""


def sandboxed(send: Send) -> Send:
    """Return what sends an object as a document of no origin, whose scripts do not run."""

    async def marked(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [
                *message.get("headers", []),
                (b"content-security-policy", OBJECT_POLICY),
                (b"x-content-type-options", b"nosniff"),
            ]
        await send(message)

    return marked


async def answer(send: Send, status: int, kind: str, message: str) -> None:
    """Answer with an error of AWS's JSON shape; with S3's, which is XML, where the disk is full."""
    body = json.dumps({"__type": kind, "message": message}).encode()
    headers = [
        (b"content-type", b"application/x-amz-json-1.1"),
        (b"x-amzn-errortype", kind.encode()),
    ]
    if kind == DISK_FULL:  # only objects are sent then, and a page, which looks at the status
        body = f"<Error><Code>{kind}</Code><Message>{message}</Message></Error>".encode()
        headers = [(b"content-type", b"application/xml")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def own_container_networks() -> list[IPv4Network]:
    """Return the networks of this machine's containers; none where the system does not tell."""
    try:
        routes = Path("/proc/net/route").read_text(encoding="ascii")
    except OSError:  # not Linux: there containers come by the machine's own address
        return []
    return container_networks(routes)


def address_in(network: IPv4Network) -> str:
    """Return this machine's own address in a network, or "" if it has none there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((str(network[1]), 9))  # nothing is sent: the system chooses the address
        except OSError:
            return ""
        own: str = probe.getsockname()[0]
    return own if IPv4Address(own) in network else ""


def listen_also(addresses: Iterable[str]) -> None:
    """Have the server listen at these addresses besides its own, on the same port.

    The embedded AWS takes one address; every one of the machine's would be open to its networks.
    """
    from hypercorn import config  # late, as the embedded AWS itself

    more = [*addresses]

    class Config(config.Config):
        @property
        def bind(self) -> list[str]:
            return self._bind

        @bind.setter
        def bind(self, value: list[str] | str) -> None:
            own = [value] if isinstance(value, str) else value
            port = own[0].rpartition(":")[2]
            self._bind = [*own, *(f"{address}:{port}" for address in more)]
            more.clear()  # who sets it again wants fewer

    config.Config = Config  # type: ignore[misc]  # the embedded AWS makes its own of this name


def count_processor_time() -> None:
    """Let an expression of the state machine take a second of the processor, not of the clock.

    On a busy machine its process may wait that long for a core, and the execution would fail.
    """
    from jsonata.timebox import Timebox  # late: it belongs to the embedded AWS

    Timebox.current_milli_time = staticmethod(lambda: time.thread_time_ns() // 1_000_000)


def fail_unwritten() -> Callable[[], None]:
    """Have a request fail whose object did not reach the disk; return what writes it once more.

    The embedded S3 only logs it, answers that the object is stored, and has it until it stops.
    """
    from ministack.services import s3  # late, as the embedded AWS itself

    write, unwritten = s3._persist_object, dict[tuple[str, str], Any]()

    def written(bucket: str, key: str, stored: Any) -> None:
        write(bucket, key, stored)
        if isinstance(stored, dict) and stored.get("body") is not None:  # on disk it has none here
            unwritten[bucket, key] = stored
            raise OSError(errno.ENOSPC, f"{bucket}/{key} is not on disk")
        unwritten.pop((bucket, key), None)

    def write_again() -> None:
        for (bucket, key), stored in list(unwritten.items()):
            present = s3._buckets.get(bucket, {"objects": {}})["objects"].get(key)
            if present is stored:
                write(bucket, key, stored)
            if present is not stored or stored.get("body") is None:
                del unwritten[bucket, key]

    s3._persist_object = written
    return write_again


def main() -> None:
    """Run the embedded AWS behind the guard, as its environment says."""
    from ministack import app as embedded  # late: tests of the guard need no embedded AWS
    from ministack.core import persistence
    from ministack.services import cognito, sts

    secret = os.environ["AWS_SECRET_ACCESS_KEY"]
    # Functions have the account's number as their key; with IAM enforced, a session of their role.
    own = {os.environ["AWS_ACCESS_KEY_ID"], "000000000000"}

    def secret_of(key: str) -> str | None:
        if key in own:
            return secret
        session = sts._sessions.get(key)
        return str(session["SecretAccessKey"]) if session else None

    def is_good(token: str) -> bool:
        revoked = cognito._revoked_tokens
        if token in revoked or claims_of(token).get("origin_jti") in revoked:
            return False
        return token.count(".") == 2 and bool(cognito._signature_valid(token))

    write_again = fail_unwritten()

    def save() -> None:
        write_again()
        services = embedded._build_persistence_save_dict()
        persistence.save_all({name: services[name] for name in SAVED if name in services})

    count_processor_time()
    open_to_containers = bool(os.environ.get(OPEN_TO_CONTAINERS))
    networks = own_container_networks() if open_to_containers else []
    listen_also(filter(None, map(address_in, networks)))
    embedded.app = Guard(
        embedded.app,
        port=int(os.environ["GATEWAY_PORT"]),
        hosts=LOOPBACK | CONTAINERS if open_to_containers else LOOPBACK,
        secret_of=secret_of,
        is_good=is_good,
        save=save,
        networks=networks,
        room=lambda: shutil.disk_usage(os.environ["TMPDIR"]).free - int(os.environ[RESERVED]),
    )
    embedded.main()


if __name__ == "__main__":
    main()
