"""OpenJob: a labeling job's request becomes a job on the portal, open for workers.

The execution's token goes into the job's record and comes back when the job ends.
"""

from typing import Any

from aws.portal import outside
from aws.telemetry import logger, metrics
from portal.jobs import open_job


@metrics.log_metrics
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The job's name, status and tasks; whoever waits for its end is told by the token."""
    job = open_job(outside(), event["request"], event.get("token", ""))
    logger.info("job open", job=job.name, tasks=job.tasks, status=job.status)
    return {"LabelingJobName": job.name, "status": job.status, "tasks": job.tasks}
