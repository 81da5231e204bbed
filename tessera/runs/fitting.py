"""Fit the settings of a drop to the people who will label it.

Nobody answers an image twice, so a run that wants more answers to an image than there are people
would wait for one more. The numbers go into the settings themselves: a default that followed the
people would give a run another name whenever one of them comes or goes.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import click
from botocore.exceptions import ClientError
from msgspec import UNSET

from tessera.portal.qualification import failed_workers
from tessera.portal.staffing import people
from tessera.screen import aside
from tessera.stack.cloud import Cloud
from tessera.tiling.encoding import decode_json
from tessera.tiling.onboarding.qualification import records_uri
from tessera.tiling.settings import Settings
from tessera.whole_file import write_whole

NUMBERS = ("answers_per_image", "max_answers")
"""Settings that say how many people answer an image: in the first round, and over all."""


def team_of(settings: Settings) -> str:
    """Return the team whose members alone see the jobs, or an empty name for everybody's."""
    return settings.team if isinstance(settings.team, str) else ""


@dataclass(frozen=True, slots=True)
class Staff:
    """People who may label a drop, counted; None if whoever drops may not see the accounts.

    `failed` are people more, who failed the qualification of `project` for good.
    """

    cloud: Cloud
    count: int | None
    failed: int = 0
    project: str = ""

    @classmethod
    def of(cls, cloud: Cloud, settings: Settings, project: str) -> Staff:
        """Count the people of the settings' team who may have pages of the project."""
        if not settings.on_portal or "WorkerPoolId" not in cloud.outputs:
            return cls(cloud, None)
        try:
            workers = set(people(cloud.users.emails, team_of(settings)))
            failed = workers & _failed(cloud, settings, project)
        except ClientError:
            return cls(cloud, None)
        return cls(cloud, len(workers - failed), len(failed), project)

    def warnings(self, settings: Settings) -> tuple[str, ...]:
        """Return a warning if an image may need answers from more people than there are."""
        needed = settings.max_answers
        if self.count is None or self.count >= needed:
            return ()
        team = team_of(settings)
        add = "workers add EMAIL" + (f" --team {team}" if team else "")
        anew = f", or let one of {self.failed} who failed the qualification begin anew: "
        command = f"workers requalify EMAIL --project {quote(self.project)}"
        lower = " and ".join(f"{name} to {n}" for name, n in self._fewer(settings).items())
        return (
            f"{self} may label this, but an image may need answers from "
            f"{counted_people(needed)} (max_answers), and nobody answers an image twice. Without "
            f"more people the run will wait. Add one: {self.cloud.command(add)}"
            + (f"{anew}{self.cloud.command(command)}" if self.failed else "")
            + (f". Or set {lower} in labeling.json" if self.count else ""),
        )

    def __str__(self) -> str:
        """Return how many they are, in words."""
        return counted_people(self.count) if self.count else "nobody"

    def _fewer(self, settings: Settings) -> dict[str, int]:
        return {name: min(getattr(settings, name), self.count or 1) for name in NUMBERS}

    def fit(self, document: bytes, settings: Settings) -> bytes | None:
        """Return settings that ask of an image no more people than there are.

        None if nothing has to change, if there is nobody yet, or if the document has numbers of its
        own: whoever wrote them knows who is to come.
        """
        if not self.count or self.count >= settings.max_answers:
            return None
        record = decode_json(document)
        if any(name in record and getattr(settings, name) > self.count for name in NUMBERS):
            return None
        return (
            json.dumps(record | self._fewer(settings), ensure_ascii=False, indent=2).encode()
            + b"\n"
        )


def _failed(cloud: Cloud, settings: Settings, project: str) -> set[str]:
    """Return who failed the project's qualification for good, if the settings ask for one."""
    if settings.qualify is UNSET:
        return set()
    records = records_uri(f"s3://{cloud.labels_bucket}/", project)
    return failed_workers(cloud.ports, records, settings.qualify)


def counted_people(number: int) -> str:
    """Return a number of people in words.

    >>> counted_people(1), counted_people(2)
    ('1 person', '2 people')
    """
    return "1 person" if number == 1 else f"{number:,} people"


def fit_file(staff: Staff, file: Path, document: bytes, settings: Settings) -> bytes:
    """Offer to write numbers that fit the people into the settings file; return what it holds."""
    fitted = staff.fit(document, settings)
    if fitted is None or not sys.stdin.isatty():  # a script is warned, and its files are its own
        return document
    if not click.confirm(
        f"{staff} may label this: ask at most {staff.count} of them about an image, "
        f"instead of {settings.max_answers}, and write that into {file}?",
        default=True,
        err=True,
    ):
        return document
    write_whole(file, fitted)
    return fitted


def fit_labels(staff: Staff, document: bytes, settings: Settings) -> bytes:
    """Return the settings of a drop that named the labels alone, with numbers that fit."""
    fitted = staff.fit(document, settings)
    if fitted is None:
        return document
    most = "1 answer" if staff.count == 1 else f"{staff.count} answers"
    aside.print(
        f"At most {most} an image, as many as there are people who may label. "
        "The project's labeling.json in the inbox has it.",
        soft_wrap=True,
    )
    return fitted
