"""GroupImages: a manifest becomes tasks of many images each, and the request that opens their jobs.

What is decided and written, before any worker or fee is involved, is in `tessera.tiling.ask_round`.
"""

import os
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit

from tessera.aws.connection import Connection, connect
from tessera.aws.telemetry import logger, metrics, observed
from tessera.aws.tracing import traced
from tessera.tiling.ask_round import Stack, ask_round
from tessera.tiling.jobs import Surroundings

OUTCOMES = {
    "ask": "RoundsAsked",
    "nothing-to-ask": "RoundsWithNothingToAsk",
    "already-running": "RunsAlreadyRunning",
    "refused": "ManifestsRefused",
}
"""The metric that counts each outcome."""


@cache
def connection() -> Connection:
    """Connect at the first event and keep the connection: importing the module makes no client."""
    return connect()


def stack() -> Stack:
    """Return what a round takes from the stack, as the function's environment names it."""
    return Stack(
        files=connection().storage,
        status=connection().workflow.status,
        scratch=lambda: TemporaryFile(buffering=0),  # it writes blocks, which need no buffer
        runs=f"s3://{os.environ['LABELS_BUCKET']}/runs/",
        default_settings=os.environ.get("DEFAULT_SETTINGS", ""),
        template=Path(os.environ.get("UI_DIRECTORY", "/opt"), "tiles.liquid.html"),
        surroundings=Surroundings.of(os.environ),
    )


@observed
@traced
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return what the state machine goes on with: jobs to open, or why there are none."""
    result, counts = ask_round(stack(), event)
    metrics.add_metric(OUTCOMES[result["outcome"]], MetricUnit.Count, 1)
    for name, count in counts.items():
        metrics.add_metric(f"{name.capitalize()}InManifest", MetricUnit.Count, count)
    log = logger.warning if result["outcome"] == "refused" else logger.info
    # without the request, which is long and in the execution's history
    facts = {key: value for key, value in result.items() if not isinstance(value, dict)}
    log("round decided", counts=counts, **facts)
    return result
