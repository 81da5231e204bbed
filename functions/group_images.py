"""GroupImages: a manifest becomes tasks, and the request that opens their jobs."""

import os
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from tessera.aws.connection import Connection, connect
from tessera.aws.telemetry import logger, metrics, observed, publish
from tessera.aws.tracing import traced
from tessera.tiling.ask_round import Stack, ask_round
from tessera.tiling.run.inbox import answer_object
from tessera.tiling.run.jobs import Surroundings


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
        surroundings=Surroundings(
            prepare_task=os.environ.get("PREPARE_TASK_ARN", ""),
            collect_answers=os.environ.get("COLLECT_ANSWERS_ARN", ""),
            labeling_role=os.environ.get("LABELING_ROLE_ARN", ""),
            annotation_role=os.environ.get("ANNOTATION_ROLE_ARN", ""),
            kms_key=os.environ.get("KMS_KEY_ID", ""),
            public_price=os.environ.get("PUBLIC_PRICE", ""),
        ),
        image_objects=os.environ.get("IMAGE_OBJECTS"),
        page_hosts=os.environ.get("PAGE_HOSTS", ""),
        aws_crowd=os.environ.get("CROWD_ELEMENTS", "") == "aws",
        consolidation_megabytes=int(os.environ.get("CONSOLIDATION_MEMORY", "3008")),
    )


@observed
@traced
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return what the state machine goes on with: jobs to open, or why there are none."""
    if "detail" in event:  # of an object that starts no run
        return answer_object(stack().files, stack().runs, event)
    decision = ask_round(stack(), event)
    for name, count in decision.metrics.items():
        metrics.add_metric(name, "Count", count)
    if decision.measures:
        publish(decision.measures, decision.project)
    log = logger.info if decision.result["outcome"] != "refused" else logger.warning
    log("round decided", counts=decision.counts, **decision.facts)
    return decision.result
