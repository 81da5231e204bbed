"""`tessera drop`: what is checked, warned of and uploaded."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tessera.commands.drop as drop_module
from tessera.commands.drop import drop_command
from tessera.commands.estimate import estimate_command
from tessera.commands.import_job import import_command
from tessera.exits import Exit, Refused
from tessera.picture_folder import check_has_pictures
from tessera.runs.checks import refuse_csv
from tessera.runs.executions import Ending, RunError
from tessera.runs.fitting import Staff
from tessera.runs.status import RunStatus
from tessera.stack.cloud import Cloud
from tests.tessera.conftest import png

PUBLIC = {
    "labels": ["cat", "dog"],
    "workforce": "arn:aws:sagemaker:us-east-1:394669845002:workteam/public-crowd/default",
    "content_classifiers": ["FreeOfPersonallyIdentifiableInformation"],
}

LOCAL = "http://127.0.0.1:4566"


def test_a_drop_for_the_public_crowd_is_warned_of_before_anything_is_uploaded(
    labels: Any, tessera: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> str:
        raise RunError("nothing is uploaded in this test")

    monkeypatch.setattr("tessera.runs.start.list_executions", lambda *_: [])
    monkeypatch.setattr("tessera.runs.start.drop", refuse)
    (tmp_path / "labeling.json").write_text(json.dumps(PUBLIC))
    (tmp_path / "may.manifest").write_text('{"source-ref": "s3://inbox/1.png"}\n')

    done = tessera(drop_command, "may.manifest")

    assert "closed on 30 September 2026" in done.stderr
    assert "nothing is uploaded" in done.stderr


@pytest.mark.parametrize("where", ["the project", "the stack"])
def test_a_manifest_without_settings_gets_those_of_its_project_or_the_stack(
    where: str, labels: Any, place: Any, tessera: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop_there(*_: Any, **__: Any) -> str:
        raise RunError("dropped")

    raw = b'{"labels": ["cat", "dog"]}'
    monkeypatch.setattr("tessera.runs.start.list_executions", lambda *_: [])
    monkeypatch.setattr("tessera.runs.start.wait_for_execution", stop_there)
    monkeypatch.setattr(type(place.cloud), "default_settings", raw if where == "the stack" else b"")
    if where == "the project":
        labels.put("inbox", "pets/labeling.json", raw)
    Path("may.manifest").write_text('{"source-ref": "s3://inbox/1.png"}\n')

    done = tessera(drop_command, "may.manifest", "--project", "pets")
    other = tessera(drop_command, "may.manifest", "--project", "zoo")

    assert "dropped" in done.stderr
    assert other.exit_code == (Exit.REFUSED if where == "the project" else Exit.FAILED)
    assert "s3://inbox/pets/may.manifest" in labels.files.objects
    own = "s3://inbox/pets/labeling.json" in labels.files.objects
    assert own == (where == "the project")


def test_a_drop_tells_of_first_pictures_that_cannot_be_shown_and_of_changed_ones(
    labels: Any, place: Any
) -> None:
    name = labels.run(images=1)
    home = f"s3://labels/runs/{name}/"
    record = json.loads(labels.files.get(f"{home}run.json"))
    record |= {"rounds": [{"round": 1}], "notices": ["1 of the first 9 pictures cannot be shown"]}
    labels.files.put(f"{home}run.json", json.dumps(record).encode())
    labels.files.put(f"{home}round-1/jobs/j/pictures/0.json", b'{"s3://inbox/pets/0.png": "old"}')
    known = {"outcome": "already-running", "run": name}

    begun = drop_module._notices_on_pictures(
        place.cloud, RunStatus(name, "RUNNING", "LabelShards"), Ending("RUNNING", {})
    )
    again = drop_module._notices_on_pictures(
        place.cloud, RunStatus("", "SUCCEEDED", ""), Ending("SUCCEEDED", known)
    )

    assert begun == ["1 of the first 9 pictures cannot be shown"]
    assert "1 picture changed after people were shown them: s3://inbox/pets/0.png" in again[0]


def test_a_folder_without_pictures_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(Refused, match="has no images that can be shown"):
        check_has_pictures(tmp_path)


@pytest.mark.parametrize(
    ("endpoint", "served", "count", "expected", "not_expected"),
    [
        (LOCAL, "", 0, "Add one: tessera workers add EMAIL", "serve"),
        (LOCAL, "", None, "Add one: tessera workers add EMAIL", "serve"),
        (LOCAL, "", 2, "2 people may label it there", "workers add"),
        (LOCAL, "", 1, "Open it to other machines: tessera serve", "workers add"),
        (LOCAL, "https://10.0.0.7:8443/", 2, "https://10.0.0.7:8443/", "tessera serve"),
        (None, "", 2, "2 people may label it there", "tessera serve"),
    ],
)
def test_a_drop_ends_with_who_labels_it_and_how_they_come_there(
    endpoint: str | None, served: str, count: int | None, expected: str, not_expected: str
) -> None:
    cloud = Cloud(endpoint, address_for_others=served)
    cloud.__dict__["outputs"] = {"Portal": "https://portal.test", "PortalApiId": "a1"}
    text = drop_module.next_step(Ending("RUNNING", {}), "pets-may", Staff(cloud, count))
    assert expected in text
    assert not_expected not in text
    assert "tessera watch pets-may" in text


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("urls.csv", "url,label\nhttps://example.org/1.jpg,cat\n"),
        ("my urls.CSV", "\ufeffImage;Label\n1.jpg;cat\n"),
        ("pets.manifest", "id,image\n1,s3://pets/1.jpg\n"),
        ("pets.tsv", "what\tever\n"),
    ],
)
@pytest.mark.parametrize("command", [drop_command, estimate_command])
def test_a_csv_file_is_no_manifest_and_the_command_that_makes_one_of_it_can_be_pasted(
    command: Any, name: str, content: str, tessera: Any, place: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    (tmp_path / name).write_text(content, "utf-8")
    monkeypatch.setattr(type(place), "command", lambda _, words: f"tessera --port 4999 {words}")
    done = tessera(command, name)
    assert done.exit_code == Exit.REFUSED
    assert "is a CSV file, and no manifest" in done.stderr
    pasted = shlex.split(done.stderr.splitlines()[-1])
    assert pasted[:4] == ["tessera", "--port", "4999", "import"]
    assert pasted[pasted.index("--csv") + 1] == name
    assert pasted[pasted.index("--out") + 1] != name
    if name == "urls.csv":
        made = tessera(import_command, *pasted[4:])
        assert made.exit_code == Exit.OK, made.output
        assert "tessera --port 4999 drop urls.manifest" in made.stdout


@pytest.mark.parametrize("content", [b'{"source-ref": "s3://pets/1.jpg"}\n', b"\0image,label\n"])
def test_a_manifest_that_is_called_csv_and_what_is_no_text_are_read_as_before(
    content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "pets.csv").write_bytes(content)
    refuse_csv(tmp_path / "pets.csv", str)


def test_an_interrupted_upload_says_that_no_run_has_begun(
    labels: Any, tessera: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any, **__: Any) -> bytes:
        raise KeyboardInterrupt

    (tmp_path / "pets").mkdir()
    (tmp_path / "pets" / "cat.png").write_bytes(png(4, 3))
    monkeypatch.setattr("tessera.runs.source.upload_pictures", interrupt)
    done = tessera(drop_command, "pets", "--labels", "cat,dog")
    assert done.exit_code == Exit.INTERRUPTED
    assert "no run has begun" in done.stderr


def test_other_runs_of_the_project_that_are_at_work_are_named(
    labels: Any, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {"arn:1": "pets", "arn:2": "pets", "arn:3": "pets/young", "arn:4": "pets"}
    names = {
        arn: f"{project.replace('/', '-')}-may-{arn[-1] * 12}" for arn, project in places.items()
    }
    for arn, name in names.items():
        labels.run(name, images=1)
        uri = f"s3://labels/runs/{name}/run.json"
        record = json.loads(labels.files.get(uri)) | {"execution": arn}
        labels.files.put(uri, json.dumps(record).encode())

    def describe(executionArn: str) -> dict[str, Any]:
        key = {"key": f"{places[executionArn]}/may.manifest"}
        detail = {"bucket": {"name": "inbox"}, "object": key}
        return {"executionArn": executionArn, "input": json.dumps({"detail": detail})}

    executions = [
        {"executionArn": arn, "status": "FAILED" if arn == "arn:4" else "RUNNING"} for arn in places
    ]
    monkeypatch.setattr(drop_module, "list_executions", lambda *_: executions)
    workflows = SimpleNamespace(describe_execution=describe)
    monkeypatch.setattr(place.cloud, "client", lambda _: workflows)
    (notice,) = drop_module.other_runs_notice(place.cloud, "pets", names["arn:1"])
    assert f"tessera stop {names['arn:2']}" in notice
