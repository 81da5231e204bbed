"""Log and count: one logger and one metrics collector for all functions.

Their names are the function's `POWERTOOLS_SERVICE_NAME` and `POWERTOOLS_METRICS_NAMESPACE`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, TypeAlias, TypeVar

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from tessera.portal.errors import PortalError, is_outage
from tessera.tiling.errors import TesseraError
from tessera.tiling.run.job_names import parse_job_name

_JOB_PATH = re.compile(r"/jobs/([A-Za-z0-9-]{1,63})(?=/|$)")

logger = Logger()
metrics = Metrics()

Answer = TypeVar("Answer")
Handler: TypeAlias = Callable[[dict[str, Any], Any], Answer]


def observed(handler: Handler[Answer]) -> Handler[Answer]:
    """Wrap a handler: its run, round, job and execution in every log line, and its metrics sent.

    Metrics are sent after a failure too, and nothing is printed where there are none: Powertools'
    own decorator warns then, with two lines of log for every request of the portal.
    """

    @wraps(handler)
    def named(event: dict[str, Any], context: Any) -> Answer:
        logger.append_keys(**subject(event))
        try:
            return handler(event, context)
        except (TesseraError, PortalError):  # a refusal, which its name and its sentence tell
            raise
        except Exception as error:
            count_failure(error)
            raise
        finally:
            if metrics.provider.metric_set:
                metrics.flush_metrics()

    wrapped: Handler[Answer] = logger.inject_lambda_context(named, clear_state=True)
    return wrapped


def count_failure(error: Exception) -> str:
    """Count an error as a fault of ours or as an outage, and return which: `Faults`, `Outages`.

    An outage passes, and what it stopped is tried again; a fault has to be mended, so that it has
    an alarm of its own (docs/operations.md).
    """
    name = "Outages" if is_outage(error) else "Faults"
    metrics.add_metric(name, MetricUnit.Count, 1)
    logger.error("%s: %s", name[:-1].lower(), type(error).__name__)
    return name


def report_job(job: str, error: Exception) -> None:
    """Log and count a job that cannot be read, where the others go on without it."""
    logger.error("job cannot be read", job=job, exc_info=error)
    count_failure(error)


def publish(measures: Iterable[tuple[str, str, float]], project: str) -> None:
    """Add metrics (name, unit, value), kept for the project and for all projects together."""
    metrics.add_dimensions(project=project)
    for name, unit, value in measures:
        metrics.add_metric(name, unit, value)


def subject(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the run, round, job and execution that an event belongs to, as far as it names them.

    A state names all of them; Ground Truth names the job, and so does the portal's path, which
    counts only if it names one that can be, asked for with a checked token: the rest of it is
    whatever somebody sends.

    >>> subject({"labelingJobArn": "arn:aws:sagemaker:eu-west-1:1:labeling-job/pets-2f9a-r1-000"})
    {'job': 'pets-2f9a-r1-000', 'run': 'pets-2f9a', 'round': 1}
    >>> claims = {"authorizer": {"jwt": {"claims": {"sub": "ann"}}}}
    >>> subject({"rawPath": "/jobs/pets-2f9a-r2-000/claims", "requestContext": claims})
    {'job': 'pets-2f9a-r2-000', 'run': 'pets-2f9a', 'round': 2}
    """
    keys: dict[str, Any] = {}
    job = (
        event.get("job")
        or (event.get("request") or {}).get("LabelingJobName")
        or str(event.get("labelingJobArn", "")).rpartition("/")[2]
        or _job_in_path(event)
    )
    if job:
        keys["job"] = job
        if name := parse_job_name(job):
            keys |= {"run": name.run, "round": name.round}
    return keys | {key: event[key] for key in ("run", "round", "execution") if key in event}


def _job_in_path(event: Mapping[str, Any]) -> str:
    """Return the job in the path of a request that has a checked token, or nothing."""
    named = _JOB_PATH.match(str(event.get("rawPath", "")))
    has_token = "authorizer" in event.get("requestContext", {})
    return named[1] if named and has_token else ""
