"""Jobs, as CreateLabelingJob's requests describe them."""

from __future__ import annotations

from typing import Any

import pytest

from tessera.portal import job_lifecycle
from tessera.portal.errors import Invalid
from tessera.portal.job_request import read_request
from tessera.tiling.kinds.task_kinds import KINDS
from tests.portal.world import World


def test_a_job_is_read_from_the_request_that_ground_truth_takes(world: World) -> None:
    job = read_request(world.request(tasks=3, team="cats"))
    assert (job.name, job.workers, job.seconds, job.team) == ("pets-1-r1-000", 2, 1800, "cats")
    assert job.output == "s3://labels/runs/pets-1/round-1/jobs/pets-1-r1-000"
    assert job.offsets == "s3://labels/runs/pets-1/round-1/tasks-000.offsets"
    assert job.response(7, "ann").endswith("/worker-response/iteration-1/7/ann.json")


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (["LabelingJobName"], "a_b", "LabelingJobName"),
        (["LabelingJobName"], "", "no LabelingJobName"),
        (["InputConfig", "DataSource"], {}, "ManifestS3Uri"),
        (["HumanTaskConfig", "NumberOfHumanWorkersPerDataObject"], 10, "not 1 to 9"),
        (["HumanTaskConfig", "TaskTimeLimitInSeconds"], 5, "not 30 to 28800"),
        (["HumanTaskConfig", "UiConfig"], None, "UiConfig"),
    ],
)
def test_a_request_that_cannot_be_met_names_the_field(
    world: World, path: list[str], value: Any, sentence: str
) -> None:
    request: Any = world.request(tasks=1)
    place = request
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(Invalid, match=sentence):
        job_lifecycle.open_job(world.ports, request)


@pytest.mark.parametrize("task", KINDS)
def test_a_job_has_the_kind_that_its_request_names(world: World, task: str) -> None:
    job = read_request(world.request(1, workers=1, **{"tessera:task": task}))
    assert job.kind == KINDS[job.task]
    assert job.task == task


def test_a_kind_that_does_not_exist_is_refused(world: World) -> None:
    with pytest.raises(Invalid, match="'drawing', which is none of tiles, multi"):
        read_request(world.request(1, workers=1, **{"tessera:task": "drawing"}))
