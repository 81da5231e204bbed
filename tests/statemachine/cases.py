"""Cases for the machine: what is dropped, what the services do, and how the run must end.

A case is a test case of the mock configuration, so that a state can be given an answer or an error:
Ground Truth's always, another's where its failure is the point. Nothing else is replaced.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tessera.stack.local_stack import INBOX, LABELS
from tessera.tiling.report.announcement import announce_labels
from tessera.tiling.run.job_names import job_name
from tessera.tiling.run.jobs import run_id
from tessera.tiling.settings import read_settings
from tests.statemachine.stage import CHOICES, EMBEDDING, SETTINGS, Stage, manifest_key

TEAM = "arn:aws:sagemaker:us-east-1:000000000000:workteam/private-crowd/vets"
PUBLIC = "arn:aws:sagemaker:us-east-1:394669845002:workteam/public-crowd/default"


def returns(*answers: Any) -> dict[str, Any]:
    """Let the state answer so, one answer an attempt."""
    return {str(number): {"Return": answer} for number, answer in enumerate(answers)}


def throws(error: str, cause: str = "a fault on purpose") -> dict[str, Any]:
    """Let the state fail so at every attempt."""
    return {"0-999": {"Throw": {"Error": error, "Cause": cause}}}


def payload(**answer: Any) -> dict[str, Any]:
    """Let a function's state get this from its function."""
    return returns({"StatusCode": 200, "Payload": answer})


@dataclass(frozen=True)
class Case:
    """One manifest's pictures and settings, what is mocked, what lies in S3, and how it ends."""

    name: str
    status: str = "SUCCEEDED"
    error: str = ""
    cause: str = ""
    """Part of the failure's cause."""
    pictures: tuple[str, ...] = ("cat-0.png", "dog-1.png")
    settings: Mapping[str, Any] = field(default_factory=dict)
    mocks: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    output: Mapping[int, str] = field(default_factory=dict)
    """Labels in the output manifest of the first job, by task."""
    responses: Mapping[int, str] = field(default_factory=dict)
    """Labels in worker responses alone, which the output manifest lacks, by task."""
    expected: Mapping[str, Any] = field(default_factory=dict)
    """Part of the execution's output."""

    @property
    def run(self) -> str:
        """Return the run's name."""
        dropped = {"bucket": INBOX, "key": manifest_key(self.name), "etag": "e" * 32}
        settings = json.dumps(SETTINGS | dict(self.settings)).encode()
        return run_id(dropped | {"version-id": ""}, read_settings(settings))

    @property
    def home(self) -> str:
        """Return the URI of the run's folder."""
        return f"s3://{LABELS}/runs/{self.run}/"

    @property
    def job(self) -> str:
        """Return the name of the first job."""
        return job_name(self.run, 1, 0)

    def described(self, status: str, **more: Any) -> dict[str, Any]:
        """Return the first job as DescribeLabelingJob would describe it."""
        source = {"S3DataSource": {"ManifestS3Uri": f"{self.home}round-1/tasks-000.manifest"}}
        return {
            "LabelingJobName": self.job,
            "LabelingJobStatus": status,
            "InputConfig": {"DataSource": source},
            "LabelCounters": {"TotalLabeled": len(self.output)},
        } | more

    def set_up(self, stage: Stage) -> None:
        """Put the manifest into the inbox, and what the first job left into its folder."""
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
    """Return a line of a job's output manifest: with the answer, or as it came."""
    uri = f"s3://{INBOX}/{name}/{picture}"
    line: dict[str, Any] = {"source": json.dumps([{"source-ref": uri, "index": task}])}
    if label is not None:
        answer = {"workerId": "private.us-east-1.ann", "annotation": choice(task, label)}
        line["label"] = {"responses": [answer]}
        line["label-metadata"] = {"type": "groundtruth/custom", "human-annotated": "yes"}
    return line


def response(task: int, label: str) -> dict[str, Any]:
    """Return an answer as Ground Truth keeps it among the worker responses."""
    return {
        "answerContent": choice(task, label),
        "submissionTime": "2026-11-23T01:02:03.456Z",
        "timeSpentInSeconds": 4.2,
        "workerId": "private.us-east-1.ann",
    }


def choice(task: int, label: str) -> dict[str, dict[str, bool]]:
    """Return what the page's form submits for one picture."""
    return {str(task): {name: name == label for name in (*CHOICES, "cannot see")}}


