"""The machine's paths by a second interpreter, which was tried against AWS's own recordings.

What the embedded AWS and this project might both have misunderstood shows here: LocalStack's engine
was written by others, and JSONata is the reference implementation. `.sync` is the one thing that it
does not know for labeling jobs, so that the call alone is made.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

from scripts.expressions import MACHINE
from tessera.stack.local_stack import ROOT
from tests.statemachine.holding import states_of
from tests.statemachine.results import HOME, grouped

ENVIRONMENT = ROOT / ".venv-asl"
SCRIPT = ROOT / "tests" / "statemachine" / "second_interpreter.py"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("node"), reason="Node.js is not installed"),
    pytest.mark.skipif(
        not (ENVIRONMENT / "ready").exists(), reason="not installed: make .venv-asl/ready"
    ),
]

VETS = "arn:aws:sagemaker:eu-west-1:1:workteam/private-crowd/vets"
EVENT = {"detail": {"bucket": {"name": "inbox"}, "object": {"key": "pets/may.manifest"}}}
Answers = dict[str, list[Any]]


def payload(**answer: Any) -> dict[str, Any]:
    return {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": answer}


def throws(error: str, cause: str = "") -> dict[str, str]:
    return {"Error": error, "Cause": cause}


def asked(shards: int = 1, **more: Any) -> dict[str, Any]:
    return payload(**grouped(shards, **more))


def labels(outcome: str = "done", **more: Any) -> dict[str, Any]:
    announcement = {"subject": "Training Manifest Ready", "notice": {"message": "Done: é 😀"}}
    failure = {"error": "NothingLabeled", "cause": "nobody answered"}
    described = {"outcome": outcome, "labeled": 990, "announcement": announcement}
    return payload(**(described | {"failure": failure} | more))


def in_parts(stage: str, items: Any = 3) -> dict[str, Any]:
    return payload(outcome="by-parts", parts={"stage": stage, "items": items})


def described(status: str, manifest: str = f"{HOME}round-1/tasks-000.manifest") -> dict[str, Any]:
    source = {"DataSource": {"S3DataSource": {"ManifestS3Uri": manifest}}}
    return {"LabelingJobStatus": status, "InputConfig": source, "FailureReason": "r" * 2000}


PUBLISHED = {"FailedEntryCount": 0, "Entries": [{"EventId": "e"}]}
USUAL: Answers = {
    "GroupImages": [asked()],
    "GroupUnsure": [asked(round=2)],
    "OpenJob": [{"LabelingJobName": "n", "LabelingJobStatus": "Completed"}],
    "CloseJob": [payload(LabelingJobName="pets-r1-000", LabelingJobStatus="Completed")],
    "CreateLabelingJob": [{"LabelingJobName": "n"}],
    "DescribeLabelingJob": [described("Completed")],
    "EmbedImages": [payload()],
    "JoinEmbeddings": [payload()],
    "ConsolidateLabels": [labels()],
    "ConsolidatePart": [payload()],
    "Announce": [{"MessageId": "m"}],
    "PublishReady": [PUBLISHED],
    "AnnounceFailure": [{"MessageId": "m"}],
    "PublishFailure": [PUBLISHED],
}
WITH_VETS = {"GroupImages": [asked(workforce=VETS)]}
THROTTLED = throws("SageMaker.AmazonSageMakerException", "Rate exceeded")
NOBODY = {"ConsolidateLabels": [labels("nothing-labeled")]}
FUNCTIONS = {
    "PreHumanTaskLambdaArn": "arn:aws:lambda:eu-west-1:1:function:requesters-prepare",
    "AnnotationConsolidationConfig": {
        "AnnotationConsolidationLambdaArn": "arn:aws:lambda:eu-west-1:1:function:requesters-collect"
    },
}
CUSTOM = {
    "GroupImages": [asked(2, request=grouped()["request"] | {"HumanTaskConfig": FUNCTIONS})],
    "ConsolidateLabels": [labels(rounds=1)],
}
"""Run of a custom task: its functions are the requester's, and it has one round."""
UNCOLLECTED = labels(
    "nothing-labeled",
    failure={"error": "NothingLabeled", "cause": "The answers that were given are kept."},
)
TRACE = ["secret" * 1000]  # longer than what the machine keeps of a reason
IN_LAMBDA = json.dumps({"errorMessage": 'a "quoted" é', "errorType": "E", "stackTrace": TRACE})

