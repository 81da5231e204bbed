"""The portal's practice page: shown with its labels, and a part of no task."""

from __future__ import annotations

import json

from tessera.portal.records import Job
from tessera.portal.table_layout import read_cursor
from tessera.tiling.onboarding.practice import practice_name
from tests.portal.world import HOME, World

PICTURES = [
    {"source-ref": "s3://inbox/pets/practice/cat/1.jpg", "label": "cat"},
    {"source-ref": "s3://inbox/pets/practice/dog/1.jpg", "label": "dog"},
]


def open_with_practice(world: World) -> Job:
    """Open a job of a run that has pictures to practice on."""
    uri = practice_name(f"{HOME}/round-1/tasks-000.manifest")
    world.files.put(uri, json.dumps(PICTURES).encode())
    return world.open(tasks=2)


def test_a_claim_names_the_practice_of_the_run_and_its_page_has_the_pictures(world: World) -> None:
    job = open_with_practice(world)
    status, claimed = world.ask("POST", f"/jobs/{job.name}/claims")
    assert (status, claimed["practice"]) == (200, "pets-1")
    status, content = world.ask("GET", f"/jobs/{job.name}/practice")
    assert status == 200
    assert content["labels"] == {"practice-0": "cat", "practice-1": "dog"}
    assert content["practice"] == "pets-1"
    for picture in PICTURES:
        assert picture["source-ref"].removeprefix("s3://") in content["page"]


def test_practice_takes_no_seat_and_leaves_nothing(world: World) -> None:
    job = open_with_practice(world)
    before = set(world.files.objects)
    world.ask("GET", f"/jobs/{job.name}/practice")
    assert set(world.files.objects) == before
    assert read_cursor(world.table, job.name, "ann").held == ()


def test_a_job_without_practice_says_nothing_of_it(world: World) -> None:
    job = world.open(tasks=1)
    assert "practice" not in world.ask("POST", f"/jobs/{job.name}/claims")[1]
    status, content = world.ask("GET", f"/jobs/{job.name}/practice")
    assert (status, content["error"]) == (404, "Unknown")
