"""`tessera repair`: rebuild the portal's index of a job from S3."""

from __future__ import annotations

import click

from tessera.portal import job_lifecycle
from tessera.portal.errors import PortalError
from tessera.portal.table_layout import read_counts
from tessera.runs.folder import record_of
from tessera.screen import json_option, out, print_json, waiting
from tessera.stack.target import Target


@click.command()
@click.argument("job")
@json_option("Print the job's status as JSON.")
@click.pass_obj
def repair(target: Target, /, job: str, as_json: bool) -> None:
    """Rebuild the portal's index of JOB from the answers in S3."""
    cloud = target.cloud
    ports, record = cloud.ports, record_of(cloud.outputs["Labels"], job)
    if ports.files.size(record) is None:
        raise click.ClickException(f"There is no job {job}: {record} does not exist.")
    try:
        with waiting("Reading the job's answers in S3"):
            repaired = job_lifecycle.restore(ports, record)
    except PortalError as error:
        raise click.ClickException(str(error)) from error
    counts = read_counts(ports.table, repaired)
    status = repaired.status.lower()
    facts = {"answered": counts.answered, "answers": repaired.answers}
    if as_json:
        print_json({"job": repaired.name, "status": status} | facts)
    else:
        out.print(
            f"[bold]{repaired.name}[/] is {status}: "
            f"{counts.answered} of {repaired.answers} answers."
        )
