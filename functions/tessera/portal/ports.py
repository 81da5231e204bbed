"""Ports of the portal: table, files, clock and calls, as the portal needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from tessera.portal.records import Job
from tessera.portal.store import Table


class Writer(Protocol):
    """File being written piece by piece."""

    def write(self, data: bytes) -> object:
        """Add bytes to the end."""


class Files(Protocol):
    """S3 as the portal uses it; `tessera.aws.storage.Storage` is one."""

    def get(self, uri: str) -> bytes:
        """Return the whole object."""

    def get_range(self, uri: str, start: int, end: int) -> bytes:
        """Return the bytes from `start` up to, not including, `end`."""

    def iter_chunks(self, uri: str) -> Iterator[bytes]:
        """Iterate over the object's bytes, a bounded piece at a time."""

    def iter_lines(self, uri: str) -> Iterator[bytes]:
        """Iterate over the object's lines without their line ends."""

    def size(self, uri: str) -> int | None:
        """Return the object's size in bytes, or None if it does not exist."""

    def put(self, uri: str, data: bytes) -> None:
        """Put one object, replacing what was there."""

    def put_if_absent(self, uri: str, data: bytes) -> bool:
        """Put one object unless it exists already; return whether it was put."""

    def writer(self, uri: str) -> AbstractContextManager[Writer]:
        """Open a `with` block that writes one object of any size, piece by piece."""

    def list_uris(self, prefix: str) -> Iterator[str]:
        """Iterate over the URIs of the objects under a prefix, in key order."""

    def presign(self, uri: str, seconds: int) -> str:
        """Return an HTTPS address from which anyone can get the object for so many seconds."""


@dataclass(frozen=True)
class Ports:
    """Everything that varies: tests give a dictionary, a fake clock and plain functions."""

    table: Table
    files: Files
    clock: Callable[[], float]
    invoke: Callable[[str, dict[str, Any]], Any]
    resume: Callable[[str, dict[str, Any]], bool]
    region: str = "us-east-1"


def worker_id(ports: Ports, worker: str) -> str:
    """The worker's name in answers, as Ground Truth spells it for a private team."""
    return f"private.{ports.region}.{worker}"


def job_arn(ports: Ports, job: Job, function: str) -> str:
    """The job's ARN as the two Lambdas are told it, in the account of the function that is asked.

    >>> job = Job("pets-r1-000", *[""] * 6, workers=2, seconds=600, lifetime=60)
    >>> ports = Ports(*[None] * 5, region="eu-west-1")
    >>> job_arn(ports, job, "arn:aws:lambda:eu-west-1:123456789012:function:prepare")
    'arn:aws:sagemaker:eu-west-1:123456789012:labeling-job/pets-r1-000'
    """
    account = function.split(":")[4]
    return f"arn:aws:sagemaker:{ports.region}:{account}:labeling-job/{job.name}"
