"""Show the practice page of a job: known pictures, told right or wrong at once, never stored."""

from __future__ import annotations

from typing import Any, NamedTuple

from tessera.portal.errors import Unknown
from tessera.portal.ports import Ports
from tessera.portal.records import Job
from tessera.tiling.onboarding.practice import decode_practice


class Practice(NamedTuple):
    """Practice page: its `task.input`, and the label of each picture by its name there."""

    task_input: dict[str, Any]
    labels: dict[str, str]


def practice_id(job: Job) -> str:
    """Return what tells a browser that a worker has practiced: the same in all jobs of a run.

    >>> job = Job("pets-1-r2-000", "", "", "s3://labels/runs/pets-1/page.liquid.html", *[""] * 3,
    ...     workers=2, seconds=600, lifetime=60, practice="s3://labels/…")
    >>> practice_id(job)
    'pets-1'
    """
    return job.page.split("/")[-2] if job.practice else ""


def practice_of(ports: Ports, job: Job) -> Practice:
    """Return the job's practice page; raises `Unknown` if it has none."""
    if not job.practice:
        raise Unknown("This job has no practice page.")
    pictures = decode_practice(ports.files.get(job.practice))
    images = [
        {"source-ref": picture["source-ref"], "index": f"practice-{at}"}
        for at, picture in enumerate(pictures)
    ]
    labels = {f"practice-{at}": picture["label"] for at, picture in enumerate(pictures)}
    return Practice({"images": images}, labels)
