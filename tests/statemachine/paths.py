"""The ways through the machine: what is dropped, what the services do, and how it must end.

A way is a test case of the mock configuration, so that a state can be given an answer or an error:
Ground Truth's always, another's where its failure is the point. Nothing else is replaced.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tessera.stack.local_stack import INBOX, LABELS
from tessera.tiling.job_names import job_name
from tessera.tiling.jobs import run_id
from tessera.tiling.report.announcement import announce_labels
from tessera.tiling.settings import read_settings
from tests.statemachine.stage import CHOICES, SETTINGS, Stage, manifest_key

TEAM = "arn:aws:sagemaker:us-east-1:000000000000:workteam/private-crowd/vets"
PUBLIC = "arn:aws:sagemaker:us-east-1:394669845002:workteam/public-crowd/default"


def returns(*answers: Any) -> dict[str, Any]:
    """The state's answers, one an attempt."""
    return {str(number): {"Return": answer} for number, answer in enumerate(answers)}


def throws(error: str, cause: str = "a fault on purpose") -> dict[str, Any]:
    """The state fails so, whenever it is tried."""
    return {"0-999": {"Throw": {"Error": error, "Cause": cause}}}


def payload(**answer: Any) -> dict[str, Any]:
    """What a function's state gets from its function."""
    return returns({"StatusCode": 200, "Payload": answer})


@dataclass(frozen=True)
class Way:
    """One way: the manifest's pictures, what is mocked, what lies in S3, and the end."""

    name: str
    status: str = "SUCCEEDED"
    error: str = ""
    says: str = ""
    pictures: tuple[str, ...] = ("cat-0.png", "dog-1.png")
    settings: Mapping[str, Any] = field(default_factory=dict)
    mocks: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    output: Mapping[int, str] = field(default_factory=dict)
    """What the output manifest of the first job says of which task."""
    responses: Mapping[int, str] = field(default_factory=dict)
    """What lies in the first job's worker responses alone, by task."""
    figures: Mapping[str, Any] = field(default_factory=dict)
    """What the execution's output must hold."""

    @property
    def run(self) -> str:
        """The run's name."""
        place = {"bucket": INBOX, "key": manifest_key(self.name), "etag": "e" * 32}
        given = json.dumps(SETTINGS | dict(self.settings)).encode()
        return run_id(place | {"version-id": ""}, read_settings(given))

    @property
    def home(self) -> str:
        """The run's folder."""
        return f"s3://{LABELS}/runs/{self.run}/"

    @property
    def job(self) -> str:
        """The name of the first job."""
        return job_name(self.run, 1, 0)

    def described(self, status: str, **more: Any) -> dict[str, Any]:
        """The first job as DescribeLabelingJob would say it."""
        source = {"S3DataSource": {"ManifestS3Uri": f"{self.home}round-1/tasks-000.manifest"}}
        return {
            "LabelingJobName": self.job,
            "LabelingJobStatus": status,
            "InputConfig": {"DataSource": source},
            "LabelCounters": {"TotalLabeled": len(self.output)},
        } | more

    def set_up(self, stage: Stage) -> None:
        """Lay out the manifest, and what the job left, where it is not there yet."""
        stage.lay_out(self.name, list(self.pictures), **self.settings)
        if not self.output and not self.responses:
            return
        folder = f"{self.home}round-1/jobs/{self.job}/"
        if self.output:
            lines = (
                json.dumps(output_line(task, picture, self.output.get(task), self.name))
                for task, picture in enumerate(self.pictures)
            )
            stage.put(
                f"{folder}manifests/output/output.manifest",
                "".join(line + "\n" for line in lines).encode(),
            )
        for task, label in self.responses.items():
            stage.put(
                f"{folder}annotations/worker-response/iteration-1/{task}/2026-11-23_01:02:03.json",
                json.dumps({"answers": [response(task, label)]}).encode(),
            )


def output_line(task: int, picture: str, label: str | None, name: str) -> dict[str, Any]:
    """A line of a job's output manifest: with the answer, or as it came."""
    uri = f"s3://{INBOX}/{name}/{picture}"
    line: dict[str, Any] = {"source": json.dumps([{"source-ref": uri, "index": task}])}
    if label is not None:
        said = {"workerId": "private.us-east-1.ann", "annotation": choice(task, label)}
        line["label"] = {"responses": [said]}
        line["label-metadata"] = {"type": "groundtruth/custom", "human-annotated": "yes"}
    return line


