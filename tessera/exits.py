"""How the tool ends: a number for scripts, a sentence for people."""

from __future__ import annotations

from enum import IntEnum

import click


class Exit(IntEnum):
    """What an exit code means; `docs/operator.md` prints this list."""

    FINE = 0
    FAILED = 1
    USAGE = 2
    NOT_DEPLOYED = 3
    REFUSED = 4
    PART = 5
    NOT_FOUND = 6
    INTERRUPTED = 130


MEANING = {
    Exit.FINE: "All is well.",
    Exit.FAILED: "Something failed; the message says what, where, and what to do.",
    Exit.USAGE: "The command was called in a way that it does not know.",
    Exit.NOT_DEPLOYED: "No stack of Tessera's is deployed there, or it does not answer.",
    Exit.REFUSED: "The manifest or its settings cannot be used; nothing was asked.",
    Exit.PART: "There is a result, but a part is missing; the message says what.",
    Exit.NOT_FOUND: "There is no such run or file.",
    Exit.INTERRUPTED: "Interrupted by Ctrl-C; what runs elsewhere goes on.",
}


class Refused(click.ClickException):
    """The manifest or the settings cannot be used."""

    exit_code = Exit.REFUSED


class Unreachable(click.ClickException):
    """Nothing answers where the stack should be."""

    exit_code = Exit.NOT_DEPLOYED


class NotFound(click.ClickException):
    """There is no such run or file."""

    exit_code = Exit.NOT_FOUND
