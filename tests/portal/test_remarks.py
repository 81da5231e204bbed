"""Remarks: a requester sees at once what workers flagged, as their last correction has it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tessera.portal.records import Job
from tessera.portal.remarks import MAX_READ, count_flags
from tessera.portal.repair import repair
from tessera.portal.table_layout import Remarks, index_keys, put_remarks
from tests.portal.world import World, answer_of


def flagging(job: Job, task: int, flags: dict[str, str], label: str = "cat") -> dict[str, Any]:
    tiles = [{"id": image, "load": "ok", "flag": reason} for image, reason in flags.items()]
    return answer_of(job, task, label) | {"meta": json.dumps({"tiles": tiles})}


def seen(world: World, job: Job) -> list[tuple[str, str]]:
    """What the progress lists of flags."""
    status, content = world.ask("GET", f"/jobs/{job.name}", "rita", groups="[requesters]")
    assert status == 200
    return [(flag["image"], flag["reason"]) for flag in content["flagged"]["flags"]]


@pytest.fixture
def job(world: World) -> Job:
    """A job in which ann flagged two images of a task, one of them by its name on the page."""
    job = world.open(tasks=2, workers=2)
    task = world.take(job, "ann")
    body = flagging(job, task, {f"{task}-0": "wrong question", str(task + 2): "two things in it"})
    assert world.ask("PUT", f"/jobs/{job.name}/tasks/{task}/answer", "ann", body=body)[0] == 200
    return job


def answered(world: World, job: Job) -> int:
    ((task, _),) = world.stored(job)
    return task


def test_flags_are_seen_at_once_under_line_numbers(world: World, job: Job) -> None:
    task = answered(world, job)
    assert seen(world, job) == [(str(task), "wrong question"), (str(task + 2), "two things in it")]
    assert count_flags(world.ports, [job.name, "no-such-job"]) == (
        2,
        ["wrong question", "two things in it"],
    )


def test_a_correction_has_flags_of_its_own_and_is_one_even_if_only_they_differ(
    world: World, job: Job
) -> None:
    task = answered(world, job)
    path = f"/jobs/{job.name}/tasks/{task}"
    answer = world.ask("GET", f"{path}/answer", "ann")[1]
    assert answer["flags"] == {f"{task}-0": "wrong question", f"{task}-1": "two things in it"}
    body = flagging(job, task, {str(task): "blurred"})
    assert world.ask("PUT", f"{path}/correction", "ann", body=body)[0] == 200
    assert seen(world, job) == [(str(task), "blurred")]
    assert world.ask("GET", f"{path}/answer", "ann")[1]["flags"] == {f"{task}-0": "blurred"}
    body = flagging(job, task, {}, "dog")
    assert world.ask("PUT", f"{path}/correction", "ann", body=body)[0] == 200
    assert seen(world, job) == []


@pytest.mark.parametrize("corrected", [False, True])
def test_a_repair_finds_flags_again(world: World, job: Job, corrected: bool) -> None:
    task = answered(world, job)
    if corrected:
        body = flagging(job, task, {str(task): "blurred"})
        path = f"/jobs/{job.name}/tasks/{task}/correction"
        assert world.ask("PUT", path, "ann", body=body)[0] == 200
    before = seen(world, job)
    repair(world.ports, world.again(job))
    assert seen(world, job) == before


def test_an_answer_without_remarks_writes_nothing_about_any(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    world.answer(job, "ann", world.take(job, "ann"), "cat")
    assert not [
        key for key in index_keys(world.ports.table, job.name) if "flagged" in key.partition
    ]


def test_of_very_many_flags_the_progress_says_that_there_are_more(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    for number in range(MAX_READ):
        remarks = Remarks(0, f"w{number:03d}", {str(number): "blurred"}, "")
        world.ports.table.write(put_remarks(job.name, remarks))
    content = world.ask("GET", f"/jobs/{job.name}", "rita", groups="[requesters]")[1]
    assert content["flagged"]["more"]
    assert len(content["flagged"]["flags"]) < content["flagged"]["pictures"] == MAX_READ
