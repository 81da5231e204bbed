"""From a dropped manifest to a training manifest, on the local stack, with nothing replaced."""

from __future__ import annotations

import csv
import gzip
import io
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import tessera
from tessera.commands.runs import ignored_objects
from tessera.encoders.pixels import PixelEncoder
from tessera.runs.executions import ENDED, Ending, drop, read_ending, wait_for_execution
from tessera.runs.status import run_name_of
from tessera.simulation.example import EXAMPLE, Example
from tessera.simulation.workers import SimulatedWorker, add_worker, at_work
from tessera.stack.cloud import Cloud
from tessera.stack.local_stack import LocalStack

pytestmark = [pytest.mark.stack, pytest.mark.slow]

EXAMPLE_SETTINGS = Example(EXAMPLE).settings | {"answers_per_image": 1, "max_answers": 1}
TRUTH = Example(EXAMPLE).truth


@dataclass(frozen=True)
class Run:
    """A run that has ended, with the files of its folder."""

    end: Ending
    states: list[str]
    files: dict[str, bytes]

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.files[name].splitlines()]


@contextmanager
def workers(
    cloud: Cloud, count: int, execution: str, sees: Sequence[Mapping[str, str]] = ()
) -> Iterator[None]:
    """Simulated workers who make no mistake and label the run, while the block lasts.

    Each answers what `sees` has for them, or the truth.
    """
    described = cloud.client("stepfunctions").describe_execution(executionArn=execution)
    run = run_name_of(cloud, described)
    crowd = [
        SimulatedWorker(
            add_worker(cloud, f"pipeline-{number}@example.com"),
            cloud.portal_url,
            truth=sees[number] if sees else TRUTH,
            labels=tuple(EXAMPLE_SETTINGS["labels"]),
            error_rate=0.0,
            seed=str(number),
            cognito=cloud.cognito_url,
            client_id=cloud.outputs["WorkerPoolClientId"],
        )
        for number in range(count)
    ]
    with at_work(crowd, run or "none"):
        yield


def follow(cloud: Cloud, execution: str, *, pause: float = 0.3) -> Iterator[str]:
    """Yield the names of the states as the execution enters them, until it has ended."""
    workflows, known = cloud.client("stepfunctions"), 0
    while True:
        status = workflows.describe_execution(executionArn=execution)["status"]
        entered = [
            event["stateEnteredEventDetails"]["name"]
            for page in workflows.get_paginator("get_execution_history").paginate(
                executionArn=execution
            )
            for event in page["events"]
            if event["type"].endswith("StateEntered")
        ]
        yield from entered[known:]
        known = len(entered)
        if status in ENDED:
            return
        time.sleep(pause)  # Step Functions notifies nobody


def run_to_the_end(
    cloud: Cloud,
    name: str,
    manifest: bytes,
    *,
    crowd: int = 0,
    sees: Sequence[Mapping[str, str]] = (),
    **settings: Any,
) -> Run:
    """Drop a manifest, have so many workers label it to its end, and read its folder."""
    text = json.dumps(EXAMPLE_SETTINGS | settings).encode()
    # In the example's project, to which the pictures belong; with settings of each run's own.
    project = f"{Example(EXAMPLE).folder.name}/test-{name}"
    key = drop(cloud, manifest, project=project, name=name, settings=text)
    execution = wait_for_execution(cloud, key)
    with workers(cloud, crowd, execution, sees):
        states = list(follow(cloud, execution))
    end = read_ending(cloud, execution)
    files = {}
    if home := end.output.get("home"):
        for uri in cloud.storage.list_uris(home):
            files[uri.removeprefix(home)] = cloud.storage.get(uri)
    return Run(end, states, files)


def example_lines(count: int) -> list[bytes]:
    return Example(EXAMPLE).manifest("tessera-inbox", count).splitlines()


