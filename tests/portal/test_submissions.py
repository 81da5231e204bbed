"""Submissions: what is saved, once, before anyone says so."""

from __future__ import annotations

from tests.portal.world import World


def test_an_answer_lies_in_s3_in_ground_truths_layout(world: World) -> None:
    job = world.open(tasks=3)
    task = world.take(job, "ann")
    world.clock.wait(46.8)
    world.answer(job, "ann", task, "dog")
    stored = world.stored(job)[task, "ann"]
    assert stored.pop("answerContent")[str(task)] == {
        "cat": False,
        "dog": True,
        "cannot see": False,
    }
    assert stored == {
        "acceptanceTime": "2023-11-14T22:13:20.000Z",
        "submissionTime": "2023-11-14T22:14:06.800Z",
        "timeSpentInSeconds": 46.8,
        "workerId": "private.us-east-1.ann",
        "workerMetadata": {"identityData": {"identityProviderType": "Cognito", "sub": "ann"}},
    }
