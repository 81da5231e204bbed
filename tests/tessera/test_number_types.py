"""Every number that a command takes has bounds, and is a number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
import pytest

from tessera.cli import COMMANDS, main


def options(command: click.Command, name: str) -> Iterator[tuple[str, click.Parameter]]:
    for each in command.params:
        yield f"{name} {each.opts[0]}".strip(), each
    if isinstance(command, click.Group) and command is not main:
        for inner, sub in command.commands.items():
            yield from options(sub, f"{name} {inner}")


COMMAND_OF = {name: main.get_command(click.Context(main), name) for name in COMMANDS}
NUMBERS = {
    where: option
    for name, command in [("", main), *COMMAND_OF.items()]
    if command
    for where, option in options(command, name)
    if isinstance(option.type, click.types.IntParamType | click.types.FloatParamType)
}


@pytest.mark.parametrize("where", NUMBERS)
def test_a_number_beyond_its_bounds_is_refused(where: str) -> None:
    option = NUMBERS[where]
    assert isinstance(option.type, click.IntRange | click.FloatRange)
    kind: Any = option.type
    assert kind.min is not None
    beyond = [kind.min - 1, "nan", "inf", "-inf"] + ([] if kind.max is None else [kind.max + 1])
    for value in beyond:
        with pytest.raises(click.BadParameter):
            kind.convert(str(value), option, click.Context(main))
    if isinstance(option.default, int | float):
        assert kind.convert(str(option.default), option, click.Context(main)) == option.default


def test_numbers_of_all_commands_are_looked_at() -> None:
    assert {"--port", "run --workers", "serve --https-port", "review --share"} <= NUMBERS.keys()
