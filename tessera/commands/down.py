"""`tessera down`: stop the stack on this machine."""

from __future__ import annotations

import click

from tessera.screen import json_option, out, print_json, waiting
from tessera.stack.target import Target


@click.command()
@json_option("Print as JSON whether it was running.")
@click.pass_obj
def down(target: Target, as_json: bool) -> None:
    """Stop the local stack and keep its data for the next start."""
    stopped = target.local.has_process()
    if stopped:
        with waiting("Stopping the embedded AWS"):
            stopped = target.local.stop()
    if as_json:
        print_json({"stopped": stopped})
    else:
        out.print("Stopped." if stopped else "The local stack is not running.")
