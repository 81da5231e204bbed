"""The index, rebuilt from the answers in S3."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tessera.portal import job_lifecycle
from tessera.portal.records import FULL, OPEN
from tessera.portal.repair import repair
from tessera.portal.table_layout import partition, read_counts, stats_key
from tests.fakes import Table
from tests.portal.world import World, answer_of


def index_of(world: World) -> dict[str, Any]:
    """What the index holds of answers: the tasks', the counters' and the workers' figures."""
    job = world.again(world.open(tasks=12))
    tasks = {sort: item["answers"] for sort, item in world.table.query(partition(job.name, "task"))}
    return {
        "tasks": {sort: answers for sort, answers in tasks.items() if answers},
        "answered": read_counts(world.table, job).answered,
        "figures": {
            worker: item | {"seconds": round(item["seconds"], 6), "last": round(item["last"])}
            for worker, item in world.table.query(partition(job.name, "figures"))
        },
    }


def test_a_repair_rebuilds_what_the_index_held(world: World) -> None:
    job = world.half_done()
    before = index_of(world)
    held = world.take(job, "ben")
    repaired = repair(world.ports, world.again(job))
    assert repaired.answers == 12
    assert index_of(world) == before
    assert world.answer(job, "ben", held) == "saved"  # the seat was kept
    for worker in ("dot", "eve"):
        world.work(job, worker)
    assert world.again(job).status == FULL


def test_a_repair_done_twice_comes_to_the_same(world: World) -> None:
    job = world.half_done()
    repair(world.ports, world.again(job))
    once = index_of(world)
    repair(world.ports, world.again(job))
    assert index_of(world) == once


def test_an_index_that_lost_everything_is_restored_from_s3_and_the_job_finished(
    world: World,
) -> None:
    job = world.half_done()
    before = index_of(world)
    world.table = Table()
    job_lifecycle.restore(world.ports, job.record)
    assert index_of(world) == before
    for worker in ("dot", "eve"):
        world.work(job, worker)
    assert world.again(job).status == FULL
    assert [token for token, _ in world.resumed] == ["token"]


def test_opening_a_job_that_the_index_lost_finds_its_answers(world: World) -> None:
    job = world.half_done()
    world.table = Table()
    world.open(tasks=12)
    assert read_counts(world.table, job).answered == 12


def test_a_repair_finds_an_answer_that_was_stored_and_never_counted(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    task = world.take(job, "ann")
    response = {
        "answers": [
            {"answerContent": answer_of(job, task), "submissionTime": "2026-11-23T00:00:00Z"}
        ]
    }
    world.files.put(job.response(task, "ann"), json.dumps(response).encode())
    job_lifecycle.restore(world.ports, job.record)
    assert world.again(job).status == FULL
    assert world.table.get(stats_key(job.name, "ann"))[0]["answers"] == 1


def test_a_repair_that_broke_off_is_taken_up_again(world: World) -> None:
    job = world.half_done()
    before = index_of(world)
    read, world.files.get = world.files.get, lambda uri: 1 / 0  # type: ignore[method-assign,assignment,misc]  # S3 fails
    with pytest.raises(ZeroDivisionError):
        repair(world.ports, world.again(job))
    world.files.get = read  # type: ignore[method-assign]  # and is there again
    assert world.ask("POST", f"/jobs/{job.name}/claims", "ann")[0] == 503
    repair(world.ports, world.again(job))
    assert index_of(world) == before
    assert world.again(job).status == OPEN
