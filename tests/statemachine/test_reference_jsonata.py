"""Every expression of the machine gives the same here and by the reference implementation.

The embedded AWS evaluates JSONata with a port to Python; AWS says that it has the reference's
version 2.0.6. Each expression is evaluated by both in every context that its state can be in: with
what an input, a result or an error may lack, with one shard and a thousand, in any script.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path as FilePath
from typing import Any

import pytest
from ministack.services import stepfunctions

from scripts.expressions import MACHINE
from tessera.stack.local_stack import ROOT
from tests.statemachine.results import HOME, grouped

REFERENCE = ROOT / ".venv-asl" / "node_modules" / "jsonata"
SCRIPT = ROOT / "tests" / "statemachine" / "jsonata_reference.js"
pytestmark = [
    pytest.mark.skipif(not shutil.which("node"), reason="Node.js is not installed"),
    pytest.mark.skipif(not REFERENCE.exists(), reason="not installed: make .venv-asl/ready"),
]

Path = tuple[str, ...]
MANIFEST = f"{HOME}round-1/tasks-007.manifest"
REQUEST = {
    "LabelAttributeName": "label",
    "InputConfig": {"DataAttributes": {"ContentClassifiers": []}},
    "OutputConfig": {"S3OutputPath": f"{HOME}round-1/jobs"},
    "HumanTaskConfig": {
        "TaskTitle": "Katze oder Hund? 猫 🐈",
        "NumberOfHumanWorkersPerDataObject": 2,
    },
    "Tags": [{"Key": "tessera:run", "Value": "pets-may-2f9a"}],
}
ERRORS = [
    {"Error": "States.Timeout", "Cause": ""},
    {"Error": "Lambda.Unknown"},
    {"Error": "ValueError", "Cause": 'not JSON: "errorMessage" alone'},
    {"Error": "X", "Cause": json.dumps({"errorMessage": 'he said "é"', "stackTrace": ["a"]})},
    {"Error": "SageMaker.ValidationException", "Cause": "c" * 3000},
]
DROPPED: list[dict[str, Any]] = [
    {"key": "pets/may.manifest", "etag": "abc", "version-id": "v1"},
    {"key": "pets/Katzen & Hündchen+1%.manifest"},
]
EVENTS = [{"detail": {"bucket": {"name": "inbox"}, "object": dropped}} for dropped in DROPPED]
JOBS: list[list[dict[str, str]]] = [
    [],
    [{"name": "pets-r1-000", "status": "Completed"}],
    [
        {"name": "pets-r1-000", "status": "Completed"},
        {"name": "pets-r1-001", "status": "NotOpened", "error": "Invalid", "cause": "no"},
        {"name": "pets-r1-002", "status": "Stopped", "error": "Stopped", "cause": ""},
        *(
            {"name": f"pets-r1-{n:03d}", "status": "Failed", "error": "Failed", "cause": "x" * 50}
            for n in range(3, 30)
        ),
    ],
]


VETS = "arn:aws:sagemaker:eu-west-1:1:workteam/private-crowd/vets"
GROUPED = [
    grouped(1, request=REQUEST),
    grouped(
        1000,
        request=REQUEST,
        round=3,
        workforce="arn:aws:sagemaker:eu-west-1:1:workteam/private-crowd/vets",
    ),
    grouped(2, request=REQUEST, blocks=3),
]
ENDINGS = [
    {"outcome": "refused", "error": "LabelsMissing", "cause": "labels: there is no é"},
    {"outcome": "already-running", "run": "pets", "home": HOME, "owner": "arn:1"},
    grouped(0, request=REQUEST, outcome="nothing-to-ask"),
]


def labels(outcome: str, **more: Any) -> dict[str, Any]:
    """What ConsolidateLabels returned."""
    return {
        "outcome": outcome,
        "run": "pets-may-2f9a",
        "home": HOME,
        "round": 1,
        "images": 1000,
        "labeled": 990,
        "unlabeled": 10,
        "rejected": 0,
        "partial": False,
        "announcement": {
            "subject": "Training Manifest Ready",
            "notice": {"message": "m \u2028 é 😀", "share": 0.25, "jobs": ["pets-r1-000"]},
        },
        "failure": {"error": "NothingLabeled", "cause": "nobody answered"},
    } | more


LABELS = [
    labels("by-parts", parts={"stage": "judge", "items": 25}),
    labels("done"),
    labels("again", partial=True),
    labels("nothing-labeled", labeled=0),
]
SHARD = {
    "LabelingJobName": "pets-may-2f9a-r1-007",
    "InputConfig": {
        "DataAttributes": {"ContentClassifiers": []},
        "DataSource": {"S3DataSource": {"ManifestS3Uri": MANIFEST}},
    },
}
IN_SHARD: list[dict[str, Any]] = [
    {"workforce": "portal", "shard": SHARD},
    {"workforce": "encoder"},
    {"home": HOME, "block": 2, "error": "MemoryError: é"},
    {"run": "pets-may-2f9a", "home": HOME, "parts": {"stage": "judge", "item": 3, "items": 25}},
    *(
        {"workforce": "portal", "shard": SHARD, "refused": {"error": "E", "cause": cause}}
        for cause in ("", "c" * 2000)
    ),
    *(
        {"shard": SHARD, "job": {"status": status, "manifest": manifest, "reason": reason}}
        for status, manifest, reason in product(
            ("Completed", "Stopped", "Failed", "InProgress"),
            (MANIFEST, "s3://other/tasks.manifest"),
            ("", "r" * 2000),
        )
    ),
]
RESULTS_IN_SHARD: list[Any] = [
    {"Payload": {"LabelingJobName": "pets-r1-007", "LabelingJobStatus": "Stopped"}},
    [{}, {"error": "MemoryError: é"}, {}],
    *(
        {
            "LabelingJobStatus": "Failed",
            "InputConfig": {"DataSource": {"S3DataSource": {"ManifestS3Uri": MANIFEST}}},
        }
        | reason
        for reason in ({}, {"FailureReason": "why"})
    ),
]


def expressions(node: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every expression of the machine with the keys that lead to it."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from expressions(value, (*path, key))
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield from expressions(value, (*path, str(place)))
    elif isinstance(node, str) and node.startswith("{%"):
        text = node.removeprefix("{%").removesuffix("%}").strip()
        for parameter in ("${MaxConcurrentJobs}", "${MaxConcurrentBlocks}"):  # of the template
            text = text.replace(parameter, "10")
        yield path, text


def context(**more: Any) -> dict[str, Any]:
    """The machine's context object."""
    arn = "arn:aws:states:eu-west-1:123456789012:execution:tessera-labeling:1"
    return {
        "Execution": {
            "Id": arn,
            "StartTime": "2026-11-25T13:00:00.123Z",
            "Name": "1",
            "Input": EVENTS[0],
        },
        "State": {"Name": "Any", "RetryCount": 0},
        "StateMachine": {"Id": "arn:1", "Name": "tessera-labeling"},
    } | more


