"""Encode and decode an answer as Ground Truth keeps it: the worker-response layout.

{"answers": [{"acceptanceTime": …, "submissionTime": …, "timeSpentInSeconds": 46.8,
              "answerContent": {"17": {"cat": true}}, "workerId": …, "workerMetadata": …}]}
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from tessera.portal.ports import Ports, worker_id


def encode_response(ports: Ports, worker: str, began: float, answer: Mapping[str, Any]) -> bytes:
    """Return an answer that is submitted now, by a worker who began at the given time."""
    now = ports.clock()
    began = min(began, now)  # another server's clock may be ahead of this one's
    response = {
        "acceptanceTime": timestamp(began),
        "submissionTime": timestamp(now),
        "timeSpentInSeconds": round(now - began, 3),
        "answerContent": answer,
        "workerId": worker_id(ports, worker),
        "workerMetadata": {
            "identityData": {"identityProviderType": "Cognito", "sub": worker},
        },
    }
    return msgspec.json.encode({"answers": [response]})


def decode_response(data: bytes) -> dict[str, Any]:
    """Return the one answer of a worker's response."""
    answer: dict[str, Any] = msgspec.json.decode(data)["answers"][0]
    return answer


def timestamp(seconds: float) -> str:
    """Return a time as Ground Truth writes it.

    >>> timestamp(1700000000.25)
    '2023-11-14T22:13:20.250Z'
    """
    # Ground Truth writes Z for UTC, and Python an offset.
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def seconds_of(timestamp: str) -> float:
    """Return a time that Ground Truth wrote, in seconds; with milliseconds or without.

    >>> seconds_of("2023-11-14T22:13:20.250Z"), seconds_of("2023-11-14T22:13:20Z")
    (1700000000.25, 1700000000.0)
    """
    return datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp()
