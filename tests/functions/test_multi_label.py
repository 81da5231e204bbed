"""Pictures with several labels, from the drop by the workers' pages to the training manifest."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import consolidate_labels
import group_images
from tessera.portal import job_lifecycle
from tessera.simulation.workers import PageReader
from tessera.tiling.answers.pack import collect
from tessera.tiling.page.page_input import prepare_task
from tests.fakes import Aws, etag
from tests.functions.conftest import CONTEXT, EXECUTION, end_round
from tests.portal.world import COLLECT, PREPARE, World

LABELS = ("cat", "dog", "bird")
Sets = Mapping[str, Sequence[str]]
"""Labels that a worker sees on each picture, by the picture's name."""


class OwnFunctions(World):
    """World whose pre- and post-annotation functions are Tessera's own."""

    def invoke(self, arn: str, event: dict[str, Any]) -> Any:
        """Do in this process what the functions do."""
        return prepare_task(event) if arn == PREPARE else collect(event, self.files.get)[0]


@dataclass
class Project:
    """Project whose pictures have any number of labels: its inbox, and what a run does."""

    aws: Aws
    world: World

    def drop(self, lines: Sequence[dict[str, Any]], **settings: Any) -> Any:
        """Return what GroupImages makes of a manifest of these lines."""
        document = {"task": "multi", "labels": LABELS, "max_answers": 2} | settings
        self.aws.files.put("s3://inbox/pets/labeling.json", json.dumps(document).encode())
        body = "".join(json.dumps(line) + "\n" for line in lines).encode()
        self.aws.files.put("s3://inbox/pets/may.manifest", body)
        manifest = {"bucket": "inbox", "key": "pets/may.manifest", "etag": etag(body).strip('"')}
        return group_images.handler({"manifest": manifest, "execution": EXECUTION}, CONTEXT)

    def ask_again(self, result: Any, round_: int) -> Any:
        """Return what GroupImages makes of a later round."""
        event = {
            "run": result["run"],
            "home": result["home"],
            "round": round_,
            "execution": EXECUTION,
        }
        return group_images.handler(event, CONTEXT)

    def answer(self, result: Any, workers: Mapping[str, Sets], round_: int = 1) -> str:
        """Let each worker answer every page of a round, and return how its job ended."""
        name = f"{result['run']}-r{round_}-000"
        manifest = f"{result['home']}round-{round_}/tasks-000.manifest"
        source = {"DataSource": {"S3DataSource": {"ManifestS3Uri": manifest}}}
        request = result["request"] | {"LabelingJobName": name, "InputConfig": source}
        job = job_lifecycle.open_job(self.world.ports, request, "token")
        for worker, sets in workers.items():
            status, claimed = self.world.ask("POST", f"/jobs/{job.name}/claims", worker)
            while status == 200:
                body = self.body(claimed, sets)
                address = f"/jobs/{job.name}/tasks/{claimed['task']}/answer"
                assert self.world.ask("PUT", address, worker, body=body)[0] == 200
                status, claimed = self.world.ask("POST", f"/jobs/{job.name}/claims", worker)
        ended = job_lifecycle.close_job(self.world.ports, request)["LabelingJobStatus"]
        return str(ended)

    def refuse_unasked(self, result: Any, worker: str, sets: Sets, label: str) -> None:
        """Check that the first page of round 2 takes no answer to a label that it does not ask."""
        name = f"{result['run']}-r2-000"
        manifest = f"{result['home']}round-2/tasks-000.manifest"
        source = {"DataSource": {"S3DataSource": {"ManifestS3Uri": manifest}}}
        request = result["request"] | {"LabelingJobName": name, "InputConfig": source}
        job = job_lifecycle.open_job(self.world.ports, request, "token")
        claimed = self.world.ask("POST", f"/jobs/{job.name}/claims", worker)[1]
        address = f"/jobs/{job.name}/tasks/{claimed['task']}/answer"
        for value in (True, False):
            body = self.body(claimed, sets)
            next(iter(body.values()))[label] = value
            status, refusal = self.world.ask("PUT", address, worker, body=body)
            assert (status, "does not know" in str(refusal)) == (400, True)

    def body(self, claimed: Any, sets: Sets) -> dict[str, Any]:
        """Return what the page hands in for the pictures on it."""
        answer = {}
        reader = PageReader()
        reader.feed(claimed["page"])
        for name, address in reader.pictures.items():
            picture = address.partition("?")[0].rpartition("/")[2].partition(".")[0]
            chosen = sets[picture]
            answer[name] = {choice: choice in chosen for choice in reader.choices[name]}
        return answer

    def end(self, result: Any, round_: int = 1, status: str = "Completed") -> Any:
        """Return what ConsolidateLabels makes of the run after a round."""
        return end_round(result, status, round_)

    def lines(self, result: Any, name: str) -> list[Any]:
        """Return the lines of one of the run's manifests."""
        return [json.loads(row) for row in self.aws.files.get(result["home"] + name).splitlines()]

    def report(self, result: Any) -> Any:
        """Return the run's report."""
        return json.loads(self.aws.files.get(result["home"] + "report.json"))


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("LABELS_BUCKET", "labels")
    monkeypatch.setenv("UI_DIRECTORY", str(Path(__file__).parents[2] / "ui"))
    monkeypatch.setenv("IMAGE_OBJECTS", "")
    monkeypatch.setenv("PREPARE_TASK_ARN", PREPARE)
    monkeypatch.setenv("COLLECT_ANSWERS_ARN", COLLECT)
    aws = Aws()
    for module in (group_images, consolidate_labels):
        monkeypatch.setattr(module, "connection", lambda: aws)
    return Project(aws, OwnFunctions(files=aws.files))


