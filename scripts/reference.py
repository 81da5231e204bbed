"""Reference of all commands, printed into the docs from the program itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from tessera.cli import COMMANDS, main


def reference() -> str:
    """Return every command's help in Markdown, in the order of `tessera --help`."""
    context = main.make_context("tessera", [], resilient_parsing=True)
    return "\n\n".join(_help(main, context)) + "\n\n" + "\n\n".join(_commands(context))


def _commands(context: click.Context) -> Iterator[str]:
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        yield from _help(command, _below(command, name, context))


def _help(command: click.Command, context: click.Context) -> Iterator[str]:
    """Yield the command's help and that of the commands below it."""
    context.terminal_width = context.max_content_width = 88
    text = re.sub(r"\n{3,}", "\n\n", command.get_help(context).strip())
    yield f"### {context.command_path}\n\n```\n{text}\n```"
    if isinstance(command, click.Group) and command is not main:
        for name, below in command.commands.items():
            yield from _help(below, _below(below, name, context))


def _below(command: click.Command, name: str, parent: click.Context) -> click.Context:
    return click.Context(command, info_name=name, parent=parent, **command.context_settings)
