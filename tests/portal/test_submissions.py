"""Submissions: what is saved, once, before anyone says so."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tessera.portal import job_lifecycle, leases
from tessera.portal.errors import Unknown
from tessera.portal.records import FULL, LEASE_GRACE
from tessera.portal.submissions import ANSWER_GRACE
from tessera.portal.table_layout import read_counts, stats_key, stats_of
from tests.portal.world import World, answer_of


def test_a_submission_replayed_a_hundred_times_is_one_answer_the_first(world: World) -> None:
    job = world.open(tasks=3)
    task = world.take(job, "ann")
    assert {world.answer(job, "ann", task) for _ in range(100)} == {"saved"}
    assert world.stored(job)[task, "ann"]["answerContent"][str(task)]["cat"] is True
    assert read_counts(world.table, job).answered == 1
    assert stats_of(world.table.get(stats_key(job.name, "ann"))[0]).answers == 1


def test_other_content_under_an_answered_task_is_never_called_saved(world: World) -> None:
    job = world.open(tasks=3)
    task = world.take(job, "ann")
    assert world.answer(job, "ann", task, "cat") == "saved"
    before = dict(world.stored(job))
    assert {world.answer(job, "ann", task, "dog") for _ in range(3)} == {"different"}
    assert world.stored(job) == before
    path = f"/jobs/{job.name}/tasks/{task}/answer"
    status, content = world.ask("PUT", path, body=answer_of(job, task, "dog"))
    assert (status, content["outcome"]) == (409, "different")
    assert "Send it once more to correct them" in content["message"]


def test_of_two_tabs_that_answer_differently_at_once_one_is_told_saved(world: World) -> None:
    job = world.open(tasks=3)
    task = world.take(job, "ann")
    with ThreadPoolExecutor(16) as threads:
        labels = ["cat", "dog"] * 16
        outcomes = list(threads.map(lambda label: world.answer(job, "ann", task, label), labels))
    stored = world.stored(job)[task, "ann"]["answerContent"][str(task)]
    saved = "cat" if stored["cat"] else "dog"
    assert outcomes == ["saved" if label == saved else "different" for label in labels]


def test_what_a_page_measured_is_no_part_of_what_it_answers(world: World) -> None:
    job = world.open(tasks=3)
    task = world.take(job, "ann")
    path = f"/jobs/{job.name}/tasks/{task}/answer"
    for meta in ("{}", '{"submitMs": 7}'):
        status, _ = world.ask("PUT", path, body=answer_of(job, task) | {"meta": meta})
        assert status == 200


def test_a_submission_sent_from_many_tabs_at_once_is_one_answer(world: World) -> None:
    job = world.open(tasks=3)
    task = world.take(job, "ann")
    with ThreadPoolExecutor(16) as threads:
        outcomes = list(threads.map(lambda _: world.answer(job, "ann", task), range(64)))
    assert set(outcomes) == {"saved"}
    assert read_counts(world.table, job).answered == 1


def test_a_task_that_is_not_the_workers_is_refused_and_nothing_is_stored(world: World) -> None:
    job = world.open(tasks=3)
    task = world.take(job, "ann")
    with pytest.raises(Unknown, match="not yours"):
        world.answer(job, "ben", task)
    assert world.stored(job) == {}


def test_a_late_answer_is_accepted_while_the_task_needs_it(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    task = world.take(job, "ann")
    world.clock.wait(job.seconds + LEASE_GRACE + 1)
    leases.sweep(world.ports, job, world.clock.now)  # the seat is free, and nobody takes it
    assert world.answer(job, "ann", task) == "saved"
    assert world.stored(job)[task, "ann"]["timeSpentInSeconds"] == job.seconds + LEASE_GRACE + 1


def test_a_late_answer_that_the_task_does_not_need_is_said_to_be_surplus(world: World) -> None:
    job = world.open(tasks=2, workers=1)
    late = world.take(job, "ann")
    world.clock.wait(job.seconds + LEASE_GRACE + 1)
    for _ in range(2):
        world.answer(job, "ben", world.take(job, "ben")) if world.again(job).status != FULL else 0
    assert world.answer(job, "ann", late) == "surplus"
    assert {worker for _, worker in world.stored(job)} == {"ben"}


def test_a_skipped_page_can_still_be_sent_while_nobody_else_has_it(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    leases.give_back(world.ports, job, "ann", world.take(job, "ann"))
    assert world.answer(job, "ann", 0) == "saved"
    assert world.again(job).status == FULL


def test_two_workers_at_the_last_seat_one_is_saved_and_one_is_surplus(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    world.take(job, "ann")
    world.clock.wait(job.seconds + LEASE_GRACE + 1)
    world.take(job, "ben")
    with ThreadPoolExecutor(2) as threads:
        outcomes = dict(
            zip("ab", threads.map(lambda w: world.answer(job, w, 0), ("ann", "ben")), strict=True)
        )
    assert outcomes == {"a": "surplus", "b": "saved"}
    assert len(world.stored(job)) == 1


@pytest.mark.parametrize("skew", [-25.0, 0.0, 25.0])
def test_clocks_that_differ_by_half_a_minute_never_make_two_answers_of_one_seat(
    world: World, skew: float
) -> None:
    job = world.open(tasks=1, workers=1)
    world.take(job, "ann")
    world.clock.wait(job.seconds + ANSWER_GRACE - 1)  # the last second of the lease
    ours = world.clock.now
    world.clock.now = ours + skew  # a server whose clock is off sees another worker
    assert world.claim(job, "ben") is None
    world.clock.now = ours
    assert world.answer(job, "ann", 0) == "saved"
    assert len(world.stored(job)) == 1


def test_an_answer_to_a_stopped_job_is_surplus_and_a_replay_of_an_older_one_is_saved(
    world: World,
) -> None:
    job = world.open(tasks=3)
    first = world.take(job, "ann")
    world.answer(job, "ann", first)
    second = world.take(job, "ann")
    job_lifecycle.stop(world.ports, job.name)
    assert world.answer(job, "ann", second) == "surplus"
    path = f"/jobs/{job.name}/tasks/{second}/answer"
    status, content = world.ask("PUT", path, body=answer_of(job, second, "cat"))
    assert (status, content["outcome"]) == (409, "surplus")
    assert "ended" in content["message"]  # nobody else had answered it
    assert world.answer(job, "ann", first) == "saved"


def test_a_refused_answer_leaves_nothing_behind(world: World) -> None:
    job = world.open(tasks=3)
    task = world.take(job, "ann")
    path = f"/jobs/{job.name}/tasks/{task}/answer"
    status, refusal = world.ask("PUT", path, body=answer_of(job, task) | {"99": {"cat": True}})
    assert (status, refusal["message"]) == (400, "Picture 99 is not on this page.")
    assert world.stored(job) == {}
    assert read_counts(world.table, job).answered == 0
