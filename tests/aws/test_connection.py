"""Connections: each reaches its own AWS, by clients made at first use and kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tessera.aws.connection import Connection, connect
from tessera.aws.portal import portal_ports

KEYS = ("AKIDEXAMPLE", "secret")


def test_a_connection_makes_no_client_before_it_is_asked_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("boto3.client", lambda *_, **__: pytest.fail("a client was made"))
    connection = connect(region="eu-west-1", credentials=KEYS)
    portal_ports(connection, "index")
    connection.users("pool")


def test_two_connections_reach_two_places() -> None:
    here = connect("http://127.0.0.1:4566", "us-east-1", KEYS)
    aws = connect(region="eu-west-1", credentials=KEYS)
    assert here.client("dynamodb").meta.endpoint_url == "http://127.0.0.1:4566"
    assert aws.client("dynamodb").meta.endpoint_url == "https://dynamodb.eu-west-1.amazonaws.com"


@pytest.mark.parametrize("service", ["s3", "dynamodb", "lambda", "stepfunctions", "cognito-idp"])
def test_threads_share_one_client(service: str) -> None:
    connection = connect(region="eu-west-1", credentials=KEYS)
    with ThreadPoolExecutor(8) as pool:
        clients = list(pool.map(lambda _: connection.client(service), range(16)))
    assert len({id(client) for client in clients}) == 1


def test_a_connection_never_shows_its_secret() -> None:
    assert "secret" not in repr(connect("http://127.0.0.1:4566", "us-east-1", KEYS))


@pytest.mark.parametrize(("region", "expected"), [("eu-west-1", "eu-west-1"), (None, "us-east-1")])
def test_the_portal_is_told_the_region_that_is_asked(region: str | None, expected: str) -> None:
    assert portal_ports(Connection(region=region, credentials=KEYS), "index").region == expected


def test_a_function_is_given_up_on_before_whoever_waits_for_it() -> None:
    connection = connect("http://localhost:1", "us-east-1", KEYS)
    soon: Any = connection.functions_soon._client().meta.config
    late: Any = connection.functions._client().meta.config
    # An HTTP API gives up after 30 seconds, in which two pages are tried.
    assert 2 * (soon.read_timeout + soon.connect_timeout) < 30
    assert late.read_timeout >= 900
    assert soon.retries["total_max_attempts"] == late.retries["total_max_attempts"] == 1
