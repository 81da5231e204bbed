"""A manifest's way into tasks: every line somewhere, nothing over a cap, the same bytes again."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest

from tiling.errors import NoUsableLine, TooManyBadLines
from tiling.groups import Summary, group_manifest
from tiling.settings import Settings, read_settings


def settings(**keys: object) -> Settings:
    return read_settings(msgspec.json.encode({"labels": ["cat", "dog"]} | keys))


class Folder:
    """The files of a run, in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    @contextmanager
    def create(self, name: str) -> Iterator[io.BytesIO]:
        file = io.BytesIO()
        yield file
        self.files[name] = file.getvalue()

    def tasks(self, shard: int = 0, round_: int = 1) -> list[list[dict[str, Any]]]:
        """The images of every task, found by its offsets as the portal finds them."""
        name = f"round-{round_}/tasks-{shard:03d}"
        text = self.files[f"{name}.manifest"]
        offsets = np.frombuffer(self.files[f"{name}.offsets"], "<u8").tolist()
        assert offsets[0] == 0
        assert offsets[-1] == len(text)
        lines = [text[a:b] for a, b in pairwise(offsets)]
        assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)
        return [msgspec.json.decode(msgspec.json.decode(line)["source"]) for line in lines]


def manifest(count: int) -> bytes:
    return b"".join(b'{"source-ref": "s3://pets/%d.jpg"}\n' % i for i in range(count))


def grouped(text: bytes, chosen: Settings, piece: int = 50) -> tuple[Summary, Folder]:
    folder = Folder()
    pieces = [text[at : at + piece] for at in range(0, len(text), piece)]
    return group_manifest(lambda: pieces, chosen, folder.create, io.BytesIO), folder


def test_spread_is_the_posts_deal() -> None:
    summary, folder = grouped(manifest(41), settings())
    assert [[image["index"] for image in task] for task in folder.tasks()] == [
        list(range(group, 41, 3)) for group in range(3)
    ]
    assert folder.tasks()[0][0] == {"source-ref": "s3://pets/0.jpg", "index": 0}
    assert (summary.lines, summary.images, summary.shards[0].tasks) == (41, 41, 3)


def test_what_cannot_be_used_has_its_number_and_its_reason() -> None:
    text = manifest(30) + b'oops\n{"source-ref": 7}\n{"prelabel": "cat"}'
    summary, folder = grouped(text, settings(bad_lines=0.5))
    said = [msgspec.json.decode(line) for line in folder.files["rejected.jsonl"].splitlines()]
    assert [bad["line"] for bad in said] == [31, 32, 33]
    assert said[2] == {"line": 33, "reason": "no source-ref", "content": '{"prelabel": "cat"}'}
    assert (summary.lines, summary.images, summary.rejected) == (33, 30, 3)


def test_a_repeated_image_is_asked_once() -> None:
    summary, folder = grouped(manifest(3) + manifest(3), settings())
    assert (summary.images, summary.repeats) == (3, 3)
    assert folder.files["repeats.csv"] == b"index,first\n3,0\n4,1\n5,2\n"
    assert grouped(manifest(3) + manifest(3), settings(repeats="each"))[0].images == 6


def test_a_labeled_line_passes_through() -> None:
    text = b'{"source-ref": "s3://b/k", "label": 0}\n'
    summary, folder = grouped(text, settings())
    assert (summary.labeled, summary.images, summary.shards) == (1, 0, ())
    assert folder.files == {}


def test_a_manifest_with_too_little_to_use_is_refused() -> None:
    with pytest.raises(NoUsableLine):
        grouped(b"", settings())
    with pytest.raises(NoUsableLine, match="none of the 2 lines"):
        grouped(b"x\ny\n", settings())
    with pytest.raises(TooManyBadLines, match=r"2 of 12 lines .* more than the 10%"):
        grouped(manifest(10) + b"x\ny\n", settings())