def pictures(count: int) -> list[dict[str, Any]]:
    return [{"source-ref": f"s3://inbox/pets/{number}.jpg"} for number in range(count)]


def test_pictures_get_all_labels_that_fit_or_none_each_with_its_confidence(
    project: Project,
) -> None:
    seen = {"0": ["cat", "bird"], "1": [], "2": ["dog"], "3": ["cannot see"]}
    result = project.drop(
        [*pictures(4), {"source-ref": "s3://inbox/pets/2.jpg"}, {"x": 1}], bad_lines=0.5
    )
    assert (result["outcome"], result["tasks"], result["rejected"]) == ("ask", 1, 1)
    assert {"Key": "tessera:task", "Value": "multi"} in result["request"]["Tags"]
    project.answer(result, {"ann": seen, "ben": seen})
    summary = project.end(result)
    assert (summary["outcome"], summary["labeled"], summary["unlabeled"]) == ("done", 4, 1)
    cat_and_bird, none, dog, again = project.lines(result, "training.manifest")
    assert [line["label"] for line in (cat_and_bird, none, dog, again)] == [[0, 2], [], [1], [1]]
    metadata = cat_and_bird["label-metadata"]
    assert metadata["class-map"] == {"0": "cat", "2": "bird"}
    assert metadata["confidence-map"].keys() == {"0", "2"}
    assert 0.5 < metadata["confidence"] <= min(metadata["confidence-map"].values())
    assert metadata["type"] == "groundtruth/image-classification-multilabel"
    assert (metadata["human-annotated"], metadata["answers"]) == ("yes", 2)
    assert metadata["job-name"] == f"labeling-job/{result['run']}"
    assert none["label-metadata"]["class-map"] == none["label-metadata"]["confidence-map"] == {}
    assert project.lines(result, "unlabeled.manifest") == [pictures(4)[3]]
    figures = project.report(result)
    assert figures["labels"] == {"cat": 1, "dog": 2, "bird": 1}
    assert [row["images"] for row in figures["by_label"]] == [1, 1, 1]
    assert [row["agreement"] for row in figures["workers"]] == [1, 1]
    page = project.aws.files.get(result["home"] + "report.html").decode()
    assert "bird" in page
    assert "4 of 6 labeled by 2 people" in page
    rows = list(
        csv.DictReader(io.StringIO(project.aws.files.get(result["home"] + "answers.csv").decode()))
    )
    assert {row["task"]: row["label"] for row in rows} == {
        "0": '["cat","bird"]',
        "1": "[]",
        "2": '["dog"]',
        "3": "cannot see",
    }


def test_a_picture_is_asked_again_while_any_of_its_labels_is_in_doubt(project: Project) -> None:
    one = {str(number): ["cat"] for number in range(6)}
    other = one | {"4": ["cat", "dog"], "5": []}
    result = project.drop(pictures(6), max_answers=3)
    project.answer(result, {"ann": one, "ben": other})
    summary = project.end(result)
    assert (summary["outcome"], summary["again"]) == ("again", 2)
    assert len(project.lines(result, "uncertain.manifest")) == 2
    second = project.ask_again(result, 2)
    assert second["tasks"] == 1
    project.answer(result | second, {"cem": other}, round_=2)
    summary = project.end(result, round_=2)
    assert summary["outcome"] == "done"
    labels = [line["label"] for line in project.lines(result, "training.manifest")]
    assert labels == [[0], [0], [0], [0], [0, 1], []]
    assert [row["answers"] for row in project.report(result)["rounds"]] == [12, 2]


