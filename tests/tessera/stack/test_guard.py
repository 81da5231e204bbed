"""The embedded AWS answers its owner and the portal's pages, and nobody else."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network
from pathlib import Path
from threading import Event
from typing import Any, TypeVar, cast
from urllib.parse import quote, urlsplit

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st
from jsonata.jexception import JException
from jsonata.jsonata import Jsonata
from jsonata.timebox import Timebox

from tessera.stack.guard import (
    ENTRANCE,
    ENTRANCE_SECONDS,
    LOCKED,
    LOOPBACK,
    PORTAL,
    SIGN_IN_CALLS,
    WRONG_PASSWORDS,
    Entrances,
    Guard,
    Lockout,
    Refusal,
    Request,
    check_peer,
    check_place,
    check_room,
    count_processor_time,
    fail_unwritten,
    sign,
    sign_plain,
)
from tessera.stack.local_stack import LocalStack

Result = TypeVar("Result")
PORT, KEY, SECRET = 4566, "tessera", "a secret of this folder"
HOST = f"127.0.0.1:{PORT}"


def token(**claims: Any) -> str:
    """A token that says so, signed by nobody."""
    text = json.dumps(claims).encode()
    return f"e30.{base64.urlsafe_b64encode(text).rstrip(b'=').decode()}.c2lnbmVk"


ACCESS = token(token_use="access", sub="ann", exp=9e9)
REFRESH = token(token_use="refresh", sub="ann", exp=9e9)
OVER = token(token_use="access", sub="ann", exp=1)
GOOD = {ACCESS, REFRESH, OVER}
"""Tokens that the pool has signed."""


class Embedded:
    """Embedded AWS as the guard sees it: it answers everything, and opens it to every origin."""

    def __init__(self, status: int = 200, content: bytes = b"<svg/>") -> None:
        self.status, self.bodies, self.content = status, list[bytes](), content
        self.now = self.most = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        message = await receive()
        self.bodies.append(message.get("body", b""))
        await asyncio.sleep(0)
        headers = [(b"access-control-allow-origin", b"*"), (b"content-type", b"image/svg+xml")]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.content, "more_body": False})
        self.now -= 1


def guard(embedded: Embedded, **changed: Any) -> Guard:
    secret_of: Callable[[str], str | None] = {KEY: SECRET}.get
    return Guard(
        embedded,
        port=PORT,
        hosts=LOOPBACK,
        secret_of=secret_of,
        is_good=GOOD.__contains__,
        **changed,
    )


async def asked(
    guard: Guard, method: str, url: str, headers: dict[str, str], body: bytes = b""
) -> tuple[int, dict[bytes, bytes]]:
    """Send one request through the guard; its status and headers."""
    parts, sent = urlsplit(url), list[Any]()
    raw = {"host": parts.netloc} | {name.lower(): value for name, value in headers.items()}

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in raw.items()],
    }
    await guard(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"])


def in_a_loop(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine in a thread of its own: tests with a browser leave a loop running here."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


def ask(guard: Guard, method: str, url: str, headers: Any = None, body: bytes = b"") -> int:
    return in_a_loop(asked(guard, method, url, headers or {}, body))[0]


def signed(
    service: str,
    method: str,
    url: str,
    body: bytes = b"",
    *,
    key: str = KEY,
    secret: str = SECRET,
    headers: dict[str, str] | None = None,
) -> dict[str, str]:
    """Headers of a request as botocore signs it."""
    request = AWSRequest(method, url, headers or {}, data=body)
    SigV4Auth(Credentials(key, secret), service, "us-east-1").add_auth(request)
    return {name: str(value) for name, value in request.headers.items()}


paths = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20).map(
    lambda text: "/" + quote(text, safe="/~")
)


def query_of(pairs: dict[str, str]) -> str:
    return "&".join(f"{quote(k, safe='~')}={quote(v, safe='~')}" for k, v in pairs.items())


queries = st.dictionaries(
    st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=5),
    st.text(max_size=5),
    max_size=3,
).map(
    lambda pairs: "&".join(f"{quote(k, safe='~')}={quote(v, safe='~')}" for k, v in pairs.items())
)


@given(paths, queries, st.binary(max_size=50), st.sampled_from(["lambda", "states", "dynamodb"]))
def test_what_botocore_signs_with_the_stacks_key_is_answered(
    path: str, query: str, body: bytes, service: str
) -> None:
    embedded = Embedded()
    url = f"http://{HOST}{path}" + (f"?{query}" if query else "")
    assert ask(guard(embedded), "POST", url, signed(service, "POST", url, body), body) == 200
    assert embedded.bodies == [body]


@given(st.data(), st.binary(min_size=1, max_size=50))
def test_nothing_else_is(data: st.DataObject, body: bytes) -> None:
    url = f"http://{HOST}/2015-03-31/functions"
    headers = signed("lambda", "POST", url, body)
    match data.draw(st.sampled_from(["unsigned", "key", "secret", "body", "path", "date", "cut"])):
        case "unsigned":
            headers = {}
        case "key":
            headers = signed("lambda", "POST", url, body, key="test")
        case "secret":
            headers = signed("lambda", "POST", url, body, secret="test")
        case "body":
            body += b"!"
        case "path":
            url += "/kitten/invocations"
        case "date":
            headers["X-Amz-Date"] = "20200101T000000Z"
        case "cut":
            headers["Authorization"] = headers["Authorization"][: data.draw(st.integers(0, 150))]
    embedded = Embedded()
    assert ask(guard(embedded), "POST", url, headers, body) == 403
    assert not embedded.bodies


header_names = st.lists(
    st.sampled_from(
        [
            "host",
            "x-amz-date",
            "x-amz-target",
            "x-amz-content-sha256",
            "x-amz-meta-a",
            "expect",
            "user-agent",
            "",
        ]
    ),
    max_size=7,
)
header_values = st.text(st.characters(codec="latin-1", categories=["L", "N", "P", "Zs"]))
plain_paths = st.one_of(st.just("/"), paths, st.text(st.characters(codec="ascii")).map("/".__add__))


@pytest.mark.thorough
@given(st.data(), plain_paths, header_names, st.sampled_from(["s3", "dynamodb", "lambda"]))
def test_the_short_way_to_a_signature_is_botocores_or_none(
    data: st.DataObject, path: str, names: list[str], service: str
) -> None:
    values = {name: data.draw(header_values) for name in names} | {"host": HOST}
    query = data.draw(st.sampled_from(["", "", "a=1"]))
    request = Request(data.draw(st.sampled_from(["GET", "PUT", "post"])), path, query, values)
    listed = data.draw(st.sampled_from([names, sorted({*names, "host"})]))
    body = data.draw(st.one_of(st.none(), st.binary(max_size=20)))
    scope = [data.draw(st.sampled_from(["20261126", "20261127", ""])), "us-east-1", service, "x"]
    date = "20261126T101112Z"
    short = sign_plain(request, body, listed, SECRET, scope, date)
    assert short in {"", sign(request, body, listed, Credentials(KEY, SECRET), scope, date)}


@pytest.mark.parametrize("target", [":", "00", "*", "http://evil.example/"])
def test_a_target_that_is_no_path_is_refused_before_its_signature(target: str) -> None:
    url = f"http://{HOST}/"
    request = Request("GET", target, "", {"host": HOST, **signed("s3", "GET", url)})
    with pytest.raises(Refusal, match="no path"):
        check_place(request, LOOPBACK, PORT)


@pytest.mark.parametrize(("service", "path"), [("dynamodb", "/"), ("s3", "/pets/cats/1-2.jpg")])
def test_requests_to_the_table_and_for_objects_take_the_short_way(service: str, path: str) -> None:
    headers = signed(service, "POST", f"http://{HOST}{path}", b"{}")
    names = re.findall(r"SignedHeaders=([^,]+)", headers["Authorization"])[0].split(";")
    date = headers["X-Amz-Date"]
    scope = [date[:8], "us-east-1", service, "aws4_request"]
    values = {name.lower(): value for name, value in headers.items()} | {"host": HOST}
    request = Request("POST", path, "", values)
    assert headers["Authorization"].endswith(
        sign_plain(request, b"{}", names, SECRET, scope, date) or "none"
    )


def test_a_signed_address_is_answered_and_a_changed_one_is_not() -> None:
    s3: Any = boto3.client(
        "s3",
        endpoint_url=f"http://{HOST}",
        region_name="us-east-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        config=Config(signature_version="s3v4"),
    )
    key = "a folder/tom+1% #2.jpg"
    address = s3.generate_presigned_url("get_object", Params={"Bucket": "pets", "Key": key})
    assert ask(guard(Embedded()), "GET", address) == 200
    assert ask(guard(Embedded()), "GET", address.replace("tom", "tim")) == 403
    assert ask(guard(Embedded()), "PUT", address) == 403
    frame = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Origin": "null"}
    assert ask(guard(Embedded()), "GET", address, frame) == 200  # a frame without an origin
    assert ask(guard(Embedded()), "GET", address + "0", frame) == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://kittens.example"},
        {"Origin": "http://127.0.0.1:5699"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Host": "evil.example"},
        {"Host": f"evil.example:{PORT}"},
        {"Host": "127.0.0.1:9999"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/", "/_aws/execute-api/a1/jobs", "/_ministack/health"])
def test_a_page_of_another_origin_or_name_is_refused_everywhere(
    headers: dict[str, str], path: str
) -> None:
    embedded = Embedded()
    for method in ("GET", "POST", "OPTIONS", "PUT"):
        assert ask(guard(embedded), method, f"http://{HOST}{path}", headers) in {403, 421}
    assert not embedded.bodies


def test_a_link_to_the_portal_may_be_followed_from_anywhere() -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    address = f"http://{HOST}/_aws/execute-api/a1/"
    assert ask(guard(Embedded()), "GET", address, headers) == 200
    assert ask(guard(Embedded()), "POST", address, headers) == 403


def test_no_response_opens_itself_to_other_origins_and_objects_are_in_a_sandbox() -> None:
    url = f"http://{HOST}/pets/1.svg"
    _, headers = in_a_loop(asked(guard(Embedded()), "GET", url, signed("s3", "GET", url)))
    assert not [name for name in headers if name.startswith(b"access-control")]
    assert headers[b"content-security-policy"].startswith(b"sandbox;")
    assert headers[b"x-content-type-options"] == b"nosniff"


def sign_in(password: str, call: str = "InitiateAuth") -> tuple[dict[str, str], bytes]:
    target = {"X-Amz-Target": f"AWSCognitoIdentityProviderService.{call}"}
    parameters = {"USERNAME": "Ann@example.com", "PASSWORD": password}
    content = {"AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": parameters}
    return target, json.dumps(content).encode()


def step(guarded: Guard, call: str, **content: Any) -> int:
    """The status of the response to a step of a sign-in."""
    target = {"X-Amz-Target": f"AWSCognitoIdentityProviderService.{call}"}
    return ask(guarded, "POST", f"http://{HOST}/", target, json.dumps(content).encode())


def answer_to(
    session: str, name: str = "NEW_PASSWORD_REQUIRED", who: str = "ann@example.com"
) -> Any:
    """A challenge's answer, as a page sends it."""
    return {
        "Session": session,
        "ChallengeName": name,
        "ChallengeResponses": {"USERNAME": who, "NEW_PASSWORD": "Mine-from-now-1"},
    }


