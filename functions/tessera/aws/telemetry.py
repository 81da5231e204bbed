"""One logger and one metrics collector for all functions, and what every handler wears.

Their names are the function's `POWERTOOLS_SERVICE_NAME` and `POWERTOOLS_METRICS_NAMESPACE`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, TypeAlias, TypeVar

from aws_lambda_powertools import Logger, Metrics

logger = Logger()
metrics = Metrics()

Answer = TypeVar("Answer")
Handler: TypeAlias = Callable[[dict[str, Any], Any], Answer]

JOB_NAME = re.compile(r"(?P<run>.+)-r(?P<round>\d+)-\d{3,}")


def observed(handler: Handler[Answer]) -> Handler[Answer]:
    """The handler, with its run, round, job and execution in every log line, and its metrics sent.

    Metrics are sent after a failure too, and nothing is printed where there are none: Powertools'
    own decorator warns then, with two lines of log for every request of the portal.
    """

    @wraps(handler)
    def named(event: dict[str, Any], context: Any) -> Answer:
        logger.append_keys(**subject(event))
        try:
            return handler(event, context)
        finally:
            if metrics.provider.metric_set:
                metrics.flush_metrics()

    wrapped: Handler[Answer] = logger.inject_lambda_context(named, clear_state=True)
    return wrapped


def publish(measures: Iterable[tuple[str, str, float]], project: str) -> None:
    """Add names, units and values, kept for the project and for all projects together."""
    metrics.add_dimensions(project=project)
    for name, unit, value in measures:
        metrics.add_metric(name, unit, value)


def subject(event: Mapping[str, Any]) -> dict[str, Any]:
    """What an event says of the run, round, job and execution that it belongs to.

    A state says it outright; Ground Truth names the job, and so does the portal's path.

    >>> subject({"labelingJobArn": "arn:aws:sagemaker:eu-west-1:1:labeling-job/pets-2f9a-r1-000"})
    {'job': 'pets-2f9a-r1-000', 'run': 'pets-2f9a', 'round': 1}
    >>> subject({"rawPath": "/jobs/pets-2f9a-r2-000/claims"})
    {'job': 'pets-2f9a-r2-000', 'run': 'pets-2f9a', 'round': 2}
    """
    found: dict[str, Any] = {}
    path = str(event.get("rawPath", "")).partition("/jobs/")[2]
    job = (
        event.get("job")
        or (event.get("request") or {}).get("LabelingJobName")
        or str(event.get("labelingJobArn", "")).rpartition("/")[2]
        or path.partition("/")[0]
    )
    if job:
        found["job"] = job
        if named := JOB_NAME.fullmatch(job):
            found |= {"run": named["run"], "round": int(named["round"])}
    return found | {key: event[key] for key in ("run", "round", "execution") if key in event}
