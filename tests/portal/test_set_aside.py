"""Pages that cannot be shown: they hurt themselves alone, and requesters hear why."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.portal import job_lifecycle
from tessera.portal.records import FAILURE_SECONDS, FULL, MAX_FAILURES, OPEN
from tests.examples import examples
from tests.portal.world import HOME, PREPARE, World, answer_of

FAULTS = ["raises", "answers nothing", "answers text", "has no input", "no JSON", "template"]


@dataclass
class FaultyWorld(World):
    """Portal with a task whose page cannot be shown, for one of several reasons."""

    bad: int = 0
    fault: str = ""
    healed: bool = field(default=False)

    def invoke(self, arn: str, event: dict[str, Any]) -> Any:
        """Answer for the pre-annotation function, which fails for the bad task."""
        if arn == PREPARE and not self.healed:
            images = json.loads(event["dataObject"]["source"])
            if images[0]["index"] == self.bad:
                match self.fault:
                    case "raises":
                        raise RuntimeError("no such picture")
                    case "answers nothing":
                        return None
                    case "answers text":
                        return "done"
                    case "has no input":
                        return {"isHumanAnnotationRequired": True}
        return super().invoke(arn, event)


def faulty_world(tasks: int, workers: int, bad: int, fault: str) -> tuple[FaultyWorld, Any]:
    """A world with an open job, one task of which fails."""
    world = FaultyWorld(bad=bad, fault=fault)
    request = world.request(tasks=tasks, workers=workers)
    if fault == "template":
        page = world.files.get(f"{HOME}/page.liquid.html").decode()
        first = f"{{% if task.input.images[0].source-ref == 's3://pets/{bad}.jpg' %}}"
        broken = f"{first}{{{{ 1 | no_such }}}}{{% endif %}}"
        world.files.put(f"{HOME}/page.liquid.html", (page + broken).encode())
    if fault == "no JSON":
        manifest = request["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"]
        lines = world.files.get(manifest).splitlines(keepends=True)
        lines[bad] = b"x" * (len(lines[bad]) - 1) + b"\n"
        world.files.put(manifest, b"".join(lines))
    return world, job_lifecycle.open_job(world.ports, request, "token")


def work_on(world: World, job: Any, worker: str) -> list[int]:
    """Claim and answer over HTTP until there is nothing for the worker now; what was answered."""
    done = []
    while world.again(job).status == OPEN:
        status, content = world.ask("POST", f"/jobs/{job.name}/claims", worker)
        assert status in {200, 204}
        if status == 204:
            break
        task = int(content["task"])
        world.clock.wait(1)
        path = f"/jobs/{job.name}/tasks/{task}/answer"
        assert world.ask("PUT", path, worker, answer_of(job, task))[0] == 200
        done.append(task)
    return done


@pytest.mark.thorough
@given(
    tasks=st.integers(1, 12),
    workers=st.integers(1, 2),
    place=st.floats(0, 0.999),
    fault=st.sampled_from(FAULTS),
)
@settings(max_examples=examples(25), deadline=None)
def test_one_task_that_cannot_be_shown_blocks_neither_the_others_nor_the_jobs_end(
    tasks: int, workers: int, place: float, fault: str
) -> None:
    bad = int(place * tasks)
    world, job = faulty_world(tasks, workers, bad, fault)
    answered: Counter[int] = Counter()
    people = ["ann", "ben"][:workers]
    for person in people:  # in their first go they get all others
        done = work_on(world, job, person)
        assert set(done) == set(range(tasks)) - {bad}
        answered.update(done)
    for _ in range(MAX_FAILURES):
        world.clock.wait(FAILURE_SECONDS + 1)
        work_on(world, job, people[0])
    assert world.again(job).status == FULL
    assert world.resumed[-1][1]["LabelingJobStatus"] == "Completed"
    assert answered == {task: workers for task in range(tasks) if task != bad}
    _, seen = world.ask("GET", f"/jobs/{job.name}", "rita", groups="[requesters]")
    (failure,) = seen["failures"]
    assert (failure["task"], failure["set_aside"]) == (bad, True)
    assert failure["reason"].startswith("This page cannot be shown: ")
    record = json.loads(world.files.get(f"{job.output}/set-aside/{bad}.json"))
    assert record == {"task": bad, "reason": failure["reason"]}


def test_a_page_that_failed_for_a_moment_is_asked_and_its_failure_forgotten() -> None:
    world, job = faulty_world(1, 1, 0, "raises")
    for _ in range(20):
        assert work_on(world, job, "ann") == []
        world.clock.wait(1)
    world.healed = True
    assert work_on(world, job, "ann") == [0]
    assert world.again(job).status == FULL
    _, seen = world.ask("GET", f"/jobs/{job.name}", "rita", groups="[requesters]")
    assert seen["failures"] == []


def test_a_requesters_look_at_a_page_that_cannot_be_shown_says_why() -> None:
    world, job = faulty_world(3, 1, 1, "raises")
    path = f"/jobs/{job.name}/tasks/1"
    status, content = world.ask("GET", path, "rita", groups="[requesters]")
    assert status == 422
    assert content["message"] == "This page cannot be shown: RuntimeError: no such picture"


def test_a_repair_puts_a_page_that_was_set_aside_back() -> None:
    world, job = faulty_world(2, 1, 1, "raises")
    for _ in range(MAX_FAILURES + 1):
        world.clock.wait(FAILURE_SECONDS + 1)
        work_on(world, job, "ann")
    assert world.again(job).status == FULL
    world.healed = True
    job_lifecycle.restore(world.ports, job.record)
    job_lifecycle.stop(world.ports, job.name)
    _, seen = world.ask("GET", f"/jobs/{job.name}", "rita", groups="[requesters]")
    assert seen["failures"] == []


def test_a_page_whose_pictures_cannot_be_signed_now_is_not_to_blame(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    job = world.open(tasks=2)

    def presign(uri: str, seconds: int) -> str:
        raise ConnectionError("away")

    with monkeypatch.context() as away:
        away.setattr(world.files, "presign", presign)
        assert world.ask("POST", f"/jobs/{job.name}/claims")[0] == 503
    _, seen = world.ask("GET", f"/jobs/{job.name}", "rita", groups="[requesters]")
    assert seen["failures"] == []
    assert world.ask("POST", f"/jobs/{job.name}/claims")[0] == 200


def test_many_tasks_that_need_no_people_are_skipped_without_an_error() -> None:
    world = World()
    job = world.open(tasks=35, workers=1)
    world.kept_from_people = set(range(35))
    for _ in range(3):
        assert world.ask("POST", f"/jobs/{job.name}/claims")[0] == 204
        assert world.headers["retry-after"] == "1"
    assert world.ask("POST", f"/jobs/{job.name}/claims")[0] in {204, 409}
    assert world.again(job).status == FULL
