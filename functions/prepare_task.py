"""prepare_task: the pre-annotation Lambda, a task of the manifest becomes what the page shows.

Ground Truth and the portal call it for every task while a worker waits, so it stays light: neither
boto3 nor the tracer is imported.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tessera.aws.telemetry import logger, observed


class Picture(msgspec.Struct, rename="kebab", omit_defaults=True):
    """One image as the page shows it; keys that the page does not know stay behind."""

    source_ref: str
    index: int
    prelabel: str | None = None
    prelabel_confidence: float | None = None
    # Any: sizes only help the page to shape its tiles, and are no reason to lose a task.
    width: Any = None
    height: Any = None


class TaskInput(msgspec.Struct):
    """What the page reads as `task.input`."""

    images: list[Picture]


def task_input(source: str | list[Any]) -> TaskInput:
    """Read a task's `source`: the list of its images, as text (Ground Truth's rule) or as it is.

    >>> task_input('[{"source-ref": "s3://pets/7.jpg", "index": 7}]').images[0].index
    7
    """
    if isinstance(source, str):
        return TaskInput(msgspec.json.decode(source, type=list[Picture]))
    return TaskInput(msgspec.convert(source, list[Picture]))


@observed
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer Ground Truth's pre-annotation request for one task."""
    thing = event["dataObject"]
    # A manifest of plain images, one a page, is Ground Truth's own form.
    lone = [{"source-ref": thing.get("source-ref"), "index": 0}]
    shown = task_input(thing.get("source", lone))
    logger.debug("task prepared", images=len(shown.images))
    return {"taskInput": msgspec.to_builtins(shown), "isHumanAnnotationRequired": True}
