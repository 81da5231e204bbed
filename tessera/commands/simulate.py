"""`tessera simulate`: simulated workers for a run of the example."""

from __future__ import annotations

import json
from collections.abc import Container

import click

from tessera.commands.completion import run_names
from tessera.number_types import COUNT, SEED, SHARE
from tessera.runs.folder import RunFolder, find_run
from tessera.runs.status import RunObserver
from tessera.screen import console_for, counted, json_option, out, print_json, waiting
from tessera.simulation.example import EXAMPLE, Example, label_until_ended, make_workers
from tessera.stack.target import Target

TASKS = "round-1/tasks-000.manifest"
"""File of the first tasks, as many as a job has."""


def unknown_pictures(folder: RunFolder, known: Container[str]) -> list[str]:
    """Return the file names of a run's pictures that are not known, on the first page with any.

    They are looked for before a worker begins: one who gives up keeps a page from everybody.
    """
    for line in folder.lines(TASKS) if folder.has(TASKS) else ():
        images = json.loads(json.loads(line)["source"])
        names = [image["source-ref"].rpartition("/")[2] for image in images]
        if unknown := [name for name in names if name not in known]:
            return unknown
    return []


@click.command()
@click.argument("name", metavar="[RUN]", required=False, shell_complete=run_names)
@click.option("--workers", type=COUNT, default=5, help="Number of simulated workers.")
@click.option(
    "--error-rate", type=SHARE, default=0.05, help="Share of images that each of them gets wrong."
)
@click.option("--seed", type=SEED, default=1, help="Seed of their errors.")
@json_option("Print the result as JSON.")
@click.pass_obj
def simulate(
    target: Target, name: str | None, workers: int, error_rate: float, seed: int, as_json: bool
) -> None:
    """Have simulated workers label a run of the example's images, until it ends.

    They answer through the portal, as people do, and know only the example's images. RUN is the
    name of a run or the beginning of it; the default is the newest run.
    """
    cloud = target.cloud
    folder = find_run(cloud, name)
    if unknown := unknown_pictures(folder, Example(EXAMPLE).truth):
        raise click.ClickException(
            f"Simulated workers know only the pictures of {EXAMPLE}, and {folder.name} shows "
            f"others, such as {unknown[0]}. Have people label it: "
            f"{cloud.command('workers add EMAIL')}. Or name a run of the example: "
            f"{cloud.command('runs')}"
        )
    with waiting("Adding simulated workers"):
        crew = make_workers(
            cloud, Example(EXAMPLE), workers=workers, error_rate=error_rate, seed=seed
        )
    observer = RunObserver(cloud, folder.record["execution"], folder)
    end = label_until_ended(crew, observer, folder.name, console_for(as_json))
    if as_json:
        print_json({"run": folder.name, "status": end.status, "result": end.output})
    else:
        labeled = counted(end.output["labeled"], "image")
        out.print(f"[bold]{folder.name}[/]: {labeled} labeled", soft_wrap=True)
