"""A stack in memory: fakes of its services, with the outputs that a deployment would have."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tessera.stack.cloud import Cloud
from tests.fakes import Aws, Files

LABELS = ("cat", "dog", "invalid image")


class FakeCloud(Cloud):
    """A stack of fakes."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = self.aws = Aws()

    @property
    def users(self) -> Any:
        """Accounts of the portal: none."""
        return SimpleNamespace(list=lambda: iter(()))

    @property
    def outputs(self) -> dict[str, str]:
        return {
            "Inbox": "s3://inbox",
            "Labels": "s3://labels/runs",
            "StateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:tessera",
        }


class Place:
    """Where commands are called for."""

    def __init__(self) -> None:
        self.cloud = FakeCloud()

    def command(self, words: str) -> str:
        """A command that works there when it is pasted."""
        return self.cloud.command(words)


def png(width: int, height: int, gray: int = 128) -> bytes:
    """A small picture."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = (b"\0" + bytes([gray]) * width) * height
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


class Labels:
    """The labels bucket and the runs in it."""

    def __init__(self, files: Files) -> None:
        self.files = files

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Put one object."""
        self.files.put(f"s3://{bucket}/{key}", content)

    def run(
        self,
        name: str = "pets-may-0123456789ab",
        *,
        images: int = 10,
        pictures: bool = True,
        line: Callable[[int], dict[str, Any]] = lambda _: {},
        settings: dict[str, Any] | None = None,
    ) -> str:
        """A finished run: even images are cats, odd ones dogs; `line` changes a line's keys."""
        lines = []
        for index in range(images):
            uri = f"s3://inbox/pets/{index}.png"
            if pictures:
                self.put("inbox", f"pets/{index}.png", png(4 + index, 3))
            members = {
                "source-ref": uri,
                "pet": index % 2,
                "pet-metadata": {
                    "class-name": LABELS[index % 2],
                    "confidence": round(0.5 + index / 200, 4),
                    "type": "groundtruth/image-classification",
                    "job-name": f"labeling-job/{name}",
                    "human-annotated": "yes",
                    "creation-date": "2026-11-23T01:51:01.123",
                    "answers": 2,
                    "agreement": 1.0,
                },
            }
            lines.append(json.dumps(members | line(index)))
        home = f"runs/{name}/"
        record = {
            "run": name,
            "manifest": {"bucket": "inbox", "key": "pets/may.manifest"},
            "settings": {"labels": LABELS, "label_attribute": "pet"} | (settings or {}),
            "counts": {"lines": images},
        }
        self.put("labels", f"{home}run.json", json.dumps(record).encode())
        self.put(
            "labels", f"{home}training.manifest", "".join(f"{line}\n" for line in lines).encode()
        )
        return name


@pytest.fixture
def place() -> Place:
    """Where commands are called for."""
    return Place()


@pytest.fixture
def labels(place: Place) -> Labels:
    """An empty labels bucket and an empty inbox."""
    return Labels(place.cloud.aws.files)


@pytest.fixture
def tessera(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Calls a command the way a shell does, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(command: Any, *arguments: str) -> Result:
        return CliRunner().invoke(command, list(arguments), obj=place)

    return call
