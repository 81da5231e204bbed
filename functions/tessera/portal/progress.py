"""How a job stands: what is answered, how fast, by whom, and how well workers agree."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from tessera.portal.answer_body import choices_in
from tessera.portal.ports import Ports
from tessera.portal.records import Job, WorkerStats
from tessera.portal.table_layout import cursor_key, cursor_of, read_counts, read_task, stats_of

ACTIVE_SECONDS = 900.0
"""Seconds since his last answer within which a worker counts as at work."""


def progress(ports: Ports, job: Job) -> dict[str, Any]:
    """The job's figures, and each worker's."""
    now = ports.clock()
    counts = read_counts(ports.table, job)
    workers = {
        worker: stats_of(item) for worker, item in ports.table.query(f"job#{job.name}#figures")
    }
    names = {
        worker: cursor_of(item).name for worker, item in ports.table.query(f"job#{job.name}#place")
    }
    done = counts.answered + counts.excused
    rate = sum(
        _per_second(figures) for figures in workers.values() if now - figures.last < ACTIVE_SECONDS
    )
    left = max(0, job.answers - done)
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
        "agreement": _share(
            sum(f.agreed for f in workers.values()), sum(f.compared for f in workers.values())
        ),
        "gold_accuracy": _share(
            sum(f.gold_right for f in workers.values()), sum(f.gold for f in workers.values())
        ),
        "workers": [
            _worker(name, workers[worker], now)
            for name, worker in sorted((names.get(worker) or worker, worker) for worker in workers)
        ],
    }


def _worker(name: str, figures: WorkerStats, now: float) -> dict[str, Any]:
    return {
        "worker": name,
        "answers": figures.answers,
        "images": figures.images,
        "images_an_hour": round(3600 * figures.images / figures.seconds)
        if figures.seconds
        else None,
        "seconds_an_image": round(figures.seconds / figures.images, 2) if figures.images else None,
        "agreement": _share(figures.agreed, figures.compared),
        "gold_accuracy": _share(figures.gold_right, figures.gold),
        "last": figures.last,
        "active": now - figures.last < ACTIVE_SECONDS,
    }


def _per_second(figures: WorkerStats) -> float:
    return figures.answers / figures.seconds if figures.seconds else 0.0


def _share(part: int, whole: int) -> float | None:
    """A share, or nothing where there is nothing to share.

    >>> _share(9, 10), _share(0, 0)
    (0.9, None)
    """
    return round(part / whole, 4) if whole else None


def answers_of(ports: Ports, job: Job, number: int) -> list[dict[str, Any]]:
    """Who answered a task, in how many seconds, and what, as it lies in S3."""
    found = []
    for worker in sorted(read_task(ports.table, job.name, number).answers):
        response = msgspec.json.decode(ports.files.get(job.response(number, worker)))
        answer = response["answers"][0]
        choices = choices_in(answer["answerContent"])
        tally = Counter(choices.values())
        place = cursor_of(ports.table.get(cursor_key(job.name, worker))[0])
        found.append(
            {
                "worker": place.name or worker,
                "seconds": answer["timeSpentInSeconds"],
                "choices": choices,
                "summary": ", ".join(f"{count} {choice}" for choice, count in tally.most_common()),
            }
        )
    return found
