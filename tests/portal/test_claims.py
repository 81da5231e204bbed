"""Claims: who gets which task, and for how long."""

from __future__ import annotations

from collections import Counter

from portal.records import FULL
from tests.portal.world import World


def test_two_workers_answer_every_task_and_the_execution_goes_on(world: World) -> None:
    job = world.open(tasks=40, workers=2)
    for worker in ("ann", "ben"):
        done = world.work(job, worker)
        assert sorted(done) == list(range(40))
    assert world.again(job).status == FULL
    assert world.resumed == [
        ("token", {"LabelingJobName": job.name, "LabelingJobStatus": "Completed"})
    ]
    assert Counter(task for task, _ in world.stored(job)) == dict.fromkeys(range(40), 2)
