"""OpenJob: a labeling job's request becomes a job on the portal, open for workers.

The execution's token goes into the job's record and comes back when the job ends. A job that cannot
be opened fails the waiting state by the same token, under the error's own name.
"""

from typing import Any

from tessera.aws import workflow
from tessera.aws.portal import outside
from tessera.aws.telemetry import logger, observed
from tessera.aws.tracing import traced
from tessera.portal.job_lifecycle import open_job


@observed
@traced
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The job's name, status and tasks; whoever waits for its end is told by the token."""
    token = event.get("token", "")
    try:
        job = open_job(outside(), event["request"], token)
    except Exception as error:
        if token:
            workflow.fail(token, type(error).__name__, str(error))
        raise
    logger.info("job open", job=job.name, tasks=job.tasks, status=job.status)
    return {"LabelingJobName": job.name, "status": job.status, "tasks": job.tasks}