PART = {"labeled": 1, "unlabeled": 1, "partial": True}
WHOLE = {"labeled": 2, "partial": False}
CREATED = returns({})
NAME_IN_USE = throws("SageMaker.AmazonSageMakerException", "Labeling job already exists")


def _ground_truth() -> list[Case]:
    """Return a case for every ending of a Ground Truth job."""
    limits = {"stop_after_pages": 1, "stop_after_percent": 50}
    failed = throws("States.TaskFailed", "the job failed")
    rate = throws("SageMaker.AmazonSageMakerException", "Rate exceeded")["0-999"]
    throttled = {"0-3": rate, "4": {"Return": {}}}
    both = {0: "cat", 1: "dog"}
    return [
        _job("completed", CREATED, "Completed", output=both, expected=WHOLE),
        _job("throttled-at-first", throttled, "Completed", output=both, expected=WHOLE),
        _job("completed-with-failures", CREATED, "Completed", output={0: "cat"}, expected=PART),
        _job("stopped", CREATED, "Stopped", settings=limits, output={0: "cat"}, expected=PART),
        _job(
            "failed-with-answers",
            failed,
            "Failed",
            described={"FailureReason": "ClientError: the role may not write."},
            responses={1: "dog"},
            expected=PART,
        ),
        _job(
            "failed-without-answers",
            failed,
            "Failed",
            described={"FailureReason": "ClientError: the role may not read."},
            status="FAILED",
            error="NothingLabeled",
            cause="the role may not read",
        ),
        _job(
            "expired",
            throws("States.Timeout", "31 days are over"),
            "Stopping",
            "Stopped",
            output={1: "dog"},
            expected=PART,
        ),
    ]


def _ground_truth_again() -> list[Case]:
    """Return cases in which a job of this name exists: of an earlier execution, or of others."""
    both = {0: "cat", 1: "dog"}
    running = ("InProgress", "InProgress", "Completed")
    in_use = throws("SageMaker.ResourceInUseException", "the name is in use")
    other = {"DataSource": {"S3DataSource": {"ManifestS3Uri": "s3://other/list"}}}
    return [
        _job("still-running", NAME_IN_USE, *running, output=both, expected=WHOLE),
        _job("ended-before", in_use, "Completed", output=both, expected=WHOLE),
        _job(
            "name-taken",
            NAME_IN_USE,
            "Completed",
            described={"InputConfig": other},
            status="FAILED",
            error="JobsRefused",
            cause="JobNameTaken",
        ),
    ]


def _ground_truth_refused() -> list[Case]:
    """Return cases in which Ground Truth takes no job."""
    public = {
        "workforce": PUBLIC,
        "content_classifiers": ["FreeOfPersonallyIdentifiableInformation", "FreeOfAdultContent"],
    }
    error = "SageMaker.AmazonSageMakerException"
    limit = "SageMaker.ResourceLimitExceededException"
    return [
        _refused("refused", throws(error, "no such work team"), "no such work team"),
        _refused("over-the-limit", throws(limit, "20 jobs are open"), "20 jobs are open"),
        _refused(
            "public",
            throws(error, "the marketplace has closed"),
            "the marketplace has closed",
            public,
        ),
    ]


def _job(
    name: str,
    created: dict[str, Any],
    *statuses: str,
    settings: Mapping[str, Any] | None = None,
    described: Mapping[str, Any] | None = None,
    **rest: Any,
) -> Case:
    """Return a case whose Ground Truth job has these statuses when it is described."""
    case = Case(f"gt-{name}", settings={"workforce": TEAM, **(settings or {})}, **rest)
    descriptions = [case.described(status, **(described or {})) for status in statuses]
    mocks = {"CreateLabelingJob": created, "DescribeLabelingJob": returns(*descriptions)}
    return replace(case, mocks=mocks)


def _refused(
    name: str,
    created: dict[str, Any],
    cause: str,
    settings: Mapping[str, Any] | None = None,
) -> Case:
    """Return a case whose Ground Truth job is refused, so that none can be described."""
    unknown = throws("SageMaker.SageMakerException", "not found")
    return Case(
        f"gt-{name}",
        "FAILED",
        "JobsRefused",
        cause,
        settings=settings or {"workforce": TEAM},
        mocks={"CreateLabelingJob": created, "DescribeLabelingJob": unknown},
    )


