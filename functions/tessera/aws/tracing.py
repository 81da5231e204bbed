"""Trace with X-Ray. The tracer loads botocore, so functions a worker waits for never import it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, TypeVar

from tessera.aws.telemetry import subject

if TYPE_CHECKING:
    from aws_lambda_powertools import Tracer

Answer = TypeVar("Answer")


@cache
def tracer() -> Tracer:
    """Make the tracer at the first event."""
    # late: the X-Ray SDK makes a client when it is imported
    from aws_lambda_powertools import Tracer

    # Nothing is patched: a subsegment for each of a job's 200,000 reads of S3 took a third of
    # CloseJob's time, and a trace keeps 500 KB of them. `step` marks the parts that matter.
    return Tracer(auto_patch=False)


def traced(handler: Callable[[dict[str, Any], Any], Answer]) -> Callable[..., Answer]:
    """Wrap a handler in a subsegment that its run, round, job and execution find.

    Its result is left out: the trace would hold the requester's words.
    """

    def named(event: dict[str, Any], context: Any) -> Answer:
        for key, value in subject(event).items():
            tracer().put_annotation(key, value)
        return handler(event, context)

    @cache
    def captured() -> Callable[..., Answer]:
        wrapped: Callable[..., Answer] = tracer().capture_lambda_handler(
            named, capture_response=False
        )
        return wrapped

    @wraps(handler)
    def late(event: dict[str, Any], context: Any) -> Answer:
        return captured()(event, context)

    return late


@contextmanager
def step(name: str) -> Iterator[None]:
    """Open a `with` block that the trace shows as a part of its own, with its time and error."""
    with tracer().provider.in_subsegment(f"## {name}"):
        yield
