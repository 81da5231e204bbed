"""Statistics of workers, kept as answers come: how many, how fast, and how well they agree."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from tessera.portal.answer_body import choices_in
from tessera.portal.ports import Files
from tessera.portal.records import AnswerStats, Job, Task
from tessera.portal.store import Change, Table
from tessera.portal.table_layout import all_stats, stats_key
from tessera.tiling.csv_field import plain_text
from tessera.tiling.live_control import decode_stop_below


def stats_of_answer(
    task: Task,
    worker: str,
    response: Mapping[str, Any],
    gold: Mapping[str, str],
    *,
    sets: bool = False,
) -> dict[str, AnswerStats]:
    """Return what an answer adds to the statistics of its worker and of those who answered before.

    `task` is the task before the answer; `gold` maps indexes to known labels; `sets` says that an
    image has all labels that fit: two answers agree if they have the same.

    >>> task = Task(0, answers={"ben": {"4": "cat", "9": "dog"}})
    >>> answer = {"answerContent": {"4": {"cat": True}, "9": {"cat": True}}}
    >>> added = stats_of_answer(task, "ann", answer, {"9": "dog"})
    >>> added["ann"].compared, added["ann"].agreed, added["ben"].agreed, added["ann"].gold
    (2, 1, 1, 1)
    """
    choices = choices_in(response["answerContent"], sets=sets)
    gold_indexes = choices.keys() & gold.keys()
    added = {}
    # A pair of workers is counted once an image, when the second of them answers: for both.
    for other, earlier in task.answers.items():
        both = choices.keys() & earlier.keys()
        same = sum(choices[index] == earlier[index] for index in both)
        added[other] = AnswerStats(compared=len(both), agreed=same)
    return added | {
        worker: AnswerStats(
            answers=1,
            images=len(choices),
            seconds=float(response.get("timeSpentInSeconds", 0.0)),
            compared=sum(each.compared for each in added.values()),
            agreed=sum(each.agreed for each in added.values()),
            gold=len(gold_indexes),
            gold_right=sum(choices[index] == gold[index] for index in gold_indexes),
        )
    }


def stats_changes(job: Job, added: Mapping[str, AnswerStats], now: float) -> list[Change]:
    """Return the additions to workers' statistics; only the one who answered is at work now."""
    return [
        Change(
            "add",
            stats_key(job.name, worker),
            msgspec.structs.asdict(stats),
            sets={"last": now} if stats.answers else {},
        )
        for worker, stats in added.items()
    ]


def is_stopped(job: Job, stats: AnswerStats) -> bool:
    """Return whether a worker gets no more pages of a job: surely too few gold images are right."""
    bound = decode_stop_below(job.stop_below) if job.stop_below else None
    return bound is not None and bound.is_surely_below(stats.gold_right, stats.gold)


def stopped_workers(table: Table, job: Job) -> set[str]:
    """Return who gets no more pages of a job; nothing is read where nobody may be stopped."""
    if not job.stop_below:
        return set()
    stats = all_stats(table, job.name)
    return {worker for worker, own in stats.items() if is_stopped(job, own)}


def read_gold(files: Files, job: Job) -> Mapping[str, str]:
    """Return the known labels of the job's gold images, by index; workers never see them."""
    return _gold(files.get, job.gold) if job.gold else {}


@lru_cache(maxsize=8)  # it never changes, and each answer to the job asks for it
def _gold(get: Callable[[str], bytes], uri: str) -> Mapping[str, str]:
    rows = csv.reader(get(uri).decode().splitlines()[1:])
    return {index: plain_text(label) for index, label, *_ in rows}
