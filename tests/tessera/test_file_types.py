"""No command writes over a file that it reads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from tessera.cli import COMMANDS, main
from tessera.file_types import InFile, OutFile

ALL = [main.get_command(click.Context(main), name) for name in COMMANDS]
PAIRS = [
    (command, source, target)
    for command in ALL
    if command is not None
    for source in command.params
    for target in command.params
    if isinstance(source.type, InFile) and isinstance(target.type, OutFile)
]


def test_there_are_commands_that_read_and_write() -> None:
    assert {command.name for command, *_ in PAIRS} >= {"consolidate", "preview", "embed"}


@pytest.mark.parametrize("is_last", [True, False])
@pytest.mark.parametrize("spelling", ["a.csv", "./a.csv", "link.csv"])
@pytest.mark.parametrize(
    ("command", "source", "target"), PAIRS, ids=lambda part: getattr(part, "name", "")
)
def test_a_file_that_is_read_is_not_written_over(
    command: click.Command,
    source: click.Parameter,
    target: click.Parameter,
    spelling: str,
    is_last: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("task,worker,label")
    os.symlink("a.csv", "link.csv")

    def named(parameter: click.Parameter, path: str) -> list[Any]:
        is_argument = isinstance(parameter, click.Argument)
        return [path] if is_argument else [parameter.opts[0], path]

    first, second = named(source, spelling), named(target, "a.csv")
    parts = [*first, *second] if is_last else [*second, *first]
    missing = [
        "link.csv" for other in command.params
        if isinstance(other, click.Argument) and other.required and other is not source
    ]  # fmt: skip
    done = CliRunner().invoke(command, [*missing, *parts])

    assert done.exit_code == 2, done.output
    assert "a.csv is read and would be written over" in done.output or "link.csv" in done.output
    assert Path("a.csv").read_text() == "task,worker,label"
