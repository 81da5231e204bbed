"""Deployed around a function on the local stack: does to its next invocations what a plan says.

The plan is a folder: each file's name is a fault, and an invocation takes the first one away. The
functions themselves know nothing of it. Faults:

    throw              raise before anything is done
    throw-after        do everything, then raise instead of answering
    die                end the process at once
    die-after          do everything, then end the process instead of answering
    die-writing-N      end the process right after the Nth write to S3
    hang               do nothing, for longer than the function may run
    slow-down-N        let S3 refuse the next N requests with 503
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

WRITES = {"PutObject", "UploadPart", "CompleteMultipartUpload"}


def handler(event: dict[str, Any], context: Any) -> Any:
    """What the real function answers, unless a fault comes in between."""
    fault = taken(Path(os.environ["FAULTS"]))
    module, name = os.environ["REAL_HANDLER"].rsplit(".", 1)
    before, _, number = fault.rpartition("-") if fault[-1:].isdigit() else (fault, "", "0")
    if before == "throw":
        raise RuntimeError("a fault on purpose")
    if before == "die":
        die()
    if before == "hang":
        time.sleep(3600)
    if before in {"die-writing", "slow-down"}:
        meddle(before, int(number))
    answer = getattr(importlib.import_module(module), name)(event, context)
    if before == "throw-after":
        raise RuntimeError("a fault on purpose, after all was done")
    if before == "die-after":
        die()
    return answer


def taken(plan: Path) -> str:
    """The next fault, which is no longer in the plan then; or none."""
    for path in sorted(plan.glob("*")) if plan.is_dir() else []:
        try:
            path.unlink()
        except FileNotFoundError:
            continue  # another invocation took it
        (plan.parent / "taken" / f"{plan.name}.{path.name}").touch()
        return path.name.partition(".")[2]
    return ""


def die() -> None:
    """End this process as the kernel would when memory is short."""
    os.kill(os.getpid(), signal.SIGKILL)


def meddle(kind: str, number: int) -> None:
    """Come between this process and S3 from here on."""
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
        return AWSResponse(request.url, 503, HTTPHeaders(), Refusal())

    boto3.setup_default_session()
    session: Any = boto3.DEFAULT_SESSION
    if kind == "slow-down":
        session.events.register("before-send.s3", refuse)
    else:
        for operation in WRITES:
            session.events.register(f"after-call.s3.{operation}", count_down)
    clients = sys.modules.get("aws.clients")
    if clients is not None:  # a warm process has its client already
        clients.s3.cache_clear()


class Refusal:
    """The body of S3's answer when it is asked too much."""

    def stream(self, **_: Any) -> list[bytes]:
        """The body in one piece."""
        return [b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"]
