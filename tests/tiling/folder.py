"""A run's folder in memory, and the shortest way through a grouping."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import Any

import msgspec

from tessera.portal.ports import Writer
from tessera.tiling.grouping.first_round import Summary, group_manifest
from tessera.tiling.run.offsets import read_offsets
from tessera.tiling.settings import Settings, read_settings
from tests.fakes import Files


def settings(**keys: object) -> Settings:
    return read_settings(msgspec.json.encode({"labels": ["cat", "dog"]} | keys))


class Folder:
    """A run's folder, and what its files hold."""

    home = "s3://labels/runs/pets/"

    def __init__(self) -> None:
        self.bucket = Files()

    def create(self, name: str) -> AbstractContextManager[Writer]:
        return self.bucket.writer(self.home + name)

    @property
    def files(self) -> dict[str, bytes]:
        """The contents of the files by name."""
        objects = self.bucket.objects.items()
        return {uri.removeprefix(self.home): content for uri, content in objects}

    def lines(self, shard: int = 0, round_: int = 1) -> list[dict[str, Any]]:
        """The lines of a shard, found by their offsets as the portal finds them."""
        name = f"round-{round_}/tasks-{shard:03d}"
        text = self.files[f"{name}.manifest"]
        offsets = read_offsets(self.files[f"{name}.offsets"])
        assert offsets[0] == 0
        assert offsets[-1] == len(text)
        lines = [text[a:b] for a, b in pairwise(offsets)]
        assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)
        return [msgspec.json.decode(line) for line in lines]

    def tasks(self, shard: int = 0, round_: int = 1) -> list[list[dict[str, Any]]]:
        """The images of every task of a shard."""
        return [msgspec.json.decode(line["source"]) for line in self.lines(shard, round_)]

    def images(self, shard: int = 0) -> list[dict[str, Any]]:
        """The images of a shard, task after task."""
        return [image for task in self.tasks(shard) for image in task]

    def indexes(self, shard: int = 0) -> list[list[int]]:
        """The indexes of the images of every task of a shard."""
        return [[image["index"] for image in task] for task in self.tasks(shard)]

    def rejected(self) -> list[dict[str, Any]]:
        text = self.files.get("rejected.jsonl", b"")
        return [msgspec.json.decode(line) for line in text.splitlines()]

    def duplicates(self) -> list[tuple[int, int]]:
        head, *rows = self.files.get("repeats.csv", b"index,first").decode().split()
        assert head == "index,first"
        return [(int(row.split(",")[0]), int(row.split(",")[1])) for row in rows]


def grouped(text: bytes, chosen: Settings, piece: int = 1 << 16) -> tuple[Summary, Folder]:
    """Group a manifest that arrives in pieces of some size."""
    folder = Folder()
    pieces = [text[at : at + piece] for at in range(0, len(text), piece)]
    return group_manifest(lambda: pieces, chosen, folder.create, io.BytesIO), folder


def manifest(count: int) -> bytes:
    return b"".join(b'{"source-ref": "s3://pets/%d.jpg"}\n' % i for i in range(count))
