"""Find the embeddings of a manifest or a folder on this machine, and check them as a run would."""

from __future__ import annotations

from pathlib import Path

from tessera.exits import Refused
from tessera.local_files import LocalFiles
from tessera.tiling.errors import EmbeddingsUnusable
from tessera.tiling.guesses.embeddings import EmbeddingsFile, check_rows, open_embeddings
from tessera.tiling.run.inbox import embeddings_name


def find_own_embeddings(source: Path) -> Path | None:
    """Return the embeddings beside a manifest, or within a folder under its name; None if absent.

    The name is that which the manifest will have in the inbox.
    """
    name = source.resolve().name if source.is_dir() else source.name
    path = (source if source.is_dir() else source.parent) / embeddings_name(name)
    return path if path.is_file() else None


def open_own_embeddings(path: Path) -> EmbeddingsFile:
    """Return a file's rows; Refused, in the run's words, if it is no array of embeddings."""
    try:
        return open_embeddings(LocalFiles(), str(path))
    except EmbeddingsUnusable as error:
        raise Refused(f"{error} ({type(error).__name__}).") from error


def check_own_embeddings(path: Path, lines: int) -> EmbeddingsFile:
    """Return a file's rows; Refused, in the run's words, unless it has one for each line."""
    source = open_own_embeddings(path)
    try:
        check_rows(str(path), len(source), lines)
    except EmbeddingsUnusable as error:
        raise Refused(f"{error} ({type(error).__name__}).") from error
    return source
