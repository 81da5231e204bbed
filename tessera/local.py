"""`tessera up`, `down`, `run` and `label`: the stack on this machine, and the example on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tessera.screen import out, print_json

if TYPE_CHECKING:
    from tessera.cli import Target


@click.command()
@click.option("--open-to-containers", is_flag=True, help="Listen on all addresses of this machine.")
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as JSON.")
@click.pass_obj
def up(target: Target, open_to_containers: bool, as_json: bool) -> None:
    """Start the local stack and deploy Tessera to it."""
    from tessera import samples
    from tessera.example import ready
    from tessera.screen import aside

    stack = replace(target.local, host="0.0.0.0") if open_to_containers else target.local
    cloud = ready(stack, aside if as_json else out)
    samples.load(cloud.client("s3"), cloud.client("dynamodb"))
    addresses = {name: cloud.outputs[name] for name in ("Inbox", "Labels", "StateMachineArn")}
    addresses |= {"Portal": cloud.portal_url, "AWS_ENDPOINT_URL": stack.endpoint}
    if as_json:
        print_json(addresses)
        return
    for name, address in addresses.items():
        out.print(f"[bold]{name:<16}[/]  {address}", soft_wrap=True)


@click.command()
@click.pass_obj
def down(target: Target) -> None:
    """Stop the local stack; what it holds is kept for the next start."""
    out.print("Stopped." if target.local.stop() else "The local stack is not running.")


@click.command()
@click.option("--workers", default=5, help="How many simulated workers label.")
@click.option("--error-rate", default=0.05, help="Share of images that each of them gets wrong.")
@click.option("--seed", default=1, help="What they err on follows from this number.")
@click.option(
    "--out", "folder", type=click.Path(path_type=Path), default="out", help="Folder of the results."
)
@click.pass_obj
def run(target: Target, workers: int, error_rate: float, seed: int, folder: Path) -> None:
    """Label the example from start to finish with simulated workers."""
    from tessera import example

    example.run(
        target.local, out=folder, workers=workers, error_rate=error_rate, seed=seed, console=out
    )


@click.command()
@click.option("--images", default=60, help="How many of the example's images you label.")
@click.option(
    "--out", "folder", type=click.Path(path_type=Path), default="out", help="Folder of the results."
)
@click.pass_obj
def label(target: Target, images: int, folder: Path) -> None:
    """Label the example yourself, in the browser."""
    from tessera import example

    example.label(target.local, out=folder, images=images, console=out)
