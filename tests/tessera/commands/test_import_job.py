"""`tessera import`: an old Ground Truth job becomes a run, by the core that labels every run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tessera.commands.import_job import import_command
from tessera.exits import Exit

WORKERS = ("private.us-east-1.ann", "private.us-east-1.ben", "private.us-east-1.cid")


class Job:
    """Output tree of a labeling job, in the layout that Ground Truth documents."""

    def __init__(self, folder: Path, images: int) -> None:
        self.folder = folder
        self.images = images

    def write(self, name: str, content: Any) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())

    def output(self, labeled: int, attribute: str = "pet") -> None:
        """Write the output manifest: one line an input line, the first ones with a label."""
        lines = []
        for index in range(self.images):
            line: dict[str, Any] = {"source-ref": f"s3://old/{index}.jpg", "n": index}
            if index < labeled:
                line |= {
                    attribute: index % 2,
                    f"{attribute}-metadata": {
                        "class-name": ("cat", "dog")[index % 2],
                        "confidence": 0.93,
                        "type": "groundtruth/image-classification",
                        "job-name": "labeling-job/pets",
                        "human-annotated": "yes",
                        "creation-date": "2021-06-01T17:03:50.987000",
                    },
                }
            lines.append(json.dumps(line).encode() + b"\n")
        self.write("manifests/output/output.manifest", b"".join(lines))

    def response(self, index: int | str, *answers: tuple[str, Any], iteration: int = 1) -> None:
        """Write a file of answers to an object; `answers` are workers with what they sent."""
        entries = [
            {
                "acceptanceTime": "2021-06-01T17:03:04.123Z",
                "submissionTime": "2021-06-01T17:03:50.987Z",
                "timeSpentInSeconds": 4.5,
                "answerContent": content,
                "workerId": worker,
                "workerMetadata": {"identityData": {"identityProviderType": "Cognito"}},
            }
            for worker, content in answers
        ]
        name = f"annotations/worker-response/iteration-{iteration}/{index}"
        self.write(f"{name}/2021-06-01_17:03:50.json", {"answers": entries})

    def answered(self, count: int) -> None:
        """Let all workers answer the first images as they are."""
        for index in range(count):
            label = ("cat", "dog")[index % 2]
            content = {"crowd-image-classifier": {"label": label}}
            # the first ten objects are a batch of their own
            iteration = 1 if index < 10 else 2
            self.response(index, *((worker, content) for worker in WORKERS), iteration=iteration)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path / "pets", images=14)


def imported(tessera: Any, *arguments: str) -> Any:
    result = tessera(import_command, "--ground-truth", *arguments, "--json")
    assert result.exit_code in {Exit.OK, Exit.PARTIAL}, result.output
    return json.loads(result.stdout)


def test_a_finished_jobs_answers_become_labels_workers_and_a_report(
    job: Job, tessera: Any, place: Any
) -> None:
    job.output(labeled=14)
    job.answered(14)
    summary = imported(tessera, str(job.folder))
    assert (summary["images"], summary["labeled"], summary["answers"]) == (14, 14, 42)
    assert (summary["as_before"], summary["other_than_before"]) == (14, 0)
    assert (summary["odd"], summary["notices"], summary["workers"]) == ({}, [], 3)
    files = place.cloud.aws.files
    line = json.loads(files.get(summary["home"] + "training.manifest").splitlines()[1])
    assert (line["pet"], line["n"], line["pet-metadata"]["class-name"]) == (1, 1, "dog")
    report = json.loads(files.get(summary["home"] + "report.json"))
    assert {worker["worker"] for worker in report["workers"]} == set(WORKERS)
    assert report["time"]["seconds_per_image"] == 4.5


def test_an_import_from_s3_and_one_of_a_copy_are_the_same_run_and_twice_is_once(
    job: Job, tessera: Any, place: Any
) -> None:
    job.output(labeled=14)
    job.answered(14)
    for path in job.folder.rglob("*.*"):
        if path.is_file():
            name = path.relative_to(job.folder).as_posix()
            place.cloud.aws.files.put(f"s3://old/out/pets/{name}", path.read_bytes())
    first = imported(tessera, str(job.folder))
    files = dict(place.cloud.aws.files.objects)
    second = imported(tessera, "s3://old/out/pets/")
    assert second == first
    changed = {
        uri for uri, content in place.cloud.aws.files.objects.items() if files[uri] != content
    }
    assert changed <= {first["home"] + "run.json"}  # which names where it came from


def test_a_stopped_jobs_answers_count_and_what_is_odd_or_missing_is_told(
    job: Job, tessera: Any, place: Any
) -> None:
    job.output(labeled=2)
    job.answered(6)
    job.response(6, (WORKERS[0], {"crowd-image-classifier": {"label": "cow"}}))
    job.response(
        7, (WORKERS[0], "[not json"), (WORKERS[1], {"animal": {"cat": True, "dog": False}})
    )
    job.response(8, ("", {"animal": {"label": "cat"}}))
    job.response(99, (WORKERS[0], {"animal": {"label": "cat"}}))
    job.write("annotations/worker-response/iteration-1/9/1.json", b"{")
    job.write("annotation-tool/data.json", {"labels": [{"label": "cat"}, {"label": "dog"}]})
    # only in the request for consolidation: an answer whose own file is gone
    content = json.dumps({"animal": {"label": "dog"}})
    job.write(
        "annotations/consolidated-annotation/consolidation-request/iteration-1/1.json",
        [
            {
                "datasetObjectId": "10",
                "dataObject": {"s3Uri": "s3://old/10.jpg"},
                "annotations": [{"workerId": WORKERS[1], "annotationData": {"content": content}}],
            }
        ],
    )
    summary = imported(tessera, str(job.folder))
    assert summary["labeled"] + summary["unlabeled"] == summary["images"] == 14
    # six images by three, one each of 7 and 10; the cow and the broken text are odd
    assert summary["answers"] == 6 * 3 + 2
    assert summary["odd"].pop("answers without a worker") == 1
    assert summary["odd"].pop("answers to no line of the manifest") == 1
    assert summary["odd"].pop("files of answers that cannot be read") == 1
    assert summary["odd"]["the answer is malformed"] == 1
    assert summary["odd"]["the answer is not in the list of labels"] == 1
    odd = place.cloud.aws.files.get(summary["home"] + "odd-answers.jsonl")
    assert b"cow" in odd
    assert any("lines have no answer" in notice for notice in summary["notices"])
    assert any("fewer answers than the 3" in notice for notice in summary["notices"])
    report = json.loads(place.cloud.aws.files.get(summary["home"] + "report.json"))
    assert report["notices"] == summary["notices"]


def test_a_folder_that_is_no_jobs_is_refused_with_what_to_give(
    tessera: Any, tmp_path: Path
) -> None:
    for name, reason in (("nowhere", "no folder"), (str(tmp_path), "manifests/output")):
        result = tessera(import_command, "--ground-truth", name)
        assert result.exit_code == Exit.REFUSED
        assert reason in result.output


def test_a_failed_job_is_read_with_its_input(job: Job, tessera: Any, tmp_path: Path) -> None:
    job.answered(4)
    lines = b"".join(b'{"source-ref": "s3://old/%d.jpg"}\n' % index for index in range(14))
    (tmp_path / "input.manifest").write_bytes(lines)
    summary = imported(tessera, str(job.folder), "--manifest", str(tmp_path / "input.manifest"))
    assert (summary["labeled"], summary["unlabeled"]) == (4, 10)


OTHER_JOBS = {
    "boundingBoxes": {"boundingBox": {"boundingBoxes": [{"label": "cat", "left": 1, "top": 2}]}},
    "labeledImage": {"mask": {"labeledImage": {"pngImageData": "iVBORw0K"}}},
    "polygons": {"crowd-polygon": {"polygons": [{"label": "cat", "vertices": []}]}},
    "keypoints": {"crowd-keypoint": {"keypoints": [{"label": "eye", "x": 1, "y": 2}]}},
    "entities": {"crowd-entity-annotation": {"entities": [{"label": "x", "startOffset": 0}]}},
    "labels": {"crowd-image-classifier-multi-select": {"labels": ["cat", "dog"]}},
}


@pytest.mark.parametrize("held", OTHER_JOBS)
def test_a_job_of_other_answers_is_refused_by_what_they_hold(
    job: Job, tessera: Any, held: str
) -> None:
    job.output(labeled=0)
    for index in range(4):
        job.response(index, *((worker, OTHER_JOBS[held]) for worker in WORKERS))
    result = tessera(import_command, "--ground-truth", str(job.folder))
    assert result.exit_code == Exit.REFUSED
    assert held in " ".join(result.output.split())
    assert "Traceback" not in result.output


ELEMENTS: list[Any] = [
    lambda label: {"crowd-image-classifier": {"label": label}},
    lambda label: {"annotatedResult": {"0": {"label": label}}},
    lambda label: {"animal": {"labels": [label]}},
    lambda label: {"animal": {"cat": label == "cat", "dog": label == "dog"}, "comment": "x"},
    lambda label: json.dumps([{"animal": {"label": label}}]),
]
ODD: list[Any] = [
    OTHER_JOBS["boundingBoxes"], OTHER_JOBS["labels"], {}, [], "[", None, 7, {"animal": {}},
    {"animal": {"label": "cow"}}, {"animal": {"cat": True, "dog": True}},
]  # fmt: skip


@given(
    answers=st.lists(
        st.tuples(
            st.integers(0, 13),
            st.integers(1, 3),
            st.sampled_from(WORKERS),
            st.sampled_from(["cat", "dog"]),
            st.sampled_from(ELEMENTS) | st.integers(0, len(ODD) - 1),
        ),
        min_size=1,
        max_size=30,
        unique_by=lambda row: (row[0], row[2]),
    ),
    labeled=st.integers(0, 14),
    has_output=st.booleans(),
    has_categories=st.booleans(),
)
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_counts_add_up_for_every_documented_form_of_a_jobs_tree(
    tessera: Any,
    tmp_path_factory: pytest.TempPathFactory,
    answers: list[Any],
    labeled: int,
    has_output: bool,
    has_categories: bool,
) -> None:
    """Finished, stopped or failed, in one iteration or more, with label categories or without."""
    folder = tmp_path_factory.mktemp("tree")
    job = Job(folder / "pets", images=14)
    files: dict[tuple[int, int], list[tuple[str, Any]]] = {}
    for index, iteration, worker, label, form in answers:
        content = ODD[form] if isinstance(form, int) else form(label)
        files.setdefault((index, iteration), []).append((worker, content))
    for (index, iteration), entries in files.items():
        job.response(index, *entries, iteration=iteration)
    arguments = [str(job.folder)]
    if has_output:
        job.output(labeled)
    else:
        lines = b"".join(b'{"source-ref": "s3://old/%d.jpg"}\n' % index for index in range(14))
        (folder / "input.manifest").write_bytes(lines)
        arguments += ["--manifest", str(folder / "input.manifest")]
    if has_categories:
        categories = {"labels": [{"label": "cat"}, {"label": "dog"}]}
        job.write("annotation-tool/data.json", categories)
    else:
        arguments += ["--labels", "cat,dog"]
    result = tessera(import_command, "--ground-truth", *arguments, "--json")
    assert result.exit_code in {Exit.OK, Exit.PARTIAL, Exit.REFUSED}, result.output
    assert "Traceback" not in result.output
    if result.exit_code == Exit.REFUSED:  # no answer is a label
        assert all(isinstance(form, int) for *_, form in answers)
        return
    summary = json.loads(result.stdout)
    good = [row for row in answers if not isinstance(row[-1], int)]
    assert summary["labeled"] + summary["unlabeled"] + summary["rejected"] == summary["images"]
    assert summary["images"] == 14
    assert summary["answers"] == len(good)
    assert summary["labeled"] == len({index for index, *_ in good})
    odd = sum(summary["odd"].values())
    assert odd >= len(answers) - len(good)
    assert bool(odd) == (len(good) < len(answers))


@pytest.mark.parametrize("has_requests", [True, False])
def test_a_copy_of_parts_of_a_tree_is_the_same_job_without_the_folders_above_them(
    job: Job, tessera: Any, tmp_path: Path, has_requests: bool
) -> None:
    job.output(labeled=14)
    job.answered(14)
    entry = {"workerId": "private.us-east-1.dot", "annotationData": {"content": '{"a": "cat"}'}}
    if has_requests:
        job.write(
            "annotations/consolidated-annotation/consolidation-request/iteration-1/1.json",
            [{"datasetObjectId": "3", "annotations": [entry]}],
        )
    whole = imported(tessera, str(job.folder))
    parts = tmp_path / "parts" / "pets"
    (job.folder / "annotations").rename(tmp_path / "annotations")
    parts.mkdir(parents=True)
    for part in (tmp_path / "annotations").iterdir():
        part.rename(parts / part.name)
    (job.folder / "manifests/output/output.manifest").rename(parts / "output.manifest")
    # what macOS leaves in folders and archives
    (parts / "._output.manifest").write_bytes(b"\0\5\26\7")
    (parts / "worker-response/iteration-1/3/.DS_Store").write_bytes(b"\0")
    (parts / "worker-response/iteration-1/3/._1.json").write_bytes(b"\0")

    summary = imported(tessera, str(parts))

    assert summary == whole
    assert summary["answers"] == 42 + has_requests


def test_the_first_of_a_worker_s_answers_counts_and_iterations_are_numbers(
    job: Job, tessera: Any, place: Any
) -> None:
    job.output(labeled=14)
    for iteration, label in ((9, "cat"), (10, "dog")):
        content = {"animal": {"label": label}}
        job.response(0, *((worker, content) for worker in WORKERS), iteration=iteration)
    home = imported(tessera, str(job.folder))["home"]
    (line,) = place.cloud.aws.files.get(home + "training.manifest").splitlines()
    assert json.loads(line)["pet-metadata"]["class-name"] == "cat"