@pytest.mark.parametrize("is_rescued", [False, True])
def test_a_later_round_asks_only_the_labels_in_doubt_and_nothing_is_made_of_the_others(
    project: Project, is_rescued: bool
) -> None:
    one = {str(number): ["cat", "bird"] for number in range(8)}
    other = {**one, "4": ["cat"], "5": ["bird"], "6": ["cat"], "7": ["cat", "bird", "dog"]}
    names = (*LABELS, "invalid image")
    result = project.drop(pictures(8), labels=names, max_answers=3, images_per_task=2)
    project.answer(result, {"ann": one, "ben": other})
    assert project.end(result)["again"] == 4
    rows = project.aws.files.get(result["home"] + "round-1/unsure.csv").decode().splitlines()
    assert [row.split(",", 2)[2] for row in rows] == [
        "labels",
        '"[""bird""]"',
        '"[""cat""]"',
        '"[""bird""]"',
        '"[""dog""]"',
    ]
    second = result | project.ask_again(result, 2)
    tasks = project.lines(result, "round-2/tasks-000.manifest")
    asked = [json.loads(task["page_choices"]) for task in tasks]
    assert asked == [["bird", "invalid image"], ["cat", "dog", "invalid image"]]
    # the picture has birds and cats; each page takes the labels that it asks alone
    seen = {number: ["cat"] for number in one}
    project.refuse_unasked(second, "cem", seen, "dog")
    project.answer(second, {"cem": seen}, round_=2)
    if is_rescued:  # the job has no output, and its answers are read from the workers' responses
        job = f"{result['home']}round-2/jobs/{result['run']}-r2-000"
        project.aws.files.delete(f"{job}/manifests/output/output.manifest")
    assert project.end(result, round_=2)["outcome"] == "done"
    lines = project.lines(result, "training.manifest")
    # the cats and birds that nobody asked about in the second round are still those of the first
    assert [line["label"] for line in lines] == [*[[0, 2]] * 4, [0], [0, 2], [0], [0, 2]]
    assert [line["label-metadata"]["answers"] for line in lines] == [2, 2, 2, 2, 3, 3, 3, 3]
    report = project.report(result)
    assert [row["answers"] for row in report["by_label"]] == [18, 18, 18]
    text = project.aws.files.get(result["home"] + "answers.csv").decode()
    later = [row for row in csv.DictReader(io.StringIO(text)) if row["round"] == "2"]
    assert {row["task"]: (row["label"], row["asked"]) for row in later} == {
        "4": ("[]", '["bird"]'),
        "6": ("[]", '["bird"]'),
        "5": ('["cat"]', '["cat","dog"]'),
        "7": ('["cat"]', '["cat","dog"]'),
    }


@pytest.mark.parametrize("page", ["own", "of an earlier version"])
def test_a_page_that_cannot_hide_labels_is_asked_for_all_of_them(
    project: Project, page: str
) -> None:
    files = project.aws.files
    shows_all = (Path(__file__).parents[2] / "ui/multi.liquid.html").read_text()
    shows_all = shows_all.replace("task.input.choices", "task.input.nothing")
    if page == "own":
        files.put("s3://inbox/pets/page.liquid.html", shows_all.encode())
    one, other = {"0": ["cat"], "1": ["cat"]}, {"0": ["dog"], "1": ["cat"]}
    result = project.drop(pictures(2), max_answers=3)
    if page != "own":
        home_page = f"{result['home']}page.liquid.html"
        own = files.get(home_page).decode().replace("task.input.choices", "task.input.nothing")
        files.put(home_page, own.encode())
    project.answer(result, {"ann": one, "ben": other})
    assert project.end(result)["again"] == 1
    second = result | project.ask_again(result, 2)
    assert "page_choices" not in project.lines(result, "round-2/tasks-000.manifest")[0]
    project.answer(second, {"cem": {"0": ["bird", "dog"]}}, round_=2)
    assert project.end(result, round_=2)["outcome"] == "done"
    assert project.lines(result, "training.manifest")[0]["label"] == [1]


