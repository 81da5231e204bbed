"""CloseJob: close a job for workers and write its output tree, however it ended.

On a schedule, with `{"due": true}`, close the jobs that are over and that no request has closed,
and ask no pages of later rounds that nobody is left for.
"""

import os
from functools import cache
from typing import Any

import msgspec

from tessera.aws.connection import Connection, connect
from tessera.aws.portal import portal_ports
from tessera.aws.telemetry import logger, observed, report_job
from tessera.aws.tracing import traced
from tessera.portal.job_lifecycle import close_due_jobs, close_job
from tessera.portal.staffing import spare_pages
from tessera.tiling.answers.pack import collect


@cache
def connection() -> Connection:
    """Connect at the first event and keep the connection: importing the module makes no client."""
    return connect(region=os.environ.get("AWS_REGION"))


def _fetch(uri: str) -> bytes:
    return connection().storage.get_or_raise(uri, LookupError(f"{uri} is gone"))


def _collect(event: dict[str, Any]) -> list[dict[str, Any]]:
    """Do in this process what CollectAnswers would do in its own."""
    packed, odd = collect(event, _fetch)
    for entry in odd:
        logger.error("answer kept out", extra=msgspec.to_builtins(entry))
    return packed


@observed
@traced
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return the job as DescribeLabelingJob would; or, on a schedule, the jobs that were due."""
    own = {os.environ.get("COLLECT_ANSWERS_ARN", ""): _collect}
    ports = portal_ports(connection(), os.environ["TABLE_NAME"], own, report=report_job)
    if event.get("due"):
        due = [job.name for job in close_due_jobs(ports)]
        logger.info("executions of jobs that are over told", jobs=due)
        users = connection().users(os.environ["WORKER_POOL_ID"])
        spared = dict(spare_pages(ports, users.emails))
        if spared:
            logger.warning("nobody is left for some pages", pages=spared)
        return {"due": due, "spared": spared}
    description = close_job(ports, event["request"])
    logger.info("job closed", job=event["job"], **description["LabelCounters"])
    return description
