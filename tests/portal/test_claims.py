"""Claims: who gets which task, and for how long."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tessera.portal import claims, leases
from tessera.portal.claims import MAX_HELD
from tessera.portal.errors import Closed
from tessera.portal.records import FULL
from tessera.portal.table_layout import STRIPES
from tests.portal.world import World


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


def test_a_worker_holds_a_page_and_the_next_one_in_each_of_two_tabs_and_no_more(
    world: World,
) -> None:
    job = world.open(tasks=10)
    held: list[int] = []
    for _ in range(MAX_HELD):
        held.append(world.take(job, "ann", *held))
    assert len(set(held)) == MAX_HELD == 4
    assert world.claim(job, "ann", *held) is None
    assert world.claim(job, "ann", *held[1:]) == held[0]


def test_tasks_that_others_have_started_are_finished_first(world: World) -> None:
    job = world.open(tasks=100, workers=3)
    begun = {world.take(job, "ann") for _ in range(1)}
    assert {world.take(job, "ben")} == begun
    assert {world.take(job, "cid")} == begun
    assert world.take(job, "dot") not in begun  # three seats, all taken


def test_no_worker_gets_a_task_again_that_they_answered(world: World) -> None:
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


def test_a_full_job_gives_no_more_tasks(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    world.work(job, "ann")
    with pytest.raises(Closed):
        world.claim(job, "ben")


@pytest.mark.thorough
@pytest.mark.parametrize("workers", [1, 3, 9])
@pytest.mark.parametrize("tasks", [1, 15, 16, 17, 50])
def test_every_task_is_dealt_whatever_the_size(world: World, tasks: int, workers: int) -> None:
    job = world.open(tasks=tasks, workers=workers)
    for worker in range(workers):
        assert sorted(world.work(job, f"worker-{worker}")) == list(range(tasks))
    assert world.again(job).status == FULL


@pytest.mark.thorough
@pytest.mark.parametrize("workers", [1, 5, 40])
def test_fresh_tasks_are_dealt_close_together_so_that_one_block_serves_many(
    world: World, workers: int
) -> None:
    job = world.open(tasks=5000, workers=1)
    for turn in range(400):
        worker = f"worker-{turn**2 % workers}"  # some work more than others
        world.answer(job, worker, world.take(job, worker))
    assert max(task for task, _ in world.stored(job)) < 400 + claims.MAX_LEAD * STRIPES
