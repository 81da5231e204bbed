"""Pictures that have changed since people were shown them are told, with their number and names."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.commands.export import ALL_FORMATS, export
from tessera.commands.report import report_command
from tessera.runs.folder import RunFolder
from tessera.runs.picture_changes import MOST_TASKS, changes_since_shown
from tests.examples import examples
from tests.fakes import etag
from tests.tessera.conftest import FakeCloud, png
from tests.tiling.report.small_run import figures

HOME = "s3://labels/runs/pets-1/"


def record(cloud: FakeCloud, tasks: dict[tuple[int, int], dict[str, bytes]]) -> RunFolder:
    """A run whose tasks, by round and number, recorded these pictures."""
    rounds = [{"round": number} for number in (1, 2)]
    cloud.aws.files.put(f"{HOME}run.json", json.dumps({"rounds": rounds}).encode())
    for (round_, task), pictures in tasks.items():
        uri = f"{HOME}round-{round_}/jobs/pets-1-r{round_}-000/pictures/{task}.json"
        etags = {name: etag(content) for name, content in pictures.items()}
        cloud.aws.files.put(uri, json.dumps(etags).encode())
    return RunFolder(cloud, HOME)


contents = st.sampled_from([b"1", b"2", b"3"])
names = st.sampled_from([f"s3://pets/{number}.jpg" for number in range(4)])


@pytest.mark.thorough
@settings(max_examples=examples(200), deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.integers(1, 2), st.integers(0, 3)), st.dictionaries(names, contents)
    ),
    st.dictionaries(names, contents),
)
def test_a_picture_has_changed_if_it_is_or_was_another_than_it_was_shown(
    tasks: dict[tuple[int, int], dict[str, bytes]], now: dict[str, bytes]
) -> None:
    cloud = FakeCloud()
    run = record(cloud, tasks)
    for name, content in now.items():
        cloud.aws.files.put(name, content)

    changes = changes_since_shown(run)

    seen = {(name, content) for pictures in tasks.values() for name, content in pictures.items()}
    assert set(changes.changed) == {
        name for name, content in seen if name in now and content != now[name]
    }
    assert not changes.sampled


def test_a_picture_that_was_exchanged_while_people_had_it_has_changed() -> None:
    cloud = FakeCloud()
    run = record(cloud, {(1, 0): {"s3://pets/0.jpg": b"1", "s3://pets/1.jpg": b"1"}})
    uri = f"{HOME}round-1/jobs/pets-1-r1-000/pictures/0.json"
    etags = json.loads(cloud.aws.files.get(uri)) | {"s3://pets/0.jpg": ""}
    cloud.aws.files.put(uri, json.dumps(etags).encode())
    for number in range(2):
        cloud.aws.files.put(f"s3://pets/{number}.jpg", b"1")

    assert changes_since_shown(run).changed == ("s3://pets/0.jpg",)


def test_a_large_run_is_sampled_and_says_so() -> None:
    cloud = FakeCloud()
    tasks = {(1, task): {f"s3://pets/{task}.jpg": b"1"} for task in range(2 * MOST_TASKS)}
    run = record(cloud, tasks)
    for task in range(2 * MOST_TASKS):
        cloud.aws.files.put(f"s3://pets/{task}.jpg", b"2")

    changes = changes_since_shown(run)

    assert changes.looked_at == MOST_TASKS
    assert f"{MOST_TASKS} pictures of {MOST_TASKS} looked at changed" in changes.warnings()[0]


@pytest.mark.parametrize("form", ALL_FORMATS)
def test_every_export_and_the_report_tell_of_a_changed_picture(
    labels: Any, tessera: Any, form: str
) -> None:
    name = labels.run(images=3)
    home = f"s3://labels/runs/{name}/"
    run = json.loads(labels.files.get(f"{home}run.json")) | {"rounds": [{"round": 1}]}
    labels.files.put(f"{home}run.json", json.dumps(run).encode())
    labels.files.put(f"{home}report.json", json.dumps(figures(doubtful=[])).encode())
    etags = {f"s3://inbox/pets/{n}.png": etag(png(4 + n, 3)) for n in range(3)}
    labels.files.put(f"{home}round-1/jobs/j/pictures/0.json", json.dumps(etags).encode())
    labels.put("inbox", "pets/1.png", png(9, 9))

    done = tessera(export, "--to", form, "--out", "made")

    assert "1 picture changed after people were shown them: s3://inbox/pets/1.png" in done.output


def test_a_key_that_promises_its_content_is_held_to_it(labels: Any, tessera: Any) -> None:
    uri = f"s3://inbox/images/pets/{'0f' * 16}/1.png"
    labels.run(images=1, line=lambda _: {"source-ref": uri})
    labels.files.put(uri, png(4, 4))

    assert "changed after" in tessera(export, "--to", "coco", "--out", "made").output


def test_the_report_tells_of_a_changed_picture(
    labels: Any, tessera: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for_people = ({"headline": "1 of 1 labeled"}, dict[str, str]())
    monkeypatch.setattr("tessera.commands.report.for_people", lambda *_, **__: for_people)
    monkeypatch.setattr("tessera.commands.report.sheet_pictures", lambda *_: {})
    monkeypatch.setattr("tessera.commands.report.render_report", lambda *_: "")
    name = labels.run(images=1)
    home = f"s3://labels/runs/{name}/"
    run = json.loads(labels.files.get(f"{home}run.json")) | {"rounds": [{"round": 1}]}
    labels.files.put(f"{home}run.json", json.dumps(run).encode())
    labels.files.put(f"{home}report.json", json.dumps(figures(doubtful=[])).encode())
    labels.files.put(
        f"{home}round-1/jobs/j/pictures/0.json", b'{"s3://inbox/pets/0.png": "another"}'
    )

    assert "s3://inbox/pets/0.png" in tessera(report_command).output
