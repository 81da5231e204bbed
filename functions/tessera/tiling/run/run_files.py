"""Name the files that the stages read and write, which their caller opens on S3 or on a disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from typing import Any, BinaryIO, Protocol


class Writable(Protocol):
    """File to which bytes can be added."""

    def write(self, data: bytes, /) -> Any:
        """Add bytes to the end."""


CreateFile = Callable[[str], AbstractContextManager[Writable]]
"""Opens a new file of the run, by its name in the run's folder."""
ReadManifest = Callable[[], Iterable[bytes]]
"""Starts reading the manifest from its beginning, in pieces of any size."""
OpenScratch = Callable[[], BinaryIO]
"""Opens an empty file to write and read, which is gone when it is closed."""


class LazyFile:
    """File that is created by the first write, so that a run has none with nothing in it."""

    def __init__(
        self, name: str, create: CreateFile, files: ExitStack, header: bytes = b""
    ) -> None:
        """Begin the file `name` with `header` when it is created; `files` closes it."""
        self._name = name
        self._create = create
        self._files = files
        self._header = header
        self._file: Writable | None = None

    def write(self, data: bytes) -> None:
        """Add bytes to the end."""
        # The stack closes it, and so completes the upload, only when all of the grouping went well.
        if self._file is None:
            self._file = self._files.enter_context(self._create(self._name))
            self._file.write(self._header)
        self._file.write(data)
