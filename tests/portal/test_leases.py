"""Leases: how long a seat is kept, and how it is given up."""

from __future__ import annotations

import pytest

from tessera.portal import job_lifecycle, leases
from tessera.portal.errors import Closed, Unknown
from tessera.portal.leases import FREE_SKIPS
from tessera.portal.records import FULL, LEASE_GRACE
from tests.portal.world import World


def test_a_skipped_task_that_another_has_taken_does_not_come_back(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    leases.give_back(world.ports, job, "ann", world.take(job, "ann"))
    assert world.take(job, "ben") == 0
    assert world.claim(job, "ann") is None
    leases.give_back(world.ports, job, "ben", 0)
    assert world.take(job, "ann") == 0


def test_giving_back_twice_or_what_one_never_had_changes_nothing(world: World) -> None:
    job = world.open(tasks=2, workers=1)
    task = world.take(job, "ann")
    for worker in ("ben", "ann", "ann"):
        leases.give_back(world.ports, job, worker, task)
    assert world.take(job, "ben") in {0, 1}
    assert world.take(job, "cid") in {0, 1}
    assert world.claim(job, "dot") is None


def test_a_lease_that_is_over_lets_the_task_go_to_somebody_else(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    assert world.take(job, "ann") == 0
    assert world.claim(job, "ben") is None
    world.clock.wait(job.seconds + LEASE_GRACE + 1)
    assert world.take(job, "ben") == 0


def test_a_lease_is_not_given_away_within_the_grace(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    world.take(job, "ann")
    world.clock.wait(job.seconds + LEASE_GRACE - 1)
    assert world.claim(job, "ben") is None


def test_a_renewed_lease_lasts_its_full_time_again(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    world.take(job, "ann")
    for _ in range(4):
        world.clock.wait(job.seconds - 10)
        lease = leases.renew(world.ports, job, "ann", 0)
        assert lease.until == world.clock.now + job.seconds
    assert world.claim(job, "ben") is None


def test_a_lease_is_renewed_for_eight_hours_and_no_longer(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    began = world.clock.now
    world.take(job, "ann")
    while world.clock.now < began + 8 * 3600 - job.seconds:
        world.clock.wait(job.seconds / 2)
        leases.renew(world.ports, job, "ann", 0)
    assert leases.renew(world.ports, job, "ann", 0).until == began + 8 * 3600


def test_a_lease_that_went_to_another_cannot_be_renewed(world: World) -> None:
    job = world.open(tasks=1, workers=1)
    world.take(job, "ann")
    world.clock.wait(job.seconds + LEASE_GRACE + 1)
    world.take(job, "ben")
    with pytest.raises(Unknown, match="somebody else"):
        leases.renew(world.ports, job, "ann", 0)


def test_no_lease_of_a_job_that_has_ended_is_renewed(world: World) -> None:
    job = world.open(tasks=2, workers=1)
    task = world.take(job, "ann")
    job_lifecycle.stop(world.ports, job.name)
    with pytest.raises(Closed):
        leases.renew(world.ports, world.again(job), "ann", task)


def test_a_worker_who_was_away_too_long_may_get_their_task_again_if_no_one_wanted_it(
    world: World,
) -> None:
    job = world.open(tasks=1, workers=1)
    world.take(job, "ann")
    world.clock.wait(job.seconds + LEASE_GRACE + 1)
    assert world.take(job, "ann") == 0


def test_an_answer_the_index_never_heard_of_is_taken_in_when_its_lease_is_swept(
    world: World,
) -> None:
    job = world.open(tasks=1, workers=1)
    world.take(job, "ann")
    response = b'{"answers":[{"answerContent":{"0":{"cat":true}},"timeSpentInSeconds":1}]}'
    world.files.put_if_absent(job.response(0, "ann"), response)  # and then the function died
    world.clock.wait(job.seconds + LEASE_GRACE + 1)
    assert world.claim(job, "ben") is None
    assert world.again(job).status == FULL


def test_a_task_that_is_kept_from_people_counts_as_done(world: World) -> None:
    world.kept_from_people = {0, 2}
    job = world.open(tasks=3, workers=2)
    for worker in ("ann", "ben"):
        while (page := world.ask("POST", f"/jobs/{job.name}/claims", worker))[0] == 200:
            assert page[1]["task"] == "1"
            world.answer(job, worker, 1)
            if world.again(job).status == FULL:
                break
    assert world.again(job).status == FULL
    assert {task for task, _ in world.stored(job)} == {1}


def test_a_later_round_never_asks_a_worker_who_answered_one_of_the_images(world: World) -> None:
    request = world.request(tasks=3, workers=1)
    manifest = request["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"]
    lines = world.files.get(manifest).splitlines()
    for number in (0, 2):
        lines[number] = lines[number][:-1] + b',"answered-by":"private.us-east-1.ann private.x.y"}'
    world.files.put(manifest, b"\n".join(lines) + b"\n")
    job = job_lifecycle.open_job(world.ports, request, "token")
    status, claim = world.ask("POST", f"/jobs/{job.name}/claims", "ann")
    assert (status, claim["task"]) == (200, "1")
    world.answer(job, "ann", 1)
    assert world.ask("POST", f"/jobs/{job.name}/claims", "ann")[0] == 204
    with pytest.raises(Unknown, match="not yours"):
        world.answer(job, "ann", 0)
    assert sorted(world.work(job, "ben")) == [0, 2]


def test_a_worker_who_skips_page_after_page_sees_a_few_and_one_more_for_each_they_label(
    world: World,
) -> None:
    job = world.open(tasks=40, workers=1)
    path = f"/jobs/{job.name}/claims"
    seen: list[int] = []

    def skip_all() -> None:
        while True:
            status, claim = world.ask("POST", path)
            assert status == 200
            if int(claim["task"]) not in seen:
                seen.append(int(claim["task"]))
            lease = f"/jobs/{job.name}/tasks/{claim['task']}/lease"
            status, refusal = world.ask("DELETE", lease)
            if status != 200:
                assert (status, refusal["error"]) == (409, "Declined")
                assert "label this one" in refusal["message"]
                return

    skip_all()
    assert len(seen) == FREE_SKIPS + 1
    for more in range(1, 4):
        assert world.answer(job, "ann", world.take(job, "ann")) == "saved"
        skip_all()
        assert len(seen) <= FREE_SKIPS + 1 + 2 * more
    assert world.ask("POST", path, "ben")[0] == 200  # what one skipped, others get
