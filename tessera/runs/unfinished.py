"""Runs that are still at work: what a person who reads their files so far has to know first."""

from __future__ import annotations

import json
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from tessera.exits import NotFound
from tessera.runs.display import STATES
from tessera.runs.executions import RunError
from tessera.runs.folder import RunFolder
from tessera.runs.status import RunObserver, RunStatus


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Sentence on a run that goes on, and the command that shows its end."""

    sentence: str
    watch: str

    def __str__(self) -> str:
        """Return both as one text."""
        return f"{self.sentence} To see its end: {self.watch}"


def find_unfinished(folder: RunFolder) -> Unfinished | None:
    """Return what to say of a run that goes on; None if it has ended.

    Nothing is claimed of a run whose execution is not known or may not be read.
    """
    try:
        execution = folder.record.get("execution", "")
        if not execution.startswith("arn:"):  # such as an import, which asks nobody
            return None
        status = RunObserver(folder.cloud, execution, folder, counts_people=False).read()
    except (NotFound, RunError, ClientError, BotoCoreError):
        return None
    # What is announced is final, so a run in this state has nothing to wait for.
    if status.status != "RUNNING" or status.state == "Announce":
        return None
    watch = folder.cloud.command(f"watch {folder.name}")
    return Unfinished(f"{_activity(status)}; {_knowledge(folder)}.", watch)


def _activity(status: RunStatus) -> str:
    """Describe what the run is at, with the round and its open pages where people label."""
    where = f"The run goes on in round {status.round}" if status.round else "The run goes on"
    pages = status.progress.needed - status.progress.answers
    if pages > 0:
        return f"{where}, with {pages:,} {'page' if pages == 1 else 'pages'} open"
    return f"{where}: {STATES[status.state]}" if status.state in STATES else where


def _knowledge(folder: RunFolder) -> str:
    """Say after which round the report was written, or that there is none yet."""
    report = json.loads(folder.read("report.json")) if folder.has("report.json") else {}
    if not report.get("rounds"):
        return "its files are not the last ones"
    return f"this is what it knew after round {report['rounds'][-1]['round']}"
