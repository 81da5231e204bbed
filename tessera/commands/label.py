"""`tessera label`: the example, labeled by hand."""

from __future__ import annotations

from pathlib import Path

import click

from tessera.screen import console_for, json_option, out_option, print_json
from tessera.simulation import example
from tessera.stack.target import Target


@click.command()
@click.option("--images", default=60, help="How many of the example's images to label.")
@out_option
@json_option("Print the result as JSON.")
@click.pass_obj
def label(target: Target, images: int, folder: Path, as_json: bool) -> None:
    """Label the example yourself, in the browser."""
    result = example.label(target.local, out=folder, images=images, console=console_for(as_json))
    if as_json:
        print_json(result)
