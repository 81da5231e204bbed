"""Record the flow as files: `python events/record.py` writes all events, results and objects anew.

The functions run in this process, S3 and DynamoDB in memory. Each event is what the state machine
makes of the result before it: its own JSONata expressions are evaluated.
"""

from __future__ import annotations

import csv
import importlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import boto3
from moto import mock_aws

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "functions")]
from scripts.expressions import SHARD_STATES, STATES, evaluate

EVENTS, BUCKET = ROOT / "events", ROOT / "events" / "bucket"

LAMBDA_CONTEXT = SimpleNamespace(
    function_name="tessera",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:tessera",
    aws_request_id="00000000-0000-0000-0000-000000000000",
)
EXECUTION_CONTEXT = {
    "Execution": {
        "Id": "arn:aws:states:us-east-1:000000000000:execution:tessera-labeling:"
        "0b7a3a3c-5a3e-4d53-9c36-6f2f3f0f7a10",
        "StartTime": "2026-10-05T08:00:00.000Z",
    },
    "Task": {"Token": "token-of-the-sample"},
    "Map": {"Item": {"Value": 0}},
}
WORKERS = ("6f1c2d0e-0000-4000-8000-000000000001", "6f1c2d0e-0000-4000-8000-000000000002")


def read(name: str) -> Any:
    """Return a file of the flow."""
    return json.loads((EVENTS / name).read_text("utf-8"))


def event(step: str) -> Any:
    """Return the recorded event of a step."""
    return read(f"{step}.event.json")


def result(step: str) -> Any:
    """Return the recorded result of a step."""
    return read(f"{step}.result.json")


def write(name: str, content: Any) -> None:
    """Write a file of the flow."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    (EVENTS / name).write_text(text, "utf-8")


# ── The functions, in this process ───────────────────────────────────────────────────────────────


def answer(step: str) -> Any:
    """Return what the step's function answers to its recorded event, as JSON carries it."""
    return _invoke(f"arn::tessera-{step.partition('-')[2]}", event(step))


def _invoke(arn: str, request: dict[str, Any]) -> Any:
    """Call the handler of the function with this ARN, here."""
    module = importlib.import_module(arn.rpartition(":tessera-")[2].replace("-", "_"))
    return json.loads(json.dumps(module.handler(request, LAMBDA_CONTEXT)))


@contextmanager
def world() -> Iterator[None]:
    """Keep the samples' bucket and table in memory for the length of a `with` block."""
    variables = read("environment.json")["Parameters"] | {
        "AWS_ENDPOINT_URL": "",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "POWERTOOLS_SERVICE_NAME": "tessera",
        "POWERTOOLS_METRICS_NAMESPACE": "Tessera",
        "POWERTOOLS_TRACE_DISABLED": "1",
        "UI_DIRECTORY": str(ROOT / "ui"),
    }
    with patch.dict(os.environ, variables), mock_aws():
        from tessera.aws.functions import Functions
        from tessera.stack import samples

        with patch.object(Functions, "invoke", lambda _, arn, event: _invoke(arn, event)):
            disconnect()
            samples.load(boto3.client("s3"), boto3.client("dynamodb"))
            yield
            disconnect()


def disconnect() -> None:
    """Have every handler that is loaded connect anew at its next event."""
    for path in (ROOT / "functions").glob("*.py"):
        if connection := getattr(sys.modules.get(path.stem), "connection", None):
            connection.cache_clear()


def objects() -> dict[str, bytes]:
    """Return what the samples' bucket holds now, by key."""
    s3 = boto3.client("s3")
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket="tessera-samples")["Contents"]]
    return {key: s3.get_object(Bucket="tessera-samples", Key=key)["Body"].read() for key in keys}


# ── What the state machine makes of a result ─────────────────────────────────────────────────────


def payload(state: dict[str, Any], states: dict[str, Any], **variables: Any) -> Any:
    """Return the event that a state hands to its function."""
    parts = {"context": EXECUTION_CONTEXT} | states
    return evaluate(state["Arguments"]["Payload"], parts, **variables)


def grouped() -> Any:
    """Return the variable that the machine's first state sets."""
    return result("2-group-images")


def shard() -> Any:
    """Return what the first shard of the run starts with."""
    parts = {"context": EXECUTION_CONTEXT}
    return evaluate(STATES["LabelShards"]["ItemSelector"], parts, grouped=grouped())


def closed() -> Any:
    """Return what the first shard ends with."""
    parts = {"input": shard(), "result": {"Payload": result("6-close-job")}}
    return evaluate(SHARD_STATES["CloseJob"]["Output"], parts)


def ended() -> Any:
    """Return what the execution ends with."""
    return evaluate(STATES["Announce"]["Output"], {}, labels=result("7-consolidate-labels"))


NEXT_EVENTS: dict[str, Callable[[], Any]] = {
    "2-group-images": lambda: payload(
        STATES["GroupImages"], {"input": event("1-manifest-uploaded")}
    ),
    "3-open-job": lambda: payload(SHARD_STATES["OpenJob"], {"input": shard()}, grouped=grouped()),
    "6-close-job": lambda: payload(SHARD_STATES["CloseJob"], {"input": shard()}, grouped=grouped()),
    "7-consolidate-labels": lambda: payload(
        STATES["ConsolidateLabels"],
        {},
        grouped=grouped(),
        jobs=[closed()],
        parts={"stage": ""},
        embedding="",
    ),
}
"""Events that a state makes from the results before it."""


