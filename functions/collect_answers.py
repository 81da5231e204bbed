"""Post-annotation Lambda: packs the workers' answers for the output manifest; judges nothing.

It is called while the job runs and sees a part of the crowd, so consolidation comes later.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tessera.aws.telemetry import logger, observed
from tessera.tiling.answers.pack import pack


def _fetch(uri: str) -> bytes:
    from tessera.aws import storage  # late: a payload that is in the event needs no S3

    return storage.read(uri)


@observed
def handler(event: dict[str, Any], context: Any) -> list[dict[str, Any]]:
    """The answers of each task of the payload, for the job's output manifest."""
    payload = (
        msgspec.json.decode(_fetch(event["payload"]["s3Uri"]))
        if "payload" in event
        else event.get("test_payload", [])
    )
    packed, odd = pack(payload, event["labelAttributeName"], _fetch)
    for entry in odd:
        logger.error("answer kept out", extra=msgspec.to_builtins(entry))
    logger.info("answers collected", extra={"tasks": len(packed), "kept_out": len(odd)})
    return packed
