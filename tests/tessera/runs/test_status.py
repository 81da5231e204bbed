"""The status of a run is that of its execution, its folder and its jobs."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.portal.table_layout import Remarks, put_remarks
from tessera.runs.display import STATES, status_line
from tessera.runs.status import (
    BLOCK_STATES,
    ROWS_PREFIX,
    SHARD_STATES,
    RoundProgress,
    RunStatus,
    ground_truth_progress,
    portal_progress,
    run_folder_of,
    run_name_of,
    staffing_remedy,
)
from tessera.tiling.guesses.embedding_blocks import rows_name
from tessera.tiling.run.jobs import run_id
from tessera.tiling.run.run_record import begin_record, claim_run, find_settings
from tessera.tiling.settings import read_settings
from tests.portal.test_first_offers import MINUTES, offered_job
from tests.portal.world import World
from tests.tessera.conftest import FakeCloud

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


def test_instructions_beside_a_manifest_are_in_its_runs_name(
    labels: Any, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(place.cloud), "default_settings", b"")
    labels.put("inbox", "pets/labeling.json", b'{"labels": ["cat", "dog"]}')
    manifest = {"key": "pets/may.manifest", "etag": "9", "version-id": ""}
    execution = {"input": json.dumps({"detail": {"bucket": {"name": "inbox"}, "object": manifest}})}
    without = run_name_of(place.cloud, execution)
    labels.put("inbox", "pets/instructions.md", b"Look at the ears.")
    named = {"bucket": "inbox"} | manifest
    expected = run_id(named, find_settings(place.cloud.storage, named, ""))
    assert run_name_of(place.cloud, execution) == expected != without


def described(execution: str, key: str, **more: Any) -> dict[str, Any]:
    """What Step Functions tells of an execution that was started for a key of the inbox."""
    detail = {"bucket": {"name": "inbox"}, "object": {"key": key, "etag": "9"}}
    return {"executionArn": execution, "input": json.dumps({"detail": detail})} | more


@pytest.mark.thorough
@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["pets/may.manifest", "pets/may-1.manifest", "?.manifest", "a.jsonl"]),
            st.lists(st.sampled_from(["cat", "dog", "owl", "wren"]), min_size=2, unique=True),
            st.integers(1, 3),
        ),
        max_size=6,
    )
)
def test_an_execution_s_run_is_the_one_whose_record_names_it_whatever_the_settings_are_now(
    drops: list[tuple[str, list[str], int]],
) -> None:
    cloud = FakeCloud()
    runs = {}
    for number, (key, names, executions) in enumerate(drops):
        begun = read_settings(json.dumps({"labels": names}).encode())
        manifest = {"bucket": "inbox", "key": key, "etag": "9"}
        for attempt in range(executions):
            record = begin_record(manifest, begun, f"{number}-{attempt}")
            uri = f"s3://labels/runs/{record.run}/run.json"
            claim_run(cloud.storage, uri, record, lambda _: "ABORTED")
            runs[record.execution] = (key, record.run)
    cloud.storage.put("s3://inbox/pets/labeling.json", b'{"labels": ["others", "by now"]}')

    for execution, (key, run) in runs.items():
        folder = run_folder_of(cloud, described(execution, key))
        assert folder is not None
        assert folder.name == run
    assert run_folder_of(cloud, described("refused", "pets/may.manifest")) is None


def test_an_execution_without_a_manifest_or_with_an_output_needs_no_search(place: Any) -> None:
    ended = described("e", "a.manifest", output='{"home": "s3://labels/runs/a-1/"}')
    folder = run_folder_of(place.cloud, ended)
    assert folder is not None
    assert folder.name == "a-1"
    assert run_folder_of(place.cloud, {"executionArn": "e", "input": "{}"}) is None


def test_the_states_of_a_shard_and_the_states_that_are_shown_are_in_the_machine() -> None:
    machine = json.loads((DOCS.parent / "statemachine" / "labeling.asl.json").read_text("utf-8"))
    inside = machine["States"]["LabelShards"]["ItemProcessor"]["States"]

    assert inside.keys() == SHARD_STATES
    assert inside["EmbedBlocks"]["ItemProcessor"]["States"].keys() == BLOCK_STATES
    assert rows_name(0).startswith(ROWS_PREFIX)
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


@pytest.mark.parametrize(("tried", "qualified"), [(0, 0), (2, 2), (3, 1)])
def test_a_run_that_waits_for_people_names_commands_for_what_may_be_done(
    place: Any, tried: int, qualified: int
) -> None:
    described_run = described("e", "my pets/a.manifest", output='{"home": "s3://labels/runs/a-1/"}')
    folder = run_folder_of(place.cloud, described_run)
    assert folder is not None
    record = {"manifest": {"bucket": "inbox", "key": "my pets/a.manifest"}}
    place.cloud.storage.put("s3://labels/runs/a-1/run.json", json.dumps(record).encode())

    remedy = staffing_remedy(folder, RoundProgress(tried=tried, qualified=qualified))

    anew = "let who did not qualify begin anew: tessera workers requalify EMAIL --project 'my pets'"
    assert remedy.startswith("tessera workers add EMAIL, ")
    assert remedy.endswith("or end the run: tessera stop a-1")
    assert (anew in remedy) == (qualified < tried)


def test_what_workers_flagged_is_in_the_progress_at_once() -> None:
    world = World()
    job = world.open(tasks=2, workers=1)
    for task, worker in ((0, "ann"), (1, "bob")):
        remarks = Remarks(task, worker, {str(task): "wrong question"}, "")
        world.ports.table.write(put_remarks(job.name, remarks))
    progress = portal_progress(world.ports, [job.name])
    assert (progress.flagged, progress.reasons) == (2, ("wrong question",))
    status = RunStatus("pets", "RUNNING", "LabelShards", 1, 2, progress)
    assert "2 pictures flagged: wrong question" in status_line(status)


@pytest.mark.parametrize("at_work", [False, True])
def test_pages_that_are_held_back_say_so_and_until_when(at_work: bool) -> None:
    world = World()
    free = world.open(tasks=1, name="free")
    job = offered_job(world, 2, {"ann": {0, 1}})
    seconds, until = MINUTES * 60.0, job.opened + MINUTES * 60
    if at_work:
        world.work(free, "bob")
    progress = portal_progress(world.ports, [job.name, free.name], seconds)
    assert progress.for_anyone_at == until
    line = status_line(RunStatus("pets", "RUNNING", "LabelShards", 2, 2, progress))
    when = f"{datetime.fromtimestamp(until).astimezone():%H:%M}"
    assert f"pages go to the likeliest to be right first, to anyone from {when}" in line
    assert ("waiting for workers" in line) == (not at_work)
    assert portal_progress(world.ports, [free.name], seconds).for_anyone_at is None
    world.clock.wait(seconds)
    assert portal_progress(world.ports, [job.name], seconds).for_anyone_at is None


def test_pages_that_are_all_answered_are_held_back_for_nobody() -> None:
    world = World()
    job = offered_job(world, 2, {"ann": {0, 1}})
    world.work(job, "ann")
    assert portal_progress(world.ports, [job.name], MINUTES * 60.0).for_anyone_at is None
