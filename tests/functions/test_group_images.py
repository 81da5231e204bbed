"""The GroupImages handler against S3 and Step Functions in memory."""

import gzip
import io
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest

import group_images
from tessera.tiling import ask_round
from tessera.tiling.workers.first_offers import read_first_offers
from tessera.tiling.workers.worker_memory import LabelList, Memory, WorkerCounts, decode_memory
from tests.fakes import Aws, etag

ARN = "arn:aws:states:eu-west-1:123456789012:execution:label:"
CONTEXT = SimpleNamespace(
    function_name="GroupImages",
    memory_limit_in_mb=1024,
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:GroupImages",
    aws_request_id="1",
)
MANIFEST = {"bucket": "inbox", "key": "pets/may.manifest"}


class Buckets:
    """The inbox and the labels bucket, and the executions that own runs."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws

    def put(self, key: str, body: bytes) -> dict[str, Any]:
        """Drop an object; return it as the event names it."""
        self.aws.files.put(f"s3://inbox/{key}", body)
        return {"bucket": "inbox", "key": key, "etag": etag(body).strip('"')}

    def files(self) -> dict[str, bytes]:
        """Return the files of the runs, by their names in the runs' folders."""
        return {
            uri.split("/", 5)[5]: content
            for uri, content in self.aws.files.objects.items()
            if uri.startswith("s3://labels/")
        }

    def owner_is(self, status: str) -> None:
        """Let the execution that came first have this status."""
        self.aws.executions.statuses[ARN + "first"] = status


@pytest.fixture
def buckets(monkeypatch: pytest.MonkeyPatch) -> Buckets:
    monkeypatch.setenv("LABELS_BUCKET", "labels")
    monkeypatch.setenv("UI_DIRECTORY", str(Path(__file__).parents[2] / "ui"))
    aws = Aws()
    monkeypatch.setattr(group_images, "connection", lambda: aws)
    buckets = Buckets(aws)
    buckets.put("pets/labeling.json", b'{"labels": ["cat", "dog"]}')
    return buckets


def lines(count: int) -> bytes:
    return b"".join(b'{"source-ref": "s3://pets/%d.jpg"}\n' % i for i in range(count))


def group(manifest: dict[str, Any], execution: str = "first") -> dict[str, Any]:
    event = {"manifest": manifest, "execution": ARN + execution}
    result: dict[str, Any] = group_images.handler(event, CONTEXT)
    return result


