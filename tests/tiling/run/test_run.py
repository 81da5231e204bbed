"""A run is what its record and the state machine say of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tessera.tiling.run.run import Run, read_run

COMPLETED, STOPPED = {"name": "a", "status": "Completed"}, {"name": "b", "status": "Stopped"}


def run(
    *jobs: dict[str, str], round_: int = 1, key: str = "pets/may.manifest", **settings: Any
) -> Run:
    record = {
        "run": "pets",
        "execution": "arn:0",
        "manifest": {"bucket": "inbox", "key": key, "version-id": "7"},
        "settings": {"labels": ["cat", "dog"]} | settings,
        "counts": {"lines": 3},
        "rounds": [{"round": 1, "shards": 1, "tasks": 4, "images": 3}],
    }
    event = {
        "run": "pets",
        "home": "s3://labels/runs/pets/",
        "round": round_,
        "jobs": list(jobs),
        "execution": "arn:1",
        "started": "2026-11-23T01:51:01.123Z",
    }
    return read_run(msgspec.json.encode(record), event)


def test_a_run_has_its_settings_manifest_and_tasks() -> None:
    read = run()
    assert (read.name, read.settings.labels, dict(read.tasks)) == ("pets", ("cat", "dog"), {1: 4})
    assert (read.manifest_uri, read.project) == ("s3://inbox/pets/may.manifest", "pets")
    assert read.execution == "arn:1"  # the one that runs now, which may have taken the run over


def test_a_manifest_outside_any_folder_belongs_to_no_project() -> None:
    assert run(key="may.manifest").project == "none"


@pytest.mark.parametrize(
    ("jobs", "completed"), [((), True), ((COMPLETED,), True), ((COMPLETED, STOPPED), False)]
)
def test_jobs_are_completed_if_each_is(jobs: tuple[dict[str, str], ...], completed: bool) -> None:
    assert run(*jobs).all_jobs_completed is completed


@pytest.mark.parametrize(("round_", "allowed"), [(1, True), (2, True), (3, False)])
def test_rounds_end_where_an_image_may_get_no_more_answers(round_: int, allowed: bool) -> None:
    read = run(COMPLETED, round_=round_, answers_per_image=2, max_answers=4)
    assert read.may_ask_again is allowed


def test_a_round_with_an_incomplete_job_is_the_last() -> None:
    assert not run(COMPLETED, STOPPED, answers_per_image=2, max_answers=4).may_ask_again
