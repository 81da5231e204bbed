"""`tessera doctor`: what a first day on AWS depends on, and the commands that mend it."""

from __future__ import annotations

from collections.abc import Sequence

import click

from tessera.exits import Exit
from tessera.screen import json_option, out, print_json
from tessera.stack.checks import GOOD, LIMIT, UNKNOWN, WRONG, Finding, check_all
from tessera.stack.cloud import Cloud
from tessera.stack.facts import gather_facts

MARKS = {
    GOOD: "[green]good[/]",
    LIMIT: "[yellow]limit[/]",
    WRONG: "[red]wrong[/]",
    UNKNOWN: "[dim]unknown[/]",
}
"""How each state of a finding is printed."""


@click.command()
@json_option("Print the findings as JSON.")
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Check what decides whether pictures load, runs start and invitations arrive.

    It puts a picture of one pixel into the inbox and fetches it as a worker's browser would; all
    else is only looked at. Each thing that is wrong comes with the command that mends it. The exit
    code is 1 if anything is.
    """
    findings = examine(context.obj.cloud)
    if as_json:
        print_json([finding._asdict() for finding in findings])
    else:
        print_findings(findings)
    if any(finding.state == WRONG for finding in findings):
        context.exit(Exit.FAILED)


def examine(cloud: Cloud) -> list[Finding]:
    """Gather the facts of a deployed stack, and return what all checks find."""
    return check_all(gather_facts(cloud))


def print_findings(findings: Sequence[Finding]) -> None:
    """Print each finding, and below it the command that mends it."""
    for finding in findings:
        sentence = f"{finding.subject}: {finding.sentence}"
        end = ":" if finding.command else ""
        out.print(f"{MARKS[finding.state]}  {sentence}{end}", soft_wrap=True)
        if finding.command:
            out.print(f"       {finding.command}", soft_wrap=True)
