"""Fetch a manifest that lies in S3, so that it is checked and dropped as one of this machine is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tessera.exits import NotFound, Refused
from tessera.stack.cloud import Cloud
from tessera.tiling.run.inbox import is_manifest
from tessera.tiling.settings import LONGEST_SETTINGS

SETTINGS = "labeling.json"


@contextmanager
def fetched_manifest(
    cloud: Cloud, uri: str, project: str | None = None
) -> Iterator[tuple[Path, str]]:
    """Yield a copy of the manifest at an s3:// address, in a folder of its own, and its project.

    The settings beside it come along. NotFound if there is no such object, Refused if it is none
    that a run begins with.
    """
    folder, _, name = uri.rpartition("/")
    if not is_manifest(uri):
        raise Refused(f"{uri} is no manifest: its name ends in .manifest, .jsonl, or .gz of these.")
    runs = cloud.outputs["Labels"].rstrip("/") + "/"
    if uri.startswith(runs):  # where neither the project nor its settings lie
        run = uri.removeprefix(runs).partition("/")[0]
        kind = "uncertain" if name.startswith("uncertain") else "unlabeled"
        raise Refused(
            f"{uri} is of a run. Ask for its images again: {cloud.command(f'again {run} --{kind}')}"
        )
    if not cloud.storage.exists(uri):
        raise NotFound(f"There is no {uri}. List what is there: {_list(cloud, folder)}")
    with TemporaryDirectory(prefix="tessera-") as place:
        path = Path(place, name)
        cloud.storage.download(uri, path)
        settings = cloud.storage.get_up_to(f"{folder}/{SETTINGS}", LONGEST_SETTINGS + 1)
        if settings is not None:
            (path.parent / SETTINGS).write_bytes(settings)
        yield path, project or project_at(cloud, folder)


def project_at(cloud: Cloud, folder: str) -> str:
    """Return the project of a folder: its key in the inbox, elsewhere its own name."""
    inbox = cloud.outputs["Inbox"].rstrip("/") + "/"
    if folder.startswith(inbox):
        return folder.removeprefix(inbox)
    return folder.rpartition("/")[2]


def _list(cloud: Cloud, folder: str) -> str:
    return cloud.aws_command(f"s3 ls {folder}/")
