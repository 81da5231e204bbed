"""The index: one set of promises, kept in memory and in DynamoDB."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from moto import mock_aws

from tessera.aws import table as aws_table
from tessera.aws.connection import connect
from tessera.aws.table import decode, encode
from tessera.portal.errors import Busy
from tessera.portal.store import ABSENT, Change, Key, Table, erase
from tessera.portal.task_updates import ATTEMPTS
from tessera.stack.samples import create_table
from tests import fakes
from tests.local_server import serving


@pytest.fixture
def in_memory() -> Table:
    return fakes.Table()


@pytest.fixture
def in_dynamodb() -> Iterator[Table]:
    with mock_aws():
        connection = connect()
        create_table(connection.client("dynamodb"), "portal")
        yield connection.table("portal")


class Forwarder(BaseHTTPRequestHandler):
    """DynamoDB over HTTP, which asks moto's in this process."""

    def do_POST(self) -> None:
        """Answer a request as DynamoDB does."""
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        operation = xform_name(self.headers["X-Amz-Target"].partition(".")[2])
        status = 200
        try:
            answer = getattr(connect().client("dynamodb"), operation)(**content)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            status, answer = 400, error.response | {"__type": f"com.amazonaws#{code}"}
        del answer["ResponseMetadata"]
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def in_dynamodb_soon(in_dynamodb: Table) -> Iterator[Table]:
    """The table in DynamoDB, asked in the shortest way over HTTP."""
    keys = ("key", "secret")
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Forwarder)) as server:
        yield connect(f"http://127.0.0.1:{server.server_port}", "us-east-1", keys).table_soon(
            "portal"
        )


KINDS = ["in_dynamodb", "in_dynamodb_soon"]


@pytest.fixture(
    params=["in_memory", *(pytest.param(kind, marks=pytest.mark.thorough) for kind in KINDS)]
)
def table(request: pytest.FixtureRequest) -> Table:
    """An empty index, once of each kind."""
    table: Table = request.getfixturevalue(request.param)
    return table


