"""What a picture was when people were shown it is on record, once a task and in few requests."""

from __future__ import annotations

import json

from tests.fakes import etag
from tests.portal.world import HOME, World

RECORD = f"{HOME}/round-1/jobs/pets-1-r1-000/pictures/0.json"


def opened(world: World, tasks: int = 1) -> None:
    for number in range(2 * tasks):
        world.files.put(f"s3://pets/{number}.jpg", b"picture %d" % number)
    world.open(tasks)


def test_the_first_page_of_a_task_records_its_pictures(world: World) -> None:
    opened(world)

    assert world.ask("POST", "/jobs/pets-1-r1-000/claims", "ann")[0] == 200

    assert json.loads(world.files.get(RECORD)) == {
        f"s3://pets/{number}.jpg": etag(b"picture %d" % number) for number in range(2)
    }


def test_a_picture_changed_later_does_not_change_the_record(world: World) -> None:
    opened(world)
    world.ask("POST", "/jobs/pets-1-r1-000/claims", "ann")
    before = world.files.get(RECORD)
    world.files.put("s3://pets/0.jpg", b"another picture")
    asked = world.files.requests["HeadObject"]

    world.ask("POST", "/jobs/pets-1-r1-000/claims", "bob")

    assert world.files.get(RECORD) == before
    assert world.files.requests["HeadObject"] == asked + 1  # for the record alone


def test_a_picture_that_s3_does_not_have_is_no_reason_to_keep_a_page_back(world: World) -> None:
    world.open(1)

    assert world.ask("POST", "/jobs/pets-1-r1-000/claims", "ann")[0] == 200

    assert RECORD not in world.files.objects
