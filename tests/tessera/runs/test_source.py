"""What is dropped, as it lies on this machine: its project, its settings, its pictures."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.exits import Refused
from tessera.runs.executions import drop
from tessera.runs.fitting import Staff
from tessera.runs.source import Source, suggest_project
from tessera.tiling.manifest.source_rule import SourceRule
from tessera.tiling.settings import read_settings
from tests.examples import examples
from tests.tessera.conftest import FakeCloud, png


def test_the_same_folder_with_the_same_labels_keeps_the_settings_it_was_dropped_with(
    labels: Any, place: Any, tmp_path: Path
) -> None:
    def staff_of(count: int) -> Any:
        return lambda _: Staff(place.cloud, count)

    source = Source(tmp_path, tmp_path / "labeling.json", "pets", ("cat", "dog"))
    own = source.own_settings()
    assert own is not None
    settings = read_settings(own)
    first = source.fit_settings(place.cloud, own, settings, staff_of(2))
    assert read_settings(first).max_answers == 2

    labels.put("inbox", "pets/labeling.json", first)
    assert source.fit_settings(place.cloud, own, settings, staff_of(1)) == first

    other = json.dumps({"labels": ["cat", "dog", "cow"]}).encode()
    labels.put("inbox", "pets/labeling.json", other)
    refitted = source.fit_settings(place.cloud, own, settings, staff_of(1))
    assert read_settings(refitted).max_answers == 1


def test_a_settings_file_of_the_same_labels_is_used_and_of_others_is_refused(
    tmp_path: Path,
) -> None:
    file = tmp_path / "labeling.json"
    file.write_text('{"labels": ["cat", "dog"], "gain": 0.1}')
    source = Source(tmp_path, file, "pets", ("cat", "dog"))
    assert source.own_settings() == file.read_bytes()
    with pytest.raises(click.UsageError, match="names other labels"):
        replace(source, labels=("cat", "cow")).own_settings()


Batches = st.lists(
    st.tuples(
        st.sampled_from(["may", "june"]),
        st.dictionaries(st.sampled_from(["IMG_1.png", "IMG_2.png"]), st.integers(0, 3), min_size=1),
    ),
    min_size=2,
    max_size=4,
)


@pytest.mark.thorough
@settings(deadline=None, max_examples=examples(25))
@given(batches=Batches)
def test_cameras_that_give_the_same_names_in_folders_of_one_name_mix_up_nothing(
    batches: list[tuple[str, dict[str, int]]],
) -> None:
    """Whatever is dropped, every line of every manifest so far opens the picture of its time."""
    cloud = FakeCloud()
    files, raw = cloud.aws.files, b'{"labels": ["zero", "one"]}'
    expected: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for month, pictures in batches:
            folder = Path(scratch, month, "photos")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for name, gray in pictures.items():
                (folder / name).write_bytes(png(4, 4, gray))
            (folder / "labeling.json").write_bytes(raw)
            source = Source.at(folder, None, None)
            lines = source.lines(cloud, read_settings(raw)).splitlines()
            drop(cloud, b"\n".join(lines), project="photos", name="photos", settings=raw)
            contents = [png(4, 4, gray) for _, gray in sorted(pictures.items())]
            sources = [json.loads(line)["source-ref"] for line in lines]
            expected |= dict(zip(sources, contents, strict=True))
            assert len(set(sources)) == len(set(contents))
    assert {uri: files.objects[uri] for uri in expected} == expected


@pytest.mark.parametrize(
    ("folder", "project", "is_told"),
    [("photos", None, True), ("Data", None, True), ("pets", None, False), ("photos", "may", False)],
)
def test_the_project_is_told_where_a_folder_s_name_says_little(
    folder: str, project: str | None, is_told: bool, tmp_path: Path
) -> None:
    (tmp_path / folder).mkdir()
    source = Source.at(tmp_path / folder, None, project)
    notices = source.name_notice(named=project is not None)
    assert bool(notices) == is_told
    assert all("--project NAME" in notice for notice in notices)


@given(st.text(max_size=12))
def test_a_name_that_no_project_may_have_is_refused_with_one_that_it_may(name: str) -> None:
    suggested = suggest_project(f"{name} \\")
    assert Source.at(Path(), None, suggested).project == suggested
    wanted = f"here, .*--project {re.escape(shlex.quote(suggested))}$"
    with pytest.raises(Refused, match=wanted):
        Source.at(Path(), None, f"{name} \\")


@given(st.lists(st.sampled_from([".", "..", "pets", "...", "-", "a.b"]), min_size=1, max_size=4))
def test_every_picture_of_a_project_has_an_address_that_browsers_open(folders: list[str]) -> None:
    name = "/".join(folders)
    rule = SourceRule("inbox", f"{name}/", "labels", ())
    if rule.problem(f"s3://inbox/{name}/1.jpg"):
        with pytest.raises(Refused, match=r"no \. or \.\. between slashes.*--project "):
            Source.at(Path(), None, name)
    else:
        assert Source.at(Path(), None, name).project == name
    suggested = suggest_project(name)
    assert Source.at(Path(), None, suggested).project == suggested


def test_a_folder_with_a_blank_gets_the_name_of_a_project_that_a_person_would_choose(
    tmp_path: Path,
) -> None:
    (tmp_path / "My Photos").mkdir()
    with pytest.raises(Refused, match=r"--project my-photos$"):
        Source.at(tmp_path / "My Photos", None, None)
