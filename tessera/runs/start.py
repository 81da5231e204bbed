"""Start runs: upload a manifest with all that goes with it, and wait until it is grouped."""

from __future__ import annotations

import time
from typing import Any

from tessera.runs.executions import ENDED, drop, list_executions, wait_for_execution
from tessera.runs.instructions import upload_instructions
from tessera.runs.source import Source
from tessera.runs.status import RunObserver, RunStatus
from tessera.screen import out, waiting, warn
from tessera.stack.cloud import Cloud
from tessera.tiling.manifest.stream import line_blocks
from tessera.tiling.run.inbox import embeddings_name
from tessera.tiling.settings import Settings, warnings

PAUSE = 0.3
"""Seconds between two looks at a run that is being grouped: Step Functions notifies nobody."""


def drop_source(
    cloud: Cloud, source: Source, own: bytes | None, settings: Settings, *, quiet: bool
) -> tuple[str, RunStatus]:
    """Upload pictures, instructions and settings, and start the run; return its execution."""
    source.check(settings)
    warn([*warnings(settings), *source.notices])
    upload_instructions(cloud, source.folder, source.project)
    _, execution = start_run(cloud, source, source.lines(cloud, settings), own, quiet=quiet)
    return execution, wait_until_grouped(RunObserver(cloud, execution))


def start_run(
    cloud: Cloud, source: Source, lines: bytes, settings: bytes | None, *, quiet: bool
) -> tuple[dict[str, Any], str]:
    """Upload the manifest; return what was dropped, and the ARN of the execution it started."""
    before = {execution["executionArn"] for execution in list_executions(cloud, 100)}
    if source.embeddings:  # before the manifest, which starts a run that reads them
        with waiting("Uploading the embeddings"):
            name = f"{source.project}/{embeddings_name(source.name)}"
            cloud.storage.upload(source.embeddings, f"{cloud.outputs['Inbox']}/{name}")
    with waiting("Uploading the manifest"):
        key = drop(cloud, lines, project=source.project, name=source.name, settings=settings)
    # As a run counts them: a packed manifest has its lines inside.
    count = sum(block.count(b"\n") for block in line_blocks([lines]))
    dropped = {"manifest": f"{cloud.outputs['Inbox']}/{key}", "lines": count}
    if not quiet:
        out.print(f"[bold]Dropped[/]  {dropped['manifest']}", soft_wrap=True)
    with waiting("Waiting for the run to start"):
        return dropped, wait_for_execution(cloud, key, besides=before)


def wait_until_grouped(observer: RunObserver) -> RunStatus:
    """Wait until the run has pages, or has ended, and return how it stands."""
    with waiting("Grouping the images into pages"):
        while True:
            status = observer.read()
            if status.state not in ("", "GroupImages") or status.status in ENDED:
                return status
            time.sleep(PAUSE)
