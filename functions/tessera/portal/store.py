"""Interface of the portal's table: items under a partition and a sort key.

The table is an index. Answers are objects in S3, and what the table holds of them is rebuilt from
there (`repair`). It alone holds who has a seat, who gave a task back, who may not have one, which
tasks were dropped, how far each worker is in the queue, and who was removed: a lost table costs
these, and no answer (docs/decisions/portal-answers-are-objects.md).

`tessera.aws.table` keeps the items in DynamoDB; the tests keep them in a dictionary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

Item: TypeAlias = dict[str, Any]

ABSENT: Mapping[str, Any] = {"": None}
"""Expectation of a change whose item must not exist yet."""

MAX_CHANGES = 100
"""Changes of one write: the limit of a DynamoDB transaction."""


class Key(NamedTuple):
    """Address of an item."""

    partition: str
    sort: str


class Change(NamedTuple):
    """Change of one item, made only if the item is as expected.

    `put` replaces the item by `values`, `add` adds the numbers in `values` to its own and sets the
    attributes in `sets`, `delete` removes it. `expect` names attributes and the values they must
    have.
    """

    kind: Literal["put", "add", "delete"]
    key: Key
    values: Mapping[str, Any] = {}
    expect: Mapping[str, Any] | None = None
    sets: Mapping[str, Any] = {}


class Table(Protocol):
    """Table as the portal uses it: consistent reads, and writes of several items or of none."""

    def get(self, *keys: Key) -> list[Item | None]:
        """Return the items at the keys, as they are now, or None where there is none."""

    def query(
        self, partition: str, *, after: str = "", before: str = "", limit: int = 0
    ) -> list[tuple[str, Item]]:
        """Return sort keys and items, ascending, strictly between `after` and `before`."""

    def write(self, *changes: Change) -> bool:
        """Make all changes, or none if an item is not as expected; return which it was."""

    def count(self, key: Key, attribute: str, amount: int = 1, *, expires: int = 0) -> int:
        """Add to a number and return it; the table may forget the item after `expires`."""


def erase(table: Table, keys: Sequence[Key]) -> None:
    """Delete items, as many at a time as one write takes."""
    for start in range(0, len(keys), MAX_CHANGES):
        table.write(*(Change("delete", key) for key in keys[start : start + MAX_CHANGES]))
