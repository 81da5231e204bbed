"""Wrap a function on the local stack: its next invocations fail as a plan says.

The plan is a folder of folders, one a run; each file's name is a fault, and an invocation for that
run removes the first one. The functions themselves know nothing of it. Faults:

    throw              raise before anything is done
    throw-after        do everything, then raise instead of answering
    die                end the process at once
    die-after          do everything, then end the process instead of answering
    die-writing-N      end the process right after the Nth write to S3
    hang               do nothing, for longer than the function may run
    slow-down-N        let S3 refuse the next N requests with 503, which is worth trying again
    deny-N             let S3 refuse the next N requests with 403, which is not
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

WRITES = {"PutObject", "UploadPart", "CompleteMultipartUpload"}


def handler(event: dict[str, Any], context: Any) -> Any:
    """Return what the real function answers, unless a fault comes in between."""
    # S3's own events, of files that start no run, come when they will: they take no fault.
    fault = "" if "detail" in event else take_fault(Path(os.environ["FAULTS"]), json.dumps(event))
    module, name = os.environ["REAL_HANDLER"].rsplit(".", 1)
    before, _, number = fault.rpartition("-") if fault[-1:].isdigit() else (fault, "", "0")
    if before == "throw":
        raise RuntimeError("a fault on purpose")
    if before == "die":
        die()
    if before == "hang":
        time.sleep(3600)
    if before in {"die-writing", "slow-down", "deny"}:
        disturb_s3(before, int(number), importlib.import_module(module))
    answer = getattr(importlib.import_module(module), name)(event, context)
    if before == "throw-after":
        raise RuntimeError("a fault on purpose, after all was done")
    if before == "die-after":
        die()
    return answer


def take_fault(plans: Path, event: str) -> str:
    """Remove the next fault from the plan of the run that the event names, and return it."""
    for path in sorted(plans.glob("*/*")):
        run = path.parent.name  # its manifest is RUN/…, its jobs are RUN-…
        if f"{run}/" in event or f"{run}-" in event:
            try:
                path.unlink()
            except FileNotFoundError:
                continue  # another invocation took it
            return path.name.partition(".")[2]
    return ""


def die() -> None:
    """End this process as the kernel would when memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)


def disturb_s3(kind: str, number: int, handler: Any) -> None:
    """Come between the handler's module and S3 from here on."""
    import boto3
    from botocore.awsrequest import AWSResponse, HTTPHeaders

    left = [number]

    def count_down(**_: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            die()

    def refuse(request: Any, **_: Any) -> AWSResponse | None:
        if left[0] <= 0:
            return None
        left[0] -= 1
        status, code = REFUSALS[kind]
        return AWSResponse(request.url, status, HTTPHeaders(), ErrorBody(code))

    boto3.setup_default_session()
    session: Any = boto3.DEFAULT_SESSION
    if kind in REFUSALS:
        session.events.register("before-send.s3", refuse)
    else:
        for operation in WRITES:
            session.events.register(f"after-call.s3.{operation}", count_down)
    handler.connection.cache_clear()  # a warm process has its client already


REFUSALS = {"slow-down": (503, "SlowDown"), "deny": (403, "AccessDenied")}


class ErrorBody:
    """Body of S3's response to a request that it refuses."""

    def __init__(self, code: str) -> None:
        """Keep the error's code."""
        self.code = code

    def stream(self, **_: Any) -> list[bytes]:
        """Return the body in one piece."""
        return [f"<Error><Code>{self.code}</Code><Message>on purpose</Message></Error>".encode()]