CASES: dict[str, tuple[Answers, str, str]] = {
    "whole": ({}, "Succeeded", ""),
    "twelve shards": ({"GroupImages": [asked(12)]}, "Succeeded", ""),
    "pictures embedded": ({"GroupImages": [asked(2, blocks=3)]}, "Succeeded", ""),
    "a block throws": (
        {"GroupImages": [asked(blocks=2)], "EmbedImages": [throws("MemoryError", IN_LAMBDA)]},
        "Succeeded",
        "",
    ),
    "joining out of time": (
        {"GroupImages": [asked(blocks=1)], "JoinEmbeddings": [throws("States.Timeout")]},
        "Succeeded",
        "",
    ),
    "blocks that cannot be counted": (
        {"GroupImages": [asked(blocks="many")]},
        "Succeeded",
        "",
    ),
    "nothing to ask": (
        {"GroupImages": [asked(0, outcome="nothing-to-ask")]},
        "Succeeded",
        "",
    ),
    "refused": (
        {"GroupImages": [payload(outcome="refused", error="LabelsMissing", cause="none")]},
        "Failed",
        "LabelsMissing",
    ),
    "already running": (
        {"GroupImages": [payload(outcome="already-running", run="r", home="h", owner="o")]},
        "Succeeded",
        "",
    ),
    "grouping throws": (
        {"GroupImages": [throws("ValueError", IN_LAMBDA)]},
        "Failed",
        "GroupingFailed",
    ),
    "grouping out of time": (
        {"GroupImages": [throws("States.Timeout")]},
        "Failed",
        "GroupingFailed",
    ),
    "opening refused": (
        {"OpenJob": [throws("Invalid", "bad")]} | NOBODY,
        "Failed",
        "NothingLabeled",
    ),
    "opening without a cause": (
        {"OpenJob": [throws("KeyError")]} | NOBODY,
        "Failed",
        "NothingLabeled",
    ),
    "job out of time": ({"OpenJob": [throws("States.Timeout")]}, "Succeeded", ""),
    "closing throws": ({"CloseJob": [throws("FunctionFailed", "x" * 5000)]}, "Succeeded", ""),
    "closing once out of time": (
        {"CloseJob": [throws("States.Timeout"), *USUAL["CloseJob"]]},
        "Succeeded",
        "",
    ),
    "consolidation throws": (
        {"ConsolidateLabels": [throws("MemoryError", "{}")]},
        "Failed",
        "ConsolidationFailed",
    ),
    "labeled in parts": (
        {"ConsolidateLabels": [in_parts("gather"), in_parts("join", 1), labels()]},
        "Succeeded",
        "",
    ),
    "asked again, and labeled in parts both times": (
        {"ConsolidateLabels": [in_parts("tally"), labels("again"), in_parts("tally"), labels()]},
        "Succeeded",
        "",
    ),
    "a part throws once": (
        {
            "ConsolidateLabels": [in_parts("judge"), labels()],
            "ConsolidatePart": [throws("States.Timeout"), payload()],
        },
        "Succeeded",
        "",
    ),
    "a part throws": (
        {
            "ConsolidateLabels": [in_parts("judge"), labels()],
            "ConsolidatePart": [throws("MemoryError", IN_LAMBDA)],
        },
        "Failed",
        "ConsolidationFailed",
    ),
    "parts that cannot be counted": (
        {"ConsolidateLabels": [in_parts("judge", "many"), labels()]},
        "Failed",
        "ConsolidationFailed",
    ),
    "asked again": ({"ConsolidateLabels": [labels("again"), labels()]}, "Succeeded", ""),
    "asked again, of nobody": (
        {
            "ConsolidateLabels": [labels("again")],
            "GroupUnsure": [asked(0, outcome="nothing-to-ask")],
        },
        "Succeeded",
        "",
    ),
    "asked again, manifest gone": (
        {
            "ConsolidateLabels": [labels("again")],
            "GroupUnsure": [payload(outcome="refused", error="ManifestUnreadable", cause="gone")],
        },
        "Failed",
        "ManifestUnreadable",
    ),
    "regrouping throws": (
        {"ConsolidateLabels": [labels("again")], "GroupUnsure": [throws("E", "")]},
        "Failed",
        "GroupingFailed",
    ),
    "every job refused": (
        {
            "OpenJob": [throws("Invalid", "bad")],
            "ConsolidateLabels": [
                labels("nothing-labeled", failure={"error": "JobsRefused", "cause": "not one"})
            ],
        },
        "Failed",
        "JobsRefused",
    ),
    "a request that cannot be described": (
        {"GroupImages": [asked(request={})]},
        "Failed",
        "LabelingFailed",
    ),
    "a custom task": (CUSTOM, "Succeeded", ""),
    "a custom task, one job collected at the second try": (
        CUSTOM | {"CloseJob": [throws("FunctionFailed", IN_LAMBDA), *USUAL["CloseJob"]]},
        "Succeeded",
        "",
    ),
    "a custom task, never collected": (
        CUSTOM
        | {
            "CloseJob": [throws("FunctionFailed", IN_LAMBDA)],
            "ConsolidateLabels": [UNCOLLECTED],
        },
        "Failed",
        "NothingLabeled",
    ),
    "a custom task, a page out of time": (
        CUSTOM | {"OpenJob": [throws("States.Timeout")]},
        "Succeeded",
        "",
    ),
    "nobody answered": (NOBODY, "Failed", "NothingLabeled"),
    "nobody is told": (
        {
            "Announce": [throws("SNS.AuthorizationErrorException")],
            "PublishReady": [throws("EventBridge.FailedEntry")],
        },
        "Succeeded",
        "",
    ),
    "nobody is told of a failure": (
        NOBODY
        | {
            "AnnounceFailure": [throws("SNS.AuthorizationErrorException")],
            "PublishFailure": [throws("EventBridge.FailedEntry")],
        },
        "Failed",
        "NothingLabeled",
    ),
    "Ground Truth": (WITH_VETS, "Succeeded", ""),
    "Ground Truth throttles": (
        WITH_VETS | {"CreateLabelingJob": [THROTTLED, THROTTLED, {"LabelingJobName": "n"}]},
        "Succeeded",
        "",
    ),
    "Ground Truth is at its limit": (
        WITH_VETS
        | {
            "CreateLabelingJob": [
                *[throws("SageMaker.ResourceLimitExceededException")] * 3,
                {"LabelingJobName": "n"},
            ]
        },
        "Succeeded",
        "",
    ),
    "Ground Truth's job fails": (
        WITH_VETS
        | {
            "CreateLabelingJob": [throws("States.TaskFailed", "job failed")],
            "DescribeLabelingJob": [described("Failed")],
        },
        "Succeeded",
        "",
    ),
    "Ground Truth's job runs on": (
        WITH_VETS
        | {
            "CreateLabelingJob": [throws("SageMaker.ResourceInUseException")],
            "DescribeLabelingJob": [described("Completed")],
        },
        "Succeeded",
        "",
    ),
    "Ground Truth's name is taken": (
        WITH_VETS
        | {
            "CreateLabelingJob": [throws("SageMaker.ResourceInUseException")],
            "DescribeLabelingJob": [described("Completed", "s3://other/tasks.manifest")],
        }
        | NOBODY,
        "Failed",
        "NothingLabeled",
    ),
    "Ground Truth does not answer": (
        WITH_VETS
        | {
            "CreateLabelingJob": [throws("SageMaker.ValidationException", "no")],
            "DescribeLabelingJob": [throws("SageMaker.ResourceNotFoundException")],
        }
        | NOBODY,
        "Failed",
        "NothingLabeled",
    ),
}
PATHS: dict[str, tuple[Answers, tuple[str, ...]]] = {
    "shards": ({"GroupImages": [asked(2)]}, ("GroupImages", "OpenJob", "CloseJob", "Announce")),
    "rounds": (
        {"ConsolidateLabels": [labels("again"), labels()]},
        ("GroupUnsure", "ConsolidateLabels", "PublishReady"),
    ),
    "parts": (
        {"ConsolidateLabels": [in_parts("gather"), in_parts("join", 1), labels()]},
        ("ConsolidatePart",),
    ),
    "pictures": ({"GroupImages": [asked(blocks=2)]}, ("EmbedImages", "JoinEmbeddings")),
    "Ground Truth": (WITH_VETS, ("CreateLabelingJob", "DescribeLabelingJob")),
}
"""Ways through the machine, each with the tasks of it that are made to fail."""
ERRORS = {
    "throttled": throws("Lambda.TooManyRequestsException", "Rate exceeded"),
    "out of time": throws("States.Timeout"),
    "throwing": throws("KeyError", IN_LAMBDA),
    "killed": throws("Runtime.ExitError", '漢"\n' * 9000),
}
FAILING: dict[tuple[str, str, str, str], Answers] = {
    (way, state, kind, when): given
    | {state: [error] if when == "always" else [*(USUAL | given)[state][:at], error, *later]}
    for way, (given, states) in PATHS.items()
    for state in states
    for kind, error in ERRORS.items()
    for when, at in (("always", 0), ("at first", 0), ("at last", -1))
    for later in [(USUAL | given)[state][at:]]
}
"""Each task of each way, failing in each manner: for good, once at first, once at last."""
NAMED = set(
    re.findall(r"^### (\w+)$", (ROOT / "docs" / "operations.md").read_text("utf-8"), re.MULTILINE)
)
"""Names of failures that say what to do."""

