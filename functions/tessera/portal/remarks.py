"""Keep what workers remark with their answers, for the requester to see while the job is open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tessera.portal.ports import Ports
from tessera.portal.records import Job
from tessera.portal.table_layout import Remarks, read_remarks
from tessera.tiling.answers.flags import one_line, read_flags
from tessera.tiling.answers.page_log import read_log

MAX_LISTED = 100
"""Flags and comments that the progress lists; flagged.csv has all flags."""
MAX_READ = 500
"""Answers whose remarks are counted at each look: a query's answer of less than a megabyte, as long
as reasons are sentences."""


def comment_of(content: Mapping[str, Any]) -> str:
    """Return the comment in an answer's log; empty where there is none.

    >>> comment_of({"meta": '{"comment": " Dark "}'}), comment_of({"meta": "[]"}), comment_of({})
    ('Dark', '', '')
    """
    comment = read_log(content).get("comment")
    return comment.strip() if isinstance(comment, str) else ""


def remarks_of(task: int, worker: str, response: Mapping[str, Any]) -> Remarks:
    """Return what a worker remarked in their answer to a task."""
    content = response["answerContent"]
    return Remarks(task, worker, read_flags(content), one_line(comment_of(content)))


def count_flags(ports: Ports, jobs: Iterable[str]) -> tuple[int, list[str]]:
    """Return how many pictures of jobs are flagged, and the reasons, the commonest first."""
    flags = [
        (image, reason)
        for job in jobs
        for remarks in read_remarks(ports.table, job, limit=MAX_READ)
        for image, reason in remarks.flags.items()
    ]
    reasons = Counter(reason for _, reason in flags)
    return len({image for image, _ in flags}), [reason for reason, _ in reasons.most_common()]


def remark_figures(ports: Ports, job: Job, names: Mapping[str, str]) -> dict[str, Any]:
    """Return how many pictures of a job are flagged, which and why, and the comments on its pages.

    `names` has the names of workers by id. Of more answers with remarks than are read, the number
    is one of at least so many, which `more` says.
    """
    remarks = read_remarks(ports.table, job.name, limit=MAX_READ)
    flags = [
        {"task": r.task, "image": image, "reason": reason, "worker": names.get(r.worker, r.worker)}
        for r in remarks
        for image, reason in sorted(r.flags.items())
    ]
    comments = [
        {"task": r.task, "comment": r.comment, "worker": names.get(r.worker, r.worker)}
        for r in remarks
        if r.comment
    ]
    return {
        "pictures": len({flag["image"] for flag in flags}),
        "flags": flags[:MAX_LISTED],
        "comments": comments[:MAX_LISTED],
        "more": len(remarks) == MAX_READ,
    }
