"""Runs that a power cut ended go on; those that ended by themselves, or would be others, do not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tessera.runs import resumption
from tessera.runs.executions import CUT_OFF, Ending
from tessera.runs.folder import RunFolder
from tessera.runs.resumption import Resumed, resume, resume_runs, was_cut_off
from tessera.tiling.run.jobs import run_id
from tessera.tiling.run.run_record import find_settings

MANIFEST = "s3://inbox/pets/may.manifest"


@pytest.fixture
def folder(labels: Any, place: Any, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run that has begun: its manifest and settings lie in the inbox."""
    monkeypatch.setattr(type(place.cloud), "default_settings", b"")
    labels.put("inbox", "pets/may.manifest", b'{"source-ref": "s3://inbox/pets/1.png"}\n')
    labels.put("inbox", "pets/labeling.json", b'{"labels": ["cat", "dog"]}')
    manifest = {"bucket": "inbox", "key": "pets/may.manifest"}
    manifest["etag"] = place.cloud.storage.etag(MANIFEST)
    name = run_id(manifest, find_settings(place.cloud.storage, manifest, ""))
    record = {"run": name, "execution": "arn", "manifest": manifest, "rounds": []}
    labels.put("labels", f"runs/{name}/run.json", json.dumps(record).encode())
    return RunFolder(place.cloud, f"s3://labels/runs/{name}/")


@pytest.mark.parametrize(
    ("end", "is_cut_off"),
    [
        (None, True),
        (Ending("FAILED", {}, CUT_OFF), True),
        (Ending("RUNNING", {}), False),
        (Ending("SUCCEEDED", {}), False),
        (Ending("ABORTED", {}), False),
        (Ending("FAILED", {}, "ManifestEmpty"), False),
    ],
)
def test_a_run_is_cut_off_if_its_execution_is_gone_or_ended_with_the_stack(
    end: Ending | None, is_cut_off: bool, folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resumption, "ending_or_none", lambda *_: end)
    assert was_cut_off(folder) == is_cut_off
    folder.record["done"] = True
    # Its labels are written; the start announces it, where that is not known to have been done.
    assert was_cut_off(folder) == (end is not None and end.error == CUT_OFF)


@pytest.mark.parametrize("is_done", [False, True])
@pytest.mark.parametrize("has_changed", [False, True])
def test_a_start_goes_on_with_what_was_cut_off_and_asks_nothing_for_labels_that_are_written(
    is_done: bool, has_changed: bool, folder: RunFolder, labels: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(resumption, "ending_or_none", lambda *_: Ending("FAILED", {}, CUT_OFF))
    record = folder.record | ({"done": True} if is_done else {})
    labels.put("labels", f"runs/{folder.name}/run.json", json.dumps(record).encode())
    if has_changed:
        labels.put("inbox", "pets/labeling.json", b'{"labels": ["cat", "cow"]}')
    resumed = list(resume_runs(folder.cloud))
    assert len(resumed) == (0 if is_done and has_changed else 1)
    assert all(bool(each.remedy) == has_changed for each in resumed)


def started(folder: RunFolder) -> list[Any]:
    """Objects that executions were started for."""
    executions: Any = folder.cloud.connection.workflow
    return [event["detail"] for event in executions.started]


def test_a_run_that_was_cut_off_is_started_again_as_it_was(folder: RunFolder) -> None:
    resumed = resume(folder)
    assert str(resumed) == f"{folder.name} was cut off: going on with it"
    assert str(Resumed("pets", 1, 1200)).endswith("going on with it (1 of 1,200 pages)")
    etag = folder.record["manifest"]["etag"]
    dropped = {"key": "pets/may.manifest", "etag": etag, "version-id": ""}
    assert started(folder) == [{"bucket": {"name": "inbox"}, "object": dropped}]


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_run_goes_on_with_its_manifest_when_another_was_dropped_in_its_place(
    is_kept: bool, folder: RunFolder, labels: Any
) -> None:
    folder.record["manifest"]["version-id"] = "first"
    if is_kept:
        labels.files.versions[MANIFEST, "first"] = labels.files.objects[MANIFEST]
    labels.put("inbox", "pets/may.manifest", b'{"source-ref": "s3://inbox/pets/2.png"}\n')
    resumed = resume(folder)
    assert bool(resumed.remedy) != is_kept
    assert [each["object"]["version-id"] for each in started(folder)] == ["first"] * is_kept


@pytest.mark.parametrize("version", ["", "gone"])
def test_a_run_goes_on_with_the_same_manifest_put_again_under_another_etag(
    version: str, folder: RunFolder, labels: Any
) -> None:
    folder.record["manifest"]["version-id"] = version
    labels.files.other_etags = True
    assert not resume(folder).remedy
    etag = folder.record["manifest"]["etag"].strip('"')
    assert [each["object"]["etag"] for each in started(folder)] == [etag]


@pytest.mark.parametrize("changed", ["may.manifest", "labeling.json", "instructions.md"])
def test_a_run_whose_files_have_changed_is_left_to_its_owner(
    changed: str, folder: RunFolder, labels: Any
) -> None:
    labels.put("inbox", f"pets/{changed}", b'{"labels": ["cat", "cow"]}')
    resumed = resume(folder)
    assert "have changed since" in str(resumed)
    assert resumed.remedy