def asking_for(challenge: str, session: str) -> bytes:
    """What Cognito answers when a sign-in takes another step."""
    return json.dumps({"ChallengeName": challenge, "Session": session}).encode()


@pytest.mark.parametrize(
    "call",
    ["SignUp", "ConfirmSignUp", "ConfirmForgotPassword", "AdminCreateUser", "UpdateUserAttributes"],
)
def test_nobody_gives_themselves_an_account(call: str) -> None:
    assert f"AWSCognitoIdentityProviderService.{call}" not in SIGN_IN_CALLS
    embedded = Embedded()
    assert ask(guard(embedded), "POST", f"http://{HOST}/", *sign_in("x", call)) == 403
    assert not embedded.bodies


def test_wrong_passwords_lock_an_account_even_for_the_right_one() -> None:
    embedded = Embedded(status=400)
    guarded = guard(embedded)
    for _ in range(WRONG_PASSWORDS + 3):
        assert ask(guarded, "POST", f"http://{HOST}/", *sign_in("wrong")) == 400
    assert len(embedded.bodies) == WRONG_PASSWORDS
    embedded.status = 200
    assert ask(guarded, "POST", f"http://{HOST}/", *sign_in("right")) == 400


def test_wrong_passwords_sent_at_once_are_not_all_tried() -> None:
    embedded = Embedded(status=400)
    guarded = guard(embedded)

    async def everybody() -> list[tuple[int, Any]]:
        tries = [asked(guarded, "POST", f"http://{HOST}/", *sign_in(str(n))) for n in range(50)]
        return await asyncio.gather(*tries)

    in_a_loop(everybody())
    assert len(embedded.bodies) == WRONG_PASSWORDS


