"""Read and upload the texts beside a manifest that are for workers, from instructions to page."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from tessera.exits import Refused
from tessera.picture_types import picture_type
from tessera.stack.cloud import Cloud
from tessera.tiling.errors import PageUnusable, SettingsInvalid
from tessera.tiling.onboarding.instructions import EXAMPLES, NAME, with_instructions
from tessera.tiling.onboarding.practice import PRACTICE, with_practice
from tessera.tiling.onboarding.qualification import FOLDER as QUALIFICATION
from tessera.tiling.onboarding.qualification import with_qualification
from tessera.tiling.page.own_page import NAME as PAGE_NAME
from tessera.tiling.page.own_page import with_page
from tessera.tiling.settings import Settings

TEXT_TYPES = {NAME: "text/markdown", PAGE_NAME: "text/html"}


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
    """Return the settings with the instructions, examples and known pictures in a folder.

    Refused where they cannot be used.
    """
    try:
        files = _Folder(folder)
        if not settings.is_custom:
            settings = with_practice(with_instructions(settings, files, ""), files, "")
            settings = with_qualification(settings, files, "")
        return with_page(settings, files, "")
    except SettingsInvalid as error:
        raise Refused(f"{folder}: {'; '.join(error.problems)}.") from error
    except PageUnusable as error:
        raise Refused(f"{folder}: {error}.") from error


def upload_instructions(cloud: Cloud, folder: Path, project: str) -> None:
    """Put instructions, examples, known pictures and page into the project's inbox folder."""
    text = [name for name in (NAME, PAGE_NAME) if (folder / name).is_file()]
    pictures = map(_Folder(folder).list_uris, (EXAMPLES, PRACTICE, QUALIFICATION))
    for name in [*text, *chain.from_iterable(pictures)]:
        kind = picture_type(name)
        cloud.storage.put(
            f"{cloud.outputs['Inbox']}/{project}/{name}",
            (folder / name).read_bytes(),
            content_type=kind.media_type if kind else TEXT_TYPES.get(name, "text/plain"),
        )
