"""The portal's index behind one small interface: items under a partition and a sort key.

The index holds nothing that S3 does not: answers are objects, and the index is rebuilt from them.
`tessera.aws.table` keeps it in DynamoDB.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

Item: TypeAlias = dict[str, Any]

ABSENT: Mapping[str, Any] = {"": None}
"""What a change expects of an item that must not be there yet."""


class Key(NamedTuple):
    """Where an item lies."""

    partition: str
    sort: str


class Change(NamedTuple):
    """One change of one item, made only if the item is as expected.

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
    """What the portal asks of its index."""

    def get(self, *keys: Key) -> list[Item | None]:
        """The items at the keys, as they are now, in the same order."""

    def query(
        self, partition: str, *, after: str = "", before: str = "", limit: int = 0
    ) -> list[tuple[str, Item]]:
        """Sort keys and items of a partition, ascending, strictly between `after` and `before`."""

    def write(self, *changes: Change) -> bool:
        """Whether the changes were made, all of them; false: none, for one was not as expected."""

    def count(self, key: Key, attribute: str, amount: int = 1, *, expires: int = 0) -> int:
        """An attribute's number after `amount` was added to it; the item may go after `expires`."""


def erase(table: Table, keys: Sequence[Key]) -> None:
    """Remove items, as many at a time as one write takes."""
    for start in range(0, len(keys), 100):
        table.write(*(Change("delete", key) for key in keys[start : start + 100]))