def test_wrong_codes_lock_the_second_factor_though_the_password_is_right_each_time() -> None:
    embedded = Embedded(content=asking_for("SOFTWARE_TOKEN_MFA", "s"))
    guarded = guard(embedded)
    guessed = 0
    for number in range(3 * WRONG_PASSWORDS):
        embedded.status = 200
        assert ask(guarded, "POST", f"http://{HOST}/", *sign_in("right")) == 200
        embedded.status = 400
        content = answer_to("s", "SOFTWARE_TOKEN_MFA")
        content["ChallengeResponses"]["SOFTWARE_TOKEN_MFA_CODE"] = f"{number:06d}"
        before = len(embedded.bodies)
        assert step(guarded, "RespondToAuthChallenge", **content) == 400
        guessed += len(embedded.bodies) - before
    assert guessed == WRONG_PASSWORDS


@pytest.mark.parametrize(
    "content",
    [
        answer_to("never begun"),
        answer_to("s", "MFA_SETUP"),
        answer_to("s", "SOFTWARE_TOKEN_MFA"),
        answer_to("s", who="ben@example.com"),
        answer_to("s", who=""),
        answer_to("s") | {"Session": None},
        {"ChallengeName": "NEW_PASSWORD_REQUIRED"},
        {},
    ],
    ids=str,
)
def test_a_step_that_a_sign_in_is_not_at_is_refused(content: dict[str, Any]) -> None:
    embedded = Embedded(content=asking_for("NEW_PASSWORD_REQUIRED", "s"))
    guarded = guard(embedded)
    assert ask(guarded, "POST", f"http://{HOST}/", *sign_in("first")) == 200
    assert step(guarded, "RespondToAuthChallenge", **content) == 400
    assert len(embedded.bodies) == 1
    embedded.content = b'{"AuthenticationResult": {}}'
    assert step(guarded, "RespondToAuthChallenge", **answer_to("s")) == 200
    assert step(guarded, "RespondToAuthChallenge", **answer_to("s")) == 400  # it is taken


