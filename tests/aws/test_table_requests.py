"""Requests to the table in the shortest way: signed as botocore does, and boto3 does the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import pytest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from tessera.aws.connection import connect
from tessera.aws.table_requests import sign
from tessera.portal.store import Change, Key
from tessera.stack import guard
from tests.local_server import serving

KEYS = ("AKIDEXAMPLE", "secret")
SESSION = (*KEYS, "a token+/=")
ANSWERS = {
    "GetItem": {"Item": {"pk": {"S": "job"}, "sk": {"S": "a"}, "n": {"N": "1"}}},
    "BatchGetItem": {"Responses": {"portal": []}},
    "UpdateItem": {"Attributes": {"n": {"N": "4"}}},
}


class DynamoDB(BaseHTTPRequestHandler):
    """DynamoDB that answers a request of boto3's, and one of ours as the server's turn says."""

    def do_POST(self) -> None:
        """Note the request, and answer it."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].partition(".")[2]
        is_own = self.headers["User-Agent"] == "tessera"
        state: Any = self.server
        state.asked.append((operation, is_own, json.loads(body)))
        content = json.dumps(ANSWERS.get(operation, {})).encode()
        status = 200
        match state.turn if is_own else "answer":
            case int(refused):
                status, content = refused, b'{"__type": "com.amazonaws#ThrottlingException"}'
            case "cut":
                content = content[:-1]
            case "list":
                content = b"[]"
            case "close":
                return
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@contextmanager
def dynamodb(turn: Any) -> Iterator[tuple[str, list[tuple[str, bool, Any]]]]:
    """Serve DynamoDB; its endpoint, and what it is asked: operation, if it is ours, content."""
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), DynamoDB)) as server:
        state: Any = server
        state.asked, state.turn = [], turn
        yield f"http://127.0.0.1:{server.server_port}", state.asked


@pytest.mark.parametrize("keys", [KEYS, SESSION], ids=["keys", "session"])
@pytest.mark.parametrize("turn", ["answer", "cut", "list", "close", 400, 403, 500, 503], ids=str)
def test_what_is_not_answered_at_once_is_asked_again_by_boto3_and_nothing_else_is(
    turn: Any, keys: Any
) -> None:
    tries = [True] if turn == "answer" else [True, False]
    with dynamodb(turn) as (endpoint, asked):
        table = connect(endpoint, "us-east-1", keys).table_soon("portal")
        assert table.get(Key("job", "a")) == [{"n": 1}]
        assert table.get(Key("job", "a"), Key("job", "b")) == [None, None]
        assert table.count(Key("job", "a"), "n") == 4
        change = Change("put", Key("job", "a"), {"n": 1})
        assert table.write(change)
        assert table.write(change, Change("put", Key("job", "b"), {"n": 2}))
        assert [is_own for _, is_own, _ in asked] == 5 * tries
        # The same to the byte, a transaction's token too: DynamoDB knows it for the same one.
        for first, second in pairwise(asked):
            assert first[0] != second[0] or first[2] == second[2]


def test_an_operator_asks_by_boto3_alone() -> None:
    with dynamodb("answer") as (endpoint, asked):
        connect(endpoint, "us-east-1", KEYS).table("portal").get(Key("job", "a"))
        assert [is_own for _, is_own, _ in asked] == [False]


def test_a_proxy_is_left_to_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    with dynamodb("answer") as (endpoint, asked):
        monkeypatch.setenv("HTTP_PROXY", endpoint)
        monkeypatch.delenv("NO_PROXY", raising=False)
        table = connect("http://dynamodb.example", "us-east-1", KEYS).table_soon("portal")
        assert table.get(Key("job", "a")) == [{"n": 1}]
        assert [is_own for _, is_own, _ in asked] == [False]


@given(
    st.binary(max_size=50),
    st.sampled_from(["GetItem", "Query", "TransactWriteItems"]),
    st.sampled_from(["us-east-1", "cn-north-1", "eusc-de-east-1"]),
    st.sampled_from([KEYS, SESSION]),
)
def test_a_request_is_signed_as_botocore_signs_it(
    body: bytes, operation: str, region: str, keys: Any
) -> None:
    host = f"dynamodb.{region}.amazonaws.com"
    headers = sign(operation, body, host, region, keys)
    parts = dict(re.findall(r"(\w+)=([^,\s]+)", headers["authorization"]))
    names, scope = parts["SignedHeaders"].split(";"), parts["Credential"].split("/")
    assert {"host", "x-amz-date", "x-amz-target"} <= {*names}
    assert ("x-amz-security-token" in names) == (keys is SESSION)
    assert scope[0] == keys[0]
    request = guard.Request("POST", "/", "", headers)
    date = headers["x-amz-date"]
    expected = guard.sign(request, body, names, Credentials(*keys[:2]), scope[1:], date)
    assert parts["Signature"] == expected
