"""Read what is known of a manifest's lines beforehand: their gold labels and their duplicates."""

from __future__ import annotations

from collections.abc import Iterable

from tessera.tiling.manifest.lines import Image, read_manifest
from tessera.tiling.manifest.stream import manifest_lines
from tessera.tiling.settings import Settings


def read_gold(chunks: Iterable[bytes], settings: Settings) -> dict[int, int]:
    """Return the gold labels by line, as positions in the classes; -1 is the escape.

    `chunks` are the manifest's bytes. The whole manifest is read, not the `gold.csv` of the first
    round: that one has only the gold images that were mixed into tasks.
    """
    numbers = {name: number for number, name in enumerate(settings.classes)} | {settings.escape: -1}
    return {
        line.index: numbers[line.gold]
        for line in read_manifest(manifest_lines(chunks), settings)
        if type(line) is Image and line.gold is not None
    }


def read_duplicates(rows: Iterable[bytes]) -> dict[int, int]:
    """Return for each duplicate the line that it repeats, from the rows of `repeats.csv`.

    A line that repeats one which is nearly the same as a third one repeats that.

    >>> read_duplicates([b"index,first,similarity", b"5,2,1.0000", b"2,0,0.9712"])
    {2: 0, 5: 0}
    """
    # neither the header nor an empty last line begins with a digit
    pairs = (row.split(b",") for row in rows if row[:1].isdigit())
    firsts: dict[int, int] = {}
    # what a line repeats comes before it, so its own first is known by then
    for later, first in sorted((int(later), int(first)) for later, first, *_ in pairs):
        firsts[later] = firsts.get(first, first)
    return firsts
