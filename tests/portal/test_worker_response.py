"""Answers in Ground Truth's worker-response layout."""

from __future__ import annotations

from tests.portal.world import World


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
