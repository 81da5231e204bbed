"""Claims: who gets which task, and for how long."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.portal import claims, job_lifecycle, leases, task_lines
from tessera.portal.errors import Closed, Unknown
from tessera.portal.records import FULL, LEASE_GRACE
from tessera.portal.table_layout import STRIPES
from tests.portal.world import World, answer_of


def test_two_workers_answer_every_task_and_the_execution_goes_on(world: World) -> None:
    job = world.open(tasks=40, workers=2)
    for worker in ("ann", "ben"):
        done = world.work(job, worker)
        assert sorted(done) == list(range(40))
    assert world.again(job).status == FULL
    assert world.resumed == [
        ("token", {"LabelingJobName": job.name, "LabelingJobStatus": "Completed"})
    ]
    assert Counter(task for task, _ in world.stored(job)) == dict.fromkeys(range(40), 2)


def test_asking_again_gives_the_same_task(world: World) -> None:
    job = world.open(tasks=10)
    first = world.claim(job, "ann")
    world.clock.wait(600)
    assert world.claim(job, "ann") == first


def test_a_page_in_front_of_the_worker_leaves_one_more_to_fetch_ahead_and_no_third(
    world: World,
) -> None:
    job = world.open(tasks=10)
    first = world.take(job, "ann")
    second = world.take(job, "ann", first)
    assert second != first
    assert world.claim(job, "ann", first, second) is None
    assert world.claim(job, "ann", second) == first


def test_tasks_that_others_have_started_are_finished_first(world: World) -> None:
    job = world.open(tasks=100, workers=3)
    begun = {world.take(job, "ann") for _ in range(1)}
    assert {world.take(job, "ben")} == begun
    assert {world.take(job, "cid")} == begun
    assert world.take(job, "dot") not in begun  # three seats, all taken


def test_no_worker_gets_a_task_again_that_he_answered(world: World) -> None:
    job = world.open(tasks=30, workers=3)
    done = world.work(job, "ann")
    assert sorted(done) == list(range(30))
    assert world.claim(job, "ann") is None


def test_a_skipped_task_goes_to_others_first_and_comes_back_when_nothing_else_is_left(
    world: World,
) -> None:
    job = world.open(tasks=3, workers=1)
    skipped = world.take(job, "ann")
    leases.give_back(world.ports, job, "ann", skipped)
    others = [world.take(job, "ann")]
    world.answer(job, "ann", others[0])
    others.append(world.take(job, "ann"))
    assert skipped not in others
    world.answer(job, "ann", others[1])
    assert world.take(job, "ann") == skipped


def test_a_skipped_task_that_another_has_taken_does_not_come_back(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    leases.give_back(world.ports, job, "ann", world.take(job, "ann"))
    assert world.take(job, "ben") == 0
    assert world.claim(job, "ann") is None
    leases.give_back(world.ports, job, "ben", 0)
    assert world.take(job, "ann") == 0


def test_giving_back_twice_or_what_one_never_had_changes_nothing(world: World) -> None:
    job = world.open(tasks=2, workers=1)
    task = world.take(job, "ann")
    for worker in ("ben", "ann", "ann"):
        leases.give_back(world.ports, job, worker, task)
    assert world.take(job, "ben") in {0, 1}
    assert world.take(job, "cid") in {0, 1}
    assert world.claim(job, "dot") is None


def test_a_lease_that_is_over_lets_the_task_go_to_somebody_else(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    assert world.take(job, "ann") == 0
    assert world.claim(job, "ben") is None
    world.clock.wait(job.seconds + LEASE_GRACE + 1)
    assert world.take(job, "ben") == 0


def test_a_lease_is_not_given_away_within_the_grace(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    world.take(job, "ann")
    world.clock.wait(job.seconds + LEASE_GRACE - 1)
    assert world.claim(job, "ben") is None


def test_a_renewed_lease_lasts_its_full_time_again(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    world.take(job, "ann")
    for _ in range(4):
        world.clock.wait(job.seconds - 10)
        lease = leases.renew(world.ports, job, "ann", 0)
        assert lease.until == world.clock.now + job.seconds
    assert world.claim(job, "ben") is None


def test_a_lease_is_renewed_for_eight_hours_and_no_longer(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    began = world.clock.now
    world.take(job, "ann")
    while world.clock.now < began + 8 * 3600 - job.seconds:
        world.clock.wait(job.seconds / 2)
        leases.renew(world.ports, job, "ann", 0)
    assert leases.renew(world.ports, job, "ann", 0).until == began + 8 * 3600


def test_a_lease_that_went_to_another_cannot_be_renewed(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    world.take(job, "ann")
    world.clock.wait(job.seconds + LEASE_GRACE + 1)
    world.take(job, "ben")
    with pytest.raises(Unknown, match="somebody else"):
        leases.renew(world.ports, job, "ann", 0)


def test_a_worker_who_was_away_too_long_may_get_his_task_again_if_no_one_wanted_it(
    world: World,
) -> None:
    job = world.open(tasks=1, workers=1)
    world.take(job, "ann")
    world.clock.wait(job.seconds + LEASE_GRACE + 1)
    assert world.take(job, "ann") == 0


def test_an_answer_the_index_never_heard_of_is_taken_in_when_its_lease_is_swept(
    world: World,
) -> None:
    job = world.open(tasks=1, workers=1)
    world.take(job, "ann")
    response = b'{"answers":[{"answerContent":{"0":{"cat":true}},"timeSpentInSeconds":1}]}'
    world.files.put_if_absent(job.response(0, "ann"), response)  # and then the function died
    world.clock.wait(job.seconds + LEASE_GRACE + 1)
    assert world.claim(job, "ben") is None
    assert world.again(job).status == FULL


def test_many_workers_at_once_never_get_more_seats_than_there_are(world: World) -> None:
    job = world.open(tasks=60, workers=2)
    with ThreadPoolExecutor(24) as threads:
        given = list(threads.map(lambda n: (n, world.claim(job, f"worker-{n}")), range(48)))
    seats = Counter(task for _, task in given)
    assert None not in seats
    assert max(seats.values()) <= 2
    assert sum(seats.values()) == 48


def test_two_tabs_of_one_worker_that_ask_at_once_get_the_same_task(world: World) -> None:
    job = world.open(tasks=60)
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(lambda _: world.claim(job, "ann"), range(8)))) == 1


def test_a_task_that_is_kept_from_people_counts_as_done(world: World) -> None:
    world.kept_from_people = {0, 2}
    job = world.open(tasks=3, workers=2)
    for worker in ("ann", "ben"):
        while (page := world.ask("POST", f"/jobs/{job.name}/claims", worker))[0] == 200:
            assert page[1]["task"] == "1"
            world.answer(job, worker, 1)
            if world.again(job).status == FULL:
                break
    assert world.again(job).status == FULL
    assert {task for task, _ in world.stored(job)} == {1}


def test_a_full_job_gives_no_more_tasks(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    world.work(job, "ann")
    with pytest.raises(Closed):
        world.claim(job, "ben")


@pytest.mark.parametrize("workers", [1, 3, 9])
@pytest.mark.parametrize("tasks", [1, 15, 16, 17, 50])
def test_every_task_is_dealt_whatever_the_size(world: World, tasks: int, workers: int) -> None:
    job = world.open(tasks=tasks, workers=workers)
    for worker in range(workers):
        assert sorted(world.work(job, f"worker-{worker}")) == list(range(tasks))
    assert world.again(job).status == FULL


def test_claims_and_answers_read_a_block_of_the_manifest_once_however_long_it_is() -> None:
    gets = []
    for tasks in (20, 5000):
        fresh = World()
        job = fresh.open(tasks=tasks, workers=2)
        fresh.ask("POST", f"/jobs/{job.name}/claims", "ann")
        fresh.files.requests.clear()  # page, offsets and first block are read by now
        for worker in ("ann", "ben"):
            for _ in range(10):
                task = fresh.ask("POST", f"/jobs/{job.name}/claims", worker)[1]["task"]
                path = f"/jobs/{job.name}/tasks/{task}/answer"
                assert fresh.ask("PUT", path, worker, answer_of(job, int(task)))[0] == 200
        gets.append(fresh.files.requests["GetObject"])
    assert gets == [0, 0]


@given(st.binary(min_size=1, max_size=60), st.data())
def test_a_part_of_a_file_is_the_same_out_of_blocks_of_any_length(
    content: bytes, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(content) - 1))
    end = data.draw(st.integers(start + 1, len(content)))
    world = World()
    world.files.put("s3://labels/file", content)
    with patch.object(task_lines, "BLOCK_BYTES", data.draw(st.integers(1, 70))):
        assert (
            task_lines.read_part(world.files.get_range, "s3://labels/file", start, end)
            == (content[start:end])
        )


@pytest.mark.parametrize("workers", [1, 5, 40])
def test_fresh_tasks_are_dealt_close_together_so_that_one_block_serves_many(
    world: World, workers: int
) -> None:
    job = world.open(tasks=5000, workers=1)
    for turn in range(400):
        worker = f"worker-{turn**2 % workers}"  # some work more than others
        world.answer(job, worker, world.take(job, worker))
    assert max(task for task, _ in world.stored(job)) < 400 + claims.MAX_LEAD * STRIPES


def test_a_later_round_never_asks_a_worker_who_answered_one_of_the_images(world: World) -> None:
    request = world.request(tasks=3, workers=1)
    manifest = request["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"]
    lines = world.files.get(manifest).splitlines()
    for number in (0, 2):
        lines[number] = lines[number][:-1] + b',"answered-by":"private.us-east-1.ann private.x.y"}'
    world.files.put(manifest, b"\n".join(lines) + b"\n")
    job = job_lifecycle.open_job(world.ports, request, "token")
    status, claim = world.ask("POST", f"/jobs/{job.name}/claims", "ann")
    assert (status, claim["task"]) == (200, "1")
    world.answer(job, "ann", 1)
    assert world.ask("POST", f"/jobs/{job.name}/claims", "ann")[0] == 204
    with pytest.raises(Unknown, match="not yours"):
        world.answer(job, "ann", 0)
    assert sorted(world.work(job, "ben")) == [0, 2]
