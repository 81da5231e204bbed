"""Encode and decode an answer as Ground Truth keeps it: the worker-response layout.

{"answers": [{"acceptanceTime": …, "submissionTime": …, "timeSpentInSeconds": 46.8,
              "answerContent": {"17": {"cat": true}}, "workerId": …, "workerMetadata": …}]}
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from tessera.portal.ports import Ports, worker_id
from tessera.tiling.answers.submission import MOST_SECONDS


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


def encode_correction(
    ports: Ports, worker: str, former: Mapping[str, Any], answer: Mapping[str, Any]
) -> bytes:
    """Return a correction that is submitted now of the worker's `former` answer.

    The time is that of the first work on the task: how long the page lay open before it was
    corrected says nothing.
    """
    submitted = {
        "submissionTime": timestamp(ports.clock()),
        "answerContent": answer,
        "workerId": worker_id(ports, worker),
    }
    return msgspec.json.encode({"answers": [{**former, **submitted}]})


class _Response(msgspec.Struct, rename="camel"):
    """Part of an answer that others rely on; the rest of it may be anything."""

    answer_content: dict[str, Any]
    worker_id: str
    submission_time: str
    time_spent_in_seconds: Annotated[float, msgspec.Meta(ge=0, le=MOST_SECONDS)]


class _Responses(msgspec.Struct):
    """Object of `worker-response/`: one answer in a list."""

    answers: Annotated[list[dict[str, Any]], msgspec.Meta(min_length=1)]


def decode_response(data: bytes) -> dict[str, Any]:
    """Return the one answer of a worker's response; raises ValueError if it is none.

    S3 holds what was put there, by the portal or by anybody with the right to.
    """
    try:
        (answer, *_) = msgspec.json.decode(data, type=_Responses).answers
        known = msgspec.convert(answer, _Response)
        seconds_of(known.submission_time)
    except RecursionError:  # thousands of brackets: the decoder's own bound
        raise ValueError("nested too deep") from None
    return answer


def decode_or_empty(data: bytes) -> dict[str, Any]:
    """Return the answer of a worker's response, or one without any choice if it is malformed.

    The seat counts as taken, so that the job goes on; what the object holds is noted when labels
    are made (`tessera.tiling.answers.output_reader`).
    """
    try:
        return decode_response(data)
    except ValueError:
        return {"answerContent": {}, "timeSpentInSeconds": 0.0, "submissionTime": timestamp(0)}


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
    return datetime.fromisoformat(timestamp).timestamp()