@pytest.fixture(scope="module")
def cloud(stack: LocalStack) -> Cloud:
    Example(EXAMPLE).upload_images(stack.cloud)
    return stack.cloud


@pytest.mark.smoke
def test_each_line_of_a_manifest_becomes_one_line_of_the_training_manifest_in_order(
    cloud: Cloud,
) -> None:
    lines = example_lines(60)
    manifest = b"\n".join(lines) + b"\n"
    run = run_to_the_end(cloud, "plain", manifest, crowd=3, answers_per_image=2, max_answers=2)
    assert run.end.status == "SUCCEEDED", run.end
    trained = run.lines("training.manifest")
    assert [line["source-ref"] for line in trained] == [
        json.loads(line)["source-ref"] for line in lines
    ]
    for line in trained:
        name = line["source-ref"].rpartition("/")[2]
        metadata = line["digit-metadata"]
        assert line["digit"] == int(TRUTH[name])
        assert metadata["class-name"] == TRUTH[name]
        assert 0 < metadata["confidence"] < 1
        assert metadata["human-annotated"] == "yes"
        assert metadata["type"] == "groundtruth/image-classification"
        assert "T" in metadata["creation-date"]
        assert metadata["job-name"].startswith("labeling-job/")


def test_a_table_dropped_from_python_comes_back_as_labels_and_answers(cloud: Cloud) -> None:
    pictures = [json.loads(line)["source-ref"] for line in example_lines(12)]
    project = f"{Example(EXAMPLE).folder.name}/test-python"
    table = pd.DataFrame({"image": pictures, "row": range(12)})
    run = tessera.drop(table, project=project, settings=EXAMPLE_SETTINGS, cloud=cloud)
    with workers(cloud, 1, run.folder.record["execution"]):
        run.wait(300)
    truth = [TRUTH[picture.rpartition("/")[2]] for picture in pictures]
    labels, answers = run.labels(), run.answers()
    assert labels["image"].tolist() == pictures
    assert labels["label"].tolist() == truth
    assert dict(zip(answers["task"], answers["label"], strict=True)) == dict(enumerate(truth))
    assert tessera.find_run(run.name, cloud).report["images"]["training"] == 12
    # the same table again is the run that there is
    again = tessera.drop(table, project=project, settings=EXAMPLE_SETTINGS, cloud=cloud)
    assert again.wait(60).name == run.name


def test_pictures_with_several_labels_go_the_same_way_to_a_list_of_each(cloud: Cloud) -> None:
    lines = example_lines(20)
    names = [json.loads(line)["source-ref"].rpartition("/")[2] for line in lines]
    # Picture `at` is on page `at % 7`. On three pages each worker errs on one picture, so that
    # whoever gets them, two see something differently there and the third sees what is right.
    wrong = dict(zip("0123456789", "1234567890", strict=True))
    sees = [
        {
            name: wrong[TRUTH[name]] if at // 7 == worker and at % 7 < 3 else TRUTH[name]
            for at, name in enumerate(names)
        }
        for worker in range(3)
    ]
    run = run_to_the_end(
        cloud,
        "several",
        b"\n".join(lines) + b"\n",
        crowd=3,
        sees=sees,
        task="multi",
        answers_per_image=2,
        max_answers=3,
        gain=0.01,  # so that each picture that two see differently is asked again
        images_per_task=3,
    )
    assert run.end.status == "SUCCEEDED", run.end
    for line in run.lines("training.manifest"):
        name = TRUTH[line["source-ref"].rpartition("/")[2]]
        assert line["digit"] == [int(name)]
        metadata = line["digit-metadata"]
        assert metadata["class-map"] == {name: name}
        assert metadata["type"] == "groundtruth/image-classification-multilabel"
    report = json.loads(run.files["report.json"])
    assert report["images"]["training"] == 20
    assert [row["label"] for row in report["by_label"]] == list(EXAMPLE_SETTINGS["labels"])
    answers = list(csv.DictReader(io.StringIO(run.files["answers.csv"].decode())))
    later = [json.loads(row["asked"]) for row in answers if row["round"] == "2"]
    assert later
    # a picture is in doubt of the digit that it shows and of the one that somebody took it for
    assert all(1 <= len(asked) <= 2 * 3 for asked in later)


