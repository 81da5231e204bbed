"""The output tree of a closed job."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tessera.portal import job_lifecycle
from tessera.portal.output import BATCH_BYTES, BATCH_TASKS, AnsweredTask, batches
from tests.portal.world import World


def test_every_line_is_in_the_output_in_order_with_its_label_or_as_it_came(world: World) -> None:
    request = world.request(tasks=20)
    job = job_lifecycle.open_job(world.ports, request)
    for worker in ("ann", "ben"):
        for _ in range(4):
            world.answer(job, worker, world.take(job, worker))
    described = job_lifecycle.close_job(world.ports, request)
    lines = world.files.get(described["LabelingJobOutput"]["OutputDatasetS3Uri"]).splitlines()
    before = world.files.get(job.manifest).splitlines()
    answered = {task for task, _ in world.stored(job)}
    assert len(lines) == len(before) == 20
    for number, (line, came) in enumerate(zip(lines, before, strict=True)):
        if number not in answered:
            assert line == came
            continue
        record = json.loads(line)
        assert record["source"] == json.loads(came)["source"]
        assert [a["workerId"][-3:] for a in record["label"]["responses"]] == ["ann", "ben"]
        assert record["label-metadata"]["job-name"] == job.name
    assert described["LabelingJobStatus"] == "Stopped"
    assert described["LabelCounters"]["HumanLabeled"] == len(answered) == 4
    assert described["LabelCounters"]["Unlabeled"] == 16


@given(
    st.lists(st.sampled_from([0, 1, BATCH_BYTES // 3, BATCH_BYTES, 2 * BATCH_BYTES]), max_size=8)
)
def test_no_call_gets_more_than_it_can_take_unless_one_task_has_more(sizes: list[int]) -> None:
    tasks = [
        AnsweredTask(number, b"{}", [{"answerContent": "x" * size}] if size else [])
        for number, size in enumerate(sizes)
    ]
    calls = list(batches(tasks))
    assert [task for call in calls for task in call] == tasks
    for call in calls:
        assert len(call) == 1 or sum(sizes[task.number] for task in call) <= BATCH_BYTES


def test_a_call_gets_a_hundred_tasks_at_most() -> None:
    tasks = [AnsweredTask(number, b"{}", []) for number in range(250)]
    assert [len(call) for call in batches(tasks)] == [BATCH_TASKS, BATCH_TASKS, 50]
