"""Pre-annotation Lambda: turn a task of the manifest into what the page shows.

Ground Truth calls it for every task while a worker waits, so it stays light: neither boto3 nor the
tracer is imported. The portal does the same in its own process.
"""

from __future__ import annotations

from typing import Any

from tessera.aws.telemetry import logger, observed
from tessera.tiling.page.page_input import prepare_task


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer Ground Truth's pre-annotation request for one task."""
    answer = prepare_task(event)
    logger.debug("task prepared", images=len(answer["taskInput"]["images"]))
    return answer
