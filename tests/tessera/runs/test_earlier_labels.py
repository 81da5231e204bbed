"""Pictures that a finished run of the project labeled keep their labels; nobody else's do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tessera.runs.earlier_labels import reuse_labels
from tessera.runs.executions import drop
from tessera.runs.source import Source
from tessera.tiling.manifest.class_rule import ClassRule
from tessera.tiling.manifest.lines import Image, Labeled, read_manifest
from tessera.tiling.settings import Settings, read_settings
from tests.examples import examples
from tests.tessera.conftest import FakeCloud, Labels, png

LABELS = ("cat", "dog", "fox")
PREFIX = "s3://inbox/images/pets/"


def settings_of(labels: Any = LABELS, **more: Any) -> Settings:
    return read_settings(json.dumps({"labels": list(labels), **more}).encode())


def uri(content: int, name: str = "a.png") -> str:
    return f"{PREFIX}{content:032x}/{name}"


def finish(
    cloud: FakeCloud,
    name: str,
    pictures: dict[int, str],
    *,
    project: str = "pets",
    labels: Any = LABELS,
    finished: bool = True,
    **settings: Any,
) -> None:
    """Leave the folder of a run that labeled these pictures, by content."""
    home = f"s3://labels/runs/{name}/"
    record = {
        "run": name,
        "manifest": {"bucket": "inbox", "key": f"{project}/may.manifest"},
        "settings": {"labels": list(labels)} | settings,
        "rounds": [{"round": 1, "shards": 1, "tasks": 1, "images": 1}],
    }
    lines = [
        {"source-ref": uri(content), "label": list(labels).index(label),
         "label-metadata": {"class-name": label, "confidence": 0.7, "job-name": name}}
        for content, label in pictures.items()
    ]  # fmt: skip
    files = cloud.aws.files
    files.put(f"{home}run.json", json.dumps(record).encode())
    files.put(f"{home}training.manifest", "".join(json.dumps(x) + "\n" for x in lines).encode())
    files.put(f"{home}report.json", json.dumps({"rounds": [{}]}).encode())
    if not finished:
        files.put(f"{home}round-1/unsure.csv", b"index,workers\n0,ann\n")


def plain(*contents: int) -> bytes:
    return b"".join(
        json.dumps({"source-ref": uri(content, f"new-{content}.png")}).encode() + b"\n"
        for content in contents
    )


def list_sources(manifest: bytes) -> list[str]:
    return [json.loads(line)["source-ref"] for line in manifest.splitlines()]


def read(lines: bytes, own: Settings) -> list[str | None]:
    """The label of each line as a run reads it; None where it is asked."""
    labels: list[str | None] = []
    for line in read_manifest(lines.splitlines(), own):
        assert isinstance(line, Image | Labeled), line
        if isinstance(line, Image):
            labels.append(None)
        else:
            members = json.loads(line.raw)
            known = ClassRule(own).read(
                json.dumps(members[own.label_attribute]).encode(),
                json.dumps(members[f"{own.label_attribute}-metadata"]).encode(),
            )
            labels.append(known.name)
    return labels


runs = st.lists(st.dictionaries(st.integers(0, 5), st.sampled_from(LABELS), max_size=5), max_size=3)


@pytest.mark.thorough
@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(runs, st.lists(st.integers(0, 6), unique=True, min_size=1), st.permutations(LABELS))
def test_a_picture_has_the_newest_label_that_its_content_has_whatever_the_order_of_labels(
    earlier: list[dict[int, str]], contents: list[int], labels: list[str]
) -> None:
    cloud = FakeCloud()
    expected: dict[int, str] = {}
    for number, pictures in enumerate(earlier):
        finish(cloud, f"run-{number}", pictures)
        expected |= pictures
    own = settings_of(labels, label_attribute="pet")

    made = reuse_labels(cloud, plain(*contents), "pets", own)

    assert read(made.lines, own) == [expected.get(content) for content in contents]
    assert made.reused == sum(content in expected for content in contents)
    assert list_sources(made.lines) == list_sources(plain(*contents))
    assert bool(made.notice()) is bool(made.reused)


@pytest.mark.parametrize(
    "run",
    [
        {"project": "zoo"},
        {"finished": False},
        {"question": "Is it asleep?"},
        {"labels": ("lion", "bear")},
    ],
)
def test_labels_of_other_projects_questions_and_classes_and_of_open_runs_are_not_reused(
    run: dict[str, Any],
) -> None:
    cloud = FakeCloud()
    label = run.get("labels", LABELS)[0]
    finish(cloud, "other", {1: label}, **run)

    made = reuse_labels(cloud, plain(1, 2), "pets", settings_of())

    assert made.lines == plain(1, 2)
    assert not made.notice()


def test_a_damaged_run_takes_no_other_with_it() -> None:
    cloud = FakeCloud()
    finish(cloud, "good", {1: "cat"})
    for name, record in (("bad-1", b"{"), ("bad-2", b"{}"), ("bad-3", b'{"manifest": {"key": 7}}')):
        cloud.aws.files.put(f"s3://labels/runs/{name}/run.json", record)

    made = reuse_labels(cloud, plain(1), "pets", settings_of())

    assert made.reused == 1
    assert "good of this project" in made.notice()[0]
    assert "--ask-again" in made.notice()[0]


def test_the_same_folder_again_is_the_same_manifest_and_a_grown_one_asks_for_what_is_new(
    labels: Labels, place: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "pets"
    folder.mkdir()
    (folder / "a.png").write_bytes(png(4, 4))
    raw = json.dumps({"labels": list(LABELS)}).encode()
    own = settings_of()
    source = Source(folder, folder / "labeling.json", "pets")
    first = source.lines(place.cloud, own)
    drop(place.cloud, first, project="pets", name=source.name, settings=raw)
    (reference,) = list_sources(first)
    digest = int(reference.removeprefix(PREFIX).partition("/")[0], 16)
    finish(place.cloud, "first", {digest: "fox"})

    assert source.lines(place.cloud, own) == first
    (folder / "b.png").write_bytes(png(5, 5))
    grown = source.lines(place.cloud, own)

    assert read(grown, own) == ["fox", None]
    assert read(source.lines(place.cloud, own, ask_again=True), own) == [None, None]
    drop(place.cloud, grown, project="pets", name=source.name, settings=raw)
    assert source.lines(place.cloud, own) == grown


@given(st.lists(st.sampled_from(["cow", "hen", "fox"]), unique=True))
def test_labels_that_nobody_could_choose_then_are_named_beside_what_is_kept(new: list[str]) -> None:
    cloud = FakeCloud()
    finish(cloud, "first", {1: "cat"}, labels=("cat", "dog"))
    finish(cloud, "unused", {9: "cat"}, labels=("cat", "bird"))

    made = reuse_labels(cloud, plain(1, 2), "pets", settings_of(("dog", *new, "cat")))

    (notice,) = made.notice()
    assert made.new == tuple(new)
    assert ("nobody could choose" in notice) == bool(new)
    assert all(repr(label) in notice for label in new)
