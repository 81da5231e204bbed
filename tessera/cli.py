"""Command line of the operator's tool, `tessera …`.

Each command has a module of its own, which is imported when the command is called, so that
`tessera --help` and completion answer at once.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from tessera.exits import Exit, Unreachable
from tessera.number_types import PortNumber
from tessera.plain_text import without_controls
from tessera.stack.cloud import STACK_NAME, Cloud
from tessera.stack.local_stack import HOME, PORT, LocalStack
from tessera.stack.target import Target

COMMANDS = {
    "run": ("run:run", "Label the example with simulated workers."),
    "label": ("label:label", "Label a folder of pictures, or the example, yourself."),
    "up": ("up:up", "Start the local stack and deploy Tessera to it."),
    "serve": ("serve:serve", "Let people on other machines label in the portal."),
    "down": ("down:down", "Stop the local stack and keep its data."),
    "deploy": ("deploy:deploy", "Deploy Tessera to AWS."),
    "doctor": ("doctor:doctor", "Check what a first day on AWS depends on."),
    "status": ("status:status", "Show what is deployed and which runs are active."),
    "estimate": ("estimate:estimate_command", "Estimate the cost of labeling a manifest."),
    "preview": ("preview:preview", "Preview the page that workers will see."),
    "manifest": ("manifest:manifest_command", "Make a manifest of a folder of images."),
    "embed": ("embed:embed_command", "Make the embeddings of images, for a model to learn from."),
    "group": ("group:group_command", "Group a manifest's images into tasks, on this machine."),
    "drop": ("drop:drop_command", "Have a manifest labeled."),
    "simulate": ("simulate:simulate", "Have simulated workers label a run of the example."),
    "watch": ("watch:watch", "Show the progress of a run."),
    "runs": ("runs:runs_command", "List the runs, newest first."),
    "stop": ("stop:stop", "End a run early and keep its answers."),
    "report": ("report:report_command", "Download a run's report with its pictures."),
    "fetch": ("fetch:fetch_command", "Download a run's manifests, answers and report."),
    "again": ("again:again_command", "Ask once more for images of a run."),
    "review": ("review:review_command", "Have reviewers decide pictures of a run."),
    "import": ("import_job:import_command", "Make a run or a manifest of another tool's."),
    "consolidate": ("consolidate:consolidate_command", "Turn answers from any source into labels."),
    "export": ("export:export", "Export a run's labels for training."),
    "workers": ("workers:workers", "Add, list and remove workers."),
    "repair": ("repair:repair", "Rebuild the portal's index of a job."),
    "completion": ("completion:completion", "Print the script for shell completion."),
}
"""Commands in the order of a day's work: module and function in `commands/`, and a summary.

The summaries stand here so that `tessera --help` and completion need not import the commands.
"""


INTERRUPTED = "Interrupted. Runs and deployments that have begun continue."

WORDS = "tessera.words"
"""Key of a context's notes under which the words of the command line are, from the command on."""


