"""Submissions: what is saved, once, before anyone says so."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.portal import job_lifecycle, leases
from tessera.portal.answer_body import MAX_BYTES, read_answer
from tessera.portal.errors import Invalid, TooLarge, Unknown
from tessera.portal.records import FULL, LEASE_GRACE
from tessera.portal.submissions import ANSWER_GRACE
from tessera.portal.table_layout import read_counts, stats_key, stats_of
from tests.portal.world import World, answer_of

INDEXES = {"4", "24"}
CHOICES = ("cat", "dog", "cannot see")
CAT = {"cat": True, "dog": False, "cannot see": False}


def test_an_answer_lies_in_s3_in_ground_truths_layout(world: World) -> None:
    job = world.open(tasks=3)
    task = world.take(job, "ann")
    world.clock.wait(46.8)
    world.answer(job, "ann", task, "dog")
    stored = world.stored(job)[task, "ann"]
    chosen = {"cat": False, "dog": True, "cannot see": False}
    assert stored.pop("answerContent")[str(task)] == chosen
    assert stored == {
        "acceptanceTime": "2023-11-14T22:13:20.000Z",
        "submissionTime": "2023-11-14T22:14:06.800Z",
        "timeSpentInSeconds": 46.8,
        "workerId": "private.us-east-1.ann",
        "workerMetadata": {"identityData": {"identityProviderType": "Cognito", "sub": "ann"}},
    }


def test_a_page_fetched_ahead_is_timed_from_the_answer_before(world: World) -> None:
    job = world.open(tasks=3)
    first = world.take(job, "ann")
    ahead = world.take(job, "ann", first)
    world.clock.wait(50)
    world.answer(job, "ann", first)
    world.clock.wait(20)
    world.answer(job, "ann", ahead)
    spent = {task: answer["timeSpentInSeconds"] for (task, _), answer in world.stored(job).items()}
    assert spent == {first: 50, ahead: 20}


def test_a_submission_replayed_a_hundred_times_is_one_answer_the_first(world: World) -> None:
    job = world.open(tasks=3)
    task = world.take(job, "ann")
    said = [world.answer(job, "ann", task, "dog" if n else "cat") for n in range(100)]
    assert set(said) == {"saved"}
    assert world.stored(job)[task, "ann"]["answerContent"][str(task)] == CAT
    assert read_counts(world.table, job).answered == 1
    assert stats_of(world.table.get(stats_key(job.name, "ann"))[0]).answers == 1


def test_a_submission_sent_from_many_tabs_at_once_is_one_answer(world: World) -> None:
    job = world.open(tasks=3)
    task = world.take(job, "ann")
    with ThreadPoolExecutor(16) as threads:
        said = list(threads.map(lambda _: world.answer(job, "ann", task), range(64)))
    assert set(said) == {"saved"}
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
    leases.sweep(world.ports, job, world.clock.now)  # her seat is free, and nobody takes it
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
        said = dict(
            zip("ab", threads.map(lambda w: world.answer(job, w, 0), ("ann", "ben")), strict=True)
        )
    assert said == {"a": "surplus", "b": "saved"}
    assert len(world.stored(job)) == 1


@pytest.mark.parametrize("skew", [-25.0, 0.0, 25.0])
def test_clocks_that_differ_by_half_a_minute_never_make_two_answers_of_one_seat(
    world: World, skew: float
) -> None:
    job = world.open(tasks=1, workers=1)
    world.take(job, "ann")
    world.clock.wait(job.seconds + ANSWER_GRACE - 1)  # the last second of her lease
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
    assert world.answer(job, "ann", first) == "saved"


def test_agreement_and_control_images_are_counted_as_answers_come(world: World) -> None:
    job_request = world.request(tasks=2, workers=2)
    world.files.put(
        f"{job_request['InputConfig']['DataSource']['S3DataSource']['ManifestS3Uri'].rpartition('/')[0]}/gold.csv",
        b"index,label\n0,cat\n3,dog\n",
    )
    job = job_lifecycle.open_job(world.ports, job_request, "token")
    world.work(job, "ann", "cat")
    world.work(job, "ben", "dog")
    ann, ben = (
        stats_of(world.table.get(stats_key(job.name, worker))[0]) for worker in ("ann", "ben")
    )
    assert (ann.compared, ann.agreed, ben.compared, ben.agreed) == (4, 0, 4, 0)
    assert (ann.gold, ann.gold_right, ben.gold, ben.gold_right) == (2, 1, 2, 1)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 5000, "not JSON"),
        (b'"cat"', "not a JSON object"),
        (b"[1, 2]", "not a JSON object"),
        (b"{}", "2 of 2 pictures have no answer"),
        ({"4": CAT}, "1 of 2 pictures have no answer"),
        ({"4": CAT, "24": CAT, "5": CAT}, "Picture 5 is not on this page"),
        ({"4": CAT, "24": {}}, "exactly one choice"),
        ({"4": CAT, "24": {**CAT, "dog": True}}, "exactly one choice"),
        ({"4": CAT, "24": {"cat": False}}, "exactly one choice"),
        ({"4": CAT, "24": {"cow": True}}, "a choice that this job does not know"),
        ({"4": CAT, "24": {"cat": "true"}}, "no choice among"),
        ({"4": CAT, "24": {"cat": 1}}, "no choice among"),
        ({"4": CAT, "24": "cat"}, "no choice among"),
        ({"4": CAT, "24": CAT, "meta": {}}, "meta is not text"),
    ],
)
def test_an_answer_that_makes_no_sense_is_refused_with_a_sentence(
    answer: Any, sentence: str
) -> None:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    with pytest.raises(Invalid, match=sentence):
        read_answer(body, INDEXES, CHOICES)


def test_an_answer_that_is_too_long_is_refused() -> None:
    with pytest.raises(TooLarge, match="512 KiB"):
        read_answer(b" " * (MAX_BYTES + 1), INDEXES, CHOICES)


def test_a_page_of_another_form_may_answer_anything_in_an_object() -> None:
    assert read_answer(b'[{"note": "three trees"}]', None, ()) == {"note": "three trees"}


@given(st.binary(max_size=300))
def test_no_bytes_make_reading_an_answer_fail_otherwise(body: bytes) -> None:
    with suppress(Invalid):
        read_answer(body, INDEXES, CHOICES)


def test_a_refused_answer_leaves_nothing_behind(world: World) -> None:
    job = world.open(tasks=3)
    task = world.take(job, "ann")
    path = f"/jobs/{job.name}/tasks/{task}/answer"
    status, said = world.ask("PUT", path, body=answer_of(job, task) | {"99": CAT})
    assert (status, said["message"]) == (400, "Picture 99 is not on this page.")
    assert world.stored(job) == {}
    assert read_counts(world.table, job).answered == 0
