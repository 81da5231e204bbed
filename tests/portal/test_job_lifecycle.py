"""A job's life: opened, attached to, stopped, out of time, and its index lost and rebuilt."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from msgspec.structs import replace

from tessera.portal import job_lifecycle, task_lines
from tessera.portal.errors import Closed, Invalid, Unknown
from tessera.portal.job_lifecycle import REPAIR_TIMEOUT, close_due_jobs
from tessera.portal.job_request import read_request
from tessera.portal.ports import Ports
from tessera.portal.records import EXPIRED, FULL, OPEN, REPAIRING, STOPPED
from tessera.portal.repair import _pause, repair
from tessera.portal.store import Change
from tessera.portal.submissions import submit
from tessera.portal.table_layout import job_key, put_job, read_counts, stripe_key
from tests.portal.world import World, answer_of


def test_opening_a_job_reads_no_task_when_the_offsets_are_there(world: World) -> None:
    request = world.request(tasks=500)
    task_lines.write_offsets(world.ports, read_request(request))
    world.files.requests.clear()
    assert job_lifecycle.open_job(world.ports, request).tasks == 500
    assert world.files.requests["GetObject"] == 1  # the label categories


def test_opening_the_same_job_again_attaches_with_all_answers_and_tells_both(world: World) -> None:
    job = world.open(tasks=2, workers=1, token="one")
    world.answer(job, "ann", world.take(job, "ann"))
    again = world.open(tasks=2, workers=1, token="two")
    assert again.tasks == 2
    world.answer(job, "ann", world.take(job, "ann"))
    assert [token for token, _ in world.resumed] == ["one", "two"]
    assert len(world.stored(job)) == 2


def test_opening_a_full_job_again_tells_at_once(world: World) -> None:
    job = world.open(tasks=1, workers=1, token="one")
    world.work(job, "ann")
    assert world.open(tasks=1, workers=1, token="two").status == FULL
    assert [token for token, _ in world.resumed] == ["one", "two"]


def test_a_stopped_job_opened_again_goes_on_where_it_was(world: World) -> None:
    job = world.open(tasks=2, workers=1, token="one")
    world.answer(job, "ann", world.take(job, "ann"))
    assert job_lifecycle.stop(world.ports, job.name).status == STOPPED
    assert world.resumed[-1][1]["LabelingJobStatus"] == "Stopped"
    with pytest.raises(Closed):
        world.claim(job, "ann")
    world.clock.wait(job.lifetime + 1)
    assert world.open(tasks=2, workers=1, token="two").status == OPEN
    world.work(job, "ann")
    assert [token for token, _ in world.resumed] == ["one", "two"]
    assert len(world.stored(job)) == 2


def test_the_name_of_a_job_cannot_serve_another_manifest(world: World) -> None:
    job = world.open(tasks=2)
    request = world.request(tasks=2)
    other = "s3://labels/runs/other/round-1/tasks-000.manifest"
    request["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"] = other
    with pytest.raises(Invalid, match=f"{job.name} is already the name"):
        job_lifecycle.open_job(world.ports, request)


def test_a_job_with_no_tasks_is_full_at_once(world: World) -> None:
    assert world.open(tasks=0).status == FULL
    assert world.resumed


def test_a_job_whose_time_is_up_takes_no_claims_and_is_told(world: World) -> None:
    job = world.open(tasks=2)
    world.clock.wait(job.lifetime + 1)
    with pytest.raises(Closed):
        world.claim(job, "ann")
    assert job_lifecycle.open_jobs(world.ports) == []
    assert world.again(job).status == EXPIRED
    assert world.resumed == [
        ("token", {"LabelingJobName": job.name, "LabelingJobStatus": "Stopped"})
    ]


def test_an_execution_that_was_not_resumed_is_by_the_next_who_looks(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    task = world.take(job, "ann")
    with pytest.raises(DiedBeforeResuming):
        submit(dying(world), job, "ann", task, answer_of(job, task))
    assert job_lifecycle.open_jobs(world.ports) == []
    assert tokens(world) == ["token"]


def test_stopping_an_unknown_job_says_so(world: World) -> None:
    with pytest.raises(Unknown, match="no such job"):
        job_lifecycle.stop(world.ports, "pets")


# ── Jobs that are due ────────────────────────────────────────────────────────────────────────────


class DiedBeforeResuming(BaseException):  # which no code of the portal can catch and outlive
    """Process that ends between closing the job and answering the token."""


def dying(world: World) -> Ports:
    """Ports of a process that ends there."""

    def die(token: str, output: dict[str, Any]) -> bool:
        raise DiedBeforeResuming

    return dataclasses.replace(world.ports, resume=die)


def due(world: World) -> list[tuple[str, str]]:
    """Names and statuses of the jobs that were due."""
    return [(job.name, job.status) for job in close_due_jobs(world.ports)]


def tokens(world: World) -> list[str]:
    return [token for token, _ in world.resumed]


def test_nothing_is_due_while_a_job_is_open(world: World) -> None:
    world.open(tasks=2)
    assert due(world) == []
    assert world.resumed == []


def test_a_job_whose_time_is_up_is_closed_though_nobody_comes_by(world: World) -> None:
    job = world.open(tasks=2)
    world.clock.wait(job.lifetime + 1)
    assert due(world) == [(job.name, EXPIRED)]
    assert world.resumed == [
        ("token", {"LabelingJobName": job.name, "LabelingJobStatus": "Stopped"})
    ]


def test_an_execution_is_resumed_once(world: World) -> None:
    job = world.open(tasks=2)
    world.clock.wait(job.lifetime + 1)
    assert (due(world), due(world)) == ([(job.name, EXPIRED)], [])
    assert tokens(world) == ["token"]


def test_a_wake_up_that_got_lost_with_its_process_is_made_up_for(world: World) -> None:
    job = world.open(tasks=2)
    world.clock.wait(job.lifetime + 1)
    with pytest.raises(DiedBeforeResuming):
        close_due_jobs(dying(world))
    assert world.again(job).status == EXPIRED
    assert due(world) == [(job.name, EXPIRED)]
    assert tokens(world) == ["token"]


def test_a_full_job_that_nobody_closed_is_closed_when_it_is_due(world: World) -> None:
    """The last answer was counted, and then the portal's process ended."""
    job = world.open(tasks=1, workers=1)
    task = world.take(job, "ann")
    with pytest.raises(DiedBeforeResuming):
        submit(dying(world), job, "ann", task, answer_of(job, task))
    assert due(world) == [(job.name, FULL)]
    assert world.resumed[-1][1]["LabelingJobStatus"] == "Completed"


