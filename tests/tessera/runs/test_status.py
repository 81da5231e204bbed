"""The status of a run is that of its execution, its folder and its jobs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tessera.runs.display import STATES
from tessera.runs.status import (
    SHARD_STATES,
    ground_truth_progress,
    portal_progress,
    run_name_of,
)
from tessera.tiling.jobs import run_id
from tessera.tiling.settings import read_settings
from tests.portal.world import World

DOCS = Path(__file__).parents[3] / "docs"


def test_a_run_under_the_stack_s_default_settings_is_known_before_it_has_a_folder(
    labels: Any, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    default = b'{"labels": ["cat", "dog"]}'
    monkeypatch.setattr(type(place.cloud), "default_settings", default)
    manifest = {"key": "pets/may.manifest", "etag": "9", "version-id": ""}
    detail = {"bucket": {"name": "inbox"}, "object": manifest}

    expected = run_id({"bucket": "inbox"} | manifest, read_settings(default))

    assert run_name_of(place.cloud, {"input": json.dumps({"detail": detail})}) == expected


def test_the_states_of_a_shard_and_the_states_that_are_shown_are_in_the_machine() -> None:
    machine = json.loads((DOCS.parent / "statemachine" / "labeling.asl.json").read_text("utf-8"))
    inside = machine["States"]["LabelShards"]["ItemProcessor"]["States"]

    assert inside.keys() == SHARD_STATES
    assert machine["States"].keys() >= STATES.keys()


def test_progress_on_the_portal_is_added_up_over_the_jobs_of_a_round() -> None:
    world = World()
    jobs = [world.open(tasks=2, name=f"pets-1-r1-00{shard}") for shard in range(2)]
    for job in jobs:
        world.work(job, "ann", "cat")
    world.clock.wait(1000)  # ann is gone
    world.work(jobs[0], "bob", "cat")

    progress = portal_progress(world.ports, [*(job.name for job in jobs), "not-open-yet"])

    assert (progress.tasks, progress.answers, progress.needed, progress.workers) == (4, 6, 8, 1)
    assert progress.images_an_hour == pytest.approx(3600 * 2 / 10)  # two a page, 10 seconds each
    assert progress.hours_left == pytest.approx(2 * 10 / 3600)
    assert progress.agreement == 1
    assert progress.jobs == ("pets-1-r1-000", "pets-1-r1-001")


class Service:
    """Ground Truth with one job."""

    class exceptions:
        """The errors that it knows."""

        class ResourceNotFound(Exception):
            """No such job."""

    def describe_labeling_job(self, LabelingJobName: str) -> dict[str, Any]:
        """How the job stands."""
        if LabelingJobName != "a":
            raise self.exceptions.ResourceNotFound
        counters = {"TotalLabeled": 7, "FailedNonRetryableError": 1, "Unlabeled": 3}
        return {"LabelCounters": counters}


def test_progress_at_ground_truth_is_read_from_its_counters() -> None:
    progress = ground_truth_progress(Service(), ["a", "b"])

    assert (progress.answers, progress.needed, progress.jobs) == (8, 10, ("a",))
