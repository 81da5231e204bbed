"""CloseJob: a job takes no more answers, and its output tree is written, however it ended."""

from typing import Any

from aws.portal import outside
from aws.telemetry import logger, metrics
from portal.jobs import close_job


@metrics.log_metrics
@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The job as DescribeLabelingJob would say it."""
    described = close_job(outside(), event["request"])
    logger.info("job closed", job=event["job"], **described["LabelCounters"])
    return described
