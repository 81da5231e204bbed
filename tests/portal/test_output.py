"""The output tree of a closed job."""

from __future__ import annotations

import json

from tessera.portal import job_lifecycle
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
