"""Read and write decisions of a review, which are final: each is the label of one image.

Where an image may have several labels, a decision says yes or no to some of them, or that the image
cannot be judged; of the labels that it does not name the answers decide as before.

They lie in the run's folder, apart from the answers, and win over them whenever the run's labels
are made. Why so: docs/decisions/review-decisions.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from tessera.tiling.settings import Settings

FOLDER = "review/"
"""Folder of a review in the run's; the labels of a reviewed run are written into it."""
NAME = f"{FOLDER}decisions.json"


Label = str | dict[str, bool]
"""Label or escape of an image; where it may have several, which of them it has and has not."""
Deciding = str | dict[str, bool | None] | None
"""Decision as it is made: a label of None is taken back, or with None alone all that there were."""


class Choosable(Protocol):
    """Names that may be decided on; settings of a run have them, and so has its review."""

    @property
    def choices(self) -> Sequence[str]:
        """Return the labels and the escape."""

    @property
    def escape(self) -> str:
        """Return the answer for an image that cannot be judged."""

    @property
    def is_multi(self) -> bool:
        """Return whether an image has all labels that fit, or none, instead of one."""


def change_problem(change: Deciding, names: Choosable) -> str:
    """Return why something can be no decision of an image, or nothing if it can.

    >>> from tessera.tiling.settings import read_settings
    >>> pets = read_settings(b'{"task": "multi", "labels": ["cat", "dog"]}')
    >>> change_problem({"cat": True, "dog": None}, pets), change_problem({"cow": False}, pets)
    ('', "'cow' is none of the labels.")
    """
    if change is None:
        return ""
    if names.is_multi != isinstance(change, dict):
        return "An image here has several labels." if names.is_multi else "An image has one label."
    if not isinstance(change, dict):
        return "" if change in names.choices else f"{change!r} is none of the labels."
    for name in change:
        if name not in names.choices:
            return f"{name!r} is none of the labels."
    if change.get(names.escape) is False:
        return f"{names.escape!r} is decided or taken back, and cannot be denied."
    others = (value for name, value in change.items() if name != names.escape)
    if change.get(names.escape) and any(value is not None for value in others):
        return f"{names.escape!r} goes with no other label."
    return "" if change else "Nothing is decided."


def with_change(label: Label | None, change: Deciding, escape: str) -> Label | None:
    """Return what is decided of an image after one more decision; None if nothing is any more.

    The escape goes with no other label: whichever is decided later counts.

    >>> first = with_change(None, {"cat": True, "dog": False}, "cannot see")
    >>> with_change(first, {"dog": None, "cow": True}, "cannot see")
    {'cat': True, 'cow': True}
    >>> with_change(first, {"cannot see": True}, "cannot see")
    {'cannot see': True}
    """
    if not isinstance(change, dict):
        return change
    before = label if isinstance(label, dict) else {}
    decided = {name: value for name, value in change.items() if value is not None}
    kept = {
        name: value
        for name, value in before.items()
        if name not in change and not (decided and escape in {name, *decided})
    }
    return kept | decided or None


class Decision(msgspec.Struct, frozen=True):
    """Label that reviewers decided on for the image at a line, from zero.

    `by` is the last reviewer's identifier in the pool, `at` the time as Ground Truth writes it.
    """

    index: int
    label: Label
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

        That is where an image has one label; `sets` is for several.

        >>> settings = Settings(labels=("cat", "dog"), question="?", instructions="")
        >>> Decisions((Decision(4, "dog"), Decision(7, settings.escape))).classes(settings)
        {4: 1, 7: -1}
        """
        numbers = _numbers(settings)
        return {
            decision.index: numbers[decision.label]
            for decision in self.decisions
            if isinstance(decision.label, str)
        }

    def sets(self, settings: Settings) -> dict[int, Mapping[int, bool]]:
        """Return which classes were decided by line, by position; under -1 is the escape.

        >>> settings = Settings(task="multi", labels=("cat", "dog"), question="?", instructions="")
        >>> Decisions((Decision(4, {"dog": False}),)).sets(settings)
        {4: {1: False}}
        """
        numbers = _numbers(settings)
        return {
            decision.index: {numbers[name]: has for name, has in decision.label.items()}
            for decision in self.decisions
            if isinstance(decision.label, dict)
        }


def _numbers(settings: Settings) -> dict[str, int]:
    """Return the positions of the classes by name; the escape's is -1."""
    numbers = {name: number for number, name in enumerate(settings.classes)}
    return numbers | {settings.escape: -1}


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
