"""`tessera deploy`: run `sam build` and `sam deploy` with parameters that have been checked."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import msgspec

from tessera.commands.doctor import examine, print_findings
from tessera.exits import Refused
from tessera.file_types import IN_FILE
from tessera.runs.checks import read_settings_file
from tessera.screen import aside, json_option, out, print_json, warn
from tessera.stack.checks import GOOD
from tessera.stack.cloud import Cloud
from tessera.stack.local_stack import ROOT, StackError, sam_cli
from tessera.tiling.encoding import decode_json
from tessera.tiling.settings import read_settings, warnings

LONGEST_DEFAULT = 3000
"""Characters of the default settings, as template.yaml has it: a function's environment holds 4 KB,
with everything else that is in it."""
IN_ENVIRONMENT = ("DefaultSettings", "ImageObjects", "PageHosts")
"""Parameters of any length that GroupImages has in its environment."""
LONGEST_TOGETHER = 3050
"""Bytes of them together: the 4 KB of an environment, less everything else at its longest."""
LONGEST_STACK_NAME = 45
"""Characters of a stack's name: with the longest of our functions' names behind it, Lambda's 64."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """Stack to deploy, with its parameters, the commands that deploy it, and warnings."""

    stack: str
    region: str | None
    parameters: dict[str, str]
    commands: list[list[str]]
    warnings: list[str]


