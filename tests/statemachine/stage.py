"""Run a local stack whose machine reports its transitions and whose functions fail on demand."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tessera.runs.executions import Ending, read_ending
from tessera.simulation.workers import SimulatedWorker, add_worker, at_work
from tessera.stack.cloud import Cloud
from tessera.stack.local_stack import INBOX, LABELS, ROOT, LocalStack
from tessera.tiling.run.job_names import parse_job_name
from tests.statemachine import tracing

FUNCTIONS = (
    "group_images",
    "open_job",
    "close_job",
    "embed_images",
    "consolidate_labels",
    "serve_portal",
)
CHOICES = ("cat", "dog", "cow")
ANSWERS = {"cat": ("cat",) * 3, "dog": ("dog",) * 3, "cow": ("cow",) * 3, "unsure": CHOICES}
"""Answers of the three workers to a picture whose name begins so."""


def wait_until(condition: Callable[[], Any], what: str, *, seconds: float = 180) -> Any:
    """Return what the condition gives once it is true; fail if that takes too long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := condition():
            return result
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")


@dataclass
class Stage:
    """Stack with its fault plans and the transitions that its executions have reported."""

    local: LocalStack
    folder: Path
    transitions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    queue: str = ""

    @property
    def cloud(self) -> Cloud:
        """Return what is deployed."""
        return self.local.cloud

    @cached_property
    def machine_arn(self) -> str:
        """Return the ARN of the state machine."""
        return self.cloud.outputs["StateMachineArn"]

    @cached_property
    def workflows(self) -> Any:
        """Return Step Functions of the stack."""
        return self.cloud.client("stepfunctions")

    @cached_property
    def lambdas(self) -> Any:
        """Return Lambda of the stack."""
        return self.cloud.client("lambda")

    # --- setting it up ------------------------------------------------------------------------

    def set_up(self) -> None:
        """Deploy, wrap every function, and have the machine report its transitions."""
        self.local.deploy()
        package = self._package()
        for name in FUNCTIONS:
            self._wrap(name, package)
        self.queue = self.cloud.client("sqs").create_queue(QueueName="transitions")["QueueUrl"]
        machine = tracing.with_tracing(self.definition, self.queue)
        self.workflows.update_state_machine(
            stateMachineArn=self.machine_arn, definition=json.dumps(machine)
        )

    @cached_property
    def definition(self) -> dict[str, Any]:
        """Return the machine as it was deployed."""
        described = self.workflows.describe_state_machine(stateMachineArn=self.machine_arn)
        machine: dict[str, Any] = json.loads(described["definition"])
        return machine

    def _package(self) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as package:
            for path in sorted((ROOT / "functions").rglob("*.py")):
                package.write(path, path.relative_to(ROOT / "functions"))
            package.write(Path(__file__).with_name("faulty.py"), "faulty.py")
        return buffer.getvalue()

    def _wrap(self, name: str, package: bytes) -> None:
        function = self.function(name)
        configuration = self.lambdas.get_function_configuration(FunctionName=function)
        variables = configuration["Environment"]["Variables"] | {
            "FAULTS": str(self.folder / name),
            "REAL_HANDLER": f"{name}.handler",
        }
        if name == "group_images":
            variables |= {"PUBLIC_PRICE": "0.036", "KMS_KEY_ID": KMS_KEY}
        self.lambdas.update_function_code(FunctionName=function, ZipFile=package)
        self.lambdas.update_function_configuration(
            FunctionName=function, Handler="faulty.handler", Environment={"Variables": variables}
        )

    def function(self, name: str) -> str:
        """Return a function's name on the stack."""
        return f"{self.cloud.stack_name}-{name.replace('_', '-')}"

    # --- faults -------------------------------------------------------------------------------

    def plan(self, function: str, name: str, *faults: str) -> None:
        """Have the function's next invocations for the run of this manifest fail so."""
        plan = self.folder / function / name
        plan.mkdir(parents=True, exist_ok=True)
        for number, fault in enumerate(faults):
            (plan / f"{number:02d}.{fault}").touch()

    def planned(self, function: str, name: str) -> list[str]:
        """Return the faults that have not happened."""
        return sorted(path.name for path in (self.folder / function / name).glob("*"))

    def unplan(self, function: str, name: str) -> None:
        """Cancel the faults that have not happened."""
        for left in self.planned(function, name):
            (self.folder / function / name / left).unlink()

    @contextmanager
    def timeout(self, function: str, seconds: int) -> Iterator[None]:
        """Limit the function's running time for the length of a `with` block."""
        name = self.function(function)
        before = self.lambdas.get_function_configuration(FunctionName=name)["Timeout"]
        self.lambdas.update_function_configuration(FunctionName=name, Timeout=seconds)
        try:
            yield
        finally:
            self.lambdas.update_function_configuration(FunctionName=name, Timeout=before)

    # --- runs ---------------------------------------------------------------------------------

    def put(self, uri: str, data: bytes) -> None:
        """Put an object."""
        self.cloud.storage.put(uri, data)

    def files(self, home: str) -> dict[str, bytes]:
        """Return every file of a run by its name in the run's folder."""
        storage = self.cloud.storage
        return {uri.removeprefix(home): storage.get(uri) for uri in storage.list_uris(home)}

    def answers(self, job: str) -> list[str]:
        """Return the worker responses of a job."""
        name = parse_job_name(job)
        assert name is not None
        files = self.files(f"s3://{LABELS}/runs/{name.run}/")
        return [body.decode() for name, body in files.items() if "worker-response" in name]

    def lay_out(self, name: str, pictures: Mapping[str, Any] | list[str], **settings: Any) -> None:
        """Put a manifest and its settings where `start` finds them, without starting anything."""
        self.put(f"s3://{INBOX}/{name}/labeling.json", json.dumps(SETTINGS | settings).encode())
        self.put(f"s3://{INBOX}/{manifest_key(name)}", manifest(name, list(pictures)))

    def start(self, name: str, case: str = "", **more: str) -> str:
        """Start an execution as the drop of the manifest would; returns its ARN."""
        started = self.workflows.start_execution(
            stateMachineArn=f"{self.machine_arn}#{case}" if case else self.machine_arn,
            input=json.dumps(drop_event(name) | more),
        )
        return str(started["executionArn"])

    def end(self, execution: str, *, seconds: float = 180) -> Ending:
        """Wait for the execution's end, and return how it ended."""
        wait_until(
            lambda: (
                self.workflows.describe_execution(executionArn=execution)["status"] != "RUNNING"
            ),
            f"the end of {execution}",
            seconds=seconds,
        )
        return read_ending(self.cloud, execution)

    def receive_transitions(self) -> dict[str, list[dict[str, Any]]]:
        """Return all transitions reported so far, by execution."""
        sqs = self.cloud.client("sqs")
        while messages := sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                body = json.loads(message["Body"])
                self.transitions.setdefault(body["execution"], []).append(body)
                sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return self.transitions

    @contextmanager
    def workers(self) -> Iterator[list[SimulatedWorker]]:
        """Have three workers label whatever is open for the length of a `with` block."""
        crowd = [self.worker(number) for number in range(3)]
        with at_work(crowd):
            yield crowd

    def worker(self, number: int) -> SimulatedWorker:
        """Return a worker who answers as `ANSWERS` says."""
        return SimulatedWorker(
            add_worker(self.cloud, f"worker-{number}@example.com"),
            self.cloud.portal_url,
            truth=WorkerAnswers(number),
            labels=CHOICES,
            error_rate=0.0,
            seed="",
            cognito=self.cloud.cognito_url,
            client_id=self.cloud.outputs["WorkerPoolClientId"],
        )


