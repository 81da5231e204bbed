"""Say who workers are: by the address of their account, or by a number where that is hidden."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tessera.runs.folder import RunFolder

OF_WORKERS = {"worker", "workers", "blocked_workers", "copies", "same_answers", "stopped"}
"""Keys of a report under which identifiers of workers stand, alone or in lists. Not every text that
equals one is one: labels and workers of an imported run may both be called 1."""


def worker_names(folder: RunFolder, workers: Sequence[str], *, hidden: bool) -> dict[str, str]:
    """Return what people see of workers: the address of an account, or a number.

    Who has no account, such as a simulated worker or one who was removed, keeps the identifier.
    """
    if hidden:
        return {name: f"worker {number}" for number, name in enumerate(sorted(workers), 1)}
    if not workers:
        return {}
    accounts = {user.worker: user.email for user in folder.cloud.users.list()}
    # In answers a worker is `private.<region>.<identifier>`, as Ground Truth has it.
    by_name = {name: accounts.get(name.rpartition(".")[2]) for name in workers}
    return {name: email for name, email in by_name.items() if email}


def worker_ids(figures: Mapping[str, Any]) -> list[str]:
    """Return the identifiers of all workers whom a report names, in alphabetical order."""
    ids: set[str] = set()

    def note(worker: str) -> str:
        ids.add(worker)
        return worker

    _change_workers(figures, "", note)
    return sorted(ids)


def name_workers(figures: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return a report's figures with these names in the place of workers' identifiers."""
    named: dict[str, Any] = _change_workers(figures, "", lambda worker: names.get(worker, worker))
    # The one notice that names workers says who got no more pages.
    for worker in figures.get("stopped", ()):
        named["notices"] = [
            notice.replace(worker, names.get(worker, worker)) for notice in named["notices"]
        ]
    return named


def _change_workers(value: Any, key: str, change: Callable[[str], str]) -> Any:
    """Return a copy of what a report has under a key, with each identifier of a worker changed."""
    if isinstance(value, Mapping):
        return {inner: _change_workers(one, inner, change) for inner, one in value.items()}
    if isinstance(value, list):
        return [_change_workers(one, key, change) for one in value]
    return change(value) if key in OF_WORKERS and isinstance(value, str) else value
