"""`tessera run`: the example from start to finish."""

from __future__ import annotations

from pathlib import Path

import click

from tessera.number_types import COUNT, SEED, SHARE
from tessera.screen import console_for, json_option, out_option, print_json
from tessera.simulation import example
from tessera.stack.target import Target


@click.command()
@click.option("--workers", type=COUNT, default=5, help="Number of simulated workers.")
@click.option(
    "--error-rate", type=SHARE, default=0.05, help="Share of images that each of them gets wrong."
)
@click.option("--seed", type=SEED, default=1, help="Seed of their errors.")
@out_option
@json_option("Print the result as JSON.")
@click.pass_obj
def run(
    target: Target, workers: int, error_rate: float, seed: int, folder: Path, as_json: bool
) -> None:
    """Label the example from start to finish with simulated workers."""
    result = example.run(
        target.local, out=folder, workers=workers, error_rate=error_rate, seed=seed,
        console=console_for(as_json),
    )  # fmt: skip
    if as_json:
        print_json(result)
