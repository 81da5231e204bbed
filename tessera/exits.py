"""Exit codes of the tool, and the errors that end with one."""

from __future__ import annotations

from enum import IntEnum

import click


class Exit(IntEnum):
    """Exit codes; `docs/operator.md` prints them with their meanings."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_DEPLOYED = 3
    REFUSED = 4
    PARTIAL = 5
    NOT_FOUND = 6
    INTERRUPTED = 130


MEANING = {
    Exit.OK: "Success.",
    Exit.FAILED: "Something failed; the message says what, where, and what to do.",
    Exit.USAGE: "Unknown command, or wrong options or arguments.",
    Exit.NOT_DEPLOYED: "Tessera is not deployed there, or the stack does not answer.",
    Exit.REFUSED: "The manifest or its settings cannot be used; no worker was asked.",
    Exit.PARTIAL: "There is a result, but a part of it is missing; the message says which.",
    Exit.NOT_FOUND: "There is no such run or file.",
    Exit.INTERRUPTED: "Interrupted by Ctrl-C; runs that have begun continue.",
}


class Refused(click.ClickException):
    """Manifest or settings that cannot be used."""

    exit_code = Exit.REFUSED


class Unreachable(click.ClickException):
    """Stack that does not answer."""

    exit_code = Exit.NOT_DEPLOYED


class NotFound(click.ClickException):
    """Run or file that does not exist."""

    exit_code = Exit.NOT_FOUND
