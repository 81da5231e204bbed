"""Delete what projects and runs remember of a worker; the answers are kept."""

from __future__ import annotations

import click
import msgspec

from tessera.aws.storage import Storage
from tessera.portal.ports import Ports
from tessera.portal.store import erase
from tessera.portal.table_layout import standing_key
from tessera.screen import counted
from tessera.tiling.onboarding.qualification import FOLDER as QUALIFICATION
from tessera.tiling.run.run_record import decode_record, project_of
from tessera.tiling.workers.worker_memory import (
    COPY_NAME,
    Memory,
    MemoryNewer,
    MemoryUnusable,
    decode_memory,
)


def forget(storage: Storage, bucket: str, worker: str, project: str | None) -> list[str]:
    """Delete a worker from all that is remembered; return the addresses of what held them.

    Of a project that is its own memory and the copies of its runs. ClickException, once all else
    is done, for what a newer Tessera wrote.
    """
    prefix = f"s3://{bucket}/projects/{f'{project}/' if project else ''}"
    memories = [uri for uri in storage.list_uris(prefix) if uri.endswith(f"/{COPY_NAME}")]
    if project:
        memories = [uri for uri in memories if uri == f"{prefix}{COPY_NAME}"]
    homes = [
        home
        for home in storage.list_folders(f"s3://{bucket}/runs/")
        if storage.size(f"{home}{COPY_NAME}") is not None
        and (not project or _project_of_run(storage, home) == project)
    ]
    gone, newer = [], []
    for uri in [*memories, *(f"{home}{COPY_NAME}" for home in homes)]:
        try:
            if _forget_in(storage, uri, worker):
                gone.append(uri)
        except MemoryNewer:
            newer.append(uri)
    if newer:
        raise click.ClickException(
            f"A newer Tessera wrote {', '.join(newer)}, which may tell of {worker}: forget them "
            f"with that one. Elsewhere they are forgotten, in {counted(len(gone), 'place')}."
        )
    return gone


def _project_of_run(storage: Storage, home: str) -> str:
    return project_of(decode_record(storage.get(f"{home}run.json")).manifest)


def forget_standings(
    ports: Ports, storage: Storage, bucket: str, worker: str, project: str | None
) -> list[str]:
    """Delete what a worker came to in qualifications; return the addresses of the records."""
    worker = account_of(worker)
    end = f"/{QUALIFICATION}{worker}"
    homes = (uri.rpartition("/")[0] for uri in storage.list_uris(f"s3://{bucket}/projects/"))
    folders = sorted({home.removesuffix(worker) for home in homes if home.endswith(end)})
    if project:
        folders = [f"s3://{bucket}/projects/{project.strip('/')}/{QUALIFICATION}"]
    gone = [uri for folder in folders for uri in storage.list_uris(f"{folder}{worker}/")]
    for uri in gone:
        storage.delete(uri)
    erase(ports.table, [standing_key(folder, worker) for folder in folders])
    return gone


def account_of(worker: str) -> str:
    """Return the portal's name of a worker who may be named as on answers: `private.REGION.NAME`.

    >>> account_of("private.us-east-1.ann"), account_of("ann")
    ('ann', 'ann')
    """
    return worker.rpartition(".")[2]


def _forget_in(storage: Storage, uri: str, worker: str) -> bool:
    """Delete a worker from one memory, whatever runs write to it; return whether they were in it.

    Memories have the names that answers have, and accounts only the end of those. One that cannot
    be used may tell of anybody and serves nobody, so all of it is deleted.
    """
    account = account_of(worker)
    while True:
        document, etag = storage.get_with_etag(uri)
        try:
            memory = decode_memory(document)
        except MemoryNewer:
            raise
        except MemoryUnusable:
            memory = Memory()
        else:
            names = {name for name in memory.names() if account_of(name) == account}
            if not names:
                return False
            for name in names:
                memory = memory.without(name)
        without = msgspec.json.encode(memory)
        if storage.put_if_match(uri, without, etag, content_type="application/json"):
            return True
