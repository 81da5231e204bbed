"""Say who workers are: by the address of their account, or by a number where that is hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tessera.runs.folder import RunFolder


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


def name_workers(figures: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return a report's figures with these names in the place of workers' identifiers."""

    def renamed(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [
            {**entry, "worker": names.get(entry["worker"], entry["worker"])} for entry in entries
        ]

    named = dict(figures)
    for key in ("workers", "pages_to_look_at"):
        named[key] = renamed(figures[key])
    if unloaded := figures.get("unloaded"):
        blocked = [names.get(worker, worker) for worker in unloaded["blocked_workers"]]
        of_workers = {"workers": renamed(unloaded["workers"]), "blocked_workers": blocked}
        named["unloaded"] = {**unloaded, **of_workers}
    if contradicting := (figures.get("guesses") or {}).get("contradicted_by"):
        named["guesses"] = {**figures["guesses"], "contradicted_by": renamed(contradicting)}
    return named
