"""A job's life: opened, attached to, stopped, out of time, and its index lost and rebuilt."""

from __future__ import annotations

import json
import struct
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tessera.portal import job_lifecycle, leases, task_lines
from tessera.portal.errors import Closed, Invalid, Unknown
from tessera.portal.job_lifecycle import close_due_jobs
from tessera.portal.job_request import read_request as read_job
from tessera.portal.records import EXPIRED, FULL, OPEN, REPAIRING, STOPPED
from tessera.portal.repair import repair
from tessera.portal.store import Change
from tessera.portal.table_layout import item_of, job_key, read_counts, stats_key
from tests.fakes import Table
from tests.portal.world import World, answer_of


def test_a_job_is_read_from_the_request_that_ground_truth_takes(world: World) -> None:
    job = read_job(world.request(tasks=3, team="cats"))
    assert (job.name, job.workers, job.seconds, job.team) == ("pets-1-r1-000", 2, 1800, "cats")
    assert job.output == "s3://labels/runs/pets-1/round-1/jobs/pets-1-r1-000"
    assert job.offsets == "s3://labels/runs/pets-1/round-1/tasks-000.offsets"
    assert job.response(7, "ann").endswith("/worker-response/iteration-1/7/ann.json")


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (["LabelingJobName"], "a_b", "LabelingJobName"),
        (["LabelingJobName"], "", "no LabelingJobName"),
        (["InputConfig", "DataSource"], {}, "ManifestS3Uri"),
        (["HumanTaskConfig", "NumberOfHumanWorkersPerDataObject"], 10, "not 1 to 9"),
        (["HumanTaskConfig", "TaskTimeLimitInSeconds"], 5, "not 30 to 28800"),
        (["HumanTaskConfig", "UiConfig"], None, "UiConfig"),
    ],
)
def test_a_request_that_cannot_be_met_names_the_field(
    world: World, path: list[str], value: Any, sentence: str
) -> None:
    request: Any = world.request(tasks=1)
    place = request
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(Invalid, match=sentence):
        job_lifecycle.open_job(world.ports, request)


def test_opening_a_job_reads_no_task_when_the_offsets_are_there(world: World) -> None:
    request = world.request(tasks=500)
    task_lines.write_offsets(world.ports, read_job(request))
    world.files.requests.clear()
    assert job_lifecycle.open_job(world.ports, request).tasks == 500
    assert world.files.requests["GetObject"] == 1  # the label categories


@given(st.lists(st.binary().map(lambda line: line.replace(b"\n", b"")), max_size=20), st.booleans())
def test_offsets_are_the_line_starts_and_the_end(lines: list[bytes], ended: bool) -> None:
    text = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    pieces = [text[start : start + 5] for start in range(0, len(text), 5)]
    starts = list(task_lines.line_starts(iter(pieces)))
    found = [text[a:b].rstrip(b"\n") for a, b in pairwise(starts)]
    assert (
        found == [line.rstrip(b"\n") for line in text.splitlines(keepends=False)] or b"\r" in text
    )
    assert starts[-1] == len(text)


def test_missing_offsets_are_written_once(world: World) -> None:
    job = world.open(tasks=3)
    written = world.files.get(job.offsets)
    manifest = world.files.get(job.manifest)
    offsets = struct.unpack("<4Q", written)
    assert offsets[0] == 0
    assert offsets[-1] == len(manifest)
    assert json.loads(manifest[offsets[1] : offsets[2]])["source"].startswith("[")


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


