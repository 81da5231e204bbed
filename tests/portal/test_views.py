"""What workers and requesters get, asked as API Gateway asks."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.portal import job_lifecycle
from tessera.portal.job_lifecycle import open_job
from tests.portal.world import HOME, World, answer_of


def test_a_worker_finds_a_job_answers_a_page_and_gets_the_next(world: World) -> None:
    job = world.open(tasks=3)
    status, listed = world.ask("GET", "/jobs")
    assert status == 200
    assert listed["jobs"][0]["left"] == 6
    status, first = world.ask("POST", f"/jobs/{job.name}/claims")
    assert status == 200
    assert first["seconds"] == 1800
    task = first["task"]
    path = f"/jobs/{job.name}/tasks/{task}/answer"
    assert world.ask("PUT", path, body=answer_of(job, int(task))) == (
        200,
        {"outcome": "saved", "message": "Saved."},
    )
    status, second = world.ask("POST", f"/jobs/{job.name}/claims", body={})
    assert status == 200
    assert second["task"] != task
    status, ahead = world.ask(
        "POST", f"/jobs/{job.name}/claims", body={"showing": [second["task"]]}
    )
    assert ahead["task"] not in {task, second["task"]}


def test_a_lease_is_renewed_and_skipped_by_its_address(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    world.take(job, "ann")
    world.clock.wait(600)
    path = f"/jobs/{job.name}/tasks/0/lease"
    status, renewed = world.ask("PUT", path)
    assert status == 200
    assert (renewed["lease"], renewed["seconds"]) == ("2023-11-14T22:53:20Z", 1800)
    assert world.ask("DELETE", path)[0] == 200
    assert world.ask("PUT", path)[0] == 404
    assert world.take(job, "ben") == 0


def test_a_renewed_lease_brings_addresses_that_last_as_long(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    world.take(job, "ann")
    world.clock.wait(600)
    _, renewed = world.ask("PUT", f"/jobs/{job.name}/tasks/0/lease")
    page = world.ask("POST", f"/jobs/{job.name}/claims")[1]["page"]
    assert renewed["addresses"].keys() == {"0-0", "0-1"}
    for address in renewed["addresses"].values():
        assert "seconds=1800" in address
        assert address.replace("&", "&amp;") in page


def test_the_original_of_a_smaller_copy_gets_a_new_address_too(world: World) -> None:
    request = world.request(tasks=1, workers=1)
    manifest = f"{HOME}/round-1/tasks-000.manifest"
    place = "pets/" + "0f" * 16 + "/tom.png"
    text = world.files.objects[manifest]
    copy = f"s3://inbox/pages-2048/{place}.jpg".encode()
    world.files.put(manifest, text.replace(b"s3://pets/1.jpg", copy))
    job = open_job(world.ports, request, "token")
    world.take(job, "ann")
    _, renewed = world.ask("PUT", f"/jobs/{job.name}/tasks/0/lease")
    assert renewed["addresses"].keys() == {"0-0", "0-1", "0-1-original"}
    assert f"images/{place}" in renewed["addresses"]["0-1-original"]


def test_the_list_says_how_many_pages_are_left_for_the_worker_and_of_which_project(
    world: World,
) -> None:
    job = world.open(tasks=3, workers=2, **{"tessera:project": "pets"})
    world.answer(job, "ann", world.take(job, "ann"))
    for worker, left in (("ann", 2), ("ben", 3)):
        (entry,) = world.ask("GET", "/jobs", worker)[1]["jobs"]
        assert (entry["project"], entry["left"], entry["left_for_you"]) == ("pets", 5, left)
    world.work(job, "ben")
    world.work(job, "ann")
    assert world.ask("GET", "/jobs", "cid")[1]["jobs"] == []


@given(st.lists(st.sets(st.sampled_from(["ann", "ben"])), min_size=1, max_size=4))
def test_pages_left_for_a_worker_are_those_that_they_may_have(barred: list[set[str]]) -> None:
    world = World()
    job = world.open_later_round(len(barred), dict(enumerate(barred)))
    for worker in ("ann", "cid"):
        (entry,) = world.ask("GET", "/jobs", worker)[1]["jobs"]
        mine = sum(worker not in names for names in barred)
        assert (entry["left_for_you"], entry["done_for_you"]) == (mine, mine == 0)
    assert job.tasks == len(barred)


def test_no_page_for_this_worker_now_is_204(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    world.take(job, "ben")
    assert world.ask("POST", f"/jobs/{job.name}/claims")[0] == 204


def test_another_workers_task_is_not_found(world: World) -> None:
    job = world.open(tasks=3)
    task = world.take(job, "ann")
    path = f"/jobs/{job.name}/tasks/{task}"
    assert world.ask("PUT", f"{path}/answer", "ben", answer_of(job, task))[0] == 404
    assert world.ask("PUT", f"{path}/lease", "ben")[0] == 404
    assert world.ask("GET", path, "ben")[0] == 404
    assert world.stored(job) == {}


def test_a_workers_view_names_no_other_worker(world: World) -> None:
    job = world.open(tasks=3)
    world.work(job, "ben")
    for method, path in [("GET", "/jobs"), ("GET", "/me"), ("POST", f"/jobs/{job.name}/claims")]:
        assert "ben" not in json.dumps(world.ask(method, path, "ann")[1])
    assert world.ask("GET", "/jobs", "ann")[1]["jobs"][0]["mine"]["answers"] == 0


def test_a_requester_sees_progress_and_any_task_and_a_worker_does_not(world: World) -> None:
    job = world.open(tasks=4)
    world.ask("POST", f"/jobs/{job.name}/claims", "ann")
    for worker, label in (("ann", "cat"), ("ben", "dog")):
        for _ in range(2):
            world.clock.wait(10)
            world.answer(job, worker, world.take(job, worker), label)
    assert world.ask("GET", f"/jobs/{job.name}", "ann")[0] == 404
    status, seen = world.ask("GET", f"/jobs/{job.name}", "rita", groups="[requesters]")
    assert status == 200
    assert (seen["answers"], seen["needed"], seen["left"]) == (4, 8, 4)
    assert seen["agreement"] == 0.0
    assert seen["hours_left"] > 0
    assert [w["worker"] for w in seen["workers"]] == ["ann", "ben"]
    task = next(task for task, worker in world.stored(job) if worker == "ben")
    status, page = world.ask("GET", f"/jobs/{job.name}/tasks/{task}", "rita", groups="[requesters]")
    assert status == 200
    assert "pictures.test" in page["page"]
    assert [a["summary"] for a in page["answers"]] == ["2 cat", "2 dog"]
    assert [a["choices"] for a in page["answers"]] == [
        dict.fromkeys(page["images"], label) for label in ("cat", "dog")
    ]
    assert world.claim(job, "rita") is not None  # looking took no seat


@pytest.mark.parametrize(
    ("meta", "comment", "flags"),
    [
        (
            '{"comment": " <b>Dark</b> ", "tiles": [{"id": "0", "flag": "blurred"}, {}]}',
            "<b>Dark</b>",
            {"0": "blurred"},
        ),
        ("{}", "", {}),
        ("not JSON", "", {}),
        ('{"comment": 7}', "", {}),
        ('{"tiles": [{"id": "0", "flag": " "}]}', "", {}),
    ],
)
def test_a_requester_is_shown_what_a_worker_remarked(
    world: World, meta: str, comment: str, flags: dict[str, str]
) -> None:
    job = world.open(tasks=1, workers=1)
    path = f"/jobs/{job.name}/tasks/{world.take(job, 'ann')}"
    assert world.ask("PUT", f"{path}/answer", body=answer_of(job, 0) | {"meta": meta})[0] == 200
    (answer,) = world.ask("GET", path, "rita", groups="[requesters]")[1]["answers"]
    assert (answer["comment"], answer["flags"]) == (comment, flags)
    flagged = world.ask("GET", f"/jobs/{job.name}", "rita", groups="[requesters]")[1]["flagged"]
    assert flagged["pictures"] == len(flags)
    assert [flag["reason"] for flag in flagged["flags"]] == list(flags.values())
    assert [remark["comment"] for remark in flagged["comments"]] == [comment] * bool(comment)


@pytest.mark.parametrize("body", ["{", "[]", '{"showing": "12"}', '{"showing": ["x"]}'])
def test_a_claim_that_makes_no_sense_is_400(world: World, body: str) -> None:
    job = world.open(tasks=1)
    assert world.ask("POST", f"/jobs/{job.name}/claims", body=body)[0] == 400


@pytest.mark.parametrize("task", ["3", "999999999", "0000000003"])
def test_a_task_that_the_job_does_not_have_is_404(world: World, task: str) -> None:
    job = world.open(tasks=3)
    path = f"/jobs/{job.name}/tasks/{task}/answer"
    assert world.ask("PUT", path, body=answer_of(job, 0))[0] == 404


def test_signed_addresses_end_with_the_lease(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    world.ask("POST", f"/jobs/{job.name}/claims")
    world.clock.wait(600)
    page = world.ask("POST", f"/jobs/{job.name}/claims")[1]["page"]
    assert re.findall(r"seconds=(\d+)", page) == ["1200", "1200"]
    world.clock.wait(1197)  # loaded anew three seconds before the lease ends
    page = world.ask("POST", f"/jobs/{job.name}/claims")[1]["page"]
    assert re.findall(r"seconds=(\d+)", page) == ["900", "900"]


def test_a_picture_that_cannot_be_signed_is_one_dead_tile(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    tasks = world.files.get(job.manifest)
    world.files.put(job.manifest, tasks.replace(b"s3://pets/0", b"s3:///0", 1))
    status, claimed = world.ask("POST", f"/jobs/{job.name}/claims")
    assert status == 200
    assert claimed["page"].count("https://pictures.test/") == 1
    assert "data:," in claimed["page"]


def test_a_page_says_nothing_of_its_gold_images(world: World) -> None:
    pages_seen = []
    for gold in (b"", b"index,label\n0,cat\n1,dog\n"):
        fresh = World()
        request = fresh.request(tasks=2)
        if gold:
            fresh.files.put("s3://labels/runs/pets-1/round-1/gold.csv", gold)
        job = job_lifecycle.open_job(fresh.ports, request)
        pages_seen.append(fresh.ask("POST", f"/jobs/{job.name}/claims"))
    assert pages_seen[0] == pages_seen[1]
