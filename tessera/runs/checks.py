"""Manifests and settings on this machine, checked as a run would check them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from tessera.exits import Refused
from tessera.screen import progress, warn
from tessera.tiling.errors import TesseraError
from tessera.tiling.grouping.first_round import Summary, group_manifest
from tessera.tiling.settings import Settings, read_settings

PIECE = 1024 * 1024
"""Bytes of a manifest that are read at a time; the bar on the screen moves on with each."""


def read_settings_file(path: Path) -> Settings:
    """Read the settings from a file; Refused with every problem, one a line."""
    if not path.exists():
        raise Refused(
            f"There is no {path}. Write one (docs/manifests.md says what it may hold), "
            "or name it: --settings FILE"
        )
    return parse_settings(path.read_bytes(), str(path))


def parse_settings(raw: bytes, where: str) -> Settings:
    """Parse settings; Refused with every problem, one a line, and `where` they come from."""
    try:
        return read_settings(raw)
    except TesseraError as error:
        problems = getattr(error, "problems", (str(error),))
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise Refused(f"{where} cannot be used:\n{listed}") from error


def count_manifest(manifest: Path, settings: Settings) -> Summary:
    """Count what a run would make of the manifest; Refused, in the run's words, if nothing."""
    with pieces_of(manifest) as read:
        try:
            summary = group_manifest(read, settings, _discard, TemporaryFile)
        except TesseraError as error:
            raise Refused(
                f"{manifest} would be refused: {error} ({type(error).__name__})"
            ) from error
    if settings.gold_per_task and not summary.gold:
        warn(
            [
                f"gold_per_task: {settings.gold_per_task} has no effect, because no line of "
                f'{manifest} has a known label; give some lines a "gold" key'
            ]
        )
    return summary


@contextmanager
def pieces_of(manifest: Path) -> Iterator[Callable[[], Iterator[bytes]]]:
    """Give a function that reads the manifest in pieces, each time from its beginning.

    The screen shows how far it is.
    """
    with progress(f"bytes of {manifest.name}", manifest.stat().st_size) as advance:

        def read() -> Iterator[bytes]:
            with manifest.open("rb", buffering=0) as file:
                while piece := file.read(PIECE):
                    yield piece
                    advance(len(piece))

        yield read


class _Discarded:
    """File that keeps nothing."""

    def write(self, data: bytes, /) -> int:
        """Forget the bytes."""
        return len(data)


@contextmanager
def _discard(_: str) -> Iterator[_Discarded]:
    yield _Discarded()
