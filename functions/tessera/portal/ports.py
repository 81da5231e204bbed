"""Ports of the portal: table, files, clock and calls, as the portal needs them.

The portal imports nothing of AWS. `tessera.aws.portal` plugs in DynamoDB, S3, Lambda and Step
Functions; the tests plug in dictionaries, a clock that they set and plain functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from tessera.portal.records import Job
from tessera.portal.store import Table

PARALLEL_READS = 32
"""Objects read from S3 at the same time where all answers of a job are read. The S3 client keeps 64
connections (`tessera.aws.connection`), so no read waits for another's."""


class Writer(Protocol):
    """File being written piece by piece."""

    def write(self, data: bytes) -> object:
        """Append bytes."""


class Files(Protocol):
    """Objects of S3 by their URIs; `tessera.aws.storage.Storage` is one such."""

    def get(self, uri: str) -> bytes:
        """Return the whole object."""

    def get_range(self, uri: str, start: int, end: int) -> bytes:
        """Return the bytes from `start` up to, not including, `end`."""

    def iter_chunks(self, uri: str) -> Iterator[bytes]:
        """Yield the object's bytes, a bounded piece at a time."""

    def iter_lines(self, uri: str) -> Iterator[bytes]:
        """Yield the object's lines without their line ends."""

    def size(self, uri: str) -> int | None:
        """Return the object's size in bytes, or None if it does not exist."""

    def etag(self, uri: str, by: float) -> str | None:
        """Return the ETag of the object's content, or None if it cannot be told.

        Of an object that was put after `by`, in seconds since the epoch, it is "".
        """

    def put(self, uri: str, data: bytes) -> None:
        """Put one object, replacing what was there."""

    def put_if_absent(self, uri: str, data: bytes) -> bool:
        """Put one object unless it exists, and return whether it was put."""

    def writer(self, uri: str) -> AbstractContextManager[Writer]:
        """Return a context manager that writes one object of any size."""

    def list_uris(self, prefix: str) -> Iterator[str]:
        """Yield the URIs of the objects under a prefix, in key order."""

    def presign(self, uri: str, seconds: int) -> str:
        """Return an HTTPS address from which anyone can get the object for so many seconds.

        Raises ValueError if there can be no object of this URI.
        """


def uri_if_present(files: Files, uri: str) -> str:
    """Return the URI of an object, or "" if it does not exist."""
    return uri if files.size(uri) is not None else ""


def try_at_once(_attempt: int) -> None:
    """Wait for nothing before an attempt, where nobody else asks."""


def report_to_nobody(_job: str, _error: Exception) -> None:
    """Report no error of a job, where nobody reads logs."""


@dataclass(frozen=True)
class Ports:
    """Everything outside the portal that it reads, writes and calls.

    `clock` returns seconds since the epoch. `invoke` calls a Lambda by its ARN with an event and
    returns its result. `resume` answers the task token of a waiting Step Functions execution and
    returns whether the token was still good. `back_off` waits a random time before an attempt, by
    the attempt's number, longer with each. `report` tells operators of a job that cannot be read,
    by its name and the error; the others go on.
    """

    table: Table
    files: Files
    clock: Callable[[], float]
    invoke: Callable[[str, dict[str, Any]], Any]
    resume: Callable[[str, dict[str, Any]], bool]
    region: str = "us-east-1"
    back_off: Callable[[int], None] = try_at_once
    report: Callable[[str, Exception], None] = report_to_nobody


def worker_id(ports: Ports, worker: str) -> str:
    """Return the worker's name in answers, as Ground Truth spells it for a private team."""
    return f"private.{ports.region}.{worker}"


def job_arn(ports: Ports, job: Job, function: str) -> str:
    """Return the job's ARN for an event of a Lambda, in the account of that function.

    >>> job = Job("pets-r1-000", *[""] * 6, workers=2, seconds=600, lifetime=60)
    >>> ports = Ports(*[None] * 5, region="eu-west-1")
    >>> job_arn(ports, job, "arn:aws:lambda:eu-west-1:123456789012:function:prepare")
    'arn:aws:sagemaker:eu-west-1:123456789012:labeling-job/pets-r1-000'
    """
    _, partition, _, _, account, *_ = function.split(":")
    return f"arn:{partition}:sagemaker:{ports.region}:{account}:labeling-job/{job.name}"