def test_each_box_of_a_picture_gets_a_label_and_a_line_of_its_own(cloud: Cloud) -> None:
    lines = []
    for raw in example_lines(6):
        boxes = [
            {"class_id": 0, "left": left, "top": 1, "width": 3, "height": 5} for left in (0, 4)
        ]
        size = [{"width": 8, "height": 8, "depth": 3}]
        members = {"bounding-box": {"annotations": boxes, "image_size": size}}
        lines.append(json.dumps(json.loads(raw) | members).encode())
    run = run_to_the_end(cloud, "boxes", b"\n".join(lines) + b"\n", crowd=1, task="boxes")
    assert run.end.status == "SUCCEEDED", run.end
    trained = run.lines("training.manifest")
    assert [line["box"] for line in trained] == [
        {"line": line, "number": number} for line in range(1, 7) for number in (1, 2)
    ]
    for line in trained:
        assert line["digit"] == int(TRUTH[line["source-ref"].rpartition("/")[2]])
        assert len(line["bounding-box"]["annotations"]) == 1
    assert json.loads(run.files["report.json"])["images"]["repeats"] == 0


FAULTS: list[tuple[str, bytes]] = [
    ("bad JSON", b'{"source-ref": "s3://tessera-inbox/images/x.png"'),
    ("no object", b'["s3://tessera-inbox/images/x.png"]'),
    ("no source-ref", b'{"source": "s3://tessera-inbox/images/x.png"}'),
    ("source-ref is a number", b'{"source-ref": 7}'),
    ("source-ref is null", b'{"source-ref": null}'),
    ("not S3", b'{"source-ref": "https://example.com/x.png"}'),
    ("no key", b'{"source-ref": "s3://tessera-inbox"}'),
    ("empty", b""),
    ("spaces only", b"   "),
    ("50,000 characters", b'{"source-ref": "s3://tessera-inbox/' + b"x" * 50_000 + b'"}'),
    ("100,001 characters", b'{"source-ref": "s3://bkt/k", "note": "' + b"x" * 100_001 + b'"}'),
    ("Latin-1", b'{"source-ref": "s3://tessera-inbox/caf\xe9.png"}'),
    ("UTF-16", '{"source-ref": "s3://bkt/k.png"}'.encode("utf-16-le").replace(b"\n", b"")),
    ("a BOM in mid-file", b'\xef\xbb\xbf{"source-ref": "s3://tessera-inbox/images/x.png"}'),
    ("a NUL", b'{"source-ref": "s3://tessera-inbox/\x00.png"}'),
    ("two objects", b'{"source-ref": "s3://bkt/1.png"}{"source-ref": "s3://bkt/2.png"}'),
    ("a CSV row", b"s3://tessera-inbox/images/x.png,7"),
    ("unknown prelabel", b'{"source-ref": "s3://bkt/k.png", "prelabel": "eleven"}'),
    ("unknown gold", b'{"source-ref": "s3://bkt/k.png", "gold": "eleven"}'),
    ("nested 10,000 deep", b'{"source-ref": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"),
]


def test_a_model_that_learns_from_the_answers_leaves_most_images_to_one_person(
    cloud: Cloud,
) -> None:
    count = 200
    rows = io.BytesIO()
    names = [line.rpartition(b"/")[2].split(b'"')[0].decode() for line in example_lines(count)]
    pictures = [
        Image.open(Example(EXAMPLE).folder / "images" / name).convert("RGB") for name in names
    ]
    np.save(rows, PixelEncoder().encode([np.asarray(picture) for picture in pictures]))
    project = f"{Example(EXAMPLE).folder.name}/test-taught"
    uri = f"{cloud.outputs['Inbox']}/{project}/taught.embeddings.npy"
    cloud.storage.put(uri, rows.getvalue())
    manifest = b"\n".join(example_lines(count)) + b"\n"
    run = run_to_the_end(
        cloud, "taught", manifest, crowd=4, answers_per_image=2, max_answers=3, guesses={}
    )
    assert run.end.status == "SUCCEEDED", run.end
    assert run.states.count("LabelShards") >= 2
    report = json.loads(run.files["report.json"])
    assert report["guesses"]["used"] is True
    assert report["images"]["training"] == count
    assert count <= report["answers"]["used"] < 1.8 * count
    metadata = f"{EXAMPLE_SETTINGS['label_attribute']}-metadata"
    humans = {line[metadata]["human-annotated"] for line in run.lines("training.manifest")}
    assert humans == {"yes"}


def test_every_faulty_line_is_named_with_its_reason_and_the_others_are_labeled(
    cloud: Cloud,
) -> None:
    lines = example_lines(200)
    places = {10 * number + 3: fault for number, (_, fault) in enumerate(FAULTS)}
    for place, fault in places.items():
        lines[place] = fault
    twin, original = 196, 5
    lines[twin] = lines[original]  # the same image again is no fault: asked once, labeled twice
    run = run_to_the_end(cloud, "faults", b"\n".join(lines) + b"\n", crowd=3)
    assert run.end.status == "SUCCEEDED", run.end
    rejected = run.lines("rejected.jsonl")
    assert [entry["line"] for entry in rejected] == [place + 1 for place in places]
    for entry in rejected:
        assert entry["reason"]
        assert len(entry["content"]) <= 2_000
    trained = run.lines("training.manifest")
    assert len(trained) == len(lines) - len(places)
    assert trained[-4]["digit-metadata"]["class-name"] == TRUTH["005.png"]
    output = run.end.output
    assert (output["images"], output["rejected"]) == (len(lines), len(places))
    assert output["labeled"] + output["unlabeled"] + output["rejected"] == len(lines)


@pytest.mark.parametrize(
    ("name", "manifest", "error"),
    [
        ("nothing", b"", "NoUsableLine"),
        ("only-faults", b"\n".join(fault for _, fault in FAULTS), "NoUsableLine"),
        ("mostly-faults", b"\n".join([*example_lines(10), *[b"?"] * 10]), "TooManyBadLines"),
    ],
)
def test_a_manifest_that_cannot_be_used_fails_by_name_before_a_job_is_opened(
    cloud: Cloud, name: str, manifest: bytes, error: str
) -> None:
    run = run_to_the_end(cloud, name, manifest)
    assert (run.end.status, run.end.error) == ("FAILED", error)
    assert run.end.cause
    assert "LabelShards" not in run.states


def test_what_starts_no_run_is_answered_for_and_a_packed_manifest_in_capitals_runs(
    cloud: Cloud,
) -> None:
    storage, inbox = cloud.storage, cloud.outputs["Inbox"]
    storage.put(f"{inbox}/answered/notes.json", b"[]")
    key = "answered/MAY.Manifest.GZ"
    storage.put(f"{inbox}/answered/labeling.json", json.dumps(EXAMPLE_SETTINGS).encode())
    storage.put(f"{inbox}/{key}", gzip.compress(b"no line of it can be used\n"))

    execution = wait_for_execution(cloud, key)
    assert list(follow(cloud, execution))
    assert "NoUsableLine" in read_ending(cloud, execution).error
    patience = threading.Event()
    for _ in range(300):
        ignored = {entry.manifest: entry.says for entry in ignored_objects(cloud, [])}
        if "answered/notes.json" in ignored:
            break
        patience.wait(0.2)
    assert "one JSON object a line" in ignored["answered/notes.json"]
    assert "answered/labeling.json" not in ignored
