"""`tessera deploy`: `sam build` and `sam deploy`, with the questions asked in plain words."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from tessera.exits import Refused
from tessera.screen import aside, json_option, out, print_json, warn
from tessera.stack.local_stack import ROOT, StackError, sam_cli
from tessera.stack.target import Target
from tessera.tiling.errors import TesseraError
from tessera.tiling.settings import read_settings, warnings


@click.command()
@click.option(
    "--settings", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A labeling.json for projects that have none of their own.",
)  # fmt: skip
@click.option("--images", multiple=True, metavar="BUCKET", help="Bucket of images; repeatable.")
@click.option("--kms-key", default="", help="ARN of a KMS key for all that is kept.")
@click.option("--set", "more", multiple=True, metavar="NAME=VALUE", help="Any other parameter.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Print the commands and run none.")
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
    """Deploy Tessera to the AWS account of --profile, or of the environment.

    Runs sam build (Python 3.13 or, with a container, Docker) and sam deploy with the
    parameters that were named. Deploying again updates; buckets outlive the stack.
    """
    target: Target = context.obj
    cloud = target.remote
    if cloud and cloud.endpoint:
        raise click.UsageError("deploy is for AWS; the local stack deploys with: tessera up")
    name = cloud.stack_name if cloud else "tessera"
    region = cloud.region if cloud else None
    parameters = asked(settings, images, kms_key, more)
    steps = commands(name, region, parameters)
    told = warned(parameters)
    warn(told)
    result = {
        "stack": name,
        "region": region,
        "parameters": parameters,
        "commands": steps,
        "warnings": told,
    }
    if dry_run:
        if as_json:
            print_json(result | {"deployed": False})
        for step in () if as_json else steps:
            click.echo(shlex.join(step))
        return
    account = identity(region)
    aside.print(
        f"[bold]Account[/] {account['Account']}  [bold]as[/] {account['Arn']}\n"
        f"[bold]Stack[/]   {name} in {region or account['Region']}",
        soft_wrap=True,
    )
    if not yes:
        click.confirm("Deploy there?", abort=True, err=True)
    for step in steps:
        aside.print(f"[dim]$ {shlex.join(step)}[/]", soft_wrap=True)
        environment = os.environ | {"SAM_CLI_TELEMETRY": "0"}
        where = sys.stderr if as_json else None
        if subprocess.run(step, cwd=ROOT, env=environment, stdout=where).returncode:
            raise StackError(
                f"{Path(step[0]).name} {step[1]} failed; its words are above. Deploying again "
                "goes on from there."
            )
    if as_json:
        print_json(
            result | {"region": account["Region"], "account": account["Account"], "deployed": True}
        )
    else:
        out.print("Deployed. Look at it: tessera --profile NAME status")


def asked(
    settings: Path | None, images: tuple[str, ...], kms_key: str, more: tuple[str, ...]
) -> dict[str, str]:
    """The template's parameters that were named; Refused if they cannot be right."""
    parameters = {}
    if settings:
        try:
            read_settings(settings.read_bytes())
        except TesseraError as error:
            raise Refused(f"{settings} cannot be used: {error}") from error
        compact = msgspec.json.encode(msgspec.json.decode(settings.read_bytes()))
        parameters["DefaultSettings"] = compact.decode()
    if images:
        buckets = (name.removeprefix("s3://").strip("/") for name in images)
        parameters["ImageObjects"] = ",".join(f"arn:aws:s3:::{bucket}/*" for bucket in buckets)
    if kms_key:
        parameters["KmsKeyArn"] = kms_key
    for setting in more:
        key, equals, value = setting.partition("=")
        if not equals:
            raise click.UsageError(f"--set {setting}: write NAME=VALUE")
        parameters[key] = value
    return parameters


def warned(parameters: dict[str, str]) -> list[str]:
    """What a person should know of parameters that can be deployed."""
    told: list[str] = []
    if default := parameters.get("DefaultSettings"):
        told += warnings(read_settings(default.encode()))
    if parameters.get("PublicPrice") and not told:
        told.append(
            "PublicPrice is for Ground Truth's public team alone, whose marketplace, Amazon "
            "Mechanical Turk, closed on 30 September 2026"
        )
    return told


def commands(name: str, region: str | None, parameters: dict[str, str]) -> list[list[str]]:
    """The SAM CLI's commands that deploy."""
    template = ["--template-file", str(ROOT / "template.yaml")]
    deploying = [
        sam_cli(), "deploy", "--stack-name", name, "--resolve-s3",
        "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND",
        "--no-fail-on-empty-changeset", "--no-confirm-changeset",
    ]  # fmt: skip
    if region:
        deploying += ["--region", region]
    if parameters:
        deploying += ["--parameter-overrides"]
        deploying += [f"{key}={quoted(value)}" for key, value in parameters.items()]
    return [[sam_cli(), "build", *template], deploying]


def quoted(value: str) -> str:
    """A parameter's value the way the SAM CLI takes it.

    >>> quoted('{"labels": 1}')
    '"{\\\\"labels\\\\": 1}"'
    """
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def identity(region: str | None) -> dict[str, Any]:
    """Whose account it is, and in which region."""
    import boto3

    session = boto3.Session(region_name=region)
    found: dict[str, Any] = dict(session.client("sts").get_caller_identity())
    return found | {"Region": session.region_name}
