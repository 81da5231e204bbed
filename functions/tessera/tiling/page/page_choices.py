"""Say what a page lets workers choose, where it asks only some of several labels.

A task's line has it beside the images, the labels and last the answer that a picture cannot be
judged, as a JSON list in a string, because Ground Truth takes only strings there. Without it a page
asks all labels of the run:

    {"source":"[{…},{…}]","answered-by":"ann ben","page_choices":"[\"cat\",\"cannot see\"]"}

Whoever reads an answer reads it with that: a label that was not asked is no "no"
(docs/decisions/multi-label-doubts.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

PAGE_CHOICES = "page_choices"
"""Key of a task's line; with an underscore, which no label attribute can have."""
PAGE_INPUT = "task.input.choices"
"""Name under which a page's template reads them; one that does not shows all of the run's."""

_decode_names = msgspec.json.Decoder(list[str]).decode


def encode_page_choices(labels: Iterable[str], escape: str) -> str:
    """Return the choices of a page that asks these labels, as a task's line has them.

    >>> encode_page_choices(["cat", "dog"], "cannot see")
    '["cat","dog","cannot see"]'
    """
    return msgspec.json.encode([*labels, escape]).decode()


def read_page_choices(text: Any) -> list[str]:
    """Return the choices that a task's line names; raises ValueError if they are no list of names.

    >>> read_page_choices('["cat", "cannot see"]')
    ['cat', 'cannot see']
    """
    names = _decode_names(text) if isinstance(text, str) else None
    if not names:
        raise ValueError(f"{PAGE_CHOICES} is no list of names in JSON, as a text")
    return names


def page_choices_in(line: bytes) -> list[str] | None:
    """Return the choices of a task's page, or None if it has all of the run's.

    Raises ValueError for a line that names them in another form: its answers cannot be read.

    >>> page_choices_in(b'{"page_choices": "[\\\\"cat\\\\"]"}'), page_choices_in(b"{}")
    (['cat'], None)
    """
    if PAGE_CHOICES.encode() not in line:
        return None  # nearly always: the line need not be parsed
    record = msgspec.json.decode(line)
    if not isinstance(record, dict) or PAGE_CHOICES not in record:
        return None
    return read_page_choices(record[PAGE_CHOICES])
