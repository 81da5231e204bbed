"""OpenJob: open the job of a labeling request on the portal, for workers.

The execution's token goes into the job's record and comes back when the job ends. A job that cannot
be opened fails the waiting state by the same token, under the error's own name.
"""

import os
from functools import cache
from typing import Any

from tessera.aws.connection import Connection, connect
from tessera.aws.portal import portal_ports
from tessera.aws.telemetry import logger, observed
from tessera.aws.tracing import traced
from tessera.portal.job_lifecycle import open_job


@cache
def connection() -> Connection:
    """Connect at the first event and keep the connection: importing the module makes no client."""
    return connect(region=os.environ.get("AWS_REGION"))


@observed
@traced
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Open the job, or attach to it; return its name, status and number of tasks."""
    token = event.get("token", "")
    try:
        ports = portal_ports(connection(), os.environ["TABLE_NAME"])
        job = open_job(ports, event["request"], token)
    except Exception as error:
        if token:  # the state waits for the token alone: it would never hear of the exception
            connection().workflow.send_task_failure(token, type(error).__name__, str(error))
        raise
    logger.info("job open", job=job.name, tasks=job.tasks, status=job.status)
    return {"LabelingJobName": job.name, "status": job.status, "tasks": job.tasks}