class Tool(click.Group):
    """Group of commands that are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order of a day's work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command of this name, or return None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(f"tessera.commands.{module}"), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called, and call it by its name on the command line.

        `drop` is the function `drop_command`, and click would print the function's name.
        """
        ctx.meta[WORDS] = args
        _, command, rest = super().resolve_command(ctx, args)
        return args[0], command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their summaries, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a command, without importing any, or an option."""
        names = [
            CompletionItem(name, help=summary)
            for name, (_, summary) in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the program; what has no room for its help says so, too."""
        try:
            return super().main(*args, **options)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            click.echo(f"Error: {disk_full(error)}", err=True)
            raise SystemExit(Exit.FAILED) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; explain errors of AWS, and end with 130 after Ctrl-C."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo(INTERRUPTED, err=True)
            raise click.exceptions.Exit(Exit.INTERRUPTED) from None
        except click.ClickException as error:
            # It names files and what is in them; the type has it that a message is not replaced.
            vars(error)["message"] = without_controls(error.message)
            raise
        except click.Abort as abort:
            if isinstance(abort.__context__, KeyboardInterrupt):  # at a question
                click.echo(f"\n{INTERRUPTED}", err=True)
                raise click.exceptions.Exit(Exit.INTERRUPTED) from None
            raise self._unanswered(ctx, abort) from None
        except click.exceptions.Exit:
            raise
        except OSError as error:  # of a file that is named, or of a connection
            if error.errno == errno.EPIPE:  # `| head`, which click ends quietly
                raise
            raise explain_file(error) from error
        except UnicodeEncodeError as error:
            raise explain_name(error) from error
        except Exception as error:
            if type(error).__module__.startswith("botocore."):
                command = ctx.obj.command if ctx.obj else "tessera {}".format
                raise explain(error, ctx.params.get("profile"), command) from error
            raise fault(error) from error

    def _unanswered(self, ctx: click.Context, abort: click.Abort) -> Exception:
        """Return the error for a question that nobody could answer, or leave that of a no."""
        words = ctx.meta.get(WORDS, [])
        command = self.get_command(ctx, words[0]) if words else None
        options = [option for each in command.params for option in each.opts] if command else []
        if not isinstance(abort.__context__, EOFError) or "--yes" not in options:
            return abort
        sure = ctx.obj.command(shlex.join([words[0], "--yes", *words[1:]]))
        click.echo(err=True)  # the question has no line end
        return click.ClickException(
            "Nothing was done: this asks for a yes, and the input has ended, as it does without a "
            f"terminal. To be asked nothing: {sure}"
        )


NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
"""Errors of a disk that takes nothing more, or nothing more of this person."""


def nearest(path: str) -> str:
    """Return a path as far as it exists: what is not there has no rights to look at."""
    while not os.path.lexists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path or "."


def explain_file(error: OSError) -> Exception:
    """Turn an error of a file into a sentence that names it, and says what to look at."""
    if error.errno in NO_ROOM:  # of what is written, which names no file
        return click.ClickException(disk_full(error))
    if error.filename is None:
        return fault(error)
    name = os.fsdecode(error.filename)
    return click.ClickException(
        f"{name}: {error.strerror}. Check the path and its rights: "
        f"ls -ld {shlex.quote(nearest(name))}"
    )


def explain_name(error: UnicodeEncodeError) -> Exception:
    """Turn the error of a file's name that is no text into a sentence."""
    # Python spells bytes that are no text by surrogates.
    if not set(map(ord, error.object)) & set(range(0xD800, 0xE000)):
        return fault(error)
    return click.ClickException(
        f"{os.fsencode(error.object)!r} is not UTF-8. Rename it, or if it is, say so to "
        "Python: export PYTHONUTF8=1"
    )


def disk_full(error: OSError) -> str:
    """Say which disk is full, as far as the error names a file there, and what to do."""
    place = f" of {os.fsdecode(error.filename)}" if error.filename else ""
    look = shlex.quote(os.path.dirname(os.fsdecode(error.filename)) or ".") if place else ""
    return (
        f"The disk{place} is full ({error.strerror}). Make room ({f'df -h {look}'.strip()} shows "
        "it), and repeat the command."
    )


TRACEBACK = "TESSERA_TRACEBACK"
"""Variable that has a fault of the tool's own end in a traceback, for whoever reports it."""


def fault(error: Exception) -> Exception:
    """Turn an error that nothing foresaw into a sentence, or leave it where tracebacks are set."""
    if os.environ.get(TRACEBACK):
        return error
    return click.ClickException(
        f"A fault of Tessera's own: {type(error).__name__}: {error}\n"
        f"Please report it with what {TRACEBACK}=1 prints before the same command."
    )