def _portal() -> list[Case]:
    """Return cases on the portal, where three workers work or something goes wrong."""
    out_of_time = throws("States.Timeout", "the job's time is over")
    slow_down = throws("Lambda.TooManyRequestsException", "slow down")
    return [
        Case("portal", expected={"labeled": 2, "partial": False, "round": 1}),
        Case(
            "portal-rounds",
            pictures=("cat-0.png", "unsure-1.png", "dog-2.png"),
            settings={"answers_per_image": 2, "max_answers": 3},
            expected={"labeled": 3, "partial": False, "round": 2, "uncertain": 1},
        ),
        Case(
            "portal-out-of-time",
            mocks={"OpenJob": out_of_time},
            responses={1: "dog"},
            expected=PART,
        ),
        Case(
            "portal-never-answered",
            "FAILED",
            "NothingLabeled",
            "Stopped",
            mocks={"OpenJob": out_of_time},
        ),
        Case(
            "portal-not-closed",
            mocks={"OpenJob": out_of_time, "CloseJob": slow_down},
            responses={0: "cat", 1: "dog"},
            expected={"labeled": 2, "partial": True},
        ),
        *(
            Case(name, "FAILED", "JobsRefused", cause, mocks={"OpenJob": throws(error, cause)})
            for name, error, cause in (
                ("portal-refused", "Invalid", "the job request has no TaskTitle"),
                ("portal-busy", "Lambda.TooManyRequestsException", "the rate is exceeded"),
            )
        ),
    ]


