"""Report a job's progress: what is answered, how fast, by whom, and how well workers agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from tessera.portal.answer_body import choices_in
from tessera.portal.ports import Ports
from tessera.portal.records import Job, WorkerStats
from tessera.portal.table_layout import (
    all_cursors,
    all_stats,
    read_counts,
    read_cursor,
    read_task,
)
from tessera.portal.worker_response import decode_response

ACTIVE_SECONDS = 900.0
"""Seconds since their last answer within which a worker counts as at work: longer than a page and a
coffee, shorter than a lunch, so that the rate is that of the people who are there."""


def progress(ports: Ports, job: Job) -> dict[str, Any]:
    """Return the job's numbers, and each worker's."""
    now = ports.clock()
    counts = read_counts(ports.table, job)
    stats = all_stats(ports.table, job.name)
    cursors = all_cursors(ports.table, job.name)
    names = {worker: cursor.name for worker, cursor in cursors.items()}
    rate = sum(_per_second(each) for each in stats.values() if now - each.last < ACTIVE_SECONDS)
    left = max(0, job.answers - counts.done)
    return {
        "job": job.name,
        "title": job.title,
        "question": job.question,
        "status": job.status,
        "team": job.team,
        "tasks": job.tasks,
        "answers": counts.answered,
        "needed": job.answers,
        "left": left,
        "answers_an_hour": round(rate * 3600, 1),
        "hours_left": round(left / rate / 3600, 2) if rate and left else None,
        "opened": job.opened,
        "closes": job.closes,
        **_quality(stats.values()),
        "workers": [
            _worker(name, stats[worker], now)
            for name, worker in sorted((names.get(worker) or worker, worker) for worker in stats)
        ],
    }


def _worker(name: str, stats: WorkerStats, now: float) -> dict[str, Any]:
    seconds, images = stats.seconds, stats.images
    return {
        "worker": name,
        "answers": stats.answers,
        "images": images,
        "images_an_hour": round(3600 * images / seconds) if seconds else None,
        "seconds_an_image": round(seconds / images, 2) if images else None,
        **_quality([stats]),
        "last": stats.last,
        "active": now - stats.last < ACTIVE_SECONDS,
    }


def _quality(stats: Collection[WorkerStats]) -> dict[str, float | None]:
    """Return the share of choices that others agree with, and of gold images labeled as known."""
    return {
        "agreement": share(sum(s.agreed for s in stats), sum(s.compared for s in stats)),
        "gold_accuracy": share(sum(s.gold_right for s in stats), sum(s.gold for s in stats)),
    }


def _per_second(stats: WorkerStats) -> float:
    return stats.answers / stats.seconds if stats.seconds else 0.0


def share(part: int, whole: int) -> float | None:
    """Return a share in four digits, or None where there is nothing to share.

    >>> share(9, 10), share(0, 0)
    (0.9, None)
    """
    return round(part / whole, 4) if whole else None


def answers_of(ports: Ports, job: Job, number: int) -> list[dict[str, Any]]:
    """Return who answered a task, in how many seconds, and what, from the objects in S3."""
    answers = []
    for worker in sorted(read_task(ports.table, job.name, number).answers):
        answer = decode_response(ports.files.get(job.response(number, worker)))
        choices = choices_in(answer["answerContent"])
        tally = Counter(choices.values())
        answers.append(
            {
                "worker": read_cursor(ports.table, job.name, worker).name or worker,
                "seconds": answer["timeSpentInSeconds"],
                "choices": choices,
                "summary": ", ".join(f"{count} {choice}" for choice, count in tally.most_common()),
            }
        )
    return answers
