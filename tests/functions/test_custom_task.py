"""Tasks of any form on a page of the project's own, from the drop to the labels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import consolidate_labels
import group_images
from tessera.portal import job_lifecycle
from tessera.tiling.kinds.custom_task import Fate, read_lines
from tessera.tiling.manifest.source_rule import SourceRule
from tessera.tiling.settings import read_settings
from tests.fakes import Aws, etag
from tests.functions.conftest import CONTEXT, EXECUTION, end_round
from tests.portal.world import World

PRE = "arn:aws:lambda:eu-west-1:123456789012:function:pre"
POST = "arn:aws:lambda:eu-west-1:123456789012:function:post"
PAGE = """<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form><img src="{{ task.input.taskObject | grant_read_access }}">
<crowd-input name="tag" label="Tag"></crowd-input></crowd-form>"""
LINES = (
    '{"source-ref": "s3://inbox/tags/1.jpg", "n": 1}',
    '{"source": "a text", "weather": "rain"}',
    '{"source-ref": "s3://inbox/tags/2.jpg", "label": {"tag": "old"}}',
    '{"n": 2}',
    '{"source-ref":   "https://pictures.test/3.jpg"}',
)


@dataclass
class Functions(World):
    """World whose functions are the requester's, as Ground Truth documents them."""

    events: list[dict[str, Any]] = field(default_factory=list)

    def invoke(self, arn: str, event: dict[str, Any]) -> Any:
        """Answer as AWS's own recipe does, with text where the documentation has a boolean."""
        self.events.append({"arn": arn, **event})
        if arn == PRE:
            source = event["dataObject"].get("source-ref") or event["dataObject"]["source"]
            wanted = "false" if source == "a text" else "true"
            return {"taskInput": {"taskObject": source}, "isHumanAnnotationRequired": wanted}
        return [
            {
                "datasetObjectId": entry["datasetObjectId"],
                "consolidatedAnnotation": {
                    "content": {
                        event["labelAttributeName"]: [
                            json.loads(answer["annotationData"]["content"])
                            for answer in entry["annotations"]
                        ]
                    }
                },
            }
            for entry in json.loads(self.files.get(event["payload"]["s3Uri"]))
        ]


@dataclass
class Project:
    """Project of a custom task: its folder in the inbox, and what the state machine does."""

    aws: Aws
    world: Functions

    def drop(self, lines: Sequence[str], page: str | None = PAGE, **settings: Any) -> Any:
        """Return what GroupImages makes of a manifest of these lines."""
        files = self.aws.files
        document = {"task": "custom", "answers_per_image": 1, "bad_lines": 0.5} | settings
        files.put("s3://inbox/tags/labeling.json", json.dumps(document).encode())
        if page is not None:
            files.put("s3://inbox/tags/page.liquid.html", page.encode())
        body = "".join(line + "\n" for line in lines).encode()
        files.put("s3://inbox/tags/may.manifest", body)
        manifest = {"bucket": "inbox", "key": "tags/may.manifest", "etag": etag(body).strip('"')}
        return group_images.handler({"manifest": manifest, "execution": EXECUTION}, CONTEXT)

    def request(self, result: Any) -> Any:
        """Return the request of the only job, as the state machine completes it."""
        manifest = f"{result['home']}round-1/tasks-000.manifest"
        source = {"DataSource": {"S3DataSource": {"ManifestS3Uri": manifest}}}
        name = f"{result['run']}-r1-000"
        return result["request"] | {"LabelingJobName": name, "InputConfig": source}

    def end(self, result: Any, status: str) -> Any:
        """Return what ConsolidateLabels makes of the run."""
        return end_round(result, status)

    def lines(self, result: Any, name: str) -> list[Any]:
        """Return the lines of one of the run's files."""
        return [json.loads(row) for row in self.aws.files.get(result["home"] + name).splitlines()]


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("LABELS_BUCKET", "labels")
    monkeypatch.setenv("UI_DIRECTORY", str(Path(__file__).parents[2] / "ui"))
    monkeypatch.setenv("IMAGE_OBJECTS", "")
    monkeypatch.setenv("ANNOTATION_ROLE_ARN", "arn:aws:iam::123456789012:role/answers")
    aws = Aws()
    for module in (group_images, consolidate_labels):
        monkeypatch.setattr(module, "connection", lambda: aws)
    return Project(aws, Functions(files=aws.files))


def test_lines_of_any_form_are_asked_on_the_projects_page_and_labeled_by_its_functions(
    project: Project,
) -> None:
    result = project.drop(LINES, pre_annotation=PRE, post_annotation=POST)
    assert (result["outcome"], result["tasks"], result["rejected"]) == ("ask", 3, 1)
    files, world = project.aws.files, project.world
    asked = files.get(f"{result['home']}round-1/tasks-000.manifest")
    assert asked.decode().splitlines() == [LINES[0], LINES[1], LINES[4]]
    assert files.get(f"{result['home']}page.liquid.html").decode() == PAGE

    request = project.request(result)
    assert "LabelCategoryConfigS3Uri" not in request
    job = job_lifecycle.open_job(world.ports, request, "token")
    for _ in range(2):
        status, claimed = world.ask("POST", f"/jobs/{job.name}/claims")
        assert status == 200
        assert "crowd-input" in claimed["page"]
        address = f"/jobs/{job.name}/tasks/{claimed['task']}/answer"
        assert world.ask("PUT", address, body={"tag": " "})[0] == 400
        assert world.ask("PUT", address, body={"tag": claimed["task"]})[0] == 200
    # the function keeps the second line from people, which is over with that
    assert world.ask("POST", f"/jobs/{job.name}/claims")[0] in {204, 410}
    described = job_lifecycle.close_job(world.ports, request)
    summary = project.end(result, described["LabelingJobStatus"])

    assert (summary["outcome"], summary["labeled"], summary["unlabeled"]) == ("done", 3, 1)
    labeled = project.lines(result, "training.manifest")
    assert [line["label"] for line in labeled] == [
        [{"tag": "0"}],
        {"tag": "old"},
        [{"tag": "2"}],
    ]
    assert labeled[0]["n"] == 1
    assert labeled[0]["label-metadata"]["type"] == "groundtruth/custom"
    assert project.lines(result, "unlabeled.manifest") == [json.loads(LINES[1])]
    assert project.lines(result, "rejected.jsonl")[0]["line"] == 4
    (post,) = [event for event in world.events if event["arn"] == POST]
    assert post["roleArn"] == "arn:aws:iam::123456789012:role/answers"
    assert (post["labelCategories"], post["labelAttributeName"]) == (None, "label")
    assert json.loads(files.get(result["home"] + "run.json"))["done"] is True
    assert b"Nobody" not in files.get(result["home"] + "report.html")


