"""The HTTP door, called as API Gateway calls it."""

from __future__ import annotations

from tests.portal.world import World, answer_of


def test_a_worker_finds_a_job_answers_a_page_and_gets_the_next(world: World) -> None:
    job = world.open(tasks=3)
    status, listed = world.ask("GET", "/jobs")
    assert status == 200
    assert listed["jobs"][0]["left"] == 6
    status, first = world.ask("POST", f"/jobs/{job.name}/claims")
    assert status == 200
    assert "https://pictures.test/pets/" in first["page"]
    assert "assets.crowd.aws" not in first["page"]
    task = first["task"]
    path = f"/jobs/{job.name}/tasks/{task}/answer"
    assert world.ask("PUT", path, body=answer_of(job, int(task))) == (
        200,
        {"outcome": "saved", "message": "Saved."},
    )
    status, second = world.ask("POST", f"/jobs/{job.name}/claims")
    assert status == 200
    assert second["task"] != task
