"""Files of this machine, read as the functions read those of S3."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Head(NamedTuple):
    """Size of a file in bytes."""

    size: int


class LocalFiles:
    """Files by their paths."""

    def head(self, path: str) -> Head | int:
        """Return a file's size, or 404 and 403 as S3 answers."""
        try:
            return Head(Path(path).stat().st_size)
        except FileNotFoundError:
            return 404
        except OSError:
            return 403

    def get_range(self, path: str, start: int, end: int) -> bytes:
        """Return the bytes from `start` up to, not including, `end`."""
        with Path(path).open("rb") as file:
            file.seek(start)
            return file.read(end - start)