def test_an_authenticator_is_set_up_in_the_sign_in_that_asks_for_it_and_in_no_other() -> None:
    embedded = Embedded(content=asking_for("MFA_SETUP", "s"))
    guarded = guard(embedded)
    assert step(guarded, "AssociateSoftwareToken", Session="s") == 400
    assert ask(guarded, "POST", f"http://{HOST}/", *sign_in("right")) == 200
    embedded.content = b'{"SecretCode": "ABC", "Session": "t"}'
    assert step(guarded, "AssociateSoftwareToken", Session="s") == 200
    embedded.content = b'{"Status": "SUCCESS", "Session": "u"}'
    assert step(guarded, "VerifySoftwareToken", Session="t", UserCode="123456") == 200
    assert step(guarded, "RespondToAuthChallenge", **answer_to("u", "MFA_SETUP")) == 200


@pytest.mark.parametrize("call", sorted(SIGN_IN_CALLS))
def test_no_call_takes_a_token_that_the_pool_did_not_sign_or_that_is_of_another_kind(
    call: str,
) -> None:
    name = call.partition(".")[2]
    forged = token(token_use="access", sub="ben", exp=9e9)
    values: list[Any] = [forged, REFRESH, OVER, "garbage", "", None, {}]
    contents: list[Any] = [{"AccessToken": value} for value in values]
    contents += [
        {field: each}
        for field in ("RefreshToken", "Token")
        for each in (token(token_use="refresh", sub="ben", exp=9e9), ACCESS, "garbage")
    ]
    contents += [
        {"AuthFlow": "REFRESH_TOKEN_AUTH", "AuthParameters": {"REFRESH_TOKEN": each}}
        for each in (token(token_use="refresh", sub="ben", exp=9e9), ACCESS, "")
    ]
    embedded = Embedded()
    for content in contents:
        assert step(guard(embedded), name, **content) == 400
    assert not embedded.bodies


