"""Go on with runs whose executions a power cut or a stop of the local stack has ended.

An execution does not survive the embedded AWS, and everything that it made does: answers, pages and
the run's record lie in S3. So the index of the run's open jobs is rebuilt from there, and an
execution is started with the manifest as it was dropped, even if another lies in its place by now.
It takes the run over (docs/decisions/redrop-not-redrive.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from botocore.exceptions import ClientError

from tessera.portal import job_lifecycle
from tessera.portal.errors import PortalError
from tessera.runs.executions import CUT_OFF, Ending, read_ending
from tessera.runs.folder import RunFolder, list_runs, record_of
from tessera.runs.status import RoundProgress, latest_jobs, portal_progress
from tessera.stack.cloud import Cloud
from tessera.tiling.errors import TesseraError
from tessera.tiling.run.jobs import run_id
from tessera.tiling.run.run_record import find_settings, manifest_uri, with_content_etag


class Resumed(NamedTuple):
    """Run that goes on, with the pages of its round that are answered and needed."""

    run: str
    answers: int
    needed: int
    remedy: str = ""
    """Act of a person that it needs, where it cannot go on by itself."""

    def __str__(self) -> str:
        """Return it as a sentence."""
        if self.remedy:
            return f"{self.run} was cut off. {self.remedy}"
        pages = f" ({self.answers:,} of {self.needed:,} pages)" if self.needed else ""
        return f"{self.run} was cut off: going on with it{pages}"


def resume_runs(cloud: Cloud) -> Iterator[Resumed]:
    """Go on with every run that was cut off, and yield each."""
    for folder, _ in list_runs(cloud):
        # Labels that are written need no drop of what lies there by now.
        if not was_cut_off(folder):
            continue
        if not folder.record.get("done") or dropped_manifest(folder) is not None:
            yield resume(folder)


def was_cut_off(folder: RunFolder) -> bool:
    """Return whether a run has not ended and nothing works on it any more.

    One whose labels are written counts, if it is not known to have been announced.
    """
    end = ending_or_none(folder.cloud, folder.record["execution"])
    if folder.record.get("done"):
        return end is not None and end.error == CUT_OFF
    # One that failed or was stopped ended by itself, and is no business of a start.
    return end is None or end.error == CUT_OFF


def ending_or_none(cloud: Cloud, execution: str) -> Ending | None:
    """Return how an execution stands, or None if Step Functions does not know it."""
    try:
        return read_ending(cloud, execution)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionDoesNotExist":
            raise
        return None


def resume(folder: RunFolder) -> Resumed:
    """Rebuild the index of the run's open jobs, and start an execution that goes on with it."""
    cloud, manifest = folder.cloud, dropped_manifest(folder)
    if manifest is None:
        return Resumed(folder.name, 0, 0, _remedy(folder))
    jobs = latest_jobs(folder)
    labels = cloud.outputs["Labels"].rstrip("/")
    for job in jobs:
        record = record_of(labels, job)
        if cloud.storage.exists(record):  # else the round was cut off before the job was opened
            with suppress(PortalError):  # which OpenJob meets again, and tells
                job_lifecycle.restore(cloud.ports, record)
    progress = portal_progress(cloud.ports, jobs) if jobs else RoundProgress()
    detail = {"bucket": {"name": manifest.pop("bucket")}, "object": manifest}
    cloud.connection.workflow.start(cloud.outputs["StateMachineArn"], {"detail": detail})
    return Resumed(folder.name, progress.answers, progress.needed)


def dropped_manifest(folder: RunFolder) -> dict[str, str] | None:
    """Return the manifest of a run with which an execution is this run; None if there is none.

    It is the version that was dropped, whatever lies there now, or what lies there if it is the
    same. The settings are read as they are now, as the execution reads them.
    """
    cloud, manifest = folder.cloud, folder.record["manifest"]
    uri = manifest_uri(manifest)
    dropped = {name: manifest.get(name) or "" for name in ("bucket", "key", "etag", "version-id")}
    try:
        settings = find_settings(cloud.storage, manifest, cloud.default_settings.decode())
    except TesseraError:
        return None
    version = dropped["version-id"]
    if not version or not cloud.storage.exists(uri, version):
        dropped |= {"etag": cloud.storage.etag(uri) or "", "version-id": ""}
        runs = f"{cloud.outputs['Labels'].rstrip('/')}/"
        dropped = with_content_etag(cloud.storage, dropped, settings, runs)
    return dropped if run_id(dropped, settings) == folder.name else None


def _remedy(folder: RunFolder) -> str:
    """Return what to do where a drop of what lies in the inbox now would be another run."""
    uri, command = manifest_uri(folder.record["manifest"]), folder.cloud.command
    return (
        f"{uri} or its settings have changed since. To go on, put back what they were, and "
        f"drop them again: {command('drop --help')}"
    )
