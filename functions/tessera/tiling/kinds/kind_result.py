"""Hold what labeling a run of a kind of its own needs, and what comes of it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from tessera.tiling import label_run
from tessera.tiling.run.run_files import Writable
from tessera.tiling.run.run_record import Files as RecordFiles


class Files(label_run.Files, RecordFiles, Protocol):
    """Stored objects as they are used here; `tessera.aws.storage.Storage` is one."""

    def put(self, uri: str, data: bytes, *, content_type: str) -> None:
        """Put the object, replacing what is there."""

    def writer(self, uri: str, *, content_type: str) -> AbstractContextManager[Writable]:
        """Open a `with` block that writes one object of any size, piece by piece."""


class KindResult(NamedTuple):
    """Result of a round: what report.json says, and what the state ConsolidateLabels returns."""

    figures: dict[str, Any]
    summary: dict[str, Any]
