"""Give the portal its ports on AWS: DynamoDB, S3, the clock, Lambda and Step Functions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tessera.portal.ports import Ports

if TYPE_CHECKING:
    from tessera.aws.connection import Connection


def portal_ports(connection: Connection, table: str) -> Ports:
    """Return what the portal needs from outside, with its index in the table of this name."""
    return Ports(
        table=connection.table(table),
        files=connection.storage,
        clock=time.time,
        invoke=connection.functions.invoke,
        resume=connection.workflow.send_task_success,
        # it is in workers' names in answers; the client knows the profile's or the shell's
        region=connection.region or connection.client("dynamodb").meta.region_name,
    )
