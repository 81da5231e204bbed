"""Give the portal its ports on AWS: DynamoDB, S3, the clock, Lambda and Step Functions."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tessera.aws.backoff import back_off
from tessera.aws.pictures import RoleStorage
from tessera.portal.ports import Ports, report_to_nobody

if TYPE_CHECKING:
    from tessera.aws.connection import Connection
    from tessera.aws.spans import Spans


Function = Callable[[dict[str, Any]], Any]
"""Answers an event, as a function of Lambda does."""
NONE_IN_PROCESS: Mapping[str, Function] = MappingProxyType({})


def portal_ports(
    connection: Connection,
    table: str,
    in_process: Mapping[str, Function] = NONE_IN_PROCESS,
    pictures_role: str = "",
    report: Callable[[str, Exception], None] = report_to_nobody,
    *,
    awaited: Spans | None = None,
) -> Ports:
    """Return what the portal needs from outside, with its index in the table of this name.

    `awaited` where a worker waits for the table and for functions: spans of requests to the table.

    Functions of the stack's own are called `in_process`, by ARN: a function that waits for another
    holds two of the account's concurrent executions and pays for both. Pictures are read by
    `pictures_role`, or by the caller's own where there is none. Jobs that cannot be read are told
    to `report`.
    """
    functions = connection.functions if awaited is None else connection.functions_soon

    def invoke(arn: str, event: dict[str, Any]) -> Any:
        own = in_process.get(arn)
        return own(event) if own else functions.invoke(arn, event)

    return Ports(
        table=(
            connection.table(table) if awaited is None else connection.table_soon(table, awaited)
        ),
        files=RoleStorage(connection, pictures_role) if pictures_role else connection.storage,
        clock=time.time,
        invoke=invoke,
        resume=connection.workflow.send_task_success,
        # it is in workers' names in answers; the client knows the profile's or the shell's
        region=connection.region or connection.client("dynamodb").meta.region_name,
        back_off=back_off,
        report=report,
    )
