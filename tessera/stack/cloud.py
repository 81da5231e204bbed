"""Where Tessera is deployed: on AWS or on one machine; commands do not care which."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import click

from tessera.aws.connection import Connection, connect
from tessera.aws.portal import portal_ports
from tessera.aws.storage import Storage
from tessera.aws.users import Users
from tessera.exits import Exit
from tessera.portal.ports import Ports

STACK_NAME = "tessera"


class NotDeployed(click.ClickException):
    """There is no stack of Tessera's here; the message says how to get one."""

    exit_code = Exit.NOT_DEPLOYED


@dataclass(frozen=True)
class Cloud:
    """One deployed stack; without an endpoint it is AWS, by the usual profile and region."""

    endpoint: str | None = None
    credentials: tuple[str, str] | None = None
    region: str | None = None
    stack_name: str = STACK_NAME

    @cached_property
    def connection(self) -> Connection:
        """Connection to its AWS, the same one that the functions have."""
        return connect(self.endpoint, self.region, self.credentials)

    def client(self, service: str) -> Any:
        """Return the boto3 client of a service there."""
        return self.connection.client(service)

    @property
    def storage(self) -> Storage:
        """S3 there."""
        return self.connection.storage

    @property
    def ports(self) -> Ports:
        """What the portal's own code needs from outside, on this stack."""
        return portal_ports(self.connection, self.outputs["PortalTableName"])

    @property
    def users(self) -> Users:
        """People of the portal."""
        return self.connection.users(self.outputs["WorkerPoolId"])

    def find_outputs(self) -> dict[str, str]:
        """The stack's outputs by name; empty if it is not deployed."""
        listed = self._described().get("Outputs", [])
        return {output["OutputKey"]: output["OutputValue"] for output in listed}

    def _described(self) -> dict[str, Any]:
        from botocore.exceptions import ClientError

        try:
            found = self.client("cloudformation").describe_stacks(StackName=self.stack_name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            return {}
        described: dict[str, Any] = found["Stacks"][0]
        return described

    @cached_property
    def default_settings(self) -> bytes:
        """The settings for projects that have none of their own; empty if there are none."""
        listed = self._described().get("Parameters", [])
        values = {entry["ParameterKey"]: str(entry.get("ParameterValue", "")) for entry in listed}
        return values.get("DefaultSettings", "").encode()

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs by name."""
        found = self.find_outputs()
        if not found:
            raise NotDeployed(
                f"No stack {self.stack_name!r} is deployed at {self.endpoint or 'AWS'}. "
                "Start one here with `tessera up`, or on AWS with `tessera deploy`."
            )
        return found

    @property
    def portal_url(self) -> str:
        """The portal's address, with a slash at the end."""
        if self.endpoint:
            return f"{self.endpoint}/_aws/execute-api/{self.outputs['PortalApiId']}/"
        return self.outputs["Portal"].rstrip("/") + "/"

    @property
    def cognito_url(self) -> str:
        """Where workers sign in."""
        if self.endpoint:
            return self.endpoint
        return str(self.client("cognito-idp").meta.endpoint_url)
