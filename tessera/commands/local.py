"""The stack on this machine, `tessera up` and `down`, and the example on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tessera.commands.completion import run_names
from tessera.screen import json_option, out, print_json, talk, waiting

if TYPE_CHECKING:
    from tessera.cli import Target


@click.command()
@click.option("--open-to-containers", is_flag=True, help="Listen on all addresses of this machine.")
@json_option("Print the addresses as JSON.")
@click.pass_obj
def up(target: Target, open_to_containers: bool, as_json: bool) -> None:
    """Start the local stack and deploy Tessera to it."""
    from tessera.example import ready
    from tessera.stack import samples

    stack = replace(target.local, host="0.0.0.0") if open_to_containers else target.local
    cloud = ready(stack, talk(as_json))
    samples.load(cloud.client("s3"), cloud.client("dynamodb"))
    addresses = {name: cloud.outputs[name] for name in ("Inbox", "Labels", "StateMachineArn")}
    addresses |= {"Portal": cloud.portal_url, "AWS_ENDPOINT_URL": stack.endpoint}
    if as_json:
        print_json(addresses)
        return
    for name, address in addresses.items():
        out.print(f"[bold]{name:<16}[/]  {address}", soft_wrap=True)


@click.command()
@json_option("Print whether it was running as JSON.")
@click.pass_obj
def down(target: Target, as_json: bool) -> None:
    """Stop the local stack; what it holds is kept for the next start."""
    with waiting("Stopping the embedded AWS"):
        stopped = target.local.stop()
    if as_json:
        print_json({"stopped": stopped})
    else:
        out.print("Stopped." if stopped else "The local stack is not running.")


@click.command()
@click.option("--workers", default=5, help="How many simulated workers label.")
@click.option("--error-rate", default=0.05, help="Share of images that each of them gets wrong.")
@click.option("--seed", default=1, help="What they err on follows from this number.")
@click.option(
    "--out", "folder", type=click.Path(path_type=Path), default="out", help="Folder of the results."
)
@json_option("Print the result as JSON.")
@click.pass_obj
def run(
    target: Target, workers: int, error_rate: float, seed: int, folder: Path, as_json: bool
) -> None:
    """Label the example from start to finish with simulated workers."""
    from tessera import example

    result = example.run(
        target.local, out=folder, workers=workers, error_rate=error_rate, seed=seed,
        console=talk(as_json),
    )  # fmt: skip
    if as_json:
        print_json(result)


@click.command()
@click.option("--images", default=60, help="How many of the example's images you label.")
@click.option(
    "--out", "folder", type=click.Path(path_type=Path), default="out", help="Folder of the results."
)
@json_option("Print the result as JSON.")
@click.pass_obj
def label(target: Target, images: int, folder: Path, as_json: bool) -> None:
    """Label the example yourself, in the browser."""
    from tessera import example

    result = example.label(target.local, out=folder, images=images, console=talk(as_json))
    if as_json:
        print_json(result)


@click.command()
@click.argument("name", metavar="[RUN]", required=False, shell_complete=run_names)
@click.option("--workers", default=5, help="How many simulated workers label.")
@click.option("--error-rate", default=0.05, help="Share of images that each of them gets wrong.")
@click.option("--seed", default=1, help="What they err on follows from this number.")
@json_option("Print how the run ended as JSON.")
@click.pass_obj
def simulate(
    target: Target, name: str | None, workers: int, error_rate: float, seed: int, as_json: bool
) -> None:
    """Have simulated workers label a run of the example's images, until it ends.

    They answer through the portal, as people do, and know only the example's images.
    RUN is a run's name or its beginning; without it, the newest.
    """
    import threading

    from tessera.archive import find_run
    from tessera.commands.runs import RunError, ending
    from tessera.commands.watch import to_the_end
    from tessera.example import EXAMPLE, Example, at_work, simulated
    from tessera.standing import Observer

    cloud = target.cloud
    folder = find_run(cloud, name)
    execution = folder.record["execution"]
    with waiting("Adding simulated workers"):
        crowd = simulated(
            cloud, Example(EXAMPLE), workers=workers, error_rate=error_rate, seed=seed
        )
    finished = threading.Event()
    working = threading.Thread(target=at_work, args=(crowd, finished, folder.name), daemon=True)
    working.start()
    try:
        to_the_end(Observer(cloud, execution, folder), talk(as_json))
    finally:
        finished.set()
    working.join()
    end = ending(cloud, execution)
    if end.status != "SUCCEEDED":
        raise RunError(f"The run ended {end.status}: {end.error}: {end.cause}")
    if as_json:
        print_json({"run": folder.name, "status": end.status, "result": end.output})
    else:
        out.print(f"[bold]{folder.name}[/]: {end.output['labeled']:,} labeled", soft_wrap=True)