SIGN_IN_AGAIN = "Sign in again: aws sso login"
NOT_ALLOWED = "Your AWS identity may not do this. Check who you are: aws sts get-caller-identity"
NO_ANSWER = "Check whether the stack is running: tessera status"
HINTS = {
    "NoCredentialsError": "Sign in (aws sso login, aws configure), or name a profile: --profile",
    "PartialCredentialsError": "Complete the credentials: aws configure",
    "ProfileNotFound": "List your profiles: aws configure list-profiles",
    "NoRegionError": "Name a region: --region",
    "EndpointConnectionError": NO_ANSWER,
    "ConnectTimeoutError": NO_ANSWER,
    "ExpiredToken": SIGN_IN_AGAIN,
    "ExpiredTokenException": SIGN_IN_AGAIN,
    "AccessDenied": NOT_ALLOWED,
    "AccessDeniedException": NOT_ALLOWED,
}
"""What to do about an error, by the code that AWS gives it or by its class in botocore."""


AWS_COMMAND = re.compile(r"aws (sso login|configure|sts get-caller-identity)")
"""Commands in the hints that depend on the profile."""


def explain(
    error: Exception,
    profile: str | None = None,
    command: Callable[[str], str] = "tessera {}".format,
) -> click.ClickException:
    """Turn an error of AWS into one whose message says what to do about it, for this profile.

    `command` makes a command of the tool that works on the same stack.
    """
    reason = (getattr(error, "response", None) or {}).get("Error", {})
    code = reason.get("Code") or type(error).__name__
    if code == "InsufficientStorage":  # tessera.stack.guard's, whose sentence says it all
        return click.ClickException(reason["Message"])
    hint = HINTS.get(code, "").replace("tessera status", command("status"))
    if profile and code != "ProfileNotFound":
        hint = AWS_COMMAND.sub(rf"\g<0> --profile {shlex.quote(profile)}", hint)
    message = f"{error}\n{hint}" if hint else str(error)
    return Unreachable(message) if HINTS.get(code) is NO_ANSWER else click.ClickException(message)


def region_of(profile: str) -> str | None:
    """Return the region of a profile or of the environment, if either has one.

    ClickException if there is no such profile: of all that is wrong it is the first to be seen.
    """
    from botocore.session import Session  # late: only work on AWS needs it, and help needs none

    session = Session(profile=profile)
    if profile not in session.available_profiles:
        raise click.ClickException(
            f"There is no AWS profile {profile!r}. {HINTS['ProfileNotFound']}. "
            f"Or make it: aws configure --profile {shlex.quote(profile)}"
        )
    region: str | None = session.get_config_variable("region")
    return region


@click.group(
    cls=Tool,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.option(
    "--profile", envvar="TESSERA_PROFILE", help="AWS profile: work on AWS instead of this machine."
)
@click.option("--region", envvar="TESSERA_REGION", help="AWS region.  [default: the profile's]")
@click.option(
    "--stack", "name", default=STACK_NAME, envvar="TESSERA_STACK", help="Name of the stack."
)
@click.option(
    "--endpoint", envvar="TESSERA_ENDPOINT", help="URL of another embedded AWS to work on."
)
@click.option(
    "--port",
    type=PortNumber(),
    default=PORT,
    envvar="TESSERA_PORT",
    help="Port of the local stack.",
)
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    default=HOME,
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

    Commands work on the stack on this machine (start it with tessera up), or on AWS with --profile.
    """
    if context.invoked_subcommand is None:  # whoever calls it alone looks for what there is
        click.echo(context.get_help())
        return
    local = LocalStack(home.resolve(), port)
    remote = None
    stack = () if name == STACK_NAME else ("--stack", name)
    if endpoint:
        options = ("--endpoint", endpoint, *local.options, *stack)
        remote = replace(local.cloud, endpoint=endpoint, stack_name=name, options=options)
    elif profile and not context.resilient_parsing:
        region = region or region_of(profile)
        os.environ["AWS_PROFILE"] = profile  # of this process and of the SAM CLI that it starts
        options = ("--profile", profile, *(("--region", region) if region else ()), *stack)
        remote = Cloud(region=region, stack_name=name, profile=profile, options=options)
    context.obj = Target(local, remote)