@click.command()
@click.option(
    "--settings", type=IN_FILE,
    help="labeling.json for projects that have none of their own.",
)  # fmt: skip
@click.option(
    "--images",
    multiple=True,
    metavar="BUCKET",
    help="Bucket with images; repeatable.",
)
@click.option("--kms-key", default="", help="ARN of the KMS key that encrypts everything stored.")
@click.option(
    "--set", "more", multiple=True, metavar="NAME=VALUE",
    help="Any other parameter of the template; repeatable.",
)  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--dry-run", is_flag=True, help="Print the commands without running them.")
@json_option("Print what was deployed, and by which commands, as JSON.")
@click.pass_context
def deploy(
    context: click.Context,
    settings: Path | None,
    images: tuple[str, ...],
    kms_key: str,
    more: tuple[str, ...],
    yes: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Deploy Tessera to AWS, with the account of --profile or of the environment.

    This runs sam build, which needs Python 3.13, and sam deploy. Deploying again updates the
    stack. Its buckets are kept even when the stack is deleted.
    """
    cloud = _destination(context)
    parameters = template_parameters(settings, images, kms_key, more, cloud.partition)
    deployment = plan(cloud, parameters)
    warn(deployment.warnings)
    if dry_run:
        _show_plan(deployment, as_json)
        return
    account = identity(cloud)
    aside.print(
        f"[bold]Account[/] {account['Account']}  [bold]as[/] {account['Arn']}\n"
        f"[bold]Stack[/]   {deployment.stack} in {account['Region']}",
        soft_wrap=True,
    )
    if not yes:
        click.confirm("Deploy there?", abort=True, err=True)
    run_commands(deployment.commands, quiet=as_json)
    if as_json:
        where = {"region": account["Region"], "account": account["Account"]}
        print_json(asdict(deployment) | where | {"deployed": True})
    else:
        _check(cloud)


def _destination(context: click.Context) -> Cloud:
    """Return the stack to deploy, in the account of --profile or of the environment."""
    cloud: Cloud | None = context.obj.remote
    if cloud is None:
        given = context.find_root().params
        region, name = given.get("region"), given["name"]
        options = ("--profile", os.environ.get("AWS_PROFILE", "NAME"))
        options += (("--region", region) if region else ()) + ("--stack", name)
        return Cloud(region=region, stack_name=name, options=options)
    if cloud.endpoint:
        up = context.obj.local.cloud.command("up")
        raise click.UsageError(f"deploy is for AWS; deploy to the local stack with: {up}")
    return cloud


def _check(cloud: Cloud) -> None:
    """Print what is deployed, and what may still keep its first day from being a good one."""
    out.print(f"Deployed. Next: {cloud.command('status')}", soft_wrap=True)
    wrong = [finding for finding in examine(cloud) if finding.state != GOOD]
    print_findings(wrong)
    if wrong:
        aside.print(f"Look again: {cloud.command('doctor')}", soft_wrap=True)


def template_parameters(
    settings: Path | None,
    images: tuple[str, ...],
    kms_key: str,
    more: tuple[str, ...],
    partition: str = "aws",
) -> dict[str, str]:
    """Return the template's parameters that were given; Refused if the settings are wrong.

    `partition` is AWS's of the stack, by which ARNs begin.
    """
    parameters = {}
    if settings:
        read_settings_file(settings)
        compact = msgspec.json.encode(decode_json(settings.read_bytes()))
        parameters["DefaultSettings"] = compact.decode()
        if len(compact) > LONGEST_DEFAULT:
            raise Refused(
                f"{settings} has {len(compact):,} characters, and a stack's default settings may "
                f"have {LONGEST_DEFAULT:,}. Put it beside the manifests instead, as labeling.json"
            )
    if images:
        buckets = (name.removeprefix("s3://").strip("/") for name in images)
        arns = (f"arn:{partition}:s3:::{bucket}/*" for bucket in buckets)
        parameters["ImageObjects"] = ",".join(arns)
    if kms_key:
        parameters["KmsKeyArn"] = kms_key
    for setting in more:
        key, equals, value = setting.partition("=")
        if not equals:
            raise click.UsageError(f"--set {setting}: write NAME=VALUE")
        parameters[key] = value
    together = sum(len(parameters.get(name, "").encode()) for name in IN_ENVIRONMENT)
    if together > LONGEST_TOGETHER:
        raise Refused(
            f"{', '.join(IN_ENVIRONMENT)} have {together:,} bytes together, and a function's "
            f"environment has room for {LONGEST_TOGETHER:,}. Put the settings beside the manifests "
            "as labeling.json, or name buckets by what their names have in common "
            f"(--set 'ImageObjects=arn:{partition}:s3:::my-*/*')"
        )
    return parameters


def plan(cloud: Cloud, parameters: dict[str, str]) -> Deployment:
    """Plan a deployment, so that its commands deploy the same when they are pasted."""
    if len(cloud.stack_name) > LONGEST_STACK_NAME:
        raise click.UsageError(
            f"--stack {cloud.stack_name}: use {LONGEST_STACK_NAME} characters at most, since the "
            "functions' names begin with it"
        )
    build = [sam_cli(), "build", "--template-file", str(ROOT / "template.yaml")]
    deploying = [
        sam_cli(), "deploy", "--stack-name", cloud.stack_name, "--resolve-s3",
        "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND",
        "--no-fail-on-empty-changeset", "--no-confirm-changeset",
    ]  # fmt: skip
    if cloud.profile:
        deploying += ["--profile", cloud.profile]
    if cloud.region:
        deploying += ["--region", cloud.region]
    if parameters:
        deploying += ["--parameter-overrides"]
        deploying += [f"{key}={quoted(value)}" for key, value in parameters.items()]
    return Deployment(
        cloud.stack_name, cloud.region, parameters, [build, deploying], _warnings(parameters)
    )


def _warnings(parameters: dict[str, str]) -> list[str]:
    default = parameters.get("DefaultSettings")
    notices = [*warnings(read_settings(default.encode()))] if default else []
    if parameters.get("PublicPrice") and not notices:
        notices.append(
            "PublicPrice is for Ground Truth's public team alone, whose marketplace, Amazon "
            "Mechanical Turk, closed on 30 September 2026"
        )
    return notices


def quoted(value: str) -> str:
    """Quote a parameter's value as the SAM CLI reads it.

    >>> quoted('{"labels": 1}')
    '"{\\\\"labels\\\\": 1}"'
    """
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _show_plan(deployment: Deployment, as_json: bool) -> None:
    if as_json:
        print_json(asdict(deployment) | {"deployed": False})
        return
    for command in deployment.commands:
        click.echo(shlex.join(command))


def identity(cloud: Cloud) -> dict[str, Any]:
    """Return the account and the identity that would deploy, and the region."""
    sts = cloud.client("sts")
    identity: dict[str, Any] = dict(sts.get_caller_identity())
    return identity | {"Region": sts.meta.region_name}


def run_commands(commands: list[list[str]], *, quiet: bool) -> None:
    """Run the commands in turn; StackError if one fails."""
    environment = os.environ | {"SAM_CLI_TELEMETRY": "0"}
    for command in commands:
        aside.print(f"[dim]$ {shlex.join(command)}[/]", soft_wrap=True)
        output = sys.stderr if quiet else None  # standard output is for the one JSON document
        if subprocess.run(command, cwd=ROOT, env=environment, stdout=output).returncode:
            raise StackError(
                f"{Path(command[0]).name} {command[1]} failed; its message is above. When it is "
                "mended, run the same command again: it continues from there."
            )