def response(task: int, label: str) -> dict[str, Any]:
    """An answer as Ground Truth keeps it among the worker responses."""
    return {
        "answerContent": choice(task, label),
        "submissionTime": "2026-11-23T01:02:03.456Z",
        "timeSpentInSeconds": 4.2,
        "workerId": "private.us-east-1.ann",
    }


def choice(task: int, label: str) -> dict[str, dict[str, bool]]:
    """What the page's form says of one picture."""
    return {str(task): {name: name == label for name in (*CHOICES, "cannot see")}}


def _ground_truth() -> list[Way]:
    """Every ending of a Ground Truth job."""
    settings = {"workforce": TEAM}
    create = "CreateLabelingJob"
    taken = throws("SageMaker.AmazonSageMakerException", "Labeling job already exists")

    def way(name: str, mocks: Any, more: Mapping[str, Any] | None = None, **rest: Any) -> Way:
        shape = Way(f"gt-{name}", settings=settings | dict(more or {}), **rest)
        return replace(shape, mocks=mocks(shape))

    part = {"labeled": 1, "unlabeled": 1, "partial": True}
    return [
        way(
            "completed",
            lambda way: {
                create: returns({}),
                "DescribeLabelingJob": returns(way.described("Completed")),
            },
            output={0: "cat", 1: "dog"},
            figures={"labeled": 2, "partial": False},
        ),
        way(
            "completed-with-failures",
            lambda way: {
                create: returns({}),
                "DescribeLabelingJob": returns(way.described("Completed")),
            },
            output={0: "cat"},
            figures=part,
        ),
        way(
            "stopped",
            lambda way: {
                create: returns({}),
                "DescribeLabelingJob": returns(way.described("Stopped")),
            },
            more={"stop_after_pages": 1, "stop_after_percent": 50},
            output={0: "cat"},
            figures=part,
        ),
        way(
            "failed-with-answers",
            lambda way: {
                create: throws("States.TaskFailed", "the job failed"),
                "DescribeLabelingJob": returns(
                    way.described("Failed", FailureReason="ClientError: the role may not write.")
                ),
            },
            responses={1: "dog"},
            figures=part,
        ),
        way(
            "failed-without-answers",
            lambda way: {
                create: throws("States.TaskFailed", "the job failed"),
                "DescribeLabelingJob": returns(
                    way.described("Failed", FailureReason="ClientError: the role may not read.")
                ),
            },
            status="FAILED",
            error="NothingLabeled",
            says="the role may not read",
        ),
        way(
            "expired",
            lambda way: {
                create: throws("States.Timeout", "31 days are over"),
                "DescribeLabelingJob": returns(way.described("Stopping"), way.described("Stopped")),
            },
            output={1: "dog"},
            figures=part,
        ),
        way(
            "still-running",
            lambda way: {
                create: taken,
                "DescribeLabelingJob": returns(
                    way.described("InProgress"),
                    way.described("InProgress"),
                    way.described("Completed"),
                ),
            },
            output={0: "cat", 1: "dog"},
            figures={"labeled": 2, "partial": False},
        ),
        way(
            "ended-before",
            lambda way: {
                create: throws("SageMaker.ResourceInUseException", "the name is in use"),
                "DescribeLabelingJob": returns(way.described("Completed")),
            },
            output={0: "cat", 1: "dog"},
            figures={"labeled": 2, "partial": False},
        ),
        way(
            "name-taken",
            lambda way: {
                create: taken,
                "DescribeLabelingJob": returns(
                    way.described(
                        "Completed",
                        InputConfig={
                            "DataSource": {"S3DataSource": {"ManifestS3Uri": "s3://other/list"}}
                        },
                    )
                ),
            },
            status="FAILED",
            error="JobsRefused",
            says="JobNameTaken",
        ),
        way(
            "refused",
            lambda way: {
                create: throws("SageMaker.AmazonSageMakerException", "no such work team"),
                "DescribeLabelingJob": throws("SageMaker.SageMakerException", "not found"),
            },
            status="FAILED",
            error="JobsRefused",
            says="no such work team",
        ),
        way(
            "throttled-at-first",
            lambda way: {
                create: {
                    "0-3": throws("SageMaker.AmazonSageMakerException", "Rate exceeded")["0-999"],
                    "4": {"Return": {}},
                },
                "DescribeLabelingJob": returns(way.described("Completed")),
            },
            output={0: "cat", 1: "dog"},
            figures={"labeled": 2, "partial": False},
        ),
        way(
            "over-the-limit",
            lambda way: {
                create: throws("SageMaker.ResourceLimitExceededException", "20 jobs are open"),
                "DescribeLabelingJob": throws("SageMaker.SageMakerException", "not found"),
            },
            status="FAILED",
            error="JobsRefused",
            says="20 jobs are open",
        ),
        Way(
            "gt-public",
            settings={
                "workforce": PUBLIC,
                "content_classifiers": [
                    "FreeOfPersonallyIdentifiableInformation",
                    "FreeOfAdultContent",
                ],
            },
            mocks={
                create: throws("SageMaker.AmazonSageMakerException", "the marketplace has closed"),
                "DescribeLabelingJob": throws("SageMaker.SageMakerException", "not found"),
            },
            status="FAILED",
            error="JobsRefused",
            says="the marketplace has closed",
        ),
    ]


