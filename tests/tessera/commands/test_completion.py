"""Names of runs for the shell."""

from __future__ import annotations

from pathlib import Path

import click

from tessera.cli import main
from tessera.commands.completion import run_names


def test_completion_of_runs_stays_silent_where_there_is_no_stack(tmp_path: Path) -> None:
    context = click.Context(main)
    context.params = {"home": tmp_path, "port": 9, "name": "tessera"}

    assert run_names(context, click.Argument(["run"]), "") == []
