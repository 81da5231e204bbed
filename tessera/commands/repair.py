"""`tessera repair`: write the portal's index of a job anew from S3."""

from __future__ import annotations

from typing import Any

import click

from tessera.commands.workers import cloud_of
from tessera.portal import job_lifecycle
from tessera.portal.errors import PortalError
from tessera.portal.table_layout import read_counts
from tessera.screen import json_option, out, print_json, waiting
from tessera.tiling.job_names import parse_job_name


@click.command()
@click.argument("job")
@json_option("Print how the job stands as JSON.")
@click.pass_obj
def repair(where: Any, job: str, as_json: bool) -> None:
    """Write the portal's index of a job anew, from the answers in S3."""
    cloud = cloud_of(where)
    ports, record = cloud.ports, record_of(cloud.outputs["Labels"], job)
    if ports.files.size(record) is None:
        raise click.ClickException(f"S3 has no job at {record}")
    try:
        with waiting("Reading the job's answers in S3"):
            repaired = job_lifecycle.restore(ports, record)
    except PortalError as error:
        raise click.ClickException(str(error)) from error
    counts = read_counts(ports.table, repaired)
    status = repaired.status.lower()
    found = {"answered": counts.answered, "answers": repaired.answers}
    if as_json:
        print_json({"job": repaired.name, "status": status} | found)
    else:
        out.print(
            f"[bold]{repaired.name}[/] is {status}: "
            f"{counts.answered} of {repaired.answers} answers."
        )


def record_of(labels: str, job: str) -> str:
    """Return where S3 keeps a job's record, by the run and the round in the job's name.

    >>> record_of("s3://labels/runs", "pets-may-2f9a-r1-000")
    's3://labels/runs/pets-may-2f9a/round-1/jobs/pets-may-2f9a-r1-000/job.json'
    """
    name = parse_job_name(job)
    if name is None:
        raise click.UsageError(f"{job!r} is no job's name: they end as in pets-2f9a-r1-000.")
    return f"{labels}/{name.run}/round-{name.round}/jobs/{job}/job.json"