# ── Recording ────────────────────────────────────────────────────────────────────────────────────


def record() -> None:
    """Write everything after the drop, in the order of the flow."""
    shutil.rmtree(BUCKET / "runs", ignore_errors=True)
    with world():
        step("2-group-images", NEXT_EVENTS["2-group-images"]())
        keep("runs/")
        opening = NEXT_EVENTS["3-open-job"]()
        request = opening["request"]
        manifest = request["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"]
        tasks = list(map(json.loads, objects()[key_of(manifest)].splitlines()))
        step("4-prepare-task", annotation_request(request) | {"dataObject": tasks[0]})
        folder = f"{request['OutputConfig']['S3OutputPath']}/{request['LabelingJobName']}"
        submit(tasks, f"{key_of(folder)}/annotations/worker-response/iteration-1")
        step("3-open-job", opening)
        step("6-close-job", NEXT_EVENTS["6-close-job"]())
        keep(f"{key_of(folder)}/")
        consolidation = "annotations/consolidated-annotation/consolidation-request"
        step(
            "5-collect-answers",
            annotation_request(request)
            | {
                "labelCategories": [*digits(), "cannot see"],
                "labelAttributeName": request["LabelAttributeName"],
                "roleArn": request["RoleArn"],
                "payload": {"s3Uri": f"{folder}/{consolidation}/iteration-1/00000.json"},
            },
        )
        step("7-consolidate-labels", NEXT_EVENTS["7-consolidate-labels"]())
        write("1-manifest-uploaded.result.json", ended())
        step("8-serve-portal", http_request(request["LabelingJobName"], folder))


def step(name: str, step_event: Any) -> None:
    """Write a step's event and what its function answers to it."""
    write(f"{name}.event.json", step_event)
    write(f"{name}.result.json", answer(name))


def keep(prefix: str) -> None:
    """Copy what the functions wrote into the folder, except the page: it is the newest anyway."""
    for key, content in objects().items():
        if key.startswith(prefix) and not key.endswith(".html"):
            path = BUCKET / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def key_of(uri: str) -> str:
    """Return the key of a URI in the samples' bucket."""
    return uri.removeprefix("s3://tessera-samples/")


def annotation_request(request: dict[str, Any]) -> dict[str, Any]:
    """Return what Ground Truth's requests to the two annotation functions have in common."""
    job = request["LabelingJobName"]
    arn = f"arn:aws:sagemaker:us-east-1:000000000000:labeling-job/{job}"
    return {"version": "2018-10-16", "labelingJobArn": arn}


def digits() -> list[str]:
    """Return the labels of the sample."""
    labels: list[str] = json.loads((BUCKET / "digits" / "labeling.json").read_text())["labels"]
    return labels


def submit(tasks: list[dict[str, str]], folder: str) -> None:
    """Answer every page as two workers, of whom one takes an eight for a three."""
    with (ROOT / "examples" / "digits" / "truth.csv").open(encoding="utf-8") as file:
        truth = dict(csv.reader(file))
    for number, task in enumerate(tasks):
        for place, worker in enumerate(WORKERS):
            content: dict[str, Any] = {}
            for image in json.loads(task["source"]):
                digit = truth[image["source-ref"].rpartition("/")[2]]
                seen = "3" if place == 1 and image["index"] == 5 else digit
                chosen = {label: label == seen for label in [*digits(), "cannot see"]}
                content[str(image["index"])] = chosen
            minute = f"2026-10-05T08:{10 + 2 * number + place}"
            response = {
                "acceptanceTime": f"{minute}:00.000Z",
                "submissionTime": f"{minute}:07.500Z",
                "timeSpentInSeconds": 7.5,
                "answerContent": content | {"meta": "{}"},
                "workerId": f"private.us-east-1.{worker}",
                "workerMetadata": {
                    "identityData": {"identityProviderType": "Cognito", "sub": worker}
                },
            }
            boto3.client("s3").put_object(
                Bucket="tessera-samples",
                Key=f"{folder}/{number}/{worker}.json",
                Body=json.dumps({"answers": [response]}, separators=(",", ":")).encode(),
            )


def http_request(job: str, folder: str) -> dict[str, Any]:
    """Return the first worker's first answer, sent once more, as API Gateway hands it on."""
    path = f"/jobs/{job}/tasks/0/answer"
    stored = f"{key_of(folder)}/annotations/worker-response/iteration-1/0/{WORKERS[0]}.json"
    content = json.loads(objects()[stored])["answers"][0]["answerContent"]
    return {
        "version": "2.0",
        "routeKey": "ANY /jobs/{proxy+}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "host": "portal.example.com"},
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "portal",
            "authorizer": {
                "jwt": {
                    "claims": {"sub": WORKERS[0], "email": "ann@example.com"},
                    "scopes": None,
                }
            },
            "domainName": "portal.example.com",
            "http": {
                "method": "PUT",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.10",
                "userAgent": "Mozilla/5.0",
            },
            "requestId": "0",
            "routeKey": "ANY /jobs/{proxy+}",
            "stage": "$default",
            "time": "05/Oct/2026:08:10:07 +0000",
            "timeEpoch": 1791187807000,
        },
        "pathParameters": {"proxy": path.removeprefix("/jobs/")},
        "body": json.dumps(content, separators=(",", ":")),
        "isBase64Encoded": False,
    }


if __name__ == "__main__":
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    record()
