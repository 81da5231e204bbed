"""A run in a bucket in memory, as the functions read and write it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

import consolidate_labels
from tests.fakes import Files

HOME = "s3://labels/runs/pets/"
MANIFEST = "s3://inbox/pets.manifest"
CONTEXT = SimpleNamespace(
    function_name="ConsolidateLabels",
    memory_limit_in_mb=3008,
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:ConsolidateLabels",
    aws_request_id="1",
)


EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:label:first"


def end_round(grouped: Any, status: str, round_: int = 1) -> Any:
    """Return what ConsolidateLabels makes of a grouped run whose only job of a round ended so."""
    event = {
        "run": grouped["run"],
        "home": grouped["home"],
        "round": round_,
        "jobs": [{"name": f"{grouped['run']}-r{round_}-000", "status": status}],
        "parts": {"stage": ""},
        "execution": EXECUTION,
        "started": "2026-11-23T01:51:01.123Z",
    }
    return consolidate_labels.handler(event, CONTEXT)


class Run:
    """A run in a bucket: its manifest, settings, jobs and answers, and its consolidation."""

    def __init__(self, bucket: Files) -> None:
        """Start a run without images."""
        self.bucket = bucket
        self.settings: dict[str, Any] = {"labels": ["cat", "dog", "invalid image"]}
        self.jobs: list[dict[str, str]] = []
        self.counts: dict[str, int] = {}
        self.rules: int | None = None

    def manifest(self, *lines: dict[str, Any] | bytes) -> None:
        """Drop these lines."""
        raw = [line if isinstance(line, bytes) else msgspec.json.encode(line) for line in lines]
        self.bucket.objects[MANIFEST] = b"\n".join(raw) + b"\n"
        self.counts["lines"] = len(lines)

    def images(self, count: int) -> None:
        """Drop so many plain images."""
        self.manifest(*({"source-ref": f"s3://pets/{i}.jpg"} for i in range(count)))

    def job(
        self,
        *tasks: tuple[list[int], dict[str, dict[str, str]]],
        round_: int = 1,
        shard: int = 0,
        status: str = "Completed",
        finished: bool = True,
    ) -> str:
        """Open and end a job of these tasks: their images and, by worker, labels by image."""
        job = f"pets-r{round_}-{shard:03d}"
        asked, output = [], []
        for images, answers in tasks:
            source = msgspec.json.encode(
                [{"source-ref": f"s3://pets/{i}.jpg", "index": i} for i in images]
            ).decode()
            asked.append({"source": source})
            responses = [
                {"workerId": worker, "annotation": self.choices(labels)}
                for worker, labels in answers.items()
            ]
            output.append({"source": source, "label": {"responses": responses}})
        folder = f"{HOME}round-{round_}/"
        self.bucket.objects[f"{folder}tasks-{shard:03d}.manifest"] = jsonl(asked)
        if finished:
            uri = f"{folder}jobs/{job}/manifests/output/output.manifest"
            self.bucket.objects[uri] = jsonl(output)
        self.jobs.append({"name": job, "status": status})
        return f"{folder}jobs/{job}/annotations/worker-response/"

    def choices(self, labels: dict[str, str]) -> dict[str, Any]:
        """A form's answers: for each image every choice, the chosen one true."""
        names = self.settings["labels"]
        return {image: {name: name == label for name in names} for image, label in labels.items()}

    def consolidate(self, round_: int = 1, **more: Any) -> dict[str, Any]:
        """The result of the state ConsolidateLabels."""
        record = {
            "run": "pets",
            "execution": "arn:aws:states:::execution:labeling:1",
            "manifest": {"bucket": "inbox", "key": "pets.manifest"},
            "settings": self.settings,
            "counts": self.counts,
            **({} if self.rules is None else {"rules": self.rules}),
        }
        self.bucket.objects[f"{HOME}run.json"] = msgspec.json.encode(record)
        event = {
            "run": "pets",
            "home": HOME,
            "round": round_,
            "jobs": self.jobs,
            "execution": "arn:aws:states:::execution:labeling:1",
            "started": "2026-11-23T01:51:01.123Z",
        }
        with pytest.MonkeyPatch.context() as patch:
            connection = SimpleNamespace(storage=self.bucket)
            patch.setattr(consolidate_labels, "connection", lambda: connection)
            summary: dict[str, Any] = consolidate_labels.handler(event | more, CONTEXT)
        return summary

    def lines(self, name: str) -> list[Any]:
        """The lines of one of the run's files, decoded if they are JSON."""
        raw = self.bucket.objects[f"{HOME}{name}"].splitlines()
        return [msgspec.json.decode(line) if line[:1] == b"{" else line.decode() for line in raw]

    def report(self) -> Any:
        """The figures of the run's report."""
        return msgspec.json.decode(self.bucket.objects[f"{HOME}report.json"])


def jsonl(lines: list[Any]) -> bytes:
    """Objects as JSON Lines."""
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """An empty run in an empty bucket."""
    monkeypatch.setenv("UI_DIRECTORY", str(Path(__file__).parents[2] / "ui"))
    return Run(Files())
