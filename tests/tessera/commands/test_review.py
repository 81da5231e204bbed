"""`tessera review`: from a run that people answered to labels that reviewers decided."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tessera.commands.export import export
from tessera.commands.review import review_command
from tessera.portal.ports import Ports
from tessera.portal.reviews import PICTURES, decide, list_entries, read_review
from tessera.tiling.decisions import NAME
from tests.fakes import Clock, Table
from tests.guessed_run import LABELS, GuessedRun, noisy, vectors
from tests.tessera.conftest import FakeCloud

TRUTH = np.arange(60) % 3


class ReviewedCloud(FakeCloud):
    """A stack in memory with a portal, and with one reviewer."""

    def __init__(self, run: GuessedRun) -> None:
        super().__init__()
        self.aws.files.objects.update(run.files.objects)
        self._ports = Ports(
            Table(), self.aws.files, Clock(), lambda *_: None, lambda *_: True
        )  # fmt: skip

    @property
    def ports(self) -> Ports:
        return self._ports

    @property
    def users(self) -> Any:
        rita = SimpleNamespace(email="rita@example.org", worker="rita", groups=("reviewers",))
        first = SimpleNamespace(email="w0@example.org", worker="w0", groups=())
        return SimpleNamespace(list=lambda: iter([rita, first]))

    @property
    def people_url(self) -> str:
        return "https://portal.test/"


class Reviewed:
    """A run of sixty pictures that people answered, some of them wrongly."""

    def __init__(self) -> None:
        run = GuessedRun(noisy(TRUTH, 0.25), vectors(TRUTH), max_answers=2)
        run.run()
        self.home, self.name = run.home, run.home.rstrip("/").rpartition("/")[2]
        self.cloud = ReviewedCloud(run)
        self.files = self.cloud.aws.files

    def call(self, *words: str) -> Result:
        place = SimpleNamespace(cloud=self.cloud)
        return CliRunner().invoke(review_command, [self.name, *words], obj=place)

    def json(self, *words: str) -> Any:
        done = self.call(*words, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def decide(self, index: int, label: str) -> None:
        review = read_review(self.files, self.home)
        decide(self.cloud.ports, review, index, label, by="rita", name="rita@example.org")

    def lines(self, name: str) -> dict[str, Any]:
        content = self.files.objects[self.home + name].splitlines()
        return {line["source-ref"]: line for line in map(json.loads, content)}


@pytest.fixture
def reviewed() -> Reviewed:
    return Reviewed()


def test_what_stays_unsure_is_reviewed_with_disagreements_first(reviewed: Reviewed) -> None:
    facts = reviewed.json()
    assert facts["address"] == f"https://portal.test/#review/{reviewed.name}"
    assert facts["reviewers"] == ["rita@example.org"]
    review = read_review(reviewed.files, reviewed.home)
    assert len(review.pictures) == facts["pictures"] > 3
    disputed = [len({answer.label for answer in one.answers}) > 1 for one in review.pictures]
    assert disputed == sorted(disputed, reverse=True)
    assert any(disputed)
    unsure = reviewed.lines("uncertain.manifest").keys() | reviewed.lines("unlabeled.manifest")
    assert {picture.source for picture in review.pictures} == unsure


@pytest.mark.thorough
def test_a_decision_is_final_in_files_of_its_own_and_marked_as_such(reviewed: Reviewed) -> None:
    reviewed.json()
    before = dict(reviewed.files.objects)
    pictures = read_review(reviewed.files, reviewed.home).pictures
    changed = pictures[0]
    label = next(name for name in LABELS if name != changed.label)
    reviewed.decide(changed.index, label)
    reviewed.decide(pictures[1].index, read_review(reviewed.files, reviewed.home).choices[-1])
    facts = reviewed.json("--finish")
    assert (facts["decided"], facts["training"], facts["unlabeled"]) == (2, 59, 1)
    line = reviewed.lines("review/training.manifest")[changed.source]
    assert (line["label"], line["label-metadata"]["class-name"]) == (LABELS.index(label), label)
    assert line["label-metadata"]["reviewed"] is True
    assert line["label-metadata"]["human-annotated"] == "yes"
    assert pictures[1].source in reviewed.lines("review/unlabeled.manifest")
    assert "reviewed" not in json.dumps(reviewed.lines("training.manifest"))
    old = {uri: content for uri, content in before.items() if "/review/" not in uri}
    assert {uri: reviewed.files.objects[uri] for uri in old} == old
    assert json.loads(reviewed.files.objects[f"{reviewed.home}review/report.json"])["reviewed"] == 2
    assert list_entries(reviewed.cloud.ports) == []


@pytest.mark.thorough
@pytest.mark.parametrize("content", [b"", b'{"label": "bird", "by": "", "name": "", "at": ""}'])
def test_a_garbled_decision_is_named_and_costs_no_other_decision(
    reviewed: Reviewed, content: bytes
) -> None:
    reviewed.json()
    pictures = read_review(reviewed.files, reviewed.home).pictures
    for picture in pictures[:3]:
        reviewed.decide(picture.index, "cat")
    folder = f"{reviewed.home}review/decisions"
    files = [f"{folder}/{pictures[0].index}/999999999999999-rita.json", f"{folder}/60/1-rita.json"]
    for uri in files:
        reviewed.files.put(uri, content)
    assert sorted(reviewed.json("--share", "1")["broken"]) == sorted(files)
    done = reviewed.call("--finish")
    assert done.exit_code == 0, done.output
    assert "2 pictures decided" in " ".join(done.output.split())
    assert f"{pictures[0].index}/999999999999999-rita.json" in "".join(done.output.split())


def test_lines_that_nobody_decided_are_the_same_bytes(reviewed: Reviewed) -> None:
    reviewed.json()
    index = read_review(reviewed.files, reviewed.home).pictures[0].index
    reviewed.decide(index, "cat")
    reviewed.json("--finish")
    before = reviewed.files.objects[f"{reviewed.home}training.manifest"].splitlines()
    after = reviewed.files.objects[f"{reviewed.home}review/training.manifest"].splitlines()
    assert sum(one != other for one, other in zip(before, after, strict=True)) <= 1


@pytest.mark.thorough
def test_a_second_review_keeps_the_first_ones_decisions(reviewed: Reviewed) -> None:
    reviewed.json()
    first = read_review(reviewed.files, reviewed.home).pictures[0]
    reviewed.decide(first.index, "owl")
    reviewed.json("--finish")
    reviewed.json("--label", "cat")
    second = read_review(reviewed.files, reviewed.home).pictures
    other = next(picture for picture in second if picture.index != first.index)
    reviewed.decide(other.index, "dog")
    assert reviewed.json("--finish")["decided"] == 2
    lines = reviewed.lines("review/training.manifest")
    assert lines[first.source]["label-metadata"]["class-name"] == "owl"
    assert lines[other.source]["label-metadata"]["class-name"] == "dog"


def test_a_share_is_drawn_the_same_again_and_a_class_is_reviewed_whole(reviewed: Reviewed) -> None:
    drawn = []
    for _ in range(2):
        reviewed.json("--share", "0.4")
        pictures = read_review(reviewed.files, reviewed.home).pictures
        drawn.append([picture.index for picture in pictures])
    assert drawn[0] == drawn[1]
    assert 8 < len(drawn[0]) < 45
    reviewed.json("--label", "dog")
    dogs = read_review(reviewed.files, reviewed.home).pictures
    of_class = [
        source
        for source, line in reviewed.lines("training.manifest").items()
        if line["label-metadata"]["class-name"] == "dog"
    ]
    assert {picture.source for picture in dogs} == set(of_class)


@pytest.mark.thorough
def test_decisions_teach_only_where_they_are_asked_to(reviewed: Reviewed) -> None:
    reviewed.json("--share", "0.9")
    for picture in read_review(reviewed.files, reviewed.home).pictures:
        reviewed.decide(picture.index, LABELS[TRUTH[picture.index]])
    figures = []
    for words in (("--finish",), ("--finish", "--teach")):
        reviewed.json(*words)
        figures.append(json.loads(reviewed.files.objects[f"{reviewed.home}review/report.json"]))
    calibrated = [one["confidence"]["calibrated_on"] for one in figures]
    assert calibrated[0] == 0 < calibrated[1]
    assert json.loads(reviewed.files.objects[reviewed.home + NAME])["teach"] is True


def test_names_are_accounts_or_numbers(reviewed: Reviewed) -> None:
    def names() -> set[str]:
        pictures = read_review(reviewed.files, reviewed.home).pictures
        return {answer.worker for picture in pictures for answer in picture.answers}

    reviewed.json("--share", "1")
    assert "w0@example.org" in names()
    reviewed.json("--share", "1", "--hide-names")
    assert all(name.startswith("worker ") for name in names())
    assert "example.org" not in reviewed.files.objects[reviewed.home + PICTURES].decode()


@pytest.mark.thorough
def test_an_export_takes_the_labels_that_were_reviewed(
    reviewed: Reviewed, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    reviewed.json()
    first = read_review(reviewed.files, reviewed.home).pictures[0]
    reviewed.decide(first.index, "owl")
    reviewed.json("--finish")
    place = SimpleNamespace(cloud=reviewed.cloud)
    words = [reviewed.name, "--to", "csv", "--out", "labels"]
    done = CliRunner().invoke(export, words, obj=place)
    assert "reviewed" in done.output, done.output


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--label", "bird"), "none of the run's labels: cat, dog, owl"),
        (("--label", "cat", "--share", "0.1"), "one or the other"),
        (("--finish",), "There is no review of this run: tessera review"),
        (("--teach",), "goes with --finish"),
        (("--share", "0"), "0<x<=1"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_does(
    reviewed: Reviewed, words: tuple[str, ...], says: str
) -> None:
    done = reviewed.call(*words)
    assert done.exit_code != 0
    assert says in " ".join(done.output.split())
