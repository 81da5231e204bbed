"""What a worker sees of a task: its line of the manifest, prepared, rendered, made to answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from tessera.portal.job_lifecycle import OFFSET
from tessera.portal.ports import Ports, job_arn, worker_id
from tessera.portal.records import Job
from tessera.tiling.page import render_task

CROWD = "https://assets.crowd.aws/crowd-html-elements.js"
"""AWS's own script of crowd elements."""

TAG = re.compile(rf"<script\b[^>]*\bsrc=[\"']{re.escape(CROWD)}[\"'][^>]*>\s*</script>", re.I)
HEAD = re.compile(r"<head\b[^>]*>|<!doctype[^>]*>", re.I)
ELEMENT = re.compile(r"<(crowd-[a-z-]+)", re.I)

BLOCK = 1024 * 1024
"""Bytes of a manifest read at once: some hundred tasks, which are dealt one after another. It takes
as long as asking twice for a few bytes, and the next claims and answers need to ask no more."""


class Page(NamedTuple):
    """A rendered page, and whether it needs AWS's own script."""

    html: str
    crowd: bool


def read_line(ports: Ports, job: Job, task: int) -> bytes:
    """The task's line of the manifest, however long the manifest is."""
    get_range = ports.files.get_range
    bounds = read_part(get_range, job.offsets, task * OFFSET.size, (task + 2) * OFFSET.size)
    (start,), (end,) = OFFSET.iter_unpack(bounds)
    return read_part(get_range, job.manifest, start, end).strip()


def read_part(get_range: Callable[[str, int, int], bytes], uri: str, start: int, end: int) -> bytes:
    """The bytes from `start` up to `end` of a file that does not change, out of kept blocks."""
    first, last = start // BLOCK, (end - 1) // BLOCK
    blocks = b"".join(_block(get_range, uri, number) for number in range(first, last + 1))
    return blocks[start - first * BLOCK : end - first * BLOCK]


@lru_cache(maxsize=32)
def _block(get_range: Callable[[str, int, int], bytes], uri: str, number: int) -> bytes:
    return get_range(uri, number * BLOCK, (number + 1) * BLOCK)


def indexes_of(line: bytes) -> set[str] | None:
    """The pictures that a task's answer must name; nothing is known of a line in another form.

    >>> sorted(indexes_of(b'{"source":"[{\\\\"index\\\\":4},{\\\\"index\\\\":24}]"}'))
    ['24', '4']
    """
    try:
        images = msgspec.json.decode(msgspec.json.decode(line)["source"])
        return {str(image["index"]) for image in images}
    except (msgspec.DecodeError, KeyError, TypeError):
        return None


def answered_before(ports: Ports, line: bytes, worker: str) -> bool:
    """Whether the task holds an image that the worker answered in an earlier round.

    A task of a later round names those workers, with a space between, under `answered-by`.
    """
    names = str(msgspec.json.decode(line).get("answered-by", "")).split()
    return worker in names or worker_id(ports, worker) in names


def prepare(ports: Ports, job: Job, line: bytes) -> dict[str, Any] | None:
    """What the page reads as `task.input`; nothing if the pre-annotation Lambda wants no people."""
    record = msgspec.json.decode(line)
    if not job.prepare:
        return dict(record)
    answer = ports.invoke(
        job.prepare,
        {
            "version": "2018-10-16",
            "labelingJobArn": job_arn(ports, job, job.prepare),
            "dataObject": record,
        },
    )
    if answer.get("isHumanAnnotationRequired", True) is False:
        return None
    return dict(answer["taskInput"])


def render(
    page: str,
    task_input: dict[str, Any],
    grant: Callable[[str], str],
    *,
    stand_in: str,
    bridge: str,
    aws: bool,
) -> Page:
    """The page with its answers going to the portal.

    `bridge` joins it to the portal around it; `stand_in` serves `crowd-form`. A page with other
    crowd elements keeps AWS's own script where the stack allows it (`aws`).
    """
    html = render_task(page, task_input, grant)
    elements = {name.lower() for name in ELEMENT.findall(html)}
    if aws and elements - {"crowd-form", "crowd-button"}:
        return Page(_inserted(html, bridge), crowd=True)
    html, found = TAG.subn(lambda _: _script(stand_in), html)
    return Page(_inserted(html, bridge if found else stand_in + bridge), crowd=False)


def _inserted(html: str, script: str) -> str:
    """The page with a script before its own."""
    at = HEAD.search(html)
    start = at.end() if at else 0
    return html[:start] + _script(script) + html[start:]


def _script(text: str) -> str:
    """A script element; its own text cannot end it."""
    return "<script>" + text.replace("</script", r"<\/script") + "</script>"
