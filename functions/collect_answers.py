"""Post-annotation Lambda: pack the workers' answers for the output manifest; judge nothing.

It is called while the job runs and sees a part of the crowd, so consolidation comes later.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from tessera.aws.telemetry import logger, observed
from tessera.tiling.answers.pack import collect

if TYPE_CHECKING:
    from tessera.aws.connection import Connection


@cache
def connection() -> Connection:
    """Connect at the first event that has something in S3, and keep the connection."""
    from tessera.aws.connection import connect  # late: a payload in the event needs no S3

    return connect()


def _fetch(uri: str) -> bytes:
    return connection().storage.get_or_raise(uri, LookupError(f"{uri} is gone"))


@observed
def handler(event: dict[str, Any], context: Any) -> list[dict[str, Any]]:
    """Return the answers to each task of the payload, for the job's output manifest."""
    packed, odd = collect(event, _fetch)
    for entry in odd:
        logger.error("answer kept out", extra=msgspec.to_builtins(entry))
    logger.info("answers collected", extra={"tasks": len(packed), "kept_out": len(odd)})
    return packed
