"""Deploy under a throw-away name, have twenty pictures labeled there, check all, delete all.

`make smoke PROFILE=NAME` runs it on AWS; without a profile, on an embedded AWS that enforces IAM,
by the same steps.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console

from tessera.cli import region_of
from tessera.commands.deploy import identity, plan, run_commands
from tessera.commands.doctor import examine
from tessera.runs.executions import RunError
from tessera.simulation.smoke import label_twenty, remove
from tessera.stack.checks import GOOD, WRONG
from tessera.stack.cloud import Cloud
from tessera.stack.local_stack import ROOT, LocalStack, free_port
from tessera.stack.ready import start_embedded

TRANSCRIPT = ROOT / "docs" / "smoke-test.md"
BEFOREHAND = (
    "On AWS it takes about fifteen minutes, nearly all of them CloudFormation's, and costs less\n"
    "than 0.05 USD (an estimate from the price list); on the embedded AWS a minute, and nothing."
)

INTRODUCTION = f"""# The smoke test, as it went

Written by `make smoke-transcript`, which runs the smoke test against an embedded AWS that checks
every call of every function against the roles of `template.yaml`. `make smoke PROFILE=NAME` takes
the same steps on AWS, after `sam build`, and asks first. {BEFOREHAND}
"""


def smoke(cloud: Cloud, parameters: dict[str, str], console: Console, *, build: bool) -> list[str]:
    """Deploy, label, check and delete; return what could not be deleted."""
    began = time.monotonic()
    try:
        commands = plan(cloud, parameters).commands
        commands[-1] += ["--s3-prefix", cloud.stack_name]
        if not build:  # the embedded AWS runs the functions from the checkout
            commands = [[*commands[-1], "--template-file", str(ROOT / "template.yaml")]]
        run_commands(commands, quiet=False)
        console.print(f"[bold]Deployed[/] {cloud.stack_name}, {_since(began)}")
        findings = examine(cloud)
        for finding in findings:
            if finding.state != GOOD:
                console.print(f"[bold]Doctor[/]   {finding.subject}: {finding.sentence}")
        if wrong := [finding for finding in findings if finding.state == WRONG]:
            raise RunError(f"tessera doctor finds {wrong[0].subject} wrong: {wrong[0].sentence}")
        label_twenty(cloud, console)
        console.print(f"[bold]Passed[/]   {_since(began)}")
    finally:  # after Ctrl-C, too: nothing that costs money is left
        console.print("Deleting all of it …")
        remaining = remove(cloud, console)
        console.print(f"[bold]Over[/]     {_since(began)}")
    return remaining


def _since(began: float) -> str:
    return f"{time.monotonic() - began:.0f} s after the start"


def _on_aws(profile: str, region: str | None, name: str, *, ask: bool) -> Cloud:
    region = region or region_of(profile)
    os.environ["AWS_PROFILE"] = profile
    cloud = Cloud(
        region=region,
        stack_name=name,
        profile=profile,
        options=("--profile", profile, "--region", region or "REGION", "--stack", name),
    )
    who = identity(cloud)
    click.echo(f"Account {who['Account']} as {who['Arn']}, {who['Region']}, stack {name}")
    if ask:
        click.confirm("Deploy there, and delete it again?", abort=True)
    return cloud


@click.command()
@click.option("--profile", default="", help="AWS profile; without one, an embedded AWS is started.")
@click.option("--region", default=None, help="AWS region.  [default: the profile's]")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--transcript", is_flag=True, help=f"Write {TRANSCRIPT.relative_to(ROOT)}.")
def main(profile: str, region: str | None, yes: bool, transcript: bool) -> None:
    """Smoke-test a deployment from nothing to labels to nothing."""
    click.echo(BEFOREHAND)
    name = f"tessera-smoke-{secrets.token_hex(3)}"
    no_parameters: dict[str, str] = {}
    console = Console(record=True, width=110, highlight=False)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that all is deleted then, too
    with ExitStack() as ending:
        if profile:
            cloud, parameters = _on_aws(profile, region, name, ask=not yes), no_parameters
        else:
            folder = ending.enter_context(tempfile.TemporaryDirectory())
            local = LocalStack(Path(folder), free_port())
            ending.callback(local.stop)
            cloud, parameters = start_embedded(local, name)
        remaining = smoke(cloud, parameters, console, build=bool(profile))
    if remaining:
        raise click.ClickException("Delete these yourself:\n  " + "\n  ".join(remaining))
    if transcript:
        TRANSCRIPT.write_text(_page(console.export_text().replace(name, "tessera-smoke-1a2b3c")))


def _page(text: str) -> str:
    """Return the transcript as a page, without what differs from machine to machine."""
    lines = [line.rstrip() for line in re.sub(r"/tmp/\w+/", "", text).splitlines()]
    return INTRODUCTION + "\n```\n" + "\n".join(lines).strip() + "\n```\n"


if __name__ == "__main__":
    main()