@pytest.mark.parametrize(
    "settings",
    [
        {"labels": ["cat", "dog"], "guesses": {"encoder": "pixels"}, "max_answers": 2},
        {"labels": ["cat", "dog"], "method": "majority"},
        {"labels": ["cat", "dog"], "task": "multi"},
    ],
    ids=["a model", "another method", "several labels"],
)
def test_a_run_that_no_function_could_label_is_refused_before_anybody_is_asked(
    buckets: Buckets, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    monkeypatch.setenv("CONSOLIDATION_MEMORY", "300")
    monkeypatch.setattr(ask_round, "FITS_ANY_FUNCTION", 40)
    buckets.put("pets/labeling.json", json.dumps(settings).encode())
    small = group(buckets.put("pets/april.manifest", lines(40)))
    assert small["outcome"] == "ask"

    large = group(buckets.put("pets/may.manifest", lines(45)))

    assert (large["outcome"], large["error"]) == ("refused", "SettingsInvalid")
    assert "cannot be used for 45 images" in large["cause"]
    assert "request" not in large  # no job can be opened


def test_a_manifest_becomes_a_run(buckets: Buckets) -> None:
    manifest = buckets.put("pets/may.manifest", lines(45))
    result = group(manifest)
    request = result.pop("request")
    run = result["run"]
    assert result == {
        "outcome": "ask",
        "run": run,
        "home": f"s3://labels/runs/{run}/",
        "round": 1,
        "shards": 1,
        "tasks": 3,
        "images": 45,
        "rejected": 0,
        "workforce": "portal",
    }
    assert request["OutputConfig"]["S3OutputPath"] == f"s3://labels/runs/{run}/round-1/jobs"
    files = buckets.files()
    assert set(files) == {
        "run.json",
        "page.liquid.html",
        "labels.json",
        "round-1/tasks-000.manifest",
        "round-1/tasks-000.offsets",
    }
    record = json.loads(files["run.json"])
    assert record["execution"] == ARN + "first"
    assert record["manifest"] == manifest
    assert record["settings"]["images_per_task"] == 20
    assert record["rounds"] == [{"round": 1, "shards": 1, "tasks": 3, "images": 45}]
    assert record["counts"]["lines"] == 45
    assert json.loads(files["labels.json"])["labels"][0] == {"label": "cat"}
    assert b"Is this cat or dog?" in files["page.liquid.html"]


def test_a_manifest_of_a_bucket_that_does_not_exist_is_refused(buckets: Buckets) -> None:
    buckets.aws.files.absent_buckets.add("pets")
    result = group(buckets.put("pets/may.manifest", lines(45)))
    assert (result["outcome"], result["error"]) == ("refused", "BucketMissing")
    assert (
        "45 of the first 45 images are in a bucket that does not exist: s3://pets"
        in result["cause"]
    )
    assert not any(name.startswith("round-1/") for name in buckets.files())


def test_a_manifest_of_a_bucket_that_may_not_be_read_is_refused(buckets: Buckets) -> None:
    buckets.aws.files.refused_buckets.add("pets")
    result = group(buckets.put("pets/may.manifest", lines(45)))
    assert (result["outcome"], result["error"]) == ("refused", "BucketUnreadable")
    assert "S3 refuses 45 of the first 45 images (403)" in result["cause"]
    assert not any(name.startswith("round-1/") for name in buckets.files())


def test_pictures_that_are_missing_or_empty_are_told_in_run_json(buckets: Buckets) -> None:
    manifest = buckets.put("pets/may.manifest", lines(3))
    for uri in re.findall(rb"s3://[^\"]+", lines(3)):
        buckets.aws.files.objects[uri.decode()] = b"a picture"
    buckets.aws.files.objects[re.findall(rb"s3://[^\"]+", lines(3))[1].decode()] = b""
    group(manifest)
    (notice,) = json.loads(buckets.files()["run.json"])["notices"]
    assert notice.startswith("1 of the first 3 pictures cannot be shown: s3://")
    assert "(0 bytes)" in notice


def array(rows: int, *, unusable: int = 0) -> bytes:
    """Return a file of embeddings, the last ones of which are zeros."""
    numbers = np.random.default_rng(0).normal(size=(rows, 3))
    numbers[rows - unusable :] = 0
    file = io.BytesIO()
    np.save(file, numbers.astype(np.float16))
    return file.getvalue()


@pytest.mark.parametrize("name", ["may.manifest", "may.jsonl", "May.MANIFEST.GZ"])
def test_embeddings_beside_the_manifest_are_copied_for_the_run(buckets: Buckets, name: str) -> None:
    body = gzip.compress(lines(45)) if name.endswith("GZ") else lines(45)
    uri = f"s3://inbox/pets/{name.split('.')[0]}.embeddings.npy"
    buckets.aws.files.put(uri, array(45, unusable=2))
    result = group(buckets.put(f"pets/{name}", body))
    assert result["outcome"] == "ask"
    copy = np.load(io.BytesIO(buckets.files()["embeddings.npy"]))
    assert np.allclose((copy.astype(float) ** 2).sum(axis=1), [1] * 43 + [0] * 2, atol=1e-2)
    record = json.loads(buckets.files()["run.json"])
    assert record["embeddings"] == {"source": uri, "rows": 45, "numbers": 3, "usable": 43}
    assert record["notices"][-1].startswith(f"2 of the 45 rows of {uri} are zeros")


def test_embeddings_that_the_settings_name_are_those_of_the_run(buckets: Buckets) -> None:
    uri = "s3://inbox/pets/encoded/all.npy"
    settings = {"labels": ["cat", "dog"], "embeddings": uri}
    buckets.put("pets/labeling.json", json.dumps(settings).encode())
    manifest = buckets.put("pets/may.manifest", lines(45))
    assert "does not exist" in group(manifest)["cause"]
    buckets.aws.files.put(uri, array(45))
    buckets.owner_is("FAILED")
    assert group(manifest, "second")["outcome"] == "ask"
    assert json.loads(buckets.files()["run.json"])["embeddings"]["source"] == uri


@pytest.mark.parametrize("where", ["s3://inbox/cars/e.npy", "s3://labels/runs/x/embeddings.npy"])
def test_settings_cannot_name_embeddings_of_another_project(buckets: Buckets, where: str) -> None:
    settings = {"labels": ["cat", "dog"], "embeddings": where}
    buckets.put("pets/labeling.json", json.dumps(settings).encode())
    buckets.aws.files.put(where, array(45))
    result = group(buckets.put("pets/may.manifest", lines(45)))
    assert (result["outcome"], result["error"]) == ("refused", "EmbeddingsUnusable")
    assert where in result["cause"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (array(44), "has 44 rows, and the manifest 45 lines"),
        (array(46), "has 46 rows, and the manifest 45 lines"),
        (array(45)[:-1], "cut off"),
        (array(45, unusable=45), "all 45 rows are zeros"),
        (b"", "no NumPy array"),
    ],
)
def test_embeddings_that_cannot_be_used_are_refused_before_anybody_is_asked(
    buckets: Buckets, content: bytes, message: str
) -> None:
    buckets.aws.files.put("s3://inbox/pets/may.embeddings.npy", content)
    result = group(buckets.put("pets/may.manifest", lines(45)))
    assert (result["outcome"], result["error"]) == ("refused", "EmbeddingsUnusable")
    assert message in result["cause"]
    assert (
        "rounds" not in json.loads(buckets.files()["run.json"])
        or not json.loads(buckets.files()["run.json"])["rounds"]
    )


