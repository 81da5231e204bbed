"""The portal's index behind one small interface: items under a partition and a sort key.

The index holds nothing that S3 does not: answers are objects, and the index is rebuilt from them.
`aws.table` keeps it in DynamoDB; `MemoryTable` keeps it in a dictionary, for tests. Both pass the
same tests.
"""

from __future__ import annotations

import copy
import threading
from bisect import bisect_left, bisect_right
from collections import defaultdict
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


class MemoryTable:
    """The index in a dictionary, with the same promises as the one in DynamoDB."""

    def __init__(self) -> None:
        """Start empty."""
        self._items: dict[str, dict[str, Item]] = defaultdict(dict)
        self._lock = threading.Lock()

    def get(self, *keys: Key) -> list[Item | None]:
        """The items at the keys, as they are now, in the same order."""
        with self._lock:
            return [copy.deepcopy(self._items[key.partition].get(key.sort)) for key in keys]

    def query(
        self, partition: str, *, after: str = "", before: str = "", limit: int = 0
    ) -> list[tuple[str, Item]]:
        """Sort keys and items of a partition, ascending, strictly between `after` and `before`."""
        with self._lock:
            held = self._items[partition]
            sorts = sorted(held)
            sorts = sorts[bisect_right(sorts, after) if after else 0 :]
            sorts = sorts[: bisect_left(sorts, before) if before else None]
            return [(sort, copy.deepcopy(held[sort])) for sort in sorts[: limit or None]]

    def write(self, *changes: Change) -> bool:
        """Whether the changes were made, all of them; false: none, for one was not as expected."""
        assert len({change.key for change in changes}) == len(changes), "one change for one item"
        with self._lock:
            if not all(self._as_expected(change) for change in changes):
                return False
            for change in changes:
                self._make(change)
        return True

    def count(self, key: Key, attribute: str, amount: int = 1, *, expires: int = 0) -> int:
        """An attribute's number after `amount` was added to it; the item may go after `expires`."""
        sets = {"expires": expires} if expires else {}
        with self._lock:
            self._make(Change("add", key, {attribute: amount}, sets=sets))
            number: int = self._items[key.partition][key.sort][attribute]
        return number

    def _as_expected(self, change: Change) -> bool:
        if change.expect is None:
            return True
        found = self._items[change.key.partition].get(change.key.sort)
        if change.expect is ABSENT:
            return found is None
        return found is not None and all(
            found.get(name) == value for name, value in change.expect.items()
        )

    def _make(self, change: Change) -> None:
        items, sort = self._items[change.key.partition], change.key.sort
        if change.kind == "delete":
            items.pop(sort, None)
        elif change.kind == "put":
            items[sort] = copy.deepcopy(dict(change.values))
        else:
            item = items.setdefault(sort, {})
            for name, amount in change.values.items():
                item[name] = item.get(name, 0) + amount
            item.update(copy.deepcopy(dict(change.sets)))


def erase(table: Table, keys: Sequence[Key]) -> None:
    """Remove items, as many at a time as one write takes."""
    for start in range(0, len(keys), 100):
        table.write(*(Change("delete", key) for key in keys[start : start + 100]))
