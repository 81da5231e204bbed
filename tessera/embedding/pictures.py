"""List the pictures of a folder or of a manifest, each with what reads it, in the order of rows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from tessera.exits import Refused
from tessera.exports.pictures import Missing
from tessera.exports.pictures import fetch as fetch_object
from tessera.picture_folder import look_at_pictures
from tessera.runs.checks import PIECE, manifest_remedy
from tessera.runs.fetched_pictures import NotFetched, fetch
from tessera.stack.target import Target
from tessera.tiling.errors import NOT_JSON, TesseraError
from tessera.tiling.manifest.lines import BYTE_ORDER_MARK
from tessera.tiling.manifest.stream import manifest_lines


class NamedPictures(NamedTuple):
    """Pictures by row: `names` are files below a folder, URIs, or empty where a line has none."""

    names: list[str]
    version: list[str]
    """What is known of their content, beside their names; empty if nothing is."""
    folder: Path
    target: Target

    def read(self, name: str) -> bytes:
        """Return a picture's bytes, empty if it cannot be read."""
        try:
            if name.startswith("s3://"):
                return fetch_object(self.target.cloud.storage, name)
            return fetch(name, self.folder) if name else b""
        except (Missing, NotFetched, ValueError):  # counted with those that cannot be decoded
            return b""


def pictures_of(source: Path, target: Target, *, convert: bool) -> NamedPictures:
    """Return the pictures of a folder, as a drop finds them, or of a manifest, a row for each line.

    Refused for a folder without pictures and a manifest without lines.
    """
    if source.is_dir():
        pictures = look_at_pictures(source, convert=convert)
        names, digests = [each.name for each in pictures], [each.digest for each in pictures]
        return NamedPictures(names, digests, source, target)
    try:
        with source.open("rb") as file:
            names = _sources(manifest_lines(iter(lambda: file.read(PIECE), b"")))
    except TesseraError as error:
        raise Refused(f"{source}: {error}.\n{manifest_remedy(source)}") from error
    if not any(names):
        raise Refused(f"{source} has no line with a picture.\n{manifest_remedy(source)}")
    return NamedPictures(names, [], source.parent, target)


def _sources(lines: Iterable[bytes]) -> list[str]:
    """Return the source of each line, empty for a line that is none of a manifest."""
    sources: list[str] = []
    for line in lines:
        raw = line if sources else line.removeprefix(BYTE_ORDER_MARK)
        try:
            members = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
            source = msgspec.json.decode(members.get("source-ref", msgspec.Raw(b"0")))
        except NOT_JSON:
            source = None
        sources.append(source if isinstance(source, str) else "")
    return sources