def contexts(path: Path) -> Iterator[dict[str, Any]]:
    """Variables of every situation that the expression at this path can be evaluated in."""
    in_shard = "ItemProcessor" in path
    of_map = context(Map={"Item": {"Index": 7, "Value": 7}}, Task={"Token": "token/+="})
    inputs: list[Any] = IN_SHARD if in_shard else [*EVENTS, {}]
    after = path[-1] not in {"Seconds", "Items"} and {"Output", "Assign"} & set(path)
    caught = "Catch" in path
    results: list[Any] = [None]
    if after and not caught and "Choices" not in path:
        results = RESULTS_IN_SHARD if in_shard else _results()
    for group, made in product([*GROUPED, *([] if in_shard else ENDINGS)], inputs):
        for result in results:
            for error in ERRORS if caught else [None]:
                states = {"input": made, "context": of_map}
                if result is not None:
                    states["result"] = result
                if error is not None:
                    states["errorOutput"] = error
                yield {"states": states, "grouped": group} | _variables(result, error)


def _results() -> list[Any]:
    return [
        *({"Payload": payload, "StatusCode": 200} for payload in (*GROUPED, *ENDINGS, *LABELS)),
        *JOBS,
        {"MessageId": "m", "Entries": [{"EventId": "e"}], "FailedEntryCount": 0},
    ]


def _variables(result: Any, error: Any) -> dict[str, Any]:
    """The machine's variables besides `grouped`, one choice of each a situation."""
    place = len(json.dumps([result, error]))
    in_lambda = json.dumps({"errorMessage": 'no "é"', "errorType": "E", "stackTrace": ["t" * 99]})
    failure = {"error": "JobsRefused", "cause": ("not one é", in_lambda, in_lambda[:40])[place % 3]}
    failure |= {"caught": "E: "} if place % 2 else {}
    notice = {"message": "m 😀", "subject": "s", "jobs": JOBS[2][:3], "run": "pets"}
    return {
        "jobs": JOBS[place % 3],
        "labels": LABELS[place % len(LABELS)],
        "parts": LABELS[0]["parts"],
        "failed": [{"error": "MemoryError", "cause": "é"}],
        "failure": failure,
        "place": "'s3://inbox/pets/may.manifest'",
        "embedding": "",
        "notice": notice,
    }


def by_the_embedded_aws(expression: str, variables: dict[str, Any]) -> list[Any] | None:
    """The value in a list, or None where the state would fail."""
    states = variables["states"]
    rest = {name: value for name, value in variables.items() if name != "states"}
    try:
        value = stepfunctions._evaluate_jsonata(  # what its states call; the version is pinned
            expression,
            states["input"],
            states["context"] | {"variables": rest},
            states.get("result"),
            states.get("errorOutput"),
        )
    except stepfunctions._ExecutionError:
        return None
    return [json.loads(json.dumps(value))]


def plain(value: list[Any] | None) -> Any:
    """A value for comparing: `$string` escapes letters beyond ASCII here, and not there."""
    if value is not None and isinstance(value[0], str) and value[0].startswith("{"):
        with suppress(ValueError):  # most text is no JSON
            return ["as JSON", json.loads(value[0])]
    return value


def test_every_expression_gives_what_the_reference_gives(tmp_path: FilePath) -> None:
    cases = [(path, text, list(contexts(path))) for path, text in expressions(MACHINE)]
    asked = json.dumps({"expressions": [[text, made] for _, text, made in cases]})
    values_file = tmp_path / "values.json"
    command = ["node", str(SCRIPT), str(REFERENCE), str(values_file)]
    subprocess.run(command, input=asked, text=True, check=True)
    different, given = [], 0
    for (path, text, made), reference in zip(
        cases, json.loads(values_file.read_text()), strict=True
    ):
        values = 0
        for variables, wanted in zip(made, reference, strict=True):
            own = by_the_embedded_aws(text, variables)
            values += own is not None
            if plain(own) != plain(wanted):
                different.append((path, own, wanted))
        # an expression that fails in every situation was tried in none that it is for
        assert values, f"{'/'.join(path)} gives nothing in any situation"
        given += values
    assert different == []
    assert given > 2000
