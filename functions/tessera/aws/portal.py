"""The portal's outside on AWS: DynamoDB, S3, the clock, Lambda and Step Functions."""

from __future__ import annotations

import os
import time
from functools import cache

from tessera.aws import functions, storage, workflow
from tessera.aws.table import DynamoTable
from tessera.portal.ports import Ports


@cache
def outside() -> Ports:
    """What the portal needs from outside, as the function's environment names it."""
    return Ports(
        table=DynamoTable(os.environ["TABLE_NAME"]),
        files=storage,
        clock=time.time,
        invoke=functions.invoke,
        resume=workflow.resume,
        region=os.environ.get("AWS_REGION", "us-east-1"),
    )
