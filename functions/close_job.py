"""CloseJob: a job takes no more answers, and its output tree is written, however it ended.

On a schedule, with `{"due": true}`, it tells executions of jobs that are over and were not told.
"""

from typing import Any

from tessera.aws.portal import outside
from tessera.aws.telemetry import logger, observed
from tessera.aws.tracing import traced
from tessera.portal.due import close_due_jobs
from tessera.portal.job_lifecycle import close_job


@observed
@traced
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The job as DescribeLabelingJob would say it; or, on a schedule, the jobs that were due."""
    if event.get("due"):
        due = [job.name for job in close_due_jobs(outside())]
        logger.info("executions of jobs that are over told", jobs=due)
        return {"due": due}
    described = close_job(outside(), event["request"])
    logger.info("job closed", job=event["job"], **described["LabelCounters"])
    return described