def test_pages_of_alike_images_need_embeddings_in_every_round(buckets: Buckets) -> None:
    settings = {"labels": ["cat", "dog"], "order": "similar", "images_per_task": 5}
    buckets.put("pets/labeling.json", json.dumps(settings).encode())
    manifest = buckets.put("pets/may.manifest", lines(40))
    assert "leave order similar out" in group(manifest)["cause"]
    rows = np.zeros((40, 2), np.float16)
    rows[np.arange(40), np.arange(40) // 2 % 2] = 1
    file = io.BytesIO()
    np.save(file, rows)
    buckets.aws.files.put("s3://inbox/pets/may.embeddings.npy", file.getvalue())
    buckets.owner_is("FAILED")
    result = group(manifest, "second")
    unsure = "index,workers\n" + "".join(f"{i},w1\n" for i in range(40))
    buckets.aws.files.put(f"{result['home']}round-1/unsure.csv", unsure.encode())
    again(result, "second")
    for round_ in (1, 2):
        for line in buckets.files()[f"round-{round_}/tasks-000.manifest"].splitlines():
            images = json.loads(json.loads(line)["source"])
            assert len({image["index"] // 2 % 2 for image in images}) == 1


def test_nearly_the_same_images_are_asked_once_by_their_embeddings(buckets: Buckets) -> None:
    settings = {"labels": ["cat", "dog"], "near_repeats": 0.9}
    buckets.put("pets/labeling.json", json.dumps(settings).encode())
    manifest = buckets.put("pets/may.manifest", lines(40))
    assert "leave near_repeats out" in group(manifest)["cause"]
    file = io.BytesIO()
    np.save(file, np.repeat(np.eye(20, dtype=np.float16), 2, axis=0))
    buckets.aws.files.put("s3://inbox/pets/may.embeddings.npy", file.getvalue())
    buckets.owner_is("FAILED")
    assert group(manifest, "second")["images"] == 20
    repeats = buckets.files()["repeats.csv"].decode().split()
    assert repeats == [
        "index,first,similarity",
        *(f"{2 * i + 1},{2 * i},1.0000" for i in range(20)),
    ]


def test_lines_that_are_rejected_or_labeled_have_a_row_too(buckets: Buckets) -> None:
    body = lines(43) + b"oops\n" + b'{"source-ref": "s3://pets/x.jpg", "label": 1}\n'
    buckets.aws.files.put("s3://inbox/pets/may.embeddings.npy", array(45))
    assert group(buckets.put("pets/may.manifest", body))["outcome"] == "ask"


def test_settings_without_effect_are_told_in_run_json(buckets: Buckets) -> None:
    buckets.put("pets/labeling.json", b'{"labels": ["cat", "dog"], "gold_per_task": 1, "seed": 4}')
    group(buckets.put("pets/may.manifest", lines(3)))
    _, seed, gold = json.loads(buckets.files()["run.json"])["notices"]
    assert seed.startswith("seed: 4 has no effect")
    assert gold.startswith("gold_per_task: 1 has no effect")


def test_the_same_execution_again_writes_the_same_bytes(buckets: Buckets) -> None:
    manifest = buckets.put("pets/may.manifest", lines(45) + b"oops\n")
    first, before = group(manifest), buckets.files()
    assert group(manifest) == first
    assert buckets.files() == before


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED", "PENDING_REDRIVE"])
def test_a_second_event_for_the_same_object_costs_nothing(buckets: Buckets, status: str) -> None:
    manifest = buckets.put("pets/may.manifest", lines(45))
    group(manifest)
    before = buckets.files()
    buckets.owner_is(status)
    result = group(manifest, "second")
    assert (result["outcome"], result["owner"]) == ("already-running", ARN + "first")
    assert buckets.files() == before


@pytest.mark.thorough
@pytest.mark.parametrize("status", ["FAILED", "ABORTED", "TIMED_OUT", "GONE"])
def test_a_run_whose_owner_is_dead_is_taken_over(buckets: Buckets, status: str) -> None:
    manifest = buckets.put("pets/may.manifest", lines(45))
    group(manifest)
    buckets.owner_is(status)
    assert group(manifest, "second")["outcome"] == "ask"
    assert json.loads(buckets.files()["run.json"])["execution"] == ARN + "second"


@pytest.mark.parametrize(
    ("body", "labeling", "error"),
    [
        (b"", None, "NoUsableLine"),
        (b"x\n", None, "NoUsableLine"),
        (lines(5) + b"x\n", None, "TooManyBadLines"),
        (lines(5), b"{}", "LabelsMissing"),
        (lines(5), b"{", "SettingsInvalid"),
        (lines(5), b'{"labels":["a","b"],"label_attribute":"_"}', "LabelAttributeIllegal"),
        (b"\x1f\x8b\x08\x00", None, "ManifestUnreadable"),
    ],
)
def test_what_cannot_be_asked_is_refused_under_a_name(
    buckets: Buckets, body: bytes, labeling: bytes | None, error: str
) -> None:
    if labeling is not None:
        buckets.put("pets/labeling.json", labeling)
    result = group(buckets.put("pets/may.manifest", body))
    assert (result["outcome"], result["error"]) == ("refused", error)
    assert result["cause"]
    assert not [name for name in buckets.files() if name.startswith("round-")]


@pytest.mark.parametrize(
    "page",
    [
        "{{ task.input.images[0].index | no_such_filter }}",
        "{% for image in task.input.images %}",
        "{{ task.input.images[1].prelabel | divided_by: 0 }}",
        "[[ question | no_such_filter ]]",
    ],
)
def test_a_page_that_cannot_be_rendered_is_refused_before_anybody_is_asked(
    buckets: Buckets, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiles.liquid.html").write_text(page)
    monkeypatch.setenv("UI_DIRECTORY", str(tmp_path))
    result = group(buckets.put("pets/may.manifest", lines(5)))
    assert (result["outcome"], result["error"]) == ("refused", "PageUnusable")
    assert result["cause"].startswith("tiles.liquid.html, the page of this stack, cannot be")
    assert not [name for name in buckets.files() if name.startswith("round-")]


def test_a_page_that_cannot_be_rendered_is_refused_under_its_own_name(
    buckets: Buckets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "multi.liquid.html").write_text("[[ question | no_such_filter ]]")
    monkeypatch.setenv("UI_DIRECTORY", str(tmp_path))
    buckets.put("pets/labeling.json", b'{"labels": ["cat", "dog"], "task": "multi"}')
    result = group(buckets.put("pets/may.manifest", lines(5)))
    assert result["cause"].startswith("multi.liquid.html, the page of this stack, cannot be")


@pytest.mark.parametrize("versioned", [False, True])
def test_a_manifest_that_was_deleted_after_its_event_is_refused_under_a_name(
    buckets: Buckets, versioned: bool
) -> None:
    manifest = buckets.put("pets/may.manifest", lines(5))
    if versioned:
        manifest["version-id"] = "0f0f0f0f-0f0f-0f0f-0f0f-0f0f0f0f0f0f"
    else:
        del buckets.aws.files.objects["s3://inbox/pets/may.manifest"]
    result = group(manifest)
    assert (result["outcome"], result["error"]) == ("refused", "ManifestUnreadable")
    assert result["cause"].startswith("s3://inbox/pets/may.manifest is gone")


def test_settings_beyond_any_use_are_refused_unread(buckets: Buckets) -> None:
    buckets.put("pets/labeling.json", b'{"labels": ["cat", "dog"]}' + b" " * 1_000_000)
    result = group(buckets.put("pets/may.manifest", lines(5)))
    assert (result["error"], result["cause"]) == (
        "SettingsInvalid",
        "the settings are longer than 1,000,000 bytes",
    )


def test_without_a_file_beside_it_the_stacks_default_settings_hold(
    buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = buckets.put("birds/may.manifest", lines(5))
    assert group(manifest)["error"] == "LabelsMissing"
    monkeypatch.setenv("DEFAULT_SETTINGS", '{"labels": ["owl", "wren"]}')
    assert group(manifest)["outcome"] == "ask"


def test_a_fully_labeled_manifest_has_nothing_to_ask(buckets: Buckets) -> None:
    result = group(buckets.put("pets/may.manifest", b'{"source-ref":"s3://bkt/k","label":1}\n'))
    assert (result["outcome"], result["shards"]) == ("nothing-to-ask", 0)


def test_a_run_whose_next_round_has_nothing_to_ask_ends_with_its_figures(
    buckets: Buckets, capsys: pytest.CaptureFixture[str]
) -> None:
    result = group(buckets.put("pets/may.manifest", lines(45)))
    files, home = buckets.aws.files, result["home"]
    files.put(f"{home}round-1/unsure.csv", b"index,workers\n")
    jobs = [{"name": "pets-r1-000", "status": "Completed"}]
    shares = {"agreeing": 9, "compared": 10}
    time = {"measured": False, "seconds_per_image": 1.0}
    figures = {
        "jobs": jobs, "images": {"lines": 45, "training": 40, "unlabeled": 5, "rejected": 0,
        "uncertain": 4}, "agreement": shares, "time": time, "answers": {"used": 90},
        "cost": {"pages": 3, "fees": 0.0, "fees_alone": 0.0}, "confidence": {"mean": 0.9},
    }  # fmt: skip
    files.put(f"{home}report.json", json.dumps(figures).encode())

    assert again(result)["outcome"] == "nothing-to-ask"

    assert json.loads(buckets.files()["run.json"])["done"] is True
    emitted = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert (emitted[-1]["ImagesLabeled"], emitted[-1]["project"]) == ([40.0], "pets")


def again(result: dict[str, Any], execution: str = "first") -> dict[str, Any]:
    event = {"run": result["run"], "home": result["home"], "round": 2}
    regrouped: dict[str, Any] = group_images.handler(
        event | {"execution": ARN + execution}, CONTEXT
    )
    return regrouped


def test_a_later_round_asks_the_unsure_images_of_one_worker_more(buckets: Buckets) -> None:
    result = group(buckets.put("pets/may.manifest", lines(45)))
    unsure = "index,workers\n" + "".join(f"{i},w1 w{i % 2 + 2}\n" for i in range(0, 45, 3))
    buckets.aws.files.put(f"{result['home']}round-1/unsure.csv", unsure.encode())
    second = again(result)
    task = second["request"].pop("HumanTaskConfig")
    assert task["NumberOfHumanWorkersPerDataObject"] == 1
    assert second["request"]["OutputConfig"]["S3OutputPath"] == f"{result['home']}round-2/jobs"
    assert {key: second[key] for key in ("outcome", "round", "shards", "tasks", "images")} == {
        "outcome": "ask",
        "round": 2,
        "shards": 1,
        "tasks": 2,  # a page of both crowds would be for nobody
        "images": 15,
    }
    record = json.loads(buckets.files()["run.json"])
    assert [asked["images"] for asked in record["rounds"]] == [45, 15]
    before = buckets.files()
    again(result)
    assert buckets.files() == before


def remembering(buckets: Buckets, **more: Any) -> Memory:
    """Let the project know ann, who is good, and ben, who is not; return what it knows."""
    keys = {"labels": ["cat", "dog"], "remember_workers": True} | more
    buckets.put("pets/labeling.json", json.dumps(keys).encode())
    good, bad = [[50.0, 1.0], [1.0, 50.0]], [[30.0, 20.0], [20.0, 30.0]]
    workers = {"ann": WorkerCounts(100, 0, 0, good), "ben": WorkerCounts(100, 0, 0, bad)}
    memory = Memory(lists=[LabelList(["cat", "dog"], workers)])
    uri = "s3://labels/projects/pets/workers.json"
    buckets.aws.files.put(uri, msgspec.json.encode(memory))
    return memory


def test_a_first_round_goes_first_to_those_whom_the_project_remembers_as_good(
    buckets: Buckets,
) -> None:
    memory = remembering(buckets, offer_to="upper half", offer_first_round=True)
    result = group(buckets.put("pets/may.manifest", lines(45)))
    offers = read_first_offers(buckets.files()["round-1/tasks-000.offers"], result["tasks"])
    assert offers.reserved(["ann"]) == b""
    assert offers.reserved(["ben"]) == offers.reserved(["stranger"]) == b"\1\1\1"
    # The run goes by this version from now on, whatever later runs learn.
    copy = buckets.aws.files.objects[f"{result['home']}workers.json"]
    assert decode_memory(copy) == memory
    assert json.loads(buckets.files()["run.json"])["workers"]
    before = buckets.files()
    group(buckets.put("pets/may.manifest", lines(45)))
    assert buckets.files() == before


@pytest.mark.parametrize("more", [{}, {"offer_to": "upper half"}, {"offer_first_round": True}])
def test_else_a_first_round_is_for_anyone_at_once(buckets: Buckets, more: dict[str, Any]) -> None:
    remembering(buckets, **more)
    result = group(buckets.put("pets/may.manifest", lines(45)))
    assert not [name for name in buckets.files() if name.endswith(".offers")]
    assert f"{result['home']}workers.json" not in buckets.aws.files.objects


def test_a_later_round_of_a_run_that_another_took_over_asks_nobody(buckets: Buckets) -> None:
    result = group(buckets.put("pets/may.manifest", lines(45)))
    assert again(result, "second")["outcome"] == "already-running"


def test_instructions_and_examples_beside_the_manifest_are_on_the_page(buckets: Buckets) -> None:
    buckets.put("pets/instructions.md", b"Look at the *ears*:\n\n![ears](ears.png)")
    buckets.put("pets/examples/cat/1.jpg", b"")
    assert group(buckets.put("pets/may.manifest", lines(3)))["outcome"] == "ask"
    page = buckets.files()["page.liquid.html"].decode()
    assert "Look at the <em>ears</em>" in page
    assert 'src="{{ "s3://inbox/pets/ears.png" | grant_read_access }}"' in page
    assert '"s3://inbox/pets/examples/cat/1.jpg"' in page


def test_a_practice_picture_is_asked_of_nobody(buckets: Buckets) -> None:
    practice = b"pets/practice/cat/1.jpg"
    buckets.put(practice.decode(), b"x")
    line = b'{"source-ref": "s3://inbox/%b"}\n' % practice
    manifest = buckets.put("pets/may.manifest", line + lines(19))
    assert group(manifest)["outcome"] == "ask"
    files = buckets.files()
    record = json.loads(files["run.json"])
    assert (record["counts"]["images"], record["counts"]["rejected"]) == (19, 1)
    assert practice not in files["round-1/tasks-000.manifest"]


def test_pictures_to_qualify_by_are_copied_once_and_named_in_every_round(buckets: Buckets) -> None:
    buckets.put("pets/labeling.json", b'{"labels": ["cat", "dog"], "qualify": 0.8}')
    for number in range(5):
        buckets.put(f"pets/qualification/cat/{number}.jpg", b"%d" % number)
    result = group(buckets.put("pets/may.manifest", lines(45)))
    assert {"Key": "tessera:qualify", "Value": "0.8"} in result["request"]["Tags"]
    files = buckets.files()
    first = files["round-1/tasks-qualification.json"]
    assert json.loads(first)["records"] == "s3://labels/projects/pets/qualification/"
    assert len([name for name in files if name.startswith("qualification/")]) == 5
    assert b"cat" not in files["round-1/tasks-000.manifest"]

    buckets.aws.files.delete("s3://inbox/pets/qualification/cat/0.jpg")
    buckets.aws.files.put(f"{result['home']}round-1/unsure.csv", b"index,workers\n3,w1 w2\n")
    again(result, "first")
    assert buckets.files()["round-2/tasks-qualification.json"] == first


def test_a_run_without_pictures_to_qualify_by_is_refused_with_what_to_do(buckets: Buckets) -> None:
    buckets.put("pets/labeling.json", b'{"labels": ["cat", "dog"], "qualify": 0.8}')
    result = group(buckets.put("pets/may.manifest", lines(45)))
    assert result["outcome"] == "refused"
    assert "qualification/LABEL/" in json.dumps(result)


def test_an_object_that_starts_no_run_is_answered_for_in_the_labels_bucket(
    buckets: Buckets,
) -> None:
    event = {
        "detail-type": "Object Created",
        "time": "2026-11-25T12:00:00Z",
        "detail": {"bucket": {"name": "inbox"}, "object": {"key": "pets/may.zip"}},
    }
    result = group_images.handler(event, CONTEXT)

    assert result["outcome"] == "ignored"
    record = json.loads(buckets.aws.files.get(result["record"]))
    assert record["object"] == "s3://inbox/pets/may.zip"
    assert "archive" in record["why"]
