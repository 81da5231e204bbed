"""`tessera stop`: close a run's jobs, so that it ends with the answers so far."""

from __future__ import annotations

from collections.abc import Iterator

import click
from botocore.exceptions import ClientError

from tessera.commands.completion import run_names
from tessera.portal import job_lifecycle
from tessera.portal.errors import PortalError
from tessera.runs.executions import RunError
from tessera.runs.folder import find_run
from tessera.runs.status import latest_jobs
from tessera.screen import counted, json_option, out, print_json, progress
from tessera.stack.cloud import Cloud
from tessera.tiling.run.job_names import parse_job_name

OUTCOMES = {
    "stopped": "closed: its run goes on with the answers so far",
    "full": "had ended before: every answer is there",
    "expired": "had ended before: its time was over",
}
"""Sentences on a job of the portal, by its outcome in JSON."""


@click.command()
@click.argument("name", metavar="RUN", shell_complete=run_names)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option("Print the jobs as JSON.")
@click.pass_context
def stop(context: click.Context, name: str, yes: bool, as_json: bool) -> None:
    """End a run early: close its jobs, and let it finish with the answers so far.

    RUN is the name of a run or the beginning of it, or the name of one of its jobs.
    """
    cloud: Cloud = context.obj.cloud
    job = parse_job_name(name)
    folder = find_run(cloud, job.run if job else name)
    names = [name] if job else latest_jobs(folder)
    if not names:
        raise RunError(
            f"{folder.name} has no jobs yet. "
            f"Its status: {cloud.command(f'watch {folder.name} --once')}"
        )
    if not yes:
        click.confirm(
            f"Close {counted(len(names), 'job')} of {folder.name}? Workers can give no more "
            "answers; the answers so far are used.",
            abort=True,
            err=True,
        )
    close = _stop_on_portal if folder.settings.on_portal else _stop_at_service
    outcomes = {}
    with progress("jobs", len(names)) as advance:
        for closed, outcome in close(cloud, names):
            outcomes[closed] = outcome
            advance(1)
    if as_json:
        print_json({"run": folder.name, "jobs": outcomes})
        return
    for closed, outcome in outcomes.items():
        out.print(f"[bold]{closed}[/] {OUTCOMES.get(outcome, outcome)}", soft_wrap=True)


def _stop_on_portal(cloud: Cloud, names: list[str]) -> Iterator[tuple[str, str]]:
    ports = cloud.ports
    for name in names:
        try:
            yield name, job_lifecycle.stop(ports, name).status.lower()
        except PortalError as error:
            yield name, f"not closed: {error}"


def _stop_at_service(cloud: Cloud, names: list[str]) -> Iterator[tuple[str, str]]:
    sagemaker = cloud.client("sagemaker")
    for name in names:
        try:
            sagemaker.stop_labeling_job(LabelingJobName=name)
            yield name, "stopping"
        except ClientError as error:
            yield name, f"not closed: {error}"
