"""Trace with X-Ray: by Powertools' tracer, or by OpenTelemetry where its layer is.

The X-Ray SDK under Powertools' tracer is kept up until February 2027; no other file imports it.
Functions that a worker waits for import neither; `tessera.aws.spans` has the portal's spans. AWS's
layer (ADOT, the template's `TracingLayer`) loads OpenTelemetry before the handler and opens a span
around it, so that being loaded is the sign.
"""

from __future__ import annotations

import sys
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


def opentelemetry() -> Any:
    """Return OpenTelemetry's module of traces if its layer has loaded it, else None."""
    return sys.modules.get("opentelemetry.trace")


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
        if (api := opentelemetry()) is None:
            return captured()(event, context)
        api.get_current_span().set_attributes(subject(event))
        return handler(event, context)

    return late


@contextmanager
def step(name: str) -> Iterator[None]:
    """Open a `with` block that the trace shows as a part of its own, with its time and error."""
    if (api := opentelemetry()) is not None:
        with api.get_tracer("tessera").start_as_current_span(name):
            yield
        return
    with tracer().provider.in_subsegment(f"## {name}"):
        yield