NOT_ENTERED = {"WaitForJob"}
"""States that would wait for half an hour here; the embedded AWS's clock is scaled for them."""

IN_EXECUTIONS_OF_THEIR_OWN = {"ConsolidatePart", "PartFailed"}
"""States in a distributed map, whose turns are executions with histories of their own."""


@pytest.fixture(scope="module")
def endings() -> dict[str, Any]:
    """How each case ended by the second interpreter."""
    machine = (
        json.dumps(MACHINE).replace("${Partition}", "aws").replace("${MaxConcurrentJobs}", "10")
    )
    machine = machine.replace("${PartsMode}", "DISTRIBUTED").replace("${MaxConcurrentBlocks}", "8")
    machine = machine.replace("states:::${CreateLabelingJob}", CREATE)
    asked = {
        "machine": json.loads(machine),
        "event": EVENT,
        "cases": {name: USUAL | answers for name, (answers, _, _) in CASES.items()}
        | {str(case): USUAL | answers for case, answers in FAILING.items()},
    }
    command = [
        str(ENVIRONMENT / "bin" / "python"),
        str(SCRIPT),
        str(ENVIRONMENT / "node_modules" / "jsonata"),
    ]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    endings: dict[str, Any] = json.loads(done.stdout)
    return endings


@pytest.mark.parametrize("case", FAILING, ids=" ".join)
def test_whatever_fails_the_run_ends_by_a_name_that_says_what_to_do_and_nothing_is_opened_twice(
    case: tuple[str, str, str, str], endings: dict[str, Any]
) -> None:
    _, _, _, when = case
    end = endings[str(case)]
    entered, details = end["states"], end["details"]
    if end["type"] == "ExecutionFailed":
        assert when == "always"
        assert details["error"] in NAMED
        assert details["cause"]
        assert {"AnnounceFailure", "PublishFailure"} <= {*entered}
    else:
        assert end["type"] == "ExecutionSucceeded"
    shards = 2 * (entered.count("LabelShards"))
    assert entered.count("OpenJob") + entered.count("CreateLabelingJob") <= shards
    assert "secret" not in json.dumps(details)


