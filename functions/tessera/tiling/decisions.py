"""Read and write decisions of a review, which are final: each is the label of one image.

They lie in the run's folder, apart from the answers, and win over them whenever the run's labels
are made. Why so: docs/decisions/review-decisions.md.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from tessera.tiling.settings import Settings

FOLDER = "review/"
"""Folder of a review in the run's; the labels of a reviewed run are written into it."""
NAME = f"{FOLDER}decisions.json"


class Decision(msgspec.Struct, frozen=True):
    """Label, or escape, that a reviewer decided on for the image at a line, from zero.

    `by` is the reviewer's identifier in the pool, `at` the time as Ground Truth writes it.
    """

    index: int
    label: str
    by: str = ""
    at: str = ""


class Decisions(msgspec.Struct, frozen=True):
    """Decisions of a run by line, in order.

    `teach` says that they also tell how right the workers are, as gold images do. That is for a
    random share of the images: of the most doubtful ones everybody would look worse than they are.
    """

    decisions: tuple[Decision, ...] = ()
    teach: bool = False

    def encode(self) -> bytes:
        """Return the file."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1)

    def classes(self, settings: Settings) -> dict[int, int]:
        """Return the decided class by line, as positions in the classes; -1 is the escape.

        >>> settings = Settings(labels=("cat", "dog"), question="?", instructions="")
        >>> Decisions((Decision(4, "dog"), Decision(7, settings.escape))).classes(settings)
        {4: 1, 7: -1}
        """
        numbers = {name: number for number, name in enumerate(settings.classes)}
        numbers[settings.escape] = -1
        return {decision.index: numbers[decision.label] for decision in self.decisions}


class Files(Protocol):
    """Stored objects as they are read here."""

    def get(self, uri: str) -> bytes:
        """Return an object's content."""

    def size(self, uri: str) -> int | None:
        """Return the object's size in bytes, or None if it does not exist."""


def read_decisions(files: Files, home: str) -> Decisions:
    """Return the decisions of the run at `home`; none of a run that was not reviewed."""
    uri = home + NAME
    if files.size(uri) is None:
        return Decisions()
    return msgspec.json.decode(files.get(uri), type=Decisions)
