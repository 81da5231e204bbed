"""Make the page that a worker sees of a task, whose answers go to the portal."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from tessera.portal.errors import Unusable
from tessera.portal.ports import Ports, job_arn
from tessera.portal.records import Job
from tessera.tiling.page.crowd_elements import FORM_ELEMENTS, elements_in
from tessera.tiling.page.page import CROWD_TAG, inline_script, render_task
from tessera.tiling.page.page_input import line_input

START = re.compile(r"\s*(?:<!--.*?-->\s*)*(?:<!doctype[^>]*>)?", re.I | re.S)
"""Beginning of a page before its first element: a `<head>` further on may stand in a string."""
MAX_REASON = 300
"""Characters of the reason for which a page cannot be shown: a sentence, not a trace."""

NOT_ASKED = "false"
"""Value of a pre-annotation Lambda for a task that is not for people, in any case: Ground Truth
documents a boolean, and AWS's own recipe returns text."""

MAX_PAGE = 4_000_000
"""Characters of a page: a response of Lambda's may have six megabytes, with every quote escaped. A
claim with a larger one would fail again and again for whoever holds the task."""


class StandIns(NamedTuple):
    """Scripts that stand in for Amazon's: for pages of `crowd-form` alone, and for all others."""

    form: str
    elements: str


class Page(NamedTuple):
    """Rendered page, and whether it needs AWS's own script."""

    html: str
    crowd: bool


def prepare(ports: Ports, job: Job, line: bytes) -> dict[str, Any] | None:
    """Return what the page reads as `task.input`, or None if no people are wanted for the task.

    That is for the job's pre-annotation Lambda to say; a job without one gets the line as it is.
    Raises `Unusable` with the reason if there is no input for the page.
    """
    try:
        record = msgspec.json.decode(line)
        if not job.prepare:
            return line_input(record)
        answer = ports.invoke(
            job.prepare,
            {
                "version": "2018-10-16",
                "labelingJobArn": job_arn(ports, job, job.prepare),
                "dataObject": record,
            },
        )
        return _task_input(answer)
    except Unusable:
        raise
    # Whatever the line holds, or the requester's function does, is this task's affair alone.
    except Exception as error:
        raise unusable(error) from error


def _task_input(answer: Any) -> dict[str, Any] | None:
    """Return the page's input in a pre-annotation Lambda's answer; None if nobody is to be asked.

    Raises `Unusable` for an answer that has none.
    """
    if not isinstance(answer, dict):
        kind = "null" if answer is None else type(answer).__name__
        raise Unusable(f"{ODD_INPUT} {kind}, and no JSON object with taskInput.")
    # AWS's recipe spells the key without its first word.
    wanted = answer.get("isHumanAnnotationRequired", answer.get("humanAnnotationRequired"))
    if str(wanted).strip().lower() == NOT_ASKED:
        return None
    task_input = answer.get("taskInput")
    if not isinstance(task_input, dict):
        raise Unusable(f"{ODD_INPUT} no taskInput that is a JSON object.")
    return task_input


ODD_INPUT = "This page cannot be shown: the pre-annotation function answered"


def unusable(error: Exception) -> Unusable:
    """Return what requesters and workers are told of a page that failed with this error."""
    reason = " ".join(str(error).split())[:MAX_REASON]
    return Unusable(f"This page cannot be shown: {type(error).__name__}: {reason}")


class Outage(Exception):
    """Failure of the store while a page was rendered, which is not the page's."""


def render(
    page: str,
    task_input: dict[str, Any],
    grant: Callable[[str], str],
    *,
    stand_ins: StandIns,
    bridge: str,
    aws: bool,
    custom: bool = False,
) -> Page:
    """Return the page with its answers going to the portal.

    `bridge` is the script that joins it to the portal around it; `stand_ins` serve crowd elements
    in the place of AWS's; the page of a `custom` task gets them all. A page with others than
    `crowd-form` keeps AWS's own script where the stack allows it (`aws`). Why pages run in a frame:
    docs/decisions/portal-page-in-a-sandbox.md.
    Raises `Unusable` with the reason if the page cannot be rendered, `Outage` if `grant` fails.
    """

    def granted(uri: str) -> str:
        try:
            return grant(uri)
        except Exception as error:
            raise Outage(str(error)) from error

    try:
        html = render_task(page, task_input, granted)
    except Outage:
        raise
    except Exception as error:  # a template can do almost anything
        raise unusable(error) from error
    if len(html) > MAX_PAGE:
        raise Unusable(
            f"This page cannot be shown: it has {len(html):,} characters, more than {MAX_PAGE:,}. "
            "Let its template load what is large from S3."
        )
    # Looked for in the rendered page: a template may leave elements out.
    more = elements_in(html) - FORM_ELEMENTS
    if aws and more:
        return Page(_insert_scripts(html, bridge), crowd=True)
    # Fields of any kind, in forms of any depth, are read by the script of all elements alone.
    stand_in = stand_ins.elements if more or custom else stand_ins.form
    # Before all of the page's own scripts, whose variables could hide what ours use; and once,
    # where a page asks for AWS's script twice, or not at all.
    return Page(_insert_scripts(CROWD_TAG.sub("", html), stand_in, bridge), crowd=False)


def _insert_scripts(html: str, *scripts: str) -> str:
    """Return the page with scripts before its own."""
    # A page need not have a head; scripts come after the doctype, or the browser would ignore it.
    match = START.match(html)
    start = match.end() if match else 0
    return html[:start] + "".join(map(_script, scripts)) + html[start:]


def _script(text: str) -> str:
    """Return a script element, which its own text cannot end."""
    return "<script>" + inline_script(text) + "</script>"
