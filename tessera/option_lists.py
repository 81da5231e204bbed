"""List several names in one option of a command, as a line of CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import click

labels_option = click.option(
    "--labels", metavar="A,B,…", help="Labels to choose from, instead of a settings file."
)


def listed(text: str | None) -> tuple[str, ...]:
    """Return what an option lists, as a line of CSV, without blanks around each.

    >>> listed('cat, "dog, large"'), listed(None)
    (('cat', 'dog, large'), ())
    """
    row = next(csv.reader([text or ""], skipinitialspace=True), [])
    return tuple(entry for entry in map(str.strip, row) if entry)


def as_option(labels: Sequence[str]) -> str:
    """Return labels as one option that `listed` reads.

    >>> as_option(["cat", "dog, large"])
    'cat,"dog, large"'
    """
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="").writerow(labels)
    return line.getvalue()
