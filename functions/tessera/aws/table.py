"""DynamoDB as the portal's table: items under a partition key `pk` and a sort key `sk`.

Reads are consistent; several changes are made together or not at all; a change whose item is not
as expected makes none of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tessera.aws.backoff import back_off
from tessera.aws.spans import NO_SPANS, Spans
from tessera.portal.errors import Busy
from tessera.portal.store import ABSENT, Change, Key
from tessera.portal.task_updates import ATTEMPTS, CONTENDED

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

    from tessera.aws.table_requests import TableRequests

REFUSED = {
    "ConditionalCheckFailedException",
    "TransactionInProgressException",
    "TransactionConflictException",  # of a single write with a transaction under way
}
CANCELED = {"ConditionalCheckFailed", "TransactionConflict", "None"}


def encode(value: Any) -> dict[str, Any]:
    """Encode a JSON value as DynamoDB writes it.

    >>> encode({"seats": 2, "had": ["ann"]})
    {'M': {'seats': {'N': '2'}, 'had': {'L': [{'S': 'ann'}]}}}
    """
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int() | float():
            return {"N": repr(value)}
        case Mapping():
            return {"M": {name: encode(part) for name, part in value.items()}}
        case list() | tuple():
            return {"L": [encode(part) for part in value]}
    raise TypeError(f"{type(value).__name__} has no place in the table")


def decode(value: Mapping[str, Any]) -> Any:
    """Decode what `encode` returned.

    >>> decode({'M': {'seats': {'N': '2'}, 'until': {'N': '3.5'}}})
    {'seats': 2, 'until': 3.5}
    """
    (kind, content), *_ = value.items()
    match kind:
        case "N":
            return int(content) if content.lstrip("-").isdigit() else float(content)
        case "M":
            return {name: decode(part) for name, part in content.items()}
        case "L":
            return [decode(part) for part in content]
        case "NULL":
            return None
    return content


def _item(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {name: decode(value) for name, value in raw.items() if name not in {"pk", "sk"}}


def _key(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key.partition}, "sk": {"S": key.sort}}


class Table:
    """Items of one DynamoDB table, by partition and sort key."""

    def __init__(
        self,
        client: Callable[[], DynamoDBClient],
        name: str,
        requests: TableRequests | None = None,
        spans: Spans = NO_SPANS,
    ) -> None:
        """Keep what gives the client, made at the first call, and the table's name.

        `requests` are what is tried first, in a shorter way than the client's; each has a span.
        """
        self._client, self._name, self._requests, self._spans = client, name, requests, spans

    def _ask(self, operation: str, content: Mapping[str, Any]) -> Any:
        """Return DynamoDB's response to an operation, by its name in boto3 (`get_item`)."""
        if not self._requests:
            return getattr(self._client(), operation)(**content)
        name = operation.title().replace("_", "")
        with self._spans.of_table(name, self._name):
            if (answer := self._requests.ask(name, content)) is not None:
                return answer
            return getattr(self._client(), operation)(**content)

    def get(self, *keys: Key) -> list[dict[str, Any] | None]:
        """Return the items at the keys, as they are now, in the same order; None if absent.

        Raises `Busy` if DynamoDB leaves some unread each time, as it does where it throttles.
        """
        if len(keys) == 1:
            one = {"TableName": self._name, "Key": _key(keys[0]), "ConsistentRead": True}
            answer = self._ask("get_item", one)
            return [_item(answer["Item"]) if "Item" in answer else None]
        items: dict[tuple[str, str], dict[str, Any]] = {}
        rest: list[dict[str, Any]] = [_key(key) for key in dict.fromkeys(keys)]
        refused = 0  # answers in a row that gave nothing
        while rest:
            back_off(refused)
            asked = {self._name: {"Keys": rest[:100], "ConsistentRead": True}}
            batch = self._ask("batch_get_item", {"RequestItems": asked})
            for raw in batch["Responses"].get(self._name, []):
                items[(raw["pk"]["S"], raw["sk"]["S"])] = _item(raw)
            unread: Any = batch.get("UnprocessedKeys", {}).get(self._name)
            left = unread["Keys"] if unread else []
            if len(left) == len(rest[:100]):
                refused += 1
            else:
                refused = 1 if left else 0
            if refused == ATTEMPTS:
                raise Busy(CONTENDED)
            rest = [*left, *rest[100:]]
        return [items.get((key.partition, key.sort)) for key in keys]

    def query(
        self, partition: str, *, after: str = "", before: str = "", limit: int = 0
    ) -> list[tuple[str, dict[str, Any]]]:
        """Return a partition's sort keys and items, ascending, strictly between the two bounds."""
        values = {":pk": {"S": partition}}
        condition = "pk = :pk"
        # A key condition takes one range; BETWEEN includes its ends, which are dropped below.
        if after and before:
            condition += " AND sk BETWEEN :after AND :before"
        elif after:
            condition += " AND sk > :after"
        elif before:
            condition += " AND sk < :before"
        values |= {":after": {"S": after}} if after else {}
        values |= {":before": {"S": before}} if before else {}
        if after and before and after >= before:
            return []
        content: dict[str, Any] = {
            "TableName": self._name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ConsistentRead": True,
            **({"Limit": limit + 2} if limit else {}),
        }
        items = [
            (raw["sk"]["S"], _item(raw))
            for raw in self._pages(content)
            if raw["sk"]["S"] not in {after, before}
        ]
        return items[: limit or None]

    def _pages(self, content: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield what a query finds: up to its limit if it has one, else all, page by page."""
        left = content.get("Limit", math.inf)
        start: dict[str, Any] = {}
        while True:
            page = self._ask("query", content | start)
            yield from page["Items"]
            left -= len(page["Items"])
            if left <= 0 or not page.get("LastEvaluatedKey"):
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def write(self, *changes: Change) -> bool:
        """Make all changes, or none if one is not as expected; return whether they were made."""
        from botocore.exceptions import ClientError  # late: loading it takes a cold start's time

        try:
            self._write([self._operation(change) for change in changes])
        except ClientError as error:
            if _refused(error.response):
                return False
            raise
        return True

    def _write(self, operations: list[TransactWriteItemTypeDef]) -> None:
        """Make the changes, a single one without a transaction, which would cost twice as much."""
        match operations:
            case [{"Put": put}]:
                self._ask("put_item", put)
            case [{"Delete": delete}]:
                self._ask("delete_item", delete)
            case [{"Update": update}]:
                self._ask("update_item", update)
            case _:
                # One token for all tries, so that a second changes nothing that the first has.
                token = {"ClientRequestToken": str(uuid4())}
                self._ask("transact_write_items", {"TransactItems": operations, **token})

    def count(self, key: Key, attribute: str, amount: int = 1, *, expires: int = 0) -> int:
        """Add to an attribute and return its new number; the item may go after `expires`."""
        values = {":amount": encode(amount)} | ({":expires": encode(expires)} if expires else {})
        content = {
            "TableName": self._name,
            "Key": _key(key),
            "UpdateExpression": "ADD #a :amount" + (" SET expires = :expires" if expires else ""),
            "ExpressionAttributeNames": {"#a": attribute},
            "ExpressionAttributeValues": values,
            "ReturnValues": "UPDATED_NEW",
        }
        answer = self._ask("update_item", content)
        number: int = decode(answer["Attributes"][attribute])
        return number

    def _operation(self, change: Change) -> TransactWriteItemTypeDef:
        names: dict[str, str] = {}
        values: dict[str, Any] = {}

        def terms(sign: str, mark: str, attributes: Mapping[str, Any]) -> list[str]:
            made = []
            for number, (name, value) in enumerate(attributes.items()):
                names[f"#{mark}{number}"] = name
                values[f":{mark}{number}"] = encode(value)
                made.append(f"#{mark}{number}{sign}:{mark}{number}")
            return made

        place: dict[str, Any] = {"TableName": self._name}
        if change.expect is not None:
            absent = change.expect is ABSENT
            expected = ["attribute_not_exists(pk)"] if absent else terms(" = ", "e", change.expect)
            place["ConditionExpression"] = " AND ".join(expected)
        if change.kind == "add":
            added, set_ = terms(" ", "a", change.values), terms(" = ", "s", change.sets)
            place["UpdateExpression"] = ("ADD " + ", ".join(added) if added else "") + (
                " SET " + ", ".join(set_) if set_ else ""
            )
        if names:
            place["ExpressionAttributeNames"] = names
            place["ExpressionAttributeValues"] = values
        match change.kind:
            case "put":
                item = {name: encode(value) for name, value in change.values.items()}
                return {"Put": place | {"Item": item | _key(change.key)}}  # type: ignore[typeddict-item]  # a union of dicts loses the TypedDict
            case "add":
                return {"Update": place | {"Key": _key(change.key)}}  # type: ignore[typeddict-item]  # as above
        return {"Delete": place | {"Key": _key(change.key)}}  # type: ignore[typeddict-item]  # as above


def _refused(response: Mapping[str, Any]) -> bool:
    """Return whether DynamoDB declined a change, as opposed to being unable to make it."""
    code = response["Error"]["Code"]
    if code != "TransactionCanceledException":
        return code in REFUSED
    reasons: Sequence[Mapping[str, Any]] = response.get("CancellationReasons", [])
    return {reason.get("Code") for reason in reasons} <= CANCELED
