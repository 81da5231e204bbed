"""What a picture was when people labeled it is on record, once a task and in few requests."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tessera.portal.repair import repair
from tessera.portal.table_layout import read_task
from tests.fakes import BEGINNING, Files, etag
from tests.portal.test_faults import Flaky, Unreachable
from tests.portal.world import HOME, World

RECORD = f"{HOME}/round-1/jobs/pets-1-r1-000/pictures/0.json"


def opened(world: World, tasks: int = 1, workers: int = 2) -> Any:
    """A job whose pictures were put before anybody got a task."""
    for number in range(2 * tasks):
        world.files.put(f"s3://pets/{number}.jpg", b"picture %d" % number)
    world.clock.now = BEGINNING.timestamp() + 3600
    return world.open(tasks, workers)


def recorded(world: World) -> Any:
    return json.loads(world.files.get(RECORD))


def test_a_claim_looks_at_no_picture(world: World) -> None:
    opened(world)
    asked = world.files.requests["HeadObject"]

    assert world.ask("POST", "/jobs/pets-1-r1-000/claims", "ann")[0] == 200

    assert world.files.requests["HeadObject"] == asked
    assert RECORD not in world.files.objects


def test_the_first_answer_of_a_task_records_its_pictures(world: World) -> None:
    job = opened(world)

    world.answer(job, "ann", world.take(job, "ann"))

    assert recorded(world) == {
        f"s3://pets/{number}.jpg": etag(b"picture %d" % number) for number in range(2)
    }


def test_a_picture_changed_later_does_not_change_the_record_nor_is_it_looked_at(
    world: World,
) -> None:
    job = opened(world)
    for worker in ("ann", "bob"):
        world.take(job, worker)
    world.answer(job, "ann", 0)
    before = world.files.get(RECORD)
    world.files.put("s3://pets/0.jpg", b"another picture")
    asked = world.files.requests["HeadObject"]

    assert world.answer(job, "bob", 0) == "saved"

    assert world.files.get(RECORD) == before
    assert world.files.requests["HeadObject"] == asked


@given(st.lists(st.sampled_from(["ann", "bob", "exchange"]), max_size=5))
def test_of_a_picture_that_was_exchanged_while_people_had_it_nobody_claims_what_it_was(
    steps: list[str],
) -> None:
    world = World()
    job = opened(world)
    had: set[str] = set()
    exchanged = False
    for step in steps:
        world.clock.wait(60)
        if step == "exchange":
            world.files.put("s3://pets/1.jpg", b"another picture")
            world.files.modified["s3://pets/1.jpg"] = BEGINNING.fromtimestamp(
                world.clock.now, BEGINNING.tzinfo
            )
            exchanged = exchanged or bool(had)
        elif step not in had:
            had.add(step)
            assert world.take(job, step) == 0
    world.clock.wait(60)
    answering = min(had, default="ann")
    if not had:
        world.take(job, answering)

    world.answer(job, answering, 0)

    now = etag(world.files.get("s3://pets/1.jpg"))
    assert recorded(world)["s3://pets/1.jpg"] == ("" if exchanged else now)
    assert recorded(world)["s3://pets/0.jpg"] == etag(b"picture 0")


def test_a_picture_that_s3_does_not_have_is_no_reason_to_refuse_an_answer(world: World) -> None:
    job = world.open(1)

    assert world.answer(job, "ann", world.take(job, "ann")) == "saved"

    assert RECORD not in world.files.objects


class Broken(Files):
    """S3 that answers nothing about one picture."""

    def etag(self, uri: str, by: float = 0.0) -> str | None:
        if uri == "s3://pets/0.jpg":
            raise ConnectionError("nobody answers")
        return super().etag(uri, by)


def test_a_picture_that_cannot_be_asked_for_keeps_no_answer_from_being_counted() -> None:
    world = World(files=Broken())
    job = opened(world, workers=1)

    assert world.answer(job, "ann", world.take(job, "ann")) == "saved"

    assert recorded(world) == {"s3://pets/1.jpg": etag(b"picture 1")}


class Power:
    """Power that goes after so many calls of what it is given to."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def supply(self, inner: Any) -> Any:
        return Flaky(inner, self._fails)

    def _fails(self) -> str:
        self.calls -= 1
        return "" if self.calls >= 0 else "before"


@given(calls=st.integers(0, 40), way=st.sampled_from(["sweep", "send again", "repair"]))
def test_whoever_counts_an_answer_that_a_crash_left_uncounted_its_pictures_are_on_record(
    calls: int, way: str
) -> None:
    world = World()
    job = opened(world)
    task = world.take(job, "ann")
    power, (table, files) = Power(calls), (world.table, world.files)
    world.table, world.files = power.supply(table), power.supply(files)
    with suppress(Unreachable):
        world.answer(job, "ann", task)
    world.table, world.files = table, files
    if way == "send again":
        world.answer(job, "ann", task)
    elif way == "repair":
        repair(world.ports, world.again(job))
    else:
        world.clock.wait(job.seconds + 100)
        world.take(job, "bob")
    answered = read_task(world.table, job.name, task).answers
    assert bool(answered) == bool(world.stored(job))
    if answered:
        assert set(recorded(world)) == {f"s3://pets/{number}.jpg" for number in range(2)}
