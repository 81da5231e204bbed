"""Spans of the portal's requests to its table: those that X-Ray's SDK would make, without it."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_xray_sdk.core.models.facade_segment import FacadeSegment
from aws_xray_sdk.core.models.subsegment import Subsegment
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tessera.aws.connection import connect
from tessera.aws.spans import DAEMON, TRACE, Spans
from tessera.portal.store import ABSENT, Change, Key
from tests.aws.test_table_requests import KEYS, dynamodb

ROOT, PARENT = "1-5759e988-bd862e3fe1be46a994272793", "53995c3f42cd8ad8"
SAMPLED = f"Root={ROOT};Parent={PARENT};Sampled=1"
FUNCTIONS = Path(__file__).resolve().parents[2] / "functions"


class Daemon:
    """What listens where Lambda's daemon of X-Ray does."""

    def __init__(self) -> None:
        """Listen at a port that is free."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        host, port = self._socket.getsockname()
        self.address = f"{host}:{port}"

    def spans(self) -> list[dict[str, Any]]:
        """Return the spans that came; on one machine they are here when they have been sent."""
        received: list[dict[str, Any]] = []
        while True:
            try:
                header, _, document = self._socket.recv(65_536).partition(b"\n")
            except BlockingIOError:
                return received
            assert json.loads(header) == {"format": "json", "version": 1}
            received.append(json.loads(document))


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    listening = Daemon()
    monkeypatch.setenv(DAEMON, listening.address)
    monkeypatch.setenv("AWS_REGION", "eu-central-2")
    monkeypatch.delenv(TRACE, raising=False)
    yield listening
    listening._socket.close()


def everything(endpoint: str) -> list[str]:
    """Ask a table everything that the portal asks, and return the names of the operations."""
    table = connect(endpoint, "eu-central-2", KEYS).table_soon("portal", Spans(os.environ))
    one, two = Key("job", "a"), Key("job", "b")
    table.get(one)
    table.get(one, two)
    table.count(one, "n")
    table.write(Change("put", one, {"n": 1}, expect=ABSENT))
    table.write(Change("delete", one))
    table.write(Change("put", one, {"n": 1}), Change("delete", two))
    return [
        "GetItem", "BatchGetItem", "UpdateItem", "PutItem", "DeleteItem", "TransactWriteItems",
    ]  # fmt: skip


def test_each_request_of_a_sampled_trace_is_a_span_of_the_functions(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRACE, SAMPLED)
    before = time.time()
    with dynamodb("answer") as (endpoint, _):
        asked = everything(endpoint)
    spans = daemon.spans()
    assert [span["aws"]["operation"] for span in spans] == asked
    assert len({span["id"] for span in spans}) == len(spans)
    for span in spans:
        assert re.fullmatch("[0-9a-f]{16}", span["id"])
        assert (span["trace_id"], span["parent_id"]) == (ROOT, PARENT)
        assert (span["aws"]["table_name"], span["aws"]["region"]) == ("portal", "eu-central-2")
        assert before <= span["start_time"] <= span["end_time"] <= time.time()
        assert not {"error", "fault", "throttle"} & span.keys()


def test_a_span_has_what_x_rays_own_sdk_would_send(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Subsegment("DynamoDB", "aws", FacadeSegment("function", PARENT, ROOT, True))
    own.set_aws({"operation": "GetItem", "table_name": "portal", "region": "eu-central-2"})
    own.put_http_meta("status", 200)
    own.close()
    monkeypatch.setenv(TRACE, SAMPLED)
    with Spans(os.environ).of_table("GetItem", "portal"):
        pass
    (span,) = daemon.spans()
    expected = json.loads(own.serialize()) | {"parent_id": PARENT}
    differs = ("id", "start_time", "end_time")
    assert span.keys() == expected.keys()
    assert {key: value for key, value in span.items() if key not in differs} == {
        key: value for key, value in expected.items() if key not in differs
    }


@pytest.mark.parametrize("turn", ["cut", "close", 400, 503], ids=str)
def test_a_request_that_boto3_makes_in_the_end_is_one_span(
    turn: Any, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TRACE, SAMPLED)
    with dynamodb(turn) as (endpoint, asked):
        everything(endpoint)
    assert len(asked) == 2 * len(daemon.spans())


@pytest.mark.parametrize(
    ("code", "status", "marks"),
    [
        ("ConditionalCheckFailedException", 400, {"error"}),
        ("ProvisionedThroughputExceededException", 400, {"error", "throttle"}),
        ("ThrottlingException", 400, {"error", "throttle"}),
        ("InternalServerError", 500, {"fault"}),
        (None, 0, {"fault"}),
    ],
)
def test_a_span_says_whose_fault_a_failure_was_and_no_more(
    code: str | None, status: int, marks: set[str], daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer: Any = {
        "Error": {"Code": code, "Message": "ann@example.org"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    failure = ClientError(answer, "GetItem") if code else TimeoutError("ann@example.org")
    monkeypatch.setenv(TRACE, SAMPLED)
    with pytest.raises(type(failure)), Spans(os.environ).of_table("GetItem", "portal"):
        raise failure
    (span,) = daemon.spans()
    assert {"error", "fault", "throttle"} & span.keys() == marks
    assert span["cause"]["exceptions"][0]["type"] == (code or "TimeoutError")
    assert "ann@" not in json.dumps(span)


HEADERS = st.lists(
    st.sampled_from(
        [
            f"Root={ROOT}",
            f"Parent={PARENT}",
            "Sampled=0",
            "Sampled=?",
            "Sampled=1",
            "Self=1",
            "=;",
            "",
        ]
    ),
    max_size=6,
).map(";".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HEADERS | st.text(st.characters(codec="ascii", exclude_characters="\0")), st.booleans())
def test_whatever_the_variables_hold_a_request_is_made_and_only_a_whole_trace_has_its_span(
    daemon: Daemon, header: str, listens: bool
) -> None:
    whole = {f"Root={ROOT}", f"Parent={PARENT}", "Sampled=1"} <= {*header.split(";")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TRACE, header)
        patch.setenv(DAEMON, daemon.address if listens else "nowhere")
        with Spans(os.environ).of_table("GetItem", "portal"):
            pass
    spans = daemon.spans()
    if whole and listens:
        assert [(span["trace_id"], span["parent_id"]) for span in spans] == [(ROOT, PARENT)]
    elif "Sampled=1" not in header or not listens:
        assert spans == []


def test_where_nothing_is_sampled_nothing_is_made_and_nothing_is_loaded(daemon: Daemon) -> None:
    spans = Spans(os.environ)
    assert spans.of_table("GetItem", "portal") is spans.of_table("Query", "portal")
    script = (
        "import sys; from tessera.aws.spans import Spans\n"
        "with Spans({}).of_table('GetItem', 'portal'): pass\n"
        "print({'socket', 'json', 'aws_xray_sdk', 'boto3'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=FUNCTIONS, capture_output=True, text=True, env={}
    )
    assert done.stdout.strip() == "set()", done.stderr
    assert daemon.spans() == []
