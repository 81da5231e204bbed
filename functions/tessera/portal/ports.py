"""Ports of the portal: table, files, clock and calls, as the portal needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from tessera.portal.records import Job
from tessera.portal.store import Table


class Writer(Protocol):
    """A file being written piece by piece."""

    def write(self, data: bytes) -> object:
        """Add bytes to the end."""


class Files(Protocol):
    """S3 as the portal uses it; `aws.storage` is one."""

    def read(self, uri: str) -> bytes:
        """The whole object."""

    def read_range(self, uri: str, start: int, end: int) -> bytes:
        """The bytes from `start` up to, not including, `end`."""

    def chunks(self, uri: str) -> Iterator[bytes]:
        """The object's bytes, a bounded piece at a time."""

    def lines(self, uri: str) -> Iterator[bytes]:
        """The object's lines without their line ends."""

    def size(self, uri: str) -> int | None:
        """The object's bytes, counted; nothing if it is not there."""

    def write(self, uri: str, data: bytes) -> None:
        """Put one object."""

    def create(self, uri: str, data: bytes) -> bool:
        """Put one object unless it is there already; false when it is."""

    def writer(self, uri: str) -> AbstractContextManager[Writer]:
        """A `with` block's writer of one object of any size."""

    def uris(self, prefix: str) -> Iterator[str]:
        """The URIs of the objects under a prefix, in key order."""

    def signed_url(self, uri: str, seconds: int) -> str:
        """An HTTPS address from which anyone can read the object for so many seconds."""


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
