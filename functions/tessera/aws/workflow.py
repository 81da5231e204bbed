"""Step Functions: let an execution that waits for a token go on; see whether one is alive."""

from __future__ import annotations

import json
from typing import Any

from tessera.aws.clients import workflows

GONE = {"TaskDoesNotExist", "TaskTimedOut", "InvalidToken"}


def resume(token: str, output: dict[str, Any]) -> bool:
    """Hand the output to the state that waits for the token; false when none does any more."""
    from botocore.exceptions import ClientError

    try:
        workflows().send_task_success(taskToken=token, output=json.dumps(output))
    except ClientError as error:
        if error.response["Error"]["Code"] in GONE:
            return False
        raise
    return True


def fail(token: str, error: str, cause: str) -> bool:
    """Fail the state that waits for the token, under this name; false when none does any more."""
    from botocore.exceptions import ClientError

    try:
        workflows().send_task_failure(taskToken=token, error=error[:256], cause=cause[:32_000])
    except ClientError as refusal:
        if refusal.response["Error"]["Code"] in GONE:
            return False
        raise
    return True


def status(execution: str) -> str:
    """The execution's status as Step Functions says it, or GONE if it knows no such execution."""
    from botocore.exceptions import ClientError

    try:
        return workflows().describe_execution(executionArn=execution)["status"]
    except ClientError as error:
        if error.response["Error"]["Code"] in {"ExecutionDoesNotExist", "InvalidArn"}:
            return "GONE"
        raise