CREATE = "states:::aws-sdk:sagemaker:createLabelingJob"
"""The call without the wait for the job, which the second interpreter does not know."""


@pytest.mark.parametrize("name", CASES)
def test_a_case_ends_by_the_second_interpreter_as_it_must(
    name: str, endings: dict[str, Any]
) -> None:
    _, status, error = CASES[name]
    end = endings[name]

    assert end["type"] == f"Execution{status}", end
    assert end["details"].get("error", "") == error
    assert "secret" not in json.dumps(end["details"])  # a stack trace is for logs


def test_the_cases_enter_every_state_but_the_one_that_waits(endings: dict[str, Any]) -> None:
    entered = {state for end in endings.values() for state in end["states"]}

    assert entered == states_of(MACHINE) - NOT_ENTERED - IN_EXECUTIONS_OF_THEIR_OWN


def test_a_part_that_fails_for_good_fails_the_run_by_its_own_sentence(
    endings: dict[str, Any],
) -> None:
    details = endings["a part throws"]["details"]
    assert details["cause"] == 'MemoryError: a "quoted" é'


def test_a_custom_run_whose_answers_nobody_collected_says_that_they_are_kept(
    endings: dict[str, Any],
) -> None:
    details = endings["a custom task, never collected"]["details"]
    assert "are kept" in details["cause"]
