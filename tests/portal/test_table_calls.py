"""How often the table is asked: each call is a round trip that a worker waits for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.portal import job_lifecycle
from tessera.portal.records import Job
from tests.examples import examples
from tests.portal.counted import Counted
from tests.portal.world import World, answer_of

USUAL_CLAIM, USUAL_ANSWER = 6, 4
BOUND = 12


def counted_world() -> World:
    """A portal whose table counts its calls."""
    return World(table=Counted())


def calls_of(
    world: World, method: str, path: str, worker: str, body: Any = None
) -> tuple[int, Any]:
    """The table calls of a request, and the response's content."""
    world.table.count_anew()
    status, content = world.ask(method, path, worker, body)
    assert status in {200, 204}, content
    return world.table.calls.total(), content


def later_round(world: World, tasks: int, excluded: dict[int, list[str]]) -> Job:
    """A job of one answer a task, whose lines name who may not have them."""
    return world.open_later_round(tasks, excluded)


@pytest.mark.thorough
@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("tasks", [100, 20_000])
def test_a_claim_asks_the_table_six_times_at_most_in_a_job_at_work(tasks: int, ahead: bool) -> None:
    world = counted_world()
    job = world.open(tasks=tasks)
    path = f"/jobs/{job.name}/claims"
    for turn in range(60):
        worker, showing = f"worker-{turn % 7}", []
        if ahead:
            held = world.ask("POST", path, worker)[1]["task"]
            showing = [held]
        calls, content = calls_of(world, "POST", path, worker, {"showing": showing})
        # Once a minute, a process looks for leases that lapsed.
        assert calls <= USUAL_CLAIM + (turn == 0)
        world.answer(job, worker, int(content["task"]))
        if ahead:
            world.answer(job, worker, int(held))


def test_an_answer_asks_the_table_four_times() -> None:
    world = counted_world()
    job = world.open(tasks=100)
    for turn in range(20):
        worker = f"worker-{turn % 3}"
        task = world.take(job, worker)
        path = f"/jobs/{job.name}/tasks/{task}/answer"
        calls, _ = calls_of(world, "PUT", path, worker, answer_of(job, task))
        assert calls == USUAL_ANSWER


@pytest.mark.parametrize("jobs", [1, 3])
def test_the_list_of_jobs_costs_as_many_calls_for_many_jobs_as_for_one(jobs: int) -> None:
    world = counted_world()
    for number in range(jobs):
        request = world.request(tasks=5, name=f"pets-{number}-r1-000")
        job_lifecycle.open_job(world.ports, request, "token")
    calls, content = calls_of(world, "GET", "/jobs", "ann")
    assert len(content["jobs"]) == jobs
    assert calls == 5


@pytest.mark.parametrize("excluded", [0, 30, 3000])
def test_tasks_that_a_worker_may_not_have_cost_a_claim_nothing(excluded: int) -> None:
    world = counted_world()
    job = later_round(world, excluded + 1, {task: ["ann", "ben"] for task in range(excluded)})
    calls, content = calls_of(world, "POST", f"/jobs/{job.name}/claims", "ann")
    assert content["task"] == str(excluded)
    assert calls <= USUAL_CLAIM + 1
    world.answer(job, "ann", excluded)
    world.table.count_anew()
    assert world.ask("POST", f"/jobs/{job.name}/claims", "ann")[0] == (204 if excluded else 409)
    assert world.table.calls.total() <= BOUND


@pytest.mark.thorough
@pytest.mark.parametrize("answered", [30, 600])
def test_any_number_of_tasks_in_the_queue_that_a_worker_had_are_passed_in_one_claim(
    answered: int,
) -> None:
    world = counted_world()
    job = world.open(tasks=answered + 1)
    for _ in range(answered):
        world.answer(job, "ann", world.take(job, "ann"))
    last = world.take(job, "ann")
    # After a loss of the index, the queue's entries are new, and lie before no cursor.
    world.table = Counted()
    job_lifecycle.restore(world.ports, job.record)
    calls, content = calls_of(world, "POST", f"/jobs/{job.name}/claims", "ann")
    assert content["task"] == str(last)
    assert calls <= BOUND


@pytest.mark.thorough
@given(
    tasks=st.integers(1, 40),
    data=st.data(),
    workers=st.lists(st.sampled_from(["ann", "ben", "cid"]), min_size=1, max_size=40),
)
@settings(max_examples=examples(20), deadline=None)
def test_every_claim_of_a_later_round_gives_a_task_that_the_worker_may_have_or_there_is_none(
    tasks: int, data: st.DataObject, workers: list[str]
) -> None:
    who = st.lists(st.sampled_from(["ann", "ben", "cid"]), unique=True)
    excluded = {task: data.draw(who) for task in range(tasks)}
    world = counted_world()
    job = later_round(world, tasks, excluded)
    open_tasks = set(range(tasks))
    for worker in workers:
        if not open_tasks:
            break
        world.table.count_anew()
        status, content = world.ask("POST", f"/jobs/{job.name}/claims", worker)
        assert world.table.calls.total() <= BOUND
        allowed = {task for task in open_tasks if worker not in excluded[task]}
        if status == 204:
            assert not allowed
            continue
        assert status == 200
        assert int(content["task"]) in allowed
        if data.draw(st.booleans()):
            world.answer(job, worker, int(content["task"]))
            open_tasks.discard(int(content["task"]))
        else:
            world.ask("DELETE", f"/jobs/{job.name}/tasks/{content['task']}/lease", worker)
        world.clock.wait(10)
