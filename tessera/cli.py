"""The operator's tool: `tessera …`.

Each command lives in a module of its own, which is imported when the command is called, so that
`tessera --help` and completion answer at once.
"""

from __future__ import annotations

import os
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from tessera.exits import Exit, Unreachable
from tessera.stack.cloud import STACK_NAME, Cloud
from tessera.stack.local_stack import LocalStack
from tessera.stack.target import Target

COMMANDS = {
    "run": ("run:run", "Label the example with simulated workers."),
    "label": ("label:label", "Label the example yourself, in the browser."),
    "up": ("up:up", "Start the local stack and deploy Tessera to it."),
    "down": ("down:down", "Stop the local stack; what it holds is kept."),
    "deploy": ("deploy:deploy", "Deploy Tessera to AWS, step by step."),
    "status": ("status:status", "Say what is deployed, and what goes on there."),
    "estimate": ("estimate:estimate_command", "Say what a manifest will cost."),
    "preview": ("preview:preview", "Open the worker's page of a manifest here."),
    "manifest": (
        "manifest:manifest_command",
        "Make a manifest of a folder of images.",
    ),
    "group": (
        "group:group_command",
        "Group a manifest's images into tasks, here.",
    ),
    "drop": ("drop:drop_command", "Have a manifest labeled."),
    "simulate": (
        "simulate:simulate",
        "Have simulated workers label a run of the example.",
    ),
    "watch": ("watch:watch", "Show a run as it goes."),
    "runs": ("runs:runs_command", "List the runs, newest first."),
    "stop": ("stop:stop", "Close a run's jobs; its answers so far are kept."),
    "report": (
        "report:report_command",
        "Fetch a run's report, with its pictures in it.",
    ),
    "consolidate": (
        "consolidate:consolidate_command",
        "Make labels of any answers.",
    ),
    "export": ("export:export", "Write a run's labels for training."),
    "workers": ("workers:workers", "Add, list and remove the people who label."),
    "repair": (
        "repair:repair",
        "Write the portal's index of a job anew from S3.",
    ),
    "completion": (
        "completion:completion",
        "Print the script that completes commands.",
    ),
}
"""The commands in the order of a day: the module and function in `commands/`, and one line."""


class Tool(click.Group):
    """Commands that are imported when they are called; errors in words that help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of a person's day."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(f"tessera.commands.{module}"), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is called, under the name that it has here."""
        _, command, rest = super().resolve_command(ctx, args)
        return args[0], command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands with a line each, none of them imported."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """The command's result; what AWS refuses is said in words, and Ctrl-C ends with 130."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted. What was begun elsewhere goes on.", err=True)
            raise click.exceptions.Exit(Exit.INTERRUPTED) from None
        except Exception as error:
            if type(error).__module__.startswith("botocore."):
                raise in_words(error) from error
            raise


HINTS = {
    "NoCredentialsError": "Sign in (aws sso login, aws configure), or name a profile: --profile",
    "PartialCredentialsError": "Complete the credentials: aws configure",
    "ProfileNotFound": "The profiles there are: aws configure list-profiles",
    "NoRegionError": "Name a region: --region",
    "EndpointConnectionError": "Does it run? tessera status",
    "ConnectTimeoutError": "Does it run? tessera status",
    "ExpiredToken": "Sign in again: aws sso login",
    "ExpiredTokenException": "Sign in again: aws sso login",
    "AccessDenied": "This identity may not do that: aws sts get-caller-identity",
    "AccessDeniedException": "This identity may not do that: aws sts get-caller-identity",
}
"""What to do about what AWS or its library says."""


def in_words(error: Exception) -> click.ClickException:
    """What AWS said, and what to do about it."""
    code = getattr(error, "response", {}).get("Error", {}).get("Code") or type(error).__name__
    said = f"{error}" + (f"\n{HINTS[code]}" if code in HINTS else "")
    silent = code in ("EndpointConnectionError", "ConnectTimeoutError")
    return Unreachable(said) if silent else click.ClickException(said)


@click.group(
    cls=Tool, context_settings={"help_option_names": ["-h", "--help"], "show_default": True}
)
@click.option("--profile", envvar="TESSERA_PROFILE", help="Go to AWS, by this profile of yours.")
@click.option("--region", envvar="TESSERA_REGION", help="Region on AWS.  [default: the profile's]")
@click.option("--stack", "name", default=STACK_NAME, envvar="TESSERA_STACK", help="Stack's name.")
@click.option("--endpoint", envvar="TESSERA_ENDPOINT", help="Go to an embedded AWS at this URL.")
@click.option("--port", default=4566, envvar="TESSERA_PORT", help="Port of the local stack.")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    default=".tessera",
    envvar="TESSERA_HOME",
    help="Folder that holds the local stack's objects, state and log.",
)
@click.version_option(package_name="tessera")
@click.pass_context
def main(
    context: click.Context,
    profile: str | None,
    region: str | None,
    name: str,
    endpoint: str | None,
    port: int,
    home: Path,
) -> None:
    """Drop a manifest of images; get back a training manifest that people labeled.

    Commands go to the stack on this machine (tessera up), or with --profile to AWS.
    """
    local = LocalStack(home.resolve(), port)
    remote = None
    if endpoint:
        remote = replace(local.cloud, endpoint=endpoint, stack_name=name)
    elif profile:
        os.environ["AWS_PROFILE"] = profile  # of this process and of the SAM CLI that it starts
        remote = Cloud(region=region, stack_name=name)
    context.obj = Target(local, remote)