def test_a_job_under_repair_is_left_alone_until_the_repair_must_have_broken_off(
    world: World,
) -> None:
    job = world.half_done()
    before = world.again(job)
    paused = replace(before, status=REPAIRING, repairing=world.clock())
    world.table.write(put_job(paused, before))
    assert due(world) == []
    assert world.again(job).status == REPAIRING
    world.clock.wait(REPAIR_TIMEOUT + 1)
    assert due(world) == []
    assert world.again(job).status == OPEN
    assert read_counts(world.table, job).answered == len(world.stored(job))
    assert world.resumed == []


def test_a_stopped_job_is_stopped_after_its_repair_too_even_one_that_was_broken_off(
    world: World,
) -> None:
    job = world.half_done()
    stopped = job_lifecycle.stop(world.ports, job.name)
    paused = _pause(world.ports, stopped)
    repair(world.ports, paused)
    assert world.again(job).status == STOPPED
    assert [name for name, _ in world.table.query("open")] == []


def test_a_job_whose_item_cannot_be_read_keeps_no_other_job_from_the_list(world: World) -> None:
    job = world.open(tasks=2)
    other = world.open(tasks=2, name="dogs-1-r1-000")
    world.table.write(Change("put", stripe_key(other, 0), {"answered": 1}))
    world.table.write(Change("delete", job_key(other.name)))
    assert [open_job.name for open_job in job_lifecycle.open_jobs(world.ports)] == [job.name]