def _portal() -> list[Way]:
    """Jobs on the portal, with three workers at work or with something in their way."""
    return [
        Way("portal", figures={"labeled": 2, "partial": False, "round": 1}),
        Way(
            "portal-rounds",
            pictures=("cat-0.png", "unsure-1.png", "dog-2.png"),
            settings={"answers_per_image": 2, "max_answers": 3},
            figures={"labeled": 3, "partial": False, "round": 2, "uncertain": 1},
        ),
        Way(
            "portal-out-of-time",
            mocks={"OpenJob": throws("States.Timeout", "the job's time is over")},
            responses={1: "dog"},
            figures={"labeled": 1, "unlabeled": 1, "partial": True},
        ),
        Way(
            "portal-never-answered",
            mocks={"OpenJob": throws("States.Timeout", "the job's time is over")},
            status="FAILED",
            error="NothingLabeled",
            says="Stopped",
        ),
        Way(
            "portal-refused",
            mocks={"OpenJob": throws("Invalid", "the job request has no TaskTitle")},
            status="FAILED",
            error="JobsRefused",
            says="the job request has no TaskTitle",
        ),
        Way(
            "portal-busy",
            mocks={"OpenJob": throws("Lambda.TooManyRequestsException", "the rate is exceeded")},
            status="FAILED",
            error="JobsRefused",
            says="the rate is exceeded",
        ),
        Way(
            "portal-not-closed",
            mocks={
                "OpenJob": throws("States.Timeout", "the job's time is over"),
                "CloseJob": throws("Lambda.TooManyRequestsException", "slow down"),
            },
            responses={0: "cat", 1: "dog"},
            figures={"labeled": 2, "partial": True},
        ),
    ]


def _manifests() -> list[Way]:
    """Manifests that are not asked: refused, known already, or nothing to ask."""
    wrong = {"labels": ["cat", "cat"]}
    return [
        Way("refused-lines", "FAILED", "NoUsableLine", "line", pictures=("!", "!")),
        Way("refused-share", "FAILED", "TooManyBadLines", "1 of 2", pictures=("cat-0.png", "!")),
        Way("refused-settings", "FAILED", "SettingsInvalid", "labels", settings=wrong),
        Way("refused-labels", "FAILED", "LabelsMissing", "labels", settings={"labels": []}),
        Way(
            "refused-attribute",
            "FAILED",
            "LabelAttributeIllegal",
            "label_attribute",
            settings={"label_attribute": "pet-metadata"},
        ),
        Way(
            "known",
            mocks={"GroupImages": payload(outcome="already-running", run="known", home="s3://x/")},
        ),
        Way(
            "nothing-to-ask",
            mocks={
                "GroupImages": payload(
                    outcome="nothing-to-ask", run="none", home="s3://x/", round=1, shards=0
                ),
                "ConsolidateLabels": labels("done"),
            },
        ),
    ]


