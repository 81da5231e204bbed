"""The operator's tool: `tessera …`."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from tessera.stack import LocalStack

console = Console(highlight=False)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--port", default=4566, envvar="TESSERA_PORT", help="Port of the local stack.")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    default=".tessera",
    envvar="TESSERA_HOME",
    help="Folder that holds the local stack's objects, state and log.",
)
@click.version_option(package_name="tessera")
@click.pass_context
def main(context: click.Context, port: int, home: Path) -> None:
    """Drop a manifest of images; get back a training manifest that people labeled."""
    context.obj = LocalStack(home.resolve(), port)


@main.command()
@click.option("--open-to-containers", is_flag=True, help="Listen on all addresses of this machine.")
@click.pass_obj
def up(stack: LocalStack, open_to_containers: bool) -> None:
    """Start the local stack and deploy Tessera to it."""
    from dataclasses import replace

    from tessera.example import ready

    cloud = ready(replace(stack, host="0.0.0.0") if open_to_containers else stack, console)
    for name in ("Inbox", "Labels", "StateMachineArn"):
        console.print(f"[bold]{name:<15}[/]  {cloud.outputs[name]}")
    console.print(f"[bold]{'Portal':<15}[/]  {cloud.portal_url}")
    console.print(f"[bold]{'AWS_ENDPOINT_URL':<15}[/] {stack.endpoint}  [dim](for aws and sam)[/]")


@main.command()
@click.pass_obj
def down(stack: LocalStack) -> None:
    """Stop the local stack; what it holds is kept for the next start."""
    console.print("Stopped." if stack.stop() else "The local stack is not running.")


@main.command()
@click.option("--workers", default=5, help="How many simulated workers label.")
@click.option("--error-rate", default=0.05, help="Share of images that each of them gets wrong.")
@click.option("--seed", default=1, help="What they err on follows from this number.")
@click.option(
    "--out", type=click.Path(path_type=Path), default="out", help="Folder for the results."
)
@click.pass_obj
def run(stack: LocalStack, workers: int, error_rate: float, seed: int, out: Path) -> None:
    """Label the example from start to finish with simulated workers."""
    from tessera import example

    example.run(stack, out=out, workers=workers, error_rate=error_rate, seed=seed, console=console)


@main.command()
@click.option("--images", default=60, help="How many of the example's images you label.")
@click.option(
    "--out", type=click.Path(path_type=Path), default="out", help="Folder for the results."
)
@click.pass_obj
def label(stack: LocalStack, images: int, out: Path) -> None:
    """Label the example yourself, in the browser."""
    from tessera import example

    example.label(stack, out=out, images=images, console=console)