def test_an_execution_that_was_not_told_is_told_by_the_next_who_looks(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    tell, world.resume = world.resume, lambda token, output: 1 / 0  # type: ignore[method-assign,assignment,return-value]  # a service that fails
    with pytest.raises(ZeroDivisionError):
        world.work(job, "ann")
    world.resume = tell  # type: ignore[method-assign]  # and is there again
    assert job_lifecycle.open_jobs(world.ports) == []
    assert [token for token, _ in world.resumed] == ["token"]


def test_stopping_an_unknown_job_says_so(world: World) -> None:
    with pytest.raises(Unknown, match="no such job"):
        job_lifecycle.stop(world.ports, "pets")


def index_of(world: World) -> dict[str, Any]:
    """What the index holds of answers: the tasks', the counters' and the workers' figures."""
    job = world.again(world.open(tasks=12))
    tasks = {sort: item["answers"] for sort, item in world.table.query(f"job#{job.name}#task")}
    return {
        "tasks": {sort: answers for sort, answers in tasks.items() if answers},
        "answered": read_counts(world.table, job).answered,
        "figures": {
            worker: item | {"seconds": round(item["seconds"], 6), "last": round(item["last"])}
            for worker, item in world.table.query(f"job#{job.name}#figures")
        },
    }


def half_done(world: World) -> Any:
    """A job with answers, seats and a skipped task."""
    job = world.open(tasks=12)
    for worker, label in (("ann", "cat"), ("ben", "dog"), ("cid", "cat")):
        for _ in range(4):
            world.clock.wait(7)
            world.answer(job, worker, world.take(job, worker), label)
    leases.give_back(world.ports, job, "ann", world.take(job, "ann"))
    world.take(job, "ben")
    return job


def test_a_repair_rebuilds_what_the_index_held(world: World) -> None:
    job = half_done(world)
    before = index_of(world)
    held = world.take(job, "ben")
    repaired = repair(world.ports, world.again(job))
    assert repaired.answers == 12
    assert index_of(world) == before
    assert world.answer(job, "ben", held) == "saved"  # his seat was kept
    for worker in ("dot", "eve"):
        world.work(job, worker)
    assert world.again(job).status == FULL


def test_a_repair_done_twice_comes_to_the_same(world: World) -> None:
    job = half_done(world)
    repair(world.ports, world.again(job))
    once = index_of(world)
    repair(world.ports, world.again(job))
    assert index_of(world) == once


def test_an_index_that_lost_everything_is_restored_from_s3_and_the_job_finished(
    world: World,
) -> None:
    job = half_done(world)
    before = index_of(world)
    world.table = Table()
    job_lifecycle.restore(world.ports, job.record)
    assert index_of(world) == before
    for worker in ("dot", "eve"):
        world.work(job, worker)
    assert world.again(job).status == FULL
    assert [token for token, _ in world.resumed] == ["token"]


def test_opening_a_job_that_the_index_lost_finds_its_answers(world: World) -> None:
    job = half_done(world)
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
    job = half_done(world)
    before = index_of(world)
    read, world.files.get = world.files.get, lambda uri: 1 / 0  # type: ignore[method-assign,assignment,misc]  # S3 fails
    with pytest.raises(ZeroDivisionError):
        repair(world.ports, world.again(job))
    world.files.get = read  # type: ignore[method-assign]  # and is there again
    assert world.ask("POST", f"/jobs/{job.name}/claims", "ann")[0] == 503
    repair(world.ports, world.again(job))
    assert index_of(world) == before
    assert world.again(job).status == OPEN


def test_a_look_for_jobs_that_are_due_leaves_one_under_repair_alone(world: World) -> None:
    job = half_done(world)
    world.table.write(
        Change("put", job_key(job.name), item_of(replace(world.again(job), status=REPAIRING)))
    )
    assert [found.status for found in close_due_jobs(world.ports)] == [REPAIRING]
    assert world.resumed == []


def test_a_job_whose_time_is_up_is_found_by_a_look_for_jobs_that_are_due(world: World) -> None:
    job = world.open(tasks=2)
    assert close_due_jobs(world.ports) == []
    world.clock.wait(job.lifetime + 1)
    assert [found.status for found in close_due_jobs(world.ports)] == [EXPIRED]
    assert world.resumed
