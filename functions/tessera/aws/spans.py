"""Give X-Ray a span for each request to the portal's table, without its SDK.

A worker waits for the portal, and the SDK takes longer to load than a request takes; besides, it
sees boto3's requests only. In a trace that is sampled, a span is one datagram to the daemon that
Lambda runs beside the function; in any other, a look at a variable.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

TRACE = "_X_AMZN_TRACE_ID"
"""Variable that Lambda sets anew for each event: its trace, the function's span, if it is kept."""
DAEMON = "AWS_XRAY_DAEMON_ADDRESS"
HEADER = '{"format":"json","version":1}\n'
THROTTLES = ("Throttl", "LimitExceeded", "ThroughputExceeded")

UNTRACED = nullcontext()


class Spans:
    """Spans of one function's requests, in the trace that its environment names."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Keep the environment, which Lambda changes with each event."""
        self._environment = environment

    def of_table(self, operation: str, table: str) -> AbstractContextManager[Any]:
        """Open a `with` block that the trace shows as a request to a table, if there is a trace.

        `operation` is DynamoDB's name of it (`GetItem`).
        """
        trace = self._environment.get(TRACE, "")
        if "Sampled=1" not in trace:
            return UNTRACED
        fields = dict(part.split("=", 1) for part in trace.split(";") if "=" in part)
        host, _, port = self._environment.get(DAEMON, "").rpartition(":")
        if not (host and port.isdigit() and fields.get("Root") and fields.get("Parent")):
            return UNTRACED
        region = self._environment.get("AWS_REGION", "")
        asked = {"operation": operation, "table_name": table, "region": region}
        return _span((host, int(port)), fields["Root"], fields["Parent"], asked)


NO_SPANS = Spans({})


@contextmanager
def _span(
    daemon: tuple[str, int], trace: str, parent: str, asked: dict[str, Any]
) -> Iterator[None]:
    """Send a request to a table as a span, from the beginning of the `with` block to its end."""
    began, failed = time.time(), None
    try:
        yield
    except BaseException as error:
        failed = error
        raise
    finally:
        document: dict[str, Any] = {
            "name": "DynamoDB",
            "id": _new_id(),
            "trace_id": trace,
            "parent_id": parent,
            "type": "subsegment",
            "namespace": "aws",
            "aws": asked,
            "start_time": began,
            "end_time": time.time(),
            "in_progress": False,
        }
        _send(daemon, document | _outcome(failed))


def _send(daemon: tuple[str, int], document: dict[str, Any]) -> None:
    import json  # late, as is socket: a function that is not traced needs neither here
    import socket

    # a trace is worth no request
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        sending.setblocking(False)
        sending.sendto((HEADER + json.dumps(document)).encode(), daemon)


def _outcome(error: BaseException | None) -> dict[str, Any]:
    """Return how a request ended, as X-Ray colors it: what DynamoDB declines is its caller's error.

    The error's sentence is left out, since it may hold what was asked for.
    """
    if error is None:
        return {"http": {"response": {"status": 200}}}
    response: dict[str, Any] = getattr(error, "response", {})
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    name = str(response.get("Error", {}).get("Code", "")) or type(error).__name__
    cause = {"exceptions": [{"id": _new_id(), "type": name}]}
    is_declined = 400 <= status < 500
    outcome: dict[str, Any] = {"error" if is_declined else "fault": True, "cause": cause}
    if any(part in name for part in THROTTLES):
        outcome["throttle"] = True
    return outcome | ({"http": {"response": {"status": status}}} if status else {})


def _new_id() -> str:
    from secrets import token_hex  # late, as above

    return token_hex(8)
