"""Lambda: ask another function and wait for its answer."""

from __future__ import annotations

import json
from typing import Any

from tessera.aws.clients import lambdas


class FunctionFailed(Exception):
    """A function that was asked ended with an error of its own."""


def invoke(arn: str, event: dict[str, Any]) -> Any:
    """What the function answers to the event."""
    response = lambdas().invoke(FunctionName=arn, Payload=json.dumps(event).encode())
    answer = json.loads(response["Payload"].read() or b"null")
    if "FunctionError" in response:
        kind = answer.get("errorType", "error") if isinstance(answer, dict) else "error"
        said = answer.get("errorMessage", "") if isinstance(answer, dict) else ""
        raise FunctionFailed(f"{arn.rsplit(':', 1)[-1]}: {kind}: {said}")
    return answer
