"""Read what workers flagged: pictures that something is wrong with, and why.

The page's log of an answer has the reason as the `flag` of a tile, where there is one. A flag is no
answer: it changes no label, and is there for the requester to read.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from tessera.tiling.answers.page_log import read_log, tiles_of
from tessera.tiling.csv_field import csv_field, plain_text

MAX_REASON = 200
"""Characters of a reason: a sentence, and too few to fill a file or a screen with."""

MAX_FLAGS = 1_000
"""Flags read of one answer: a page has a hundred pictures at most, a hostile log any number."""

JOINERS = "\u200c\u200d"
"""Characters without a width that Persian, Hindi and emoji are written with, so no text without."""

FLAGGED = "flagged.csv"
"""File of a run that has its flags; there is none without any."""
HEADER = b"index,source,label,reason,worker,round\n"


class Flag(NamedTuple):
    """One worker's flag on one image: where it is, what the worker answered, and why it is flagged.

    `label` is empty where the worker gave none.
    """

    image: int
    source: str
    label: str
    reason: str
    worker: str
    round: int

    def row(self) -> bytes:
        """Return the flag as a row of `flagged.csv`.

        >>> Flag(7, "s3://pets/7.jpg", "cat", "=1+1", "ann", 1).row()
        b"7,s3://pets/7.jpg,cat,'=1+1,ann,1\\n"
        """
        texts = (self.source, self.label, self.reason, self.worker)
        return f"{self.image},{','.join(map(csv_field, texts))},{self.round}\n".encode()


def read_rows(lines: Iterable[bytes]) -> Iterator[Flag]:
    """Yield the flags in the lines of a `flagged.csv`; each is one line, for a reason is."""
    texts = (line.decode("utf-8", "replace") for line in lines if line.strip())
    for index, source, label, reason, worker, round_ in islice(csv.reader(texts), 1, None):
        source, label, reason, worker = map(plain_text, (source, label, reason, worker))
        yield Flag(int(index), source, label, reason, worker, int(round_))


def read_flags(answer: Mapping[str, Any]) -> dict[str, str]:
    """Return the reason of each image that an answer flags; its log may come in whatever form.

    >>> read_flags({"meta": '{"tiles": [{"id": "7", "flag": " two  things "}, {"id": "8"}]}'})
    {'7': 'two things'}
    """
    flags: dict[str, str] = {}
    for image, reason in _flagged(answer):
        if isinstance(reason, str) and (line := one_line(reason)) and len(flags) < MAX_FLAGS:
            flags[image] = line
    return flags


def check_flags(answer: Mapping[str, Any]) -> None:
    """Raise ValueError with a sentence if an answer has a flag that is no short text."""
    for image, reason in _flagged(answer):
        if not isinstance(reason, str):
            # an image's name may be as long as the body, and the sentence is for a person
            raise ValueError(f"The flag of picture {image[:40]} is not text.")
        if len(reason) > MAX_REASON:
            raise ValueError(
                f"The flag of picture {image[:40]} is longer than {MAX_REASON} characters."
            )


def image_sources(source: Any) -> dict[int, str]:
    """Return the URIs of a task's images by index from its `source`, a text or a list.

    >>> image_sources('[{"index": 7, "source-ref": "s3://pets/7.jpg"}]')
    {7: 's3://pets/7.jpg'}
    """
    try:
        images = msgspec.json.decode(source) if isinstance(source, str) else source
        return {image["index"]: str(image.get("source-ref", "")) for image in images}
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return {}  # a flag is worth noting without its picture's address, too


def one_line(text: str) -> str:
    r"""Return a reason on one line, without what cannot be printed, and not too long.

    >>> one_line("\0wrong\r\nquestion ")
    'wrong question'
    """
    printable = "".join(
        one if one.isprintable() or one in JOINERS else " " for one in text[: 4 * MAX_REASON]
    )
    # at an end they join nothing, and would hide a formula's sign from what guards against it
    return " ".join(printable.split()).strip(JOINERS + " ")[:MAX_REASON].rstrip(JOINERS + " ")


def _flagged(answer: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the images whose entries in the answer's log have a flag, with it."""
    meta = answer.get("meta")
    if not isinstance(meta, str) or '"flag"' not in meta:
        return  # of most answers the log need not be parsed a second time
    for image, tile in tiles_of(read_log(answer)):
        if tile.get("flag") is not None:
            yield image, tile["flag"]
