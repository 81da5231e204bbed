"""Lambda: invoke another function and wait for its answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


class FunctionFailed(Exception):
    """Error with which an invoked function ended; the message names the function and the error."""


class Functions:
    """Functions of Lambda, by ARN."""

    def __init__(self, client: Callable[[], LambdaClient]) -> None:
        """Keep what gives the client; it is made at the first call."""
        self._client = client

    def invoke(self, arn: str, event: dict[str, Any]) -> Any:
        """Return the function's answer to the event; raises `FunctionFailed` if it has none."""
        response = self._client().invoke(FunctionName=arn, Payload=json.dumps(event).encode())
        answer = json.loads(response["Payload"].read() or b"null")
        if "FunctionError" in response:
            failure = answer if isinstance(answer, dict) else {}
            kind, message = failure.get("errorType", "error"), failure.get("errorMessage", "")
            raise FunctionFailed(f"{arn.rsplit(':', 1)[-1]}: {kind}: {message}")
        return answer
