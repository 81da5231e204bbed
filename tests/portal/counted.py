"""Table that counts how often it is asked."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.fakes import Table


class Counted(Table):
    """Table in a dictionary; `calls` counts requests by the name of the method."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()

    def __getattribute__(self, name: str) -> Any:
        if name in {"get", "query", "write", "count"}:
            self.calls[name] += 1
        return super().__getattribute__(name)

    def count_anew(self) -> None:
        """Forget what was asked so far."""
        self.calls.clear()
