"""Report the progress of jobs: what is answered, how fast, by whom, and how well workers agree."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from tessera.portal.answer_body import choices_in
from tessera.portal.corrections import counting_response
from tessera.portal.ports import Ports
from tessera.portal.qualification import qualification_of
from tessera.portal.records import Job, WorkerStats
from tessera.portal.remarks import comment_of, remark_figures
from tessera.portal.table_layout import (
    all_cursors,
    all_standings,
    all_stats,
    read_counts,
    read_cursor,
    read_failures,
    read_task,
)
from tessera.portal.worker_response import decode_or_empty
from tessera.portal.worker_stats import is_stopped
from tessera.tiling.answers.flags import read_flags
from tessera.tiling.onboarding.qualification import qualification_figures

ACTIVE_SECONDS = 900.0
"""Seconds since their last answer within which a worker counts as at work. A page of twenty takes
about a minute, so whoever sent none for fifteen has gone."""


MAX_FAILURES = 100
"""Tasks that cannot be shown which the progress names: their reasons are mostly the same."""


class Totals(NamedTuple):
    """Counters of one job, or of several added up, and what each worker did in them."""

    tasks: int
    answers: int
    dropped: int
    needed: int
    workers: dict[str, WorkerStats]
    now: float

    @property
    def done(self) -> int:
        """Number of answers that are there, or that nobody needs to give."""
        return self.answers + self.dropped

    @property
    def left(self) -> int:
        """Number of answers still to be given."""
        return max(0, self.needed - self.done)

    @property
    def active(self) -> list[WorkerStats]:
        """Stats of the workers who are at work."""
        return [stats for stats in self.workers.values() if is_active(stats, self.now)]

    @property
    def answers_an_hour(self) -> float:
        """Answers an hour of all workers who are at work."""
        # The pace of people who left says nothing of the hours that are left.
        return 3600 * sum(stats.answers / stats.seconds for stats in self.active if stats.seconds)

    @property
    def images_an_hour(self) -> float:
        """Images an hour of all workers who are at work."""
        return 3600 * sum(stats.images / stats.seconds for stats in self.active if stats.seconds)

    @property
    def hours_left(self) -> float | None:
        """Hours until all is answered if they go on so; None if nobody is at work or none left."""
        return self.left / self.answers_an_hour if self.answers_an_hour and self.left else None

    @property
    def quality(self) -> dict[str, float | None]:
        """`agreement` and `gold_accuracy` of all answers together."""
        return _quality(self.workers.values())


def add_up(ports: Ports, jobs: Iterable[Job]) -> Totals:
    """Read the counters of jobs and add them up; who works for several jobs is one worker."""
    tasks = answers = dropped = needed = 0
    workers: dict[str, WorkerStats] = defaultdict(WorkerStats)
    for job in jobs:
        counts = read_counts(ports.table, job)
        tasks, needed = tasks + job.tasks, needed + job.answers
        answers, dropped = answers + counts.answered, dropped + counts.dropped
        for worker, stats in all_stats(ports.table, job.name).items():
            workers[worker] = workers[worker].plus(stats, stats.last)
    return Totals(tasks, answers, dropped, needed, workers, ports.clock())


def progress(ports: Ports, job: Job) -> dict[str, Any]:
    """Return the job's numbers and each worker's, as the portal shows them to a requester."""
    totals = add_up(ports, [job])
    cursors = all_cursors(ports.table, job.name)
    names = {worker: cursor.name for worker, cursor in cursors.items() if cursor.name}
    workers = sorted((names.get(worker, worker), worker) for worker in totals.workers)
    return {
        "job": job.name,
        "title": job.title,
        "question": job.question,
        "status": job.status,
        "team": job.team,
        "tasks": totals.tasks,
        "answers": totals.answers,
        "needed": totals.needed,
        "left": totals.left,
        "answers_an_hour": round(totals.answers_an_hour, 1),
        "hours_left": None if totals.hours_left is None else round(totals.hours_left, 2),
        "opened": job.opened,
        "closes": job.closes,
        **totals.quality,
        "failures": [
            {"task": failure.task, "reason": failure.reason, "set_aside": failure.set_aside}
            for failure in read_failures(ports.table, job.name, limit=MAX_FAILURES)
        ],
        "flagged": remark_figures(ports, job, names),
        "workers": [
            _worker(name, totals.workers[worker], totals.now)
            | ({"stopped": True} if is_stopped(job, totals.workers[worker]) else {})
            for name, worker in workers
        ],
        **qualification_progress(ports, job),
    }


def qualification_progress(ports: Ports, job: Job) -> dict[str, Any]:
    """Return how many workers tried to qualify and passed; nothing where nobody is tested."""
    if not job.qualify:
        return {}
    standings = all_standings(ports.table, qualification_of(ports, job).records)
    failed = [
        worker
        for worker, standing in sorted(standings.items())
        if standing.attempts and not standing.passes(job.qualify)
    ]
    figures = qualification_figures(job.qualify, standings)
    return {"qualification": figures | {"not_passed": failed}}


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
        "active": is_active(stats, now),
    }


def is_active(stats: WorkerStats, now: float) -> bool:
    """Return whether a worker counts as at work."""
    return now - stats.last < ACTIVE_SECONDS


def _quality(stats: Collection[WorkerStats]) -> dict[str, float | None]:
    """Return the share of choices that others agree with, and of gold images labeled as known."""
    return {
        "agreement": share(sum(s.agreed for s in stats), sum(s.compared for s in stats)),
        "gold_accuracy": share(sum(s.gold_right for s in stats), sum(s.gold for s in stats)),
    }


def share(part: int, whole: int) -> float | None:
    """Return a share in four digits, or None where there is nothing to share.

    >>> share(9, 10), share(0, 0)
    (0.9, None)
    """
    return round(part / whole, 4) if whole else None


MAX_COMMENT = 2000
"""Characters of a comment that requesters are shown; the answer in S3 has all of it."""


def answers_of(ports: Ports, job: Job, number: int) -> list[dict[str, Any]]:
    """Return who answered a task, in how many seconds, and what, from the objects in S3."""
    answers = []
    for worker in sorted(read_task(ports.table, job.name, number).answers):
        uri = counting_response(ports.files, job, number, worker)
        answer = decode_or_empty(ports.files.get(uri))
        choices = choices_in(answer["answerContent"], sets=job.is_multi)
        tally = Counter(choices.values())
        answers.append(
            {
                "worker": read_cursor(ports.table, job.name, worker).name or worker,
                "seconds": answer["timeSpentInSeconds"],
                "choices": choices,
                "summary": ", ".join(f"{count} {choice}" for choice, count in tally.most_common()),
            }
            | _remarks(answer["answerContent"])
        )
    return answers


def _remarks(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the comment that came with an answer, and the reasons of the images it flags."""
    return {"comment": comment_of(content)[:MAX_COMMENT], "flags": read_flags(content)}