def _manifests() -> list[Case]:
    """Return cases of manifests that are not asked: refused, known, or labeled already."""
    wrong = {"labels": ["cat", "cat"]}
    return [
        Case("refused-lines", "FAILED", "NoUsableLine", "line", pictures=("!", "!")),
        Case("refused-share", "FAILED", "TooManyBadLines", "1 of 2", pictures=("cat-0.png", "!")),
        Case(
            "refused-bucket",
            "FAILED",
            "BucketMissing",
            "s3://typo",
            mocks={
                "GroupImages": payload(
                    outcome="refused", error="BucketMissing", cause="no bucket s3://typo"
                )
            },
        ),
        Case(
            "refused-pictures",
            "FAILED",
            "BucketUnreadable",
            "s3://theirs",
            mocks={
                "GroupImages": payload(
                    outcome="refused", error="BucketUnreadable", cause="S3 refuses s3://theirs"
                )
            },
        ),
        Case(
            "refused-embeddings",
            "FAILED",
            "EmbeddingsUnusable",
            "44 rows",
            mocks={
                "GroupImages": payload(
                    outcome="refused",
                    error="EmbeddingsUnusable",
                    cause="s3://inbox/pets/may.embeddings.npy has 44 rows, and the manifest 45",
                )
            },
        ),
        Case(
            "refused-page",
            "FAILED",
            "PageUnusable",
            "tiles.liquid.html",
            mocks={
                "GroupImages": payload(
                    outcome="refused", error="PageUnusable", cause="tiles.liquid.html: line 3"
                )
            },
        ),
        Case("refused-settings", "FAILED", "SettingsInvalid", "labels", settings=wrong),
        Case("refused-labels", "FAILED", "LabelsMissing", "labels", settings={"labels": []}),
        Case(
            "refused-attribute",
            "FAILED",
            "LabelAttributeIllegal",
            "label_attribute",
            settings={"label_attribute": "pet-metadata"},
        ),
        Case(
            "known",
            mocks={"GroupImages": payload(outcome="already-running", run="known", home="s3://x/")},
        ),
        Case(
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
    """Let ConsolidateLabels answer so."""
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
    """Let GroupImages answer so."""
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


CRASH = throws("Runtime.ExitError", "the process ended")
RAISED = throws(
    "KeyError",
    json.dumps({"errorMessage": "no 'cat'", "errorType": "KeyError", "stackTrace": ["line 1"]}),
)
BUSY = throws("Lambda.TooManyRequestsException", "the rate has been exceeded")
GONE = payload(outcome="refused", error="ManifestUnreadable", cause="it is gone")
ASKED = {
    "GroupImages": grouped(),
    "OpenJob": returns({}),
    "CloseJob": returns(
        {"Payload": {"LabelingJobName": "made-up-r1-000", "LabelingJobStatus": "Completed"}}
    ),
}
AGAIN = ASKED | {"ConsolidateLabels": labels("again")}
DONE = ASKED | {"ConsolidateLabels": labels("done")}


def in_parts(*then: str) -> dict[str, Any]:
    """Let ConsolidateLabels ask for the items of two stages, then answer as it does at the end."""
    stages = [{"stage": stage, "items": 2} for stage in ("gather", "tally")]
    asks = [{"Payload": {"outcome": "by-parts", "parts": parts}} for parts in stages]
    return returns(*asks, *(labels(outcome)["0"]["Return"] for outcome in then))


UNCOUNTED = {"stage": "gather", "items": "many"}
PARTED = ASKED | {
    "ConsolidateLabels": in_parts("done"),
    "ConsolidatePart": {"0-99": {"Return": {"Payload": {}}}},
}


BESIDE = DONE | {
    "GroupImages": grouped(blocks=2),
    "EmbedImages": {"0-99": {"Return": {"Payload": {}}}},
    "JoinEmbeddings": payload(),
}
"""A run that embeds its pictures in two blocks."""


def _faults() -> list[Case]:
    """Return cases in which a function or the map fails for good, after all retries."""
    return [
        Case(name, "FAILED", error, cause, mocks=mocks)
        for name, error, cause, mocks in (
            ("grouping-breaks", "GroupingFailed", "ended", {"GroupImages": CRASH}),
            ("groups-raise", "GroupingFailed", "KeyError: no 'cat'", {"GroupImages": RAISED}),
            ("grouping-busy", "GroupingFailed", "rate", {"GroupImages": BUSY}),
            ("grouping-anew-breaks", "GroupingFailed", "ended", AGAIN | {"GroupUnsure": CRASH}),
            (
                "labeling-breaks",
                "LabelingFailed",
                "States.QueryEvaluationError",
                {"GroupImages": grouped(shards="many")},
            ),
            (
                "consolidating-breaks",
                "ConsolidationFailed",
                "ended",
                ASKED | {"ConsolidateLabels": CRASH},
            ),
            (
                "consolidating-busy",
                "ConsolidationFailed",
                "rate",
                ASKED | {"ConsolidateLabels": BUSY},
            ),
            (
                "a-part-breaks",
                "ConsolidationFailed",
                "KeyError: no 'cat'",
                PARTED | {"ConsolidatePart": RAISED},
            ),
            (
                "parts-uncounted",
                "ConsolidationFailed",
                "States.QueryEvaluationError",
                ASKED | {"ConsolidateLabels": payload(outcome="by-parts", parts=UNCOUNTED)},
            ),
            ("unreadable-later", "ManifestUnreadable", "it is gone", AGAIN | {"GroupUnsure": GONE}),
            (
                "failure-not-announced",
                "ManifestUnreadable",
                "it is gone",
                {"GroupImages": GONE, "AnnounceFailure": CRASH, "PublishFailure": CRASH},
            ),
        )
    ]


def _later_rounds() -> list[Case]:
    """Return cases that end well although a later round or an announcement does not."""
    return [
        Case("nothing-more", mocks=AGAIN | {"GroupUnsure": grouped(outcome="nothing-to-ask")}),
        Case("in-parts", mocks=PARTED, expected={"labeled": 2}),
        *(
            Case(name, mocks=BESIDE | mocks, expected={"labeled": 2})
            for name, mocks in (
                ("pictures-embedded", {}),
                ("a-block-breaks", {"EmbedImages": RAISED}),
                ("a-block-is-busy", {"EmbedImages": BUSY}),
                ("joining-breaks", {"JoinEmbeddings": CRASH}),
                ("blocks-uncounted", {"GroupImages": grouped(blocks="many")}),
            )
        ),
        Case("pictures-gone", settings=EMBEDDING, expected={"labeled": 2, "partial": False}),
        Case("taken-over", mocks=AGAIN | {"GroupUnsure": grouped(outcome="already-running")}),
        Case(
            "labels-not-announced",
            mocks=DONE | {"Announce": CRASH, "PublishReady": CRASH},
            expected={"labeled": 2},
        ),
    ]


CASES = {
    case.name: case
    for case in [
        *_ground_truth(),
        *_ground_truth_again(),
        *_ground_truth_refused(),
        *_portal(),
        *_manifests(),
        *_faults(),
        *_later_rounds(),
    ]
}


def mock_config(cases: Collection[Case] = tuple(CASES.values())) -> dict[str, Any]:
    """Return the cases as Step Functions' own local version reads mocks."""
    return {
        "StateMachines": {
            "tessera-labeling": {
                "TestCases": {
                    case.name: {state: f"{case.name}/{state}" for state in case.mocks}
                    for case in cases
                }
            }
        },
        "MockedResponses": {
            f"{case.name}/{state}": answers
            for case in cases
            for state, answers in case.mocks.items()
        },
    }
