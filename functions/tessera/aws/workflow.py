"""Step Functions: let an execution that waits for a token go on; see whether one is alive."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

NOBODY_WAITS = {"TaskDoesNotExist", "TaskTimedOut", "InvalidToken"}
"""Errors that say that no state waits for a token any more."""


class Workflow:
    """Executions of state machines, by ARN, and the states in them that wait for a token."""

    def __init__(self, client: Callable[[], SFNClient]) -> None:
        """Keep what gives the client; it is made at the first call."""
        self._client = client

    def send_task_success(self, token: str, output: dict[str, Any]) -> bool:
        """Hand the output to the state that waits for the token; false if none does any more."""
        return self._waits(
            lambda: self._client().send_task_success(taskToken=token, output=json.dumps(output))
        )

    def send_task_failure(self, token: str, error: str, cause: str) -> bool:
        """Fail the state that waits for the token, under this name; false if none does any more."""
        # cut to what Step Functions takes: it would refuse a longer word, and the state would hang
        error, cause = error[:256], cause[:32_000]
        return self._waits(
            lambda: self._client().send_task_failure(taskToken=token, error=error, cause=cause)
        )

    def start(self, machine: str, event: dict[str, Any]) -> str:
        """Start an execution of the state machine with the event as its input; return its ARN."""
        started = self._client().start_execution(stateMachineArn=machine, input=json.dumps(event))
        return started["executionArn"]

    def status(self, execution: str) -> str:
        """Return the execution's status, or GONE if Step Functions knows no such execution."""
        from botocore.exceptions import ClientError  # late: loading it takes a cold start's time

        try:
            return self._client().describe_execution(executionArn=execution)["status"]
        except ClientError as error:
            if error.response["Error"]["Code"] in {"ExecutionDoesNotExist", "InvalidArn"}:
                return "GONE"
            raise

    def _waits(self, send: Callable[[], object]) -> bool:
        """Send, and return whether a state waited for it."""
        from botocore.exceptions import ClientError  # late, as above

        try:
            send()
        except ClientError as error:
            if error.response["Error"]["Code"] in NOBODY_WAITS:
                return False
            raise
        return True
