"""Make one task of each line of a manifest in any form, for a page of the project's own.

Lines are Ground Truth's: a JSON object with `source` or `source-ref` and any other keys. They are
asked as they are, byte for byte; a line that has the label already is asked no more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from enum import Enum
from typing import Any, NamedTuple

import msgspec
import numpy as np

from tessera.tiling.errors import PageUnusable
from tessera.tiling.grouping.first_round import Summary, find_refusal, rejected_row
from tessera.tiling.grouping.limits import max_tasks
from tessera.tiling.grouping.task_file import Shard, TaskFile
from tessera.tiling.manifest.blocks import InputCounts
from tessera.tiling.manifest.lines import (
    BYTE_ORDER_MARK,
    MAX_EXCERPT_BYTES,
    MAX_LINE_CHARACTERS,
    Rejected,
)
from tessera.tiling.manifest.source_rule import SCHEME, SourceRule
from tessera.tiling.manifest.stream import manifest_lines
from tessera.tiling.page.crowd_elements import page_problems
from tessera.tiling.page.page import render_task
from tessera.tiling.page.page_input import line_input
from tessera.tiling.run.jobs import tasks_name
from tessera.tiling.run.run_files import CreateFile, LazyFile, ReadManifest
from tessera.tiling.settings import Settings


class Fate(Enum):
    """Fate of a line."""

    ASKED = "asked"
    LABELED = "labeled"
    REJECTED = "rejected"


class Line(NamedTuple):
    """Line of a manifest: what becomes of it, its bytes, and why it is rejected if it is."""

    fate: Fate
    raw: bytes
    reason: str = ""


def read_lines(pieces: Iterable[bytes], settings: Settings, rule: SourceRule) -> Iterator[Line]:
    """Yield every line of a manifest as what becomes of it, in order and without gaps."""
    for number, raw in enumerate(manifest_lines(pieces)):
        line = (raw.removeprefix(BYTE_ORDER_MARK) if number == 0 else raw).strip()
        yield read_line(line, settings, rule)


def read_line(raw: bytes, settings: Settings, rule: SourceRule) -> Line:
    """Return what becomes of one line.

    >>> from tessera.tiling.manifest.source_rule import ANY_SOURCE
    >>> from tessera.tiling.settings import read_settings
    >>> custom = read_settings(b'{"task": "custom"}')
    >>> read_line(b'{"source": "a text", "n": 1}', custom, ANY_SOURCE).fate.value
    'asked'
    >>> read_line(b'{"n": 1}', custom, ANY_SOURCE).reason
    'neither source nor source-ref'
    """
    try:
        text = raw.decode()
        record = msgspec.json.decode(raw)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError) as error:
        return Line(Fate.REJECTED, raw, f"not JSON: {error}" if raw else "empty")
    if not isinstance(record, dict):
        return Line(Fate.REJECTED, raw, "not a JSON object")
    if len(text) > MAX_LINE_CHARACTERS:
        return Line(Fate.REJECTED, raw, f"longer than {MAX_LINE_CHARACTERS:,} characters")
    if problem := _problem(record, rule):
        return Line(Fate.REJECTED, raw, problem)
    return Line(Fate.LABELED if settings.label_attribute in record else Fate.ASKED, raw)


def _problem(record: Mapping[str, Any], rule: SourceRule) -> str:
    sources = [record[key] for key in ("source", "source-ref") if key in record]
    if not sources:
        return "neither source nor source-ref"
    if not isinstance(sources[0], str) or not sources[0]:
        return "source: no text" if "source" in record else "source-ref: no address"
    # A template may show what any key names, so that the rule of pictures holds for all of them.
    for key, value in record.items():
        for text in _texts(value):
            if text.startswith(SCHEME) and (problem := rule.problem(text)):
                return f"{key}: {problem.removeprefix('source-ref: ')}"
    return ""


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def group_lines(
    read: ReadManifest, settings: Settings, create: CreateFile, rule: SourceRule
) -> Summary:
    """Write a task for each line that is asked, and return counts of what became of the lines.

    Raises NoUsableLine or TooManyBadLines, with rejected.jsonl written, if too little of the
    manifest can be used; ManifestUnreadable if it cannot be read to its end.
    """
    with ExitStack() as files:
        shards = _Shards(create, max_tasks(settings, settings.answers_per_image))
        rejected_file = LazyFile("rejected.jsonl", create, files)
        counts = dict.fromkeys(Fate, 0)
        first_reason = ""
        for index, line in enumerate(read_lines(read(), settings, rule)):
            counts[line.fate] += 1
            if line.fate is Fate.ASKED:
                shards.add(line.raw)
            elif line.fate is Fate.REJECTED:
                first_reason = first_reason or f"line {index + 1}, {line.reason}"
                excerpt = line.raw[:MAX_EXCERPT_BYTES].decode(errors="replace")
                rejected_file.write(rejected_row(Rejected(index, line.reason, excerpt)))
        lines = sum(counts.values())
        total = InputCounts(lines=lines, rejected=counts[Fate.REJECTED])
        refusal = find_refusal(total, settings.bad_lines, first_reason)
        if refusal is None:
            shards.finish()
    if refusal is not None:  # raised only here, so that rejected.jsonl is complete
        raise refusal
    return Summary(
        shards=tuple(shards.written),
        lines=lines,
        images=counts[Fate.ASKED],
        gold=0,
        repeats=0,
        labeled=counts[Fate.LABELED],
        rejected=counts[Fate.REJECTED],
        gold_left_out=0,
    )


class _Shards:
    """Tasks manifests of the round, each written when it is full."""

    def __init__(self, create: CreateFile, most: int) -> None:
        self._create, self._most = create, most
        self._lines: list[bytes] = []
        self.written: list[Shard] = []

    def add(self, line: bytes) -> None:
        """Add a task."""
        self._lines.append(line + b"\n")
        if len(self._lines) == self._most:
            self.finish()

    def finish(self) -> None:
        """Write the tasks that are not written yet."""
        if not self._lines:
            return
        with TaskFile(tasks_name(1, len(self.written)), self._create) as file:
            file.write(b"".join(self._lines))
            file.add_line_sizes(np.fromiter(map(len, self._lines), np.int64, len(self._lines)))
        self.written.append(Shard(len(self._lines), len(self._lines)))
        self._lines = []


def sample_line(pieces: Iterable[bytes], settings: Settings, rule: SourceRule) -> bytes:
    """Return the first line that is asked, or an empty object if none is."""
    lines = read_lines(pieces, settings, rule)
    return next((line.raw for line in lines if line.fate is Fate.ASKED), b"{}")


def check_custom_page(page: str, sample: bytes, hosts: Collection[str], *, aws: bool) -> None:
    """Raise PageUnusable, with every reason, if the portal could not show a project's own page.

    `sample` is a line of the manifest, which it is tried with; `hosts` are those that the stack's
    pages may load scripts and styles from, `aws` says that they may load Amazon's own.
    """
    problems = page_problems(page, hosts, aws=aws)
    try:
        render_task(page, line_input(msgspec.json.decode(sample or b"{}")), str)
    except Exception as error:  # a template can do almost anything
        reason = " ".join(str(error).split())
        problems.append(f"it cannot be rendered: {type(error).__name__}: {reason}")
    if problems:
        raise PageUnusable(
            f"page.liquid.html of this project cannot be used: {'; '.join(problems)}; mend it and "
            "drop the manifest again"
        )
