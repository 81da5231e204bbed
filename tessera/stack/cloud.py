"""Deployed stack of Tessera, on AWS or on one machine; commands need not know which."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import click

from tessera.aws.connection import Connection, connect
from tessera.aws.portal import portal_ports
from tessera.aws.storage import Storage, split_uri
from tessera.aws.users import Users
from tessera.exits import Exit
from tessera.portal.ports import Ports
from tessera.stack.room import disk_notice

STACK_NAME = "tessera"


class NotDeployed(click.ClickException):
    """Stack that does not exist; the message says how to get one."""

    exit_code = Exit.NOT_DEPLOYED


@dataclass(frozen=True)
class Cloud:
    """Deployed stack; without an endpoint it is on AWS, with the usual profile and region."""

    endpoint: str | None = None
    credentials: tuple[str, str] | None = field(default=None, repr=False)
    region: str | None = None
    stack_name: str = STACK_NAME
    profile: str | None = None
    options: tuple[str, ...] = ()
    """Options of the tool that lead to this stack; none for the usual one on this machine."""
    address_for_others: str = ""
    """Address at which other machines find the portal of this machine's stack, if they do."""
    home: Path | None = None
    """Folder that holds it, of this machine's stack."""
    _reported: set[str] = field(default_factory=set, compare=False, repr=False)

    def command(self, words: str) -> str:
        """Return a command of the tool that works on this stack when it is pasted.

        >>> Cloud(options=("--profile", "prod", "--region", "eu-west-1")).command("watch pets-1")
        'tessera --profile prod --region eu-west-1 watch pets-1'
        """
        return " ".join(["tessera", *map(shlex.quote, self.options), words])

    def aws_command(self, words: str) -> str:
        """Return a command of AWS's own tool that works in this stack's account and region.

        >>> Cloud(profile="prod", region="eu-west-1").aws_command("kms list-keys")
        'aws --profile prod --region eu-west-1 kms list-keys'
        """
        named = {
            "--profile": self.profile,
            "--region": self.region,
            "--endpoint-url": self.endpoint,
        }
        options = (f"{option} {shlex.quote(value)}" for option, value in named.items() if value)
        return " ".join(["aws", *options, words])

    @cached_property
    def connection(self) -> Connection:
        """Connection to its AWS, the same one that the functions have."""
        return connect(self.endpoint, self.region, self.credentials)

    def client(self, service: str) -> Any:
        """Return the boto3 client of a service there."""
        return self.connection.client(service)

    @property
    def partition(self) -> str:
        """AWS's partition of its region (`aws-us-gov`), by which ARNs begin; nobody is asked."""
        from boto3.session import Session  # late, like all of botocore: `tessera --help`

        session = Session(profile_name=self.profile, region_name=self.region)
        return session.get_partition_for_region(session.region_name or "us-east-1")

    @property
    def storage(self) -> Storage:
        """S3 there."""
        return self.connection.storage

    @property
    def ports(self) -> Ports:
        """Ports that the portal's code reaches this stack by."""
        table = self.outputs["PortalTableName"]
        return portal_ports(self.connection, table, report=self._report_job)

    @property
    def trouble(self) -> str:
        """Return why it saves nothing, in a clause with what to do; empty if it saves."""
        return disk_notice(self.home) if self.home else ""

    def _report_job(self, job: str, error: Exception) -> None:
        """Say once of a job that it cannot be read, and how to rebuild what can be rebuilt."""
        if job not in self._reported:
            self._reported.add(job)
            reason = f"{type(error).__name__}: {error}"
            way = self.command(f"repair {job}")
            click.echo(f"Job {job} is left out: it cannot be read ({reason}). Try: {way}", err=True)

    @property
    def users(self) -> Users:
        """Accounts of the portal."""
        return self.connection.users(self.outputs["WorkerPoolId"])

    def find_outputs(self) -> dict[str, str]:
        """Return the stack's outputs by name; empty if it is not deployed."""
        listed = self._described().get("Outputs", [])
        return {output["OutputKey"]: output["OutputValue"] for output in listed}

    def _described(self) -> dict[str, Any]:
        # Imported late, like all of botocore: `tessera --help` imports this module, too.
        from botocore.exceptions import ClientError

        try:
            stacks = self.client("cloudformation").describe_stacks(StackName=self.stack_name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            return {}
        described: dict[str, Any] = stacks["Stacks"][0]
        return described

    @cached_property
    def parameters(self) -> dict[str, str]:
        """Parameters that the stack was deployed with, by name; empty if it is not deployed."""
        listed = self._described().get("Parameters", [])
        return {entry["ParameterKey"]: str(entry.get("ParameterValue", "")) for entry in listed}

    @property
    def default_settings(self) -> bytes:
        """Settings for projects that have none of their own; empty if there are none."""
        return self.parameters.get("DefaultSettings", "").encode()

    @cached_property
    def outputs(self) -> dict[str, str]:
        """Outputs of the stack by name; NotDeployed if it is not deployed."""
        outputs = self.find_outputs()
        if not outputs:
            raise NotDeployed(
                f"There is no stack {self.stack_name!r} at {self.endpoint or 'AWS'}. "
                f"{self._how_to_deploy()}"
            )
        return outputs

    @property
    def labels_bucket(self) -> str:
        """Return the bucket that runs and projects are in."""
        return split_uri(self.outputs["Labels"])[0]

    def _how_to_deploy(self) -> str:
        if self.profile:
            return f"Deploy it: {self.command('deploy')}"
        if self.endpoint:
            return f"Deploy it: {self.command('up')}. Or work on AWS: tessera --profile NAME …"
        return "Start the local one: tessera up. Or deploy: tessera --profile NAME deploy"

    @property
    def portal_url(self) -> str:
        """Address of the portal, with a slash at the end."""
        if self.endpoint:
            return f"{self.endpoint}/_aws/execute-api/{self.outputs['PortalApiId']}/"
        return self.outputs["Portal"].rstrip("/") + "/"

    @property
    def people_url(self) -> str:
        """Address of the portal that people are given, with a slash at the end."""
        return self.address_for_others or self.portal_url

    @property
    def cognito_url(self) -> str:
        """Address of Cognito, where workers sign in."""
        if self.endpoint:
            return self.endpoint
        return str(self.client("cognito-idp").meta.endpoint_url)