def labels(outcome: str, **more: Any) -> dict[str, Any]:
    """What ConsolidateLabels might answer."""
    result = {
        "outcome": outcome,
        "run": "made-up",
        "home": "s3://x/",
        "round": 1,
        "images": 2,
        "labeled": 2,
        "unlabeled": 0,
        "rejected": 0,
        "uncertain": 0,
        "again": 1,
        "partial": False,
        "training_manifest": "s3://x/training.manifest",
        "report": "s3://x/report.html",
    } | more
    announcement = announce_labels(result, manifest="s3://x/manifest", jobs=(), execution="x")
    return payload(**result, announcement=announcement)


def grouped(**more: Any) -> dict[str, Any]:
    """What GroupImages might answer."""
    answer: dict[str, Any] = {
        "outcome": "ask",
        "run": "made-up",
        "home": "s3://x/",
        "round": 1,
        "shards": 1,
        "workforce": "portal",
        "request": {"InputConfig": {"DataAttributes": {}}},
    }
    return payload(**answer | more)


def _faults() -> list[Way]:
    """What breaks for good, state by state, after all retries."""
    crash = throws("Runtime.ExitError", "the process ended")
    traceback = {"errorMessage": "no 'cat'", "errorType": "KeyError", "stackTrace": ["line 1"]}
    raised = throws("KeyError", json.dumps(traceback))
    busy = throws("Lambda.TooManyRequestsException", "the rate has been exceeded")
    closed = returns(
        {"Payload": {"LabelingJobName": "made-up-r1-000", "LabelingJobStatus": "Completed"}}
    )
    asked = {"GroupImages": grouped(), "OpenJob": returns({}), "CloseJob": closed}
    again = asked | {"ConsolidateLabels": labels("again")}
    done = asked | {"ConsolidateLabels": labels("done")}
    refused = payload(outcome="refused", error="ManifestUnreadable", cause="it is gone")
    return [
        Way("grouping-breaks", "FAILED", "GroupingFailed", "ended", mocks={"GroupImages": crash}),
        Way(
            "groups-raise",
            "FAILED",
            "GroupingFailed",
            "KeyError: no 'cat'",
            mocks={"GroupImages": raised},
        ),
        Way("grouping-busy", "FAILED", "GroupingFailed", "rate", mocks={"GroupImages": busy}),
        Way(
            "consolidating-busy",
            "FAILED",
            "ConsolidationFailed",
            "rate",
            mocks=asked | {"ConsolidateLabels": busy},
        ),
        Way(
            "labeling-breaks",
            "FAILED",
            "LabelingFailed",
            "States.QueryEvaluationError",
            mocks={"GroupImages": grouped(shards="many")},
        ),
        Way(
            "consolidating-breaks",
            "FAILED",
            "ConsolidationFailed",
            "ended",
            mocks=asked | {"ConsolidateLabels": crash},
        ),
        Way(
            "grouping-anew-breaks",
            "FAILED",
            "GroupingFailed",
            "ended",
            mocks=again | {"GroupUnsure": crash},
        ),
        Way("nothing-more", mocks=again | {"GroupUnsure": grouped(outcome="nothing-to-ask")}),
        Way("taken-over", mocks=again | {"GroupUnsure": grouped(outcome="already-running")}),
        Way(
            "unreadable-later",
            "FAILED",
            "ManifestUnreadable",
            "it is gone",
            mocks=again | {"GroupUnsure": refused},
        ),
        Way(
            "nobody-hears",
            mocks=done | {"Announce": crash, "PublishReady": crash},
            figures={"labeled": 2},
        ),
        Way(
            "nobody-hears-of-the-failure",
            "FAILED",
            "ManifestUnreadable",
            "it is gone",
            mocks={"GroupImages": refused, "AnnounceFailure": crash, "PublishFailure": crash},
        ),
    ]


WAYS = {way.name: way for way in [*_ground_truth(), *_portal(), *_manifests(), *_faults()]}


def mock_config(ways: Collection[Way] = tuple(WAYS.values())) -> dict[str, Any]:
    """The ways in the form that Step Functions' own local version reads mocks in."""
    return {
        "StateMachines": {
            "tessera-labeling": {
                "TestCases": {
                    way.name: {state: f"{way.name}/{state}" for state in way.mocks} for way in ways
                }
            }
        },
        "MockedResponses": {
            f"{way.name}/{state}": answers for way in ways for state, answers in way.mocks.items()
        },
    }