def test_an_untouched_picture_is_no_answer_and_none_is_one(project: Project) -> None:
    result = project.drop(pictures(2), answers_per_image=1)
    name = f"{result['run']}-r1-000"
    manifest = f"{result['home']}round-1/tasks-000.manifest"
    source = {"DataSource": {"S3DataSource": {"ManifestS3Uri": manifest}}}
    request = result["request"] | {"LabelingJobName": name, "InputConfig": source}
    job = job_lifecycle.open_job(project.world.ports, request, "token")
    claimed = project.world.ask("POST", f"/jobs/{job.name}/claims")[1]
    address = f"/jobs/{job.name}/tasks/{claimed['task']}/answer"
    reader = PageReader()
    reader.feed(claimed["page"])
    first, second = reader.pictures
    rests: list[dict[str, Any]] = [{}, {second: {}}, {second: {"cat": 1}}, {second: {"fox": False}}]
    for rest in rests:
        body: dict[str, Any] = {first: {"cat": True, "dog": True}} | rest
        assert project.world.ask("PUT", address, body=body)[0] == 400
    body = {first: {"cat": True, "dog": True}, second: {"cat": False, "dog": False}}
    assert project.world.ask("PUT", address, body=body)[0] == 200
    again = project.world.ask("GET", f"/jobs/{job.name}/tasks/{claimed['task']}/answer")[1]
    assert again["choices"] == {first: ["cat", "dog"], second: []}
    changed = body | {second: {"bird": True}}
    assert project.world.ask("PUT", address, body=changed)[0] == 409


def test_nobodys_answers_end_in_a_failure_and_a_labeled_manifest_asks_nothing(
    project: Project,
) -> None:
    result = project.drop(pictures(1))
    project.answer(result, {})
    assert project.end(result, status="Stopped")["failure"]["error"] == "NothingLabeled"


def test_labels_of_before_stay_and_are_renumbered_by_their_names(project: Project) -> None:
    before = {"type": "groundtruth/image-classification-multilabel"}
    maps = {"class-map": {"0": "bird", "1": "cat"}, "confidence-map": {"0": 0.9, "1": 0.8}}
    lines = [
        *pictures(1),
        {"source-ref": "s3://inbox/pets/a.jpg", "label": [0, 2], "label-metadata": before},
        {"source-ref": "s3://inbox/pets/b.jpg", "label": [0, 1], "label-metadata": before | maps},
        {"source-ref": "s3://inbox/pets/c.jpg", "label": []},
        {"source-ref": "s3://inbox/pets/d.jpg", "label": 1},
        {"source-ref": "s3://inbox/pets/e.jpg", "label": [7]},
    ]
    result = project.drop(lines, bad_lines=0.5)
    assert (result["rejected"], result["tasks"]) == (2, 1)
    project.answer(result, {worker: {"0": ["dog"]} for worker in ("ann", "ben")})
    summary = project.end(result)
    assert (summary["labeled"], summary["rejected"]) == (4, 2)
    labeled = project.lines(result, "training.manifest")
    assert [line["label"] for line in labeled] == [[1], [0, 2], [0, 2], []]
    assert labeled[2]["label-metadata"]["class-map"] == {"2": "bird", "0": "cat"}
    assert labeled[2]["label-metadata"]["confidence-map"] == {"2": 0.9, "0": 0.8}
    assert project.report(result)["labels"] == {"cat": 2, "dog": 1, "bird": 2}
    # what was written can be dropped again, and asks nobody
    again = [
        json.loads(row)
        for row in project.aws.files.get(result["home"] + "training.manifest").splitlines()
    ]
    assert project.drop(again)["outcome"] == "nothing-to-ask"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"gold_per_task": 1}, "gold_per_task: a multi-label task has none of this"),
        ({"guesses": {}}, "guesses: a multi-label task has none of this"),
        ({"qualify": 0.8, "qualification": {"qualification/cat/1.jpg": "cat"}},
         "qualify: a multi-label task has none of this"),
        ({"shares": {"cat": 0.5}}, "shares: a multi-label task has none of this"),
        ({"order": "by-prelabel"}, "order: by-prelabel is for one label an image"),
        ({"labels": ["cannot see"]}, "labels: there is none but the answer"),
        ({"practice": {"practice/cat/1.jpg": "cat"}}, "practice: a multi-label task"),
        ({"workforce": "arn:aws:sagemaker:eu-west-1:123456789012:workteam/private-crowd/p"},
         "workforce: multi-label tasks are for the portal"),
    ],
)  # fmt: skip
def test_settings_that_sets_of_labels_do_not_follow_are_refused_by_name(
    project: Project, settings: dict[str, Any], sentence: str
) -> None:
    result = project.drop(pictures(1), **settings)
    assert result["outcome"] == "refused"
    assert sentence in result["cause"]


def test_one_label_is_enough_for_a_page_of_pictures_that_have_it_or_not(project: Project) -> None:
    result = project.drop(pictures(3), labels=["dog"])
    page = project.aws.files.get(result["home"] + "page.liquid.html").decode()
    assert "Which images show dog?" in page
    assert "checkbox" in page