def test_good_tokens_are_taken() -> None:
    guarded = guard(Embedded())
    renewed = {"AuthFlow": "REFRESH_TOKEN_AUTH", "AuthParameters": {"REFRESH_TOKEN": REFRESH}}
    assert step(guarded, "InitiateAuth", **renewed) == 200
    assert step(guarded, "GlobalSignOut", AccessToken=ACCESS) == 200
    assert step(guarded, "RevokeToken", Token=REFRESH) == 200


@pytest.mark.parametrize("flow", ["CUSTOM_AUTH", "USER_SRP_AUTH", "ADMIN_NO_SRP_AUTH", "", None])
def test_a_sign_in_begins_as_the_template_allows(flow: Any) -> None:
    embedded = Embedded()
    assert step(guard(embedded), "InitiateAuth", AuthFlow=flow, AuthParameters={}) == 400
    assert not embedded.bodies


@given(st.binary(max_size=60) | st.just(b"[" * 100_000) | st.just(b'{"AuthParameters": 7}'))
def test_no_body_of_a_sign_in_breaks_the_guard(body: bytes) -> None:
    for call in ("InitiateAuth", "RespondToAuthChallenge", "RevokeToken"):
        target = {"X-Amz-Target": f"AWSCognitoIdentityProviderService.{call}"}
        assert ask(guard(Embedded()), "POST", f"http://{HOST}/", target, body) in {200, 400}


def test_a_lock_ends_and_a_right_password_forgets_the_wrong_ones() -> None:
    now = [0.0]
    lockout = Lockout(lambda: now[0])
    for _ in range(WRONG_PASSWORDS):
        assert not lockout.is_locked("ann")
        lockout.count("ann", wrong=True)
    assert lockout.is_locked("ann")
    assert not lockout.is_locked("ben")
    now[0] = LOCKED + 1
    assert not lockout.is_locked("ann")
    lockout.count("ann", wrong=True)
    lockout.count("ann", wrong=False)
    for _ in range(WRONG_PASSWORDS - 1):
        lockout.count("ann", wrong=True)
    assert not lockout.is_locked("ann")


