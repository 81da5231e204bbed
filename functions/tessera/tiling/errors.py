"""What can go wrong in Tessera, as one tree; a class's name is the error that a run ends under.

TesseraError
├── SettingsInvalid             the settings of a run cannot be used
│   ├── LabelsMissing           they name no labels to choose from
│   └── LabelAttributeIllegal   the label's key in the training manifest is not one a job may write
├── ManifestUnreadable          the manifest ends early or is no text at all
├── NoUsableLine                not one line of the manifest names an image
└── TooManyBadLines             more lines are bad than the settings allow
"""

from __future__ import annotations

from collections.abc import Sequence


class TesseraError(Exception):
    """Something a person can act on: the message is a sentence that says what and where."""


class SettingsInvalid(TesseraError):
    """The settings of a run cannot be used; `problems` has one line for each reason."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Keep every problem, not only the first, so that one edit can mend them all."""
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class LabelsMissing(SettingsInvalid):
    """The settings name no labels that a worker could choose from."""


class LabelAttributeIllegal(SettingsInvalid):
    """The label's key in the training manifest is not one that a labeling job may write."""


class ManifestUnreadable(TesseraError):
    """The manifest as a whole cannot be read to its end."""


class NoUsableLine(TesseraError):
    """No line of the manifest names an image."""


class TooManyBadLines(TesseraError):
    """The share of lines that cannot be used is above what the settings allow."""