class WorkerAnswers(dict[str, str]):
    """Answers of one worker by the picture's name."""

    def __init__(self, worker: int) -> None:
        """Remember which of the three workers it is."""
        super().__init__()
        self.worker = worker

    def __missing__(self, picture: str) -> str:
        """Return the worker's answer to `kind-number.png`."""
        return ANSWERS[picture.partition("-")[0]][self.worker]


KMS_KEY = "arn:aws:kms:us-east-1:000000000000:key/7c3f6f0e-1d52-4c1f-9c1d-2d9f3a0c8f51"

EMBEDDING: dict[str, Any] = {
    "guesses": {"encoder": "pixels"},
    "answers_per_image": 2,
    "max_answers": 2,
    "gain": 1,
}
"""Settings of a run that embeds its pictures while its only round is answered."""

SETTINGS: dict[str, Any] = {
    "labels": list(CHOICES),
    "images_per_task": 1,
    "order": "as-given",
    "answers_per_image": 1,
    "max_answers": 1,
}


def manifest_key(name: str) -> str:
    """Return a key that no rule of the inbox matches."""
    return f"{name}/images.ndjson"


def manifest(name: str, pictures: list[str]) -> bytes:
    """Return lines that name the pictures; a picture `!` is a line that cannot be read."""
    lines = [
        "no JSON"
        if picture == "!"
        else json.dumps({"source-ref": f"s3://{INBOX}/{name}/{picture}"})
        for picture in pictures
    ]
    return "".join(line + "\n" for line in lines).encode()


def drop_event(name: str) -> dict[str, Any]:
    """Return the event that S3 sends when the manifest is put."""
    return {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {
            "bucket": {"name": INBOX},
            "object": {"key": manifest_key(name), "etag": "e" * 32},
        },
    }