def test_requests_of_the_portal_wait_for_a_process() -> None:
    embedded = Embedded()
    guarded = guard(embedded, processes=3)
    address = f"http://{HOST}/_aws/execute-api/a1/jobs"

    async def everybody() -> list[tuple[int, Any]]:
        return await asyncio.gather(*(asked(guarded, "GET", address, {}) for _ in range(50)))

    assert [status for status, _ in in_a_loop(everybody())] == [200] * 50
    assert embedded.most == 3


def test_a_date_from_another_clock_is_refused() -> None:
    url = f"http://{HOST}/"
    headers = signed("states", "POST", url)
    assert time.strftime("%Y%m%d", time.gmtime()) in headers["X-Amz-Date"]
    headers["X-Amz-Date"] = "yesterday"
    assert ask(guard(Embedded()), "POST", url, headers) == 403


@pytest.mark.stack
@pytest.mark.slow
def test_the_stack_listens_at_its_own_port_alone(stack: LocalStack) -> None:
    pid = int((stack.home / "aws.pid").read_text())
    listening = set()
    inodes = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    for table in ("tcp", "tcp6"):
        for row in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = row.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                listening.add(fields[1])
    assert listening == {f"0100007F:{stack.port:04X}"}


def test_a_browser_is_signed_in_once_by_a_code_that_the_owner_made() -> None:
    entrances = Entrances()
    session = {"name": "ann</script><script>alert(1)</script>"}
    code = entrances.make({"session": session, "target": f"{PORTAL}api/#job/a"})
    page = entrances.open(code).decode()
    assert page.count("</script>") == 1
    values = page.partition("= ")[2].partition(";session")[0]
    assert json.loads(json.loads(values)[0]) == session
    for used in (code, "", "guessed"):
        with pytest.raises(Refusal):
            entrances.open(used)


def test_a_code_is_good_for_a_minute() -> None:
    times = iter([0.0, ENTRANCE_SECONDS + 1.0])
    entrances = Entrances(times.__next__)
    code = entrances.make({"session": {}, "target": f"{PORTAL}api/"})
    with pytest.raises(Refusal):
        entrances.open(code)


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "javascript:alert(1)"]
)
def test_a_code_leads_to_the_portal_alone(target: str) -> None:
    with pytest.raises(Refusal):
        Entrances().make({"session": {}, "target": target})


def test_a_code_is_made_by_the_owners_key_alone() -> None:
    url, body = f"http://{HOST}{ENTRANCE}", json.dumps({"session": {}, "target": PORTAL}).encode()
    guarded = guard(Embedded())
    assert ask(guarded, "POST", url, {}, body) == 403
    assert ask(guarded, "POST", url, signed("tessera", "POST", url, body, secret="x"), body) == 403
    assert ask(guarded, "POST", url, signed("tessera", "POST", url, body), body) == 200
    assert ask(guarded, "GET", f"{url}guessed") == 404


@pytest.mark.parametrize(
    ("peer", "answered"),
    [("127.0.0.1", True), ("::1", True), ("172.17.0.5", True), ("192.168.1.7", False),
     ("172.18.0.1", False), ("2001:db8::1", False)],
)  # fmt: skip
def test_a_stack_that_is_open_to_containers_answers_no_other_machine(
    peer: str, answered: bool
) -> None:
    networks = [IPv4Network("172.17.0.0/16")]
    if answered:
        check_peer((peer, 5), networks)
    else:
        with pytest.raises(Refusal, match="for its own machine"):
            check_peer((peer, 5), networks)


