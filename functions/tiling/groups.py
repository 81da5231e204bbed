"""Images into groups: the tasks of a run, shard by shard, with what was left out and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from itertools import accumulate
from struct import pack
from typing import Any, Protocol

import msgspec

from tiling.errors import NoUsableLine, TooManyBadLines
from tiling.jobs import tasks_name
from tiling.manifest import Image, Labeled, Rejected, manifest_lines, read_manifest
from tiling.settings import Settings

MOST_TASKS = 100_000
"""Data objects that one Ground Truth job takes."""
LONGEST_SOURCE = 20_000
"""Characters in the `source` of a task."""


class Writable(Protocol):
    """Something that bytes can be added to."""

    def write(self, data: bytes, /) -> Any:
        """Add bytes to the end."""


Create = Callable[[str], AbstractContextManager[Writable]]
"""Opens a new file of the run, by its name in the run's folder."""


class Shard(msgspec.Struct, frozen=True):
    """What one job will ask."""

    tasks: int
    images: int


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a manifest: every line is in exactly one of the five counts after `lines`."""

    shards: tuple[Shard, ...]
    lines: int
    images: int
    gold: int
    repeats: int
    labeled: int
    rejected: int
    reasons: tuple[str, ...] = ()


def group_manifest(chunks: Iterable[bytes], settings: Settings, create: Create) -> Summary:
    """Write the first round's tasks of a manifest that comes in pieces; say what became of it."""
    images: list[Image] = []
    firsts: dict[str, int] = {}
    repeats: list[tuple[int, int]] = []
    rejected: list[Rejected] = []
    lines = labeled = 0
    for line in read_manifest(manifest_lines(chunks), settings):
        lines += 1
        match line:
            case Labeled():
                labeled += 1
            case Rejected():
                rejected.append(line)
            case Image():
                first = firsts.setdefault(line.source_ref, line.index)
                if first != line.index and settings.repeats == "once":
                    repeats.append((line.index, first))
                else:
                    images.append(line)
    if rejected:
        with create("rejected.jsonl") as file:
            for bad in rejected:
                file.write(rejected_line(bad))
    refuse(lines, len(rejected), settings.bad_lines, [bad.reason for bad in rejected[:3]])
    if repeats:
        with create("repeats.csv") as file:
            file.write(b"index,first\n" + b"".join(b"%d,%d\n" % pair for pair in repeats))
    shards = []
    most = MOST_TASKS * settings.images_per_task
    for number, start in enumerate(range(0, len(images), most)):
        shards.append(_write_shard(images[start : start + most], number, settings, create))
    return Summary(
        shards=tuple(shards),
        lines=lines,
        images=len(images),
        gold=0,
        repeats=len(repeats),
        labeled=labeled,
        rejected=len(rejected),
    )


def refuse(lines: int, rejected: int, share: float, reasons: Sequence[str]) -> None:
    """Raise, before anything is asked, if too little of a manifest can be used."""
    why = f"; the first: {reasons[0]}" if reasons else ""
    if rejected == lines:
        raise NoUsableLine(f"none of the {lines:,} lines can be used{why}")
    if rejected > share * lines:
        raise TooManyBadLines(
            f"{rejected:,} of {lines:,} lines cannot be used, more than {share:.0%}{why}"
        )


def rejected_line(bad: Rejected) -> bytes:
    """One line of rejected.jsonl; `line` is the number an editor shows, counted from one."""
    said = {"line": bad.index + 1, "reason": bad.reason, "content": bad.content}
    return msgspec.json.encode(said) + b"\n"


def _write_shard(images: list[Image], number: int, settings: Settings, create: Create) -> Shard:
    records = [_record(image) for image in images]
    groups = -(-len(records) // settings.images_per_task)
    while any(_characters(records[k::groups]) > LONGEST_SOURCE for k in range(groups)):
        groups += 1
    tasks = [
        msgspec.json.encode({"source": f"[{','.join(records[k::groups])}]"}) + b"\n"
        for k in range(groups)
    ]
    name = tasks_name(1, number)
    with create(name) as file:
        for task in tasks:
            file.write(task)
    offsets = list(accumulate(map(len, tasks), initial=0))
    with create(name.removesuffix(".manifest") + ".offsets") as file:
        file.write(pack(f"<{len(offsets)}Q", *offsets))
    return Shard(groups, len(records))


def _characters(records: list[str]) -> int:
    return sum(map(len, records)) + len(records) + 1


def _record(image: Image) -> str:
    said: dict[str, Any] = {"source-ref": image.source_ref, "index": image.index}
    if image.prelabel is not None:
        said["prelabel"] = image.prelabel
    if image.prelabel_confidence is not None:
        said["prelabel-confidence"] = image.prelabel_confidence
    return msgspec.json.encode(said).decode()
