"""Instructions and examples beside a manifest on this machine: read, and uploaded before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tessera.exits import Refused
from tessera.picture_types import picture_type
from tessera.stack.cloud import Cloud
from tessera.tiling.errors import SettingsInvalid
from tessera.tiling.instructions import EXAMPLES, NAME, with_instructions
from tessera.tiling.settings import Settings


class _Folder:
    """Folder on this machine, read as the inbox's folder is; its URI is empty."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get_up_to(self, uri: str, limit: int) -> bytes | None:
        path = self._path / uri
        return path.read_bytes()[:limit] if path.is_file() else None

    def list_uris(self, prefix: str) -> Iterator[str]:
        """Yield names below the folder, sorted as S3 sorts keys."""
        paths = (path for path in (self._path / prefix).rglob("*") if path.is_file())
        yield from sorted(path.relative_to(self._path).as_posix() for path in paths)


def settings_beside(settings: Settings, folder: Path) -> Settings:
    """Return the settings with the instructions and examples in a folder, as a run has them.

    Refused where they cannot be used.
    """
    try:
        return with_instructions(settings, _Folder(folder), "")
    except SettingsInvalid as error:
        raise Refused(f"{folder}: {'; '.join(error.problems)}.") from error


def upload_instructions(cloud: Cloud, folder: Path, project: str) -> None:
    """Put a folder's instructions and examples into the project's folder of the inbox, if any."""
    text = [NAME] if (folder / NAME).is_file() else []
    for name in [*text, *_Folder(folder).list_uris(EXAMPLES)]:
        kind = picture_type(name)
        cloud.storage.put(
            f"{cloud.outputs['Inbox']}/{project}/{name}",
            (folder / name).read_bytes(),
            content_type=kind.media_type if kind else "text/markdown",
        )
