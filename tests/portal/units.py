"""Count what the portal asks of its table while workers label a job as their browsers do."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from tessera.portal.store import Change, Item, Key
from tests.fakes import Table
from tests.portal.world import World

KILOBYTE = 1024


class CountingTable(Table):
    """The index in memory, counting DynamoDB's units: each 4 KB read, each 1 KB written.

    A change that comes alone is a unit a kilobyte, those of a transaction are two. `written` and
    `read` have the units of each partition key.
    """

    def __init__(self) -> None:
        """Start empty, with nothing counted."""
        super().__init__()
        self.written, self.read = Counter[str](), Counter[str]()

    def get(self, *keys: Key) -> list[Item | None]:
        """Return the items; a consistent read is a unit for each 4 KB of them."""
        items = super().get(*keys)
        for key, item in zip(keys, items, strict=True):
            self.read[key.partition] += _units(item, 4 * KILOBYTE)
        return items

    def query(self, partition: str, **bounds: Any) -> list[tuple[str, Item]]:
        """Return the items; a unit for each 4 KB of them together, and one at least."""
        items = super().query(partition, **bounds)
        self.read[partition] += _units(items, 4 * KILOBYTE)
        return items

    def write(self, *changes: Change) -> bool:
        """Make the changes."""
        for change in changes:
            units = _units(dict(change.values), KILOBYTE)
            self.written[change.key.partition] += units * (1 if len(changes) == 1 else 2)
        return super().write(*changes)

    def count(self, key: Key, attribute: str, amount: int = 1, *, expires: int = 0) -> int:
        """Add to an attribute, which is a write of one item."""
        self.written[key.partition] += 1
        return super().count(key, attribute, amount, expires=expires)


def _units(content: Any, size: int) -> int:
    return max(1, -(-len(json.dumps(content)) // size))


class Labeling:
    """Labeling of a whole job, and what it took."""

    def __init__(self, tasks: int, answers: int, people: int) -> None:
        """Have so many people, in turn, claim a page ahead, renew the next and answer the first."""
        self.table = CountingTable()
        self.world = World(table=self.table)
        self.job = self.world.open(tasks=tasks, workers=answers)
        self.table.written.clear()
        self.table.read.clear()
        self.world.files.requests.clear()
        self.requests = self.answers = 0
        self._images = [
            json.loads(json.loads(line)["source"])
            for line in self.world.files.objects[self.job.manifest].splitlines()
        ]
        self._pages: dict[str, str | None] = {f"{person:012d}": None for person in range(people)}
        working = list(self._pages)
        while working:
            self.world.clock.wait(20 / people)
            working = [person for person in working if self._turn(person)]

    def _turn(self, person: str) -> bool:
        """Do what a browser does from one answer to the next; return whether to go on."""
        open_page = self._pages[person]
        body = {"showing": [open_page]} if open_page else {}
        status, claim = self._ask("POST", "claims", person, body)
        ahead = str(claim["task"]) if status == 200 else None
        if open_page:
            images = self._images[int(open_page)]
            answer = {str(image["index"]): {"cat": True, "dog": False} for image in images}
            status, _ = self._ask("PUT", f"tasks/{open_page}/answer", person, answer)
            self.answers += status == 200
            if ahead:
                self._ask("PUT", f"tasks/{ahead}/lease", person, None)
        self._pages[person] = ahead
        return ahead is not None

    def _ask(self, method: str, path: str, person: str, body: Any) -> tuple[int, Any]:
        self.requests += 1
        return self.world.ask(method, f"/jobs/{self.job.name}/{path}", person, body=body)

    def written(self) -> dict[str, float]:
        """Units written an answered page, by partition key, the highest first."""
        return {name: units / self.answers for name, units in self.table.written.most_common()}