def test_without_functions_the_page_gets_the_line_and_labels_name_the_answers(
    project: Project,
) -> None:
    result = project.drop(LINES[:2])
    request = project.request(result)
    job = job_lifecycle.open_job(project.world.ports, request, "token")
    claimed = project.world.ask("POST", f"/jobs/{job.name}/claims")[1]
    assert "https://" in claimed["page"]
    body = {"tag": "x", "images": [1], "0": {"a": True}}
    address = f"/jobs/{job.name}/tasks/{claimed['task']}/answer"
    assert project.world.ask("PUT", address, body=body)[0] == 200
    described = job_lifecycle.close_job(project.world.ports, request)
    summary = project.end(result, described["LabelingJobStatus"])
    assert summary["partial"] is True
    (line,) = project.lines(result, "training.manifest")
    assert line["label"] == {}
    assert line["label-metadata"]["worker-response-ref"].endswith(f"/{claimed['task']}/")


def test_a_run_that_nobody_answered_fails_and_one_with_nothing_to_ask_is_done(
    project: Project,
) -> None:
    result = project.drop(LINES[:1])
    summary = project.end(result, "Stopped")
    assert summary["failure"]["error"] == "NothingLabeled"
    result = project.drop(LINES[2:3])
    assert result["outcome"] == "nothing-to-ask"
    assert project.end(result, "Completed")["outcome"] == "done"


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (None, "there is no s3://inbox/tags/page.liquid.html"),
        (PAGE + "<crowd-polygon>", "crowd-polygon, which only Amazon's own script draws"),
        (PAGE + '<script src="//cdn.test/x.js"></script>', "PageHosts=cdn.test"),
        (PAGE + "{{ 1 | no_such }}", "it cannot be rendered"),
        ("<crowd-input>", "it has no <crowd-form>"),
        ("x" * 128_001, "more than 128,000 characters"),
    ],
)
def test_a_page_that_the_portal_could_not_show_is_refused_by_name_before_anybody_is_asked(
    project: Project, page: str | None, reason: str
) -> None:
    result = project.drop(LINES, page=page)
    assert (result["outcome"], result["error"]) == ("refused", "PageUnusable")
    assert reason in result["cause"]


def test_another_page_is_another_run_and_the_same_page_the_same(project: Project) -> None:
    first = project.drop(LINES)["run"]
    assert project.drop(LINES, page=PAGE + " ")["run"] != first
    assert project.drop(LINES)["run"] == first


def test_a_page_shows_nothing_that_its_lines_could_not_name(project: Project) -> None:
    page = PAGE + '<img src="{{ "s3://inbox/other/secret.jpg" | grant_read_access }}">'
    result = project.drop(LINES[:1], page=page)
    job = job_lifecycle.open_job(project.world.ports, project.request(result), "token")
    claimed = project.world.ask("POST", f"/jobs/{job.name}/claims")[1]
    assert "secret" not in claimed["page"]
    assert "tags/1.jpg" in claimed["page"]


RULE = SourceRule("inbox", "tags/", "labels", ())
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@pytest.mark.thorough
@given(st.lists(st.dictionaries(st.sampled_from(["source", "source-ref", "n", "label"]), VALUES)))
def test_every_line_is_asked_as_it_came_or_labeled_or_rejected_with_a_reason(
    records: list[dict[str, Any]],
) -> None:
    body = b"".join(json.dumps(record).encode() + b"\n" for record in records)
    lines = list(read_lines([body], read_settings(b'{"task": "custom"}'), RULE))
    assert [json.loads(line.raw) for line in lines] == records
    for line, record in zip(lines, records, strict=True):
        assert (line.fate is Fate.REJECTED) == bool(line.reason)
        if line.fate is Fate.ASKED:
            assert "label" not in record
            assert isinstance(record.get("source", record.get("source-ref")), str)


@pytest.mark.parametrize(
    "uri", ["s3://inbox/other/1.jpg", "s3://labels/runs/x/gold.csv", "s3://x/1"]
)
@given(depth=st.integers(0, 3))
def test_no_key_of_a_line_names_what_its_author_may_not_read(uri: str, depth: int) -> None:
    value: Any = uri
    for _ in range(depth):
        value = [{"x": value}]
    raw = json.dumps({"source": "text", "more": value}).encode()
    (line,) = read_lines([raw], read_settings(b'{"task": "custom"}'), RULE)
    assert line.fate is Fate.REJECTED
    assert line.reason.startswith("more: ")