def test_what_changed_is_saved_soon_and_nothing_after_the_end() -> None:
    saves = list[int]()

    async def life() -> None:
        pauses, messages = asyncio.Queue[None](), asyncio.Queue[Any]()

        async def pause(seconds: float) -> None:
            await pauses.get()

        async def end_pause() -> None:
            pauses.put_nowait(None)
            for _ in range(5):  # whoever waited for it comes to its next wait
                await asyncio.sleep(0)

        async def embedded(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "lifespan":
                return
            while (await receive())["type"] != "lifespan.shutdown":
                pass
            saves.append(-1)  # the embedded AWS saves everything itself
            await end_pause()

        guarded = guard(cast(Embedded, embedded), save=lambda: saves.append(1), sleep=pause)
        running = asyncio.create_task(guarded({"type": "lifespan"}, messages.get, messages.put))
        for method in ("GET", "PUT", "GET"):
            await asked(guarded, method, f"http://{HOST}/bucket/key", {})
            await end_pause()
        await asked(guarded, "PUT", f"http://{HOST}/bucket/key", {})
        await messages.put({"type": "lifespan.shutdown"})
        await running

    in_a_loop(life())
    assert saves == [1, -1]


def test_an_expression_of_the_state_machine_may_wait_for_a_core(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Timebox, "current_milli_time", Timebox.current_milli_time)

    def evaluate() -> Any:
        expression = Jsonata.jsonata("$wait() + 1", timeout=10)
        expression.register_lambda("wait", lambda: Event().wait(0.05) or 1)
        return expression.evaluate(None, {})

    with pytest.raises(JException, match="timeout"):
        evaluate()
    count_processor_time()
    assert evaluate() == 2


FULL = {"room": lambda: -1}
KEPT = [
    ("PUT", "/tessera-inbox/images/pets/cat.jpg", "s3"),
    ("POST", "/tessera-inbox/images/pets/cat.jpg?uploads=", "s3"),
    ("POST", "/tessera-inbox/images/pets/cat.jpg?uploadId=7", "s3"),
]


@pytest.mark.parametrize(("method", "path", "service"), KEPT)
def test_what_a_full_disk_cannot_keep_is_refused_before_it_is_taken(
    method: str, path: str, service: str
) -> None:
    embedded, url = Embedded(), f"http://{HOST}{path}"
    headers = signed(service, method, url, b"GIF89a")
    assert ask(guard(embedded, **FULL), method, url, headers, b"GIF89a") == 507
    assert not embedded.bodies
    assert ask(guard(embedded), method, url, headers, b"GIF89a") == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_a_full_disk_is_read_and_cleared(method: str) -> None:
    url = f"http://{HOST}/tessera-inbox/images/pets/cat.jpg"
    headers = signed("s3", method, url, b"")
    assert ask(guard(Embedded(), **FULL), method, url, headers) == 200


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_page_is_not_said_to_be_saved_on_a_full_disk(method: str) -> None:
    url = f"http://{HOST}{PORTAL}a1b2/jobs/pets-r1-000/tasks/0/answer"
    assert ask(guard(Embedded(), **FULL), method, url, {}, b"{}") == 507


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_an_object_is_taken_only_where_all_of_it_has_room(room: int, length: int) -> None:
    request = Request("PUT", "/inbox/cat.jpg", "", {"content-length": str(length)})
    if length <= room:
        check_room(request, lambda: room)
    else:
        with pytest.raises(Refusal, match="Make room"):
            check_room(request, lambda: room)


def test_an_object_that_did_not_reach_the_disk_fails_its_request_and_is_written_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ministack.services import s3

    full, written = [True], list[str]()

    def write(bucket: str, key: str, stored: dict[str, Any]) -> None:
        """As the embedded S3 does: it logs an error, and keeps the body in memory."""
        if not full[0]:
            written.append(key)
            stored["body"] = None

    monkeypatch.setattr(s3, "_persist_object", write)
    kept, replaced = {"body": b"GIF89a"}, {"body": b"an earlier one"}
    monkeypatch.setattr(s3, "_buckets", {"inbox": {"objects": {"cat.gif": kept}}})
    write_again = fail_unwritten()
    for stored, key in ((kept, "cat.gif"), (replaced, "dog.gif")):
        with pytest.raises(OSError, match="not on disk"):
            s3._persist_object("inbox", key, stored)

    write_again()
    assert not written
    full[0] = False
    write_again()
    write_again()
    assert written == ["cat.gif"]
