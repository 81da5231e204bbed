"""A job that is over but whose execution was not told is told by the look every few minutes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tessera.portal.job_lifecycle import close_due_jobs
from tessera.portal.records import OPEN
from tessera.portal.submissions import submit
from tessera.portal.table_layout import job_key
from tests.portal.world import World, answer_of


class DiesBeforeTelling(Exception):
    """The process ends between closing the job and answering the token."""


def dying(token: str, output: dict[str, Any]) -> bool:
    raise DiesBeforeTelling


def names(world: World) -> list[str]:
    return [job.name for job in close_due_jobs(world.ports)]


def tokens(world: World) -> list[str]:
    return [token for token, _ in world.resumed]


def test_nothing_is_due_while_a_job_is_open() -> None:
    world = World()
    world.open(tasks=2)
    assert names(world) == []
    assert world.resumed == []


def test_a_job_whose_time_is_over_is_closed_and_told_though_nobody_comes_by() -> None:
    world = World()
    job = world.open(tasks=2)
    world.clock.wait(job.lifetime + 1)
    assert names(world) == [job.name]
    assert world.resumed == [
        ("token", {"LabelingJobName": job.name, "LabelingJobStatus": "Stopped"})
    ]


def test_an_execution_is_told_once() -> None:
    world = World()
    job = world.open(tasks=2)
    world.clock.wait(job.lifetime + 1)
    assert (names(world), names(world)) == ([job.name], [])
    assert tokens(world) == ["token"]


def test_a_wake_up_that_got_lost_with_its_process_is_made_up_for() -> None:
    world = World()
    job = world.open(tasks=2)
    world.clock.wait(job.lifetime + 1)
    with pytest.raises(DiesBeforeTelling):
        close_due_jobs(replace(world.ports, resume=dying))
    assert world.table.get(job_key(job.name))[0]["status"] != OPEN
    assert names(world) == [job.name]
    assert tokens(world) == ["token"]


def test_a_full_job_that_nobody_closed_is_closed_and_told() -> None:
    """The last answer was counted, and then the portal's process ended."""
    world = World()
    job = world.open(tasks=1, workers=1)
    task = world.take(job, "ann")
    with pytest.raises(DiesBeforeTelling):
        submit(replace(world.ports, resume=dying), job, "ann", task, answer_of(job, task, "cat"))
    assert names(world) == [job.name]
    assert world.resumed[-1][1]["LabelingJobStatus"] == "Completed"
