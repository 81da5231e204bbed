"""Updates of a task: read again when another request was faster, and given up after some times."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tessera.portal.errors import Busy
from tessera.portal.records import Job, Task, lease_seat
from tessera.portal.store import Change
from tessera.portal.table_layout import read_task
from tessera.portal.task_updates import ATTEMPTS, TaskChange, update_task
from tests.portal.world import World


def taking(worker: str) -> TaskChange:
    return lambda task, now: (lease_seat(task, worker, now, 60), [])


def test_a_change_is_computed_again_from_the_task_that_another_request_left(world: World) -> None:
    job = world.open(tasks=2, workers=2)
    stale = read_task(world.table, job.name, 0)
    update_task(world.ports, job, 0, taking("ann"))
    after = update_task(world.ports, job, 0, taking("ben"), known=stale)
    assert after == read_task(world.table, job.name, 0)
    assert set(after.leases) == {"ann", "ben"}


def test_a_task_that_is_left_as_it_was_is_not_written(world: World) -> None:
    job = world.open(tasks=2)
    before = update_task(world.ports, job, 0, taking("ann"))
    assert update_task(world.ports, job, 0, lambda task, now: (task, [])) == before
    assert read_task(world.table, job.name, 0).version == before.version


def test_each_attempt_but_the_first_waits_and_longer_than_the_one_before(world: World) -> None:
    job = world.open(tasks=2, workers=9)
    waits: list[int] = []
    ports = replace(world.ports, back_off=waits.append)
    update_task(ports, job, 0, taking("ann"))
    assert waits == []
    stale = read_task(world.table, job.name, 0)
    update_task(ports, job, 0, taking("ben"))
    update_task(ports, job, 0, taking("cleo"), known=stale)
    assert waits == [1]


def test_a_task_that_others_always_change_first_is_given_up_as_busy(world: World) -> None:
    job = world.open(tasks=2, workers=9)
    asked = []

    def too_slow(task: Task, now: float) -> tuple[Task, list[Change]]:
        asked.append(task.version)
        other = lease_seat(task, f"other-{len(asked)}", now, 60)
        interfere(world, job, task, other)
        return lease_seat(task, "ann", now, 60), []

    with pytest.raises(Busy):
        update_task(world.ports, job, 0, too_slow)
    assert asked == list(range(ATTEMPTS))


def interfere(world: World, job: Job, old: Task, new: Task) -> None:
    update_task(world.ports, job, old.number, lambda task, now: (new, []), known=old)