class Throttling:
    """DynamoDB that reads one key of a batch, and none at all so many times in a row."""

    def __init__(self, times: int) -> None:
        self.times, self.unread = times, 0

    def batch_get_item(self, *, RequestItems: Any) -> Any:
        ((name, asked),) = RequestItems.items()
        keys = asked["Keys"]
        self.unread += 1
        if self.unread <= self.times:
            return {"Responses": {}, "UnprocessedKeys": {name: {"Keys": keys}}}
        self.unread = 0
        rest = {name: {"Keys": keys[1:]}} if keys[1:] else {}
        return {"Responses": {name: keys[:1]}, "UnprocessedKeys": rest}


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of every wait, none of which is waited."""
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    return waited


def test_keys_that_dynamodb_leaves_unread_are_asked_for_again_after_a_while(
    waits: list[float],
) -> None:
    dynamodb: Any = Throttling(2)
    keys = [Key("job", sort) for sort in "abc"]

    assert aws_table.Table(lambda: dynamodb, "portal").get(*keys) == [{}, {}, {}]

    assert len(waits) == 8


def test_a_table_that_reads_nothing_is_not_asked_for_ever(waits: list[float]) -> None:
    dynamodb: Any = Throttling(10**6)
    with pytest.raises(Busy):
        aws_table.Table(lambda: dynamodb, "portal").get(Key("job", "a"), Key("job", "b"))
    assert len(waits) == ATTEMPTS - 1
    assert sum(waits) < 3


class ShortPages:
    """DynamoDB whose queries end after each item, as they do after each megabyte."""

    def __init__(self, items: int) -> None:
        self.items, self.queries = items, 0

    def query(self, *, ExclusiveStartKey: Any = None, **_: Any) -> Any:
        self.queries += 1
        number = int(ExclusiveStartKey["sk"]["S"]) + 1 if ExclusiveStartKey else 0
        key = {"pk": {"S": "job"}, "sk": {"S": str(number)}}
        last = {"LastEvaluatedKey": key} if number < self.items - 1 else {}
        return {"Items": [key] if number < self.items else []} | last


@pytest.mark.parametrize(("limit", "expected"), [(0, 5), (1, 1), (2, 2), (4, 4), (9, 5)])
def test_a_query_goes_on_where_dynamodb_ended_until_it_has_what_it_was_asked_for(
    limit: int, expected: int
) -> None:
    dynamodb: Any = ShortPages(5)
    items = aws_table.Table(lambda: dynamodb, "portal").query("job", limit=limit)
    assert [sort for sort, _ in items] == [str(number) for number in range(expected)]
    assert dynamodb.queries <= (limit + 2 if limit else 5)


def put(table: Table, sort: str, **values: Any) -> bool:
    return table.write(Change("put", Key("job", sort), values))


def test_an_item_comes_back_as_it_was_put(table: Table) -> None:
    item = {"n": 3, "share": 0.25, "name": "Ann", "had": ["b", "a"], "answers": {"ann": {"4": "x"}}}
    put(table, "a", **item, on=True, none=None)
    assert table.get(Key("job", "a"), Key("job", "b")) == [item | {"on": True, "none": None}, None]


def test_a_change_that_expects_absence_is_made_once(table: Table) -> None:
    first = Change("put", Key("job", "a"), {"by": "ann"}, ABSENT)
    second = Change("put", Key("job", "a"), {"by": "ben"}, ABSENT)
    assert table.write(first)
    assert not table.write(second)
    assert table.get(Key("job", "a")) == [{"by": "ann"}]


def test_one_change_that_is_not_as_expected_makes_none(table: Table) -> None:
    put(table, "a", version=1)
    put(table, "b", version=1)
    assert not table.write(
        Change("put", Key("job", "a"), {"version": 2}, {"version": 1}),
        Change("delete", Key("job", "b"), {}, {"version": 7}),
    )
    assert table.get(Key("job", "a"), Key("job", "b")) == [{"version": 1}, {"version": 1}]


def test_numbers_are_added_and_attributes_set_beside_them(table: Table) -> None:
    for seconds in (1.5, 2.25):
        added = {"answers": 1, "seconds": seconds}
        assert table.write(Change("add", Key("job", "ann"), added, sets={"last": seconds}))
    assert table.get(Key("job", "ann")) == [{"answers": 2, "seconds": 3.75, "last": 2.25}]


def test_an_addition_can_expect_what_it_adds_to(table: Table) -> None:
    put(table, "stripe", dealt=0)
    deal = Change("add", Key("job", "stripe"), {"dealt": 1}, {"dealt": 0})
    assert [table.write(deal), table.write(deal)] == [True, False]
    assert table.get(Key("job", "stripe")) == [{"dealt": 1}]


def test_a_query_is_sorted_bounded_and_leaves_its_bounds_out(table: Table) -> None:
    for sort in ("c", "a", "e", "b", "d"):
        put(table, sort, at=sort)
    table.write(Change("put", Key("other", "a"), {"at": "elsewhere"}))

    def sorts(**bounds: Any) -> str:
        return "".join(sort for sort, _ in table.query("job", **bounds))

    assert sorts() == "abcde"
    assert sorts(after="b") == "cde"
    assert sorts(before="d") == "abc"
    assert sorts(after="a", before="e") == "bcd"
    assert sorts(after="a", before="e", limit=2) == "bc"
    assert sorts(limit=3) == "abc"
    assert sorts(after="d", before="b") == ""


def test_a_count_goes_up_by_one_for_each_that_asks(table: Table) -> None:
    key = Key("rate#ann", "28333333")
    assert [table.count(key, "requests", expires=99) for _ in range(3)] == [1, 2, 3]


@pytest.mark.thorough
def test_more_items_than_one_read_or_write_takes(table: Table) -> None:
    keys = [Key("job", f"{number:04d}") for number in range(230)]
    for start in range(0, 230, 100):
        chunk = keys[start : start + 100]
        table.write(*(Change("put", key, {"at": key.sort}) for key in chunk))
    assert [item and item["at"] for item in table.get(*keys)] == [key.sort for key in keys]
    erase(table, keys)
    assert table.query("job") == []


def test_what_dynamodb_has_no_type_for_is_refused() -> None:
    with pytest.raises(TypeError, match="set has no place"):
        encode({1, 2})
    assert decode(encode({"a": [1, None, False]})) == {"a": [1, None, False]}
