"""Read a labeling job from the request that Ground Truth's CreateLabelingJob takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tessera.portal.errors import Invalid
from tessera.portal.records import MAX_LEASE, Job
from tessera.tiling.kinds.task_kinds import KINDS
from tessera.tiling.run.jobs import PORTAL_ROLE
from tessera.tiling.settings import TaskKind

DAY = 86_400.0

JOB_NAME = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
"""Ground Truth's pattern for LabelingJobName."""


def read_request(request: Mapping[str, Any]) -> Job:
    """Return the job that a CreateLabelingJob request describes.

    Raises `Invalid` with the name of the field that is missing or cannot be used. The limits are
    Ground Truth's own, so that a request that the portal takes can go to SageMaker too.
    """
    human = _field(request, "HumanTaskConfig")
    name = _field(request, "LabelingJobName")
    tags = {tag.get("Key"): tag.get("Value", "") for tag in request.get("Tags") or ()}
    consolidation = human.get("AnnotationConsolidationConfig") or {}
    workers = _field(human, "NumberOfHumanWorkersPerDataObject")
    seconds = _field(human, "TaskTimeLimitInSeconds")
    if not re.fullmatch(JOB_NAME, str(name)):
        raise Invalid(f"LabelingJobName: {name!r} is not 1 to 63 letters, digits and inner hyphens")
    if not isinstance(workers, int) or not 1 <= workers <= 9:
        raise Invalid(f"NumberOfHumanWorkersPerDataObject: {workers!r} is not 1 to 9")
    if not isinstance(seconds, int) or not 30 <= seconds <= MAX_LEASE:
        raise Invalid(f"TaskTimeLimitInSeconds: {seconds!r} is not 30 to {MAX_LEASE:.0f}")
    return Job(
        name=name,
        manifest=_field(request, "InputConfig", "DataSource", "S3DataSource", "ManifestS3Uri"),
        output=_field(request, "OutputConfig", "S3OutputPath").rstrip("/") + f"/{name}",
        page=_field(human, "UiConfig", "UiTemplateS3Uri"),
        attribute=_field(request, "LabelAttributeName"),
        title=_field(human, "TaskTitle"),
        question=_field(human, "TaskDescription"),
        workers=workers,
        seconds=float(seconds),
        # Ground Truth's default where the request says nothing
        lifetime=float(human.get("TaskAvailabilityLifetimeInSeconds") or 30 * DAY),
        prepare=human.get("PreHumanTaskLambdaArn") or "",
        collect=consolidation.get("AnnotationConsolidationLambdaArn") or "",
        categories=request.get("LabelCategoryConfigS3Uri") or "",
        team=tags.get("team", ""),
        project=tags.get("tessera:project", ""),
        stop_below=tags.get("tessera:stop-below", ""),
        qualify=_share(tags.get("tessera:qualify", "")),
        task=_task(tags.get("tessera:task", "tiles")),
        role="" if request.get("RoleArn") in (None, PORTAL_ROLE) else str(request["RoleArn"]),
    )


def _task(tag: str) -> TaskKind:
    """Return the kind of task that a tag names; raises `Invalid` if there is none of this name."""
    for kind in KINDS:
        if kind == tag:
            return kind
    raise Invalid(f"Tags: tessera:task is {tag!r}, which is none of {', '.join(KINDS)}")


def _share(tag: str) -> float:
    """Return the share in the value of a tag; 0.0 without one.

    Raises `Invalid` for any other: a share that cannot be read must not let everybody in.
    """
    try:
        share = float(tag or 0)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1 or (tag and not share):
        raise Invalid(f"Tags: tessera:qualify is {tag!r}, which is no share above 0, up to 1")
    return share


def _field(record: Mapping[str, Any], *path: str) -> Any:
    value: Any = record
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    if value in (None, ""):
        raise Invalid(f"the job request has no {'.'.join(path)}")
    return value
