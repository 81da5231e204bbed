"""Errors that end a run, as one tree; a class's name is the error that its execution fails with.

TesseraError
├── SettingsInvalid             the settings of a run cannot be used
│   ├── LabelsMissing           they name no labels to choose from
│   └── LabelAttributeIllegal   the label's key in the training manifest is not one a job may write
├── ManifestUnreadable          the manifest ends early or is not text at all
├── NoUsableLine                not one line of the manifest names an image
├── BucketMissing               images are in a bucket that does not exist
├── BucketUnreadable            images are in a bucket that the stack may not read
├── EmbeddingsUnusable          the images' embeddings are no array with a row for each line
├── TooManyBadLines             more lines are bad than the settings allow
└── PageUnusable                the worker's page of the stack cannot be rendered

Operators look the names up in docs/operations.md, which has a paragraph for each.
"""

from __future__ import annotations

from collections.abc import Sequence

NOT_JSON = (ValueError, RecursionError)
"""Errors of decoding what somebody else wrote and is no JSON: of msgspec, of bytes that are not
UTF-8, and of thousands of brackets, which is the parser's own bound."""


class TesseraError(Exception):
    """Error that a person can act on: the message is a sentence that says what and where."""


class SettingsInvalid(TesseraError):
    """Settings that cannot be used; `problems` has one line for each reason."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Keep every problem, not only the first, so that one edit can mend them all."""
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


class LabelsMissing(SettingsInvalid):
    """Settings that name no labels for a worker to choose from."""


class LabelAttributeIllegal(SettingsInvalid):
    """Settings whose key for the label is not one that a labeling job may write."""


class ManifestUnreadable(TesseraError):
    """Manifest that cannot be read to its end."""


class NoUsableLine(TesseraError):
    """Manifest without a line that names an image."""


class BucketMissing(TesseraError):
    """Manifest of images in a bucket that does not exist."""


class BucketUnreadable(TesseraError):
    """Manifest of images in a bucket that the stack may not read, or that no browser may."""


class EmbeddingsUnusable(TesseraError):
    """Embeddings that cannot be read, or that are not those of the manifest's lines."""


class TooManyBadLines(TesseraError):
    """Manifest with a larger share of unusable lines than the settings allow."""


class PageUnusable(TesseraError):
    """Worker's page that cannot be rendered, for this run's settings or for any task."""
