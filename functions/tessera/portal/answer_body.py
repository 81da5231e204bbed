"""Answers: what a request's body says, checked, and what an answer adds to workers' figures."""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from tessera.portal.errors import Invalid, TooLarge
from tessera.portal.ports import Files
from tessera.portal.records import AnswerStats, Job, Task

MAX_BYTES = 512 * 1024
"""Bytes of an answer: a hundred pictures with all that the page measures take a tenth of it."""


def read_answer(body: bytes, indexes: Collection[str] | None, choices: Collection[str]) -> Any:
    """The answer in a request's body.

    With the task's indexes given, it must have exactly one true choice for each and no other; with
    the job's choices given, only those. Raises `Invalid` with a sentence, `TooLarge` by its size.

    >>> read_answer(b'{"7":{"cat":true,"dog":false},"meta":"{}"}', {"7"}, ("cat", "dog"))["7"]
    {'cat': True, 'dog': False}
    """
    if len(body) > MAX_BYTES:
        raise TooLarge(f"The answer is longer than {MAX_BYTES // 1024} KiB.")
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("The answer is not JSON.") from error
    if isinstance(answer, list) and len(answer) == 1:
        answer = answer[0]  # crowd-form puts a list around its one object
    if not isinstance(answer, dict):
        raise Invalid("The answer is not a JSON object.")
    if indexes is not None:
        _check(answer, indexes, choices)
    return answer


def _check(answer: dict[str, Any], indexes: Collection[str], choices: Collection[str]) -> None:
    if not isinstance(answer.get("meta", ""), str):
        raise Invalid("The answer's meta is not text.")
    if strange := sorted(answer.keys() - set(indexes) - {"meta"}):
        raise Invalid(f"Picture {strange[0][:40]} is not on this page.")
    if missing := sorted(set(indexes) - answer.keys(), key=lambda index: (len(index), index)):
        raise Invalid(f"{len(missing)} of {len(indexes)} pictures have no answer.")
    for index in indexes:
        values = answer[index]
        if not isinstance(values, dict) or not all(type(v) is bool for v in values.values()):
            raise Invalid(f"Picture {index} has no choice among its answers.")
        if choices and values.keys() - set(choices):
            raise Invalid(f"Picture {index} has a choice that this job does not know.")
        if sum(values.values()) != 1:
            raise Invalid(f"Picture {index} needs exactly one choice.")


def choices_in(answer: Mapping[str, Any]) -> dict[str, str]:
    """The one choice of each picture, where there is one.

    >>> choices_in({"7": {"cat": True, "dog": False}, "meta": "{}"})
    {'7': 'cat'}
    """
    chosen = {}
    for index, values in answer.items():
        if isinstance(values, dict):
            true = [name for name, value in values.items() if value is True]
            if len(true) == 1:
                chosen[index] = true[0]
    return chosen


def timestamp(when: float) -> str:
    """A moment as Ground Truth writes it.

    >>> timestamp(1700000000.25)
    '2023-11-14T22:13:20.250Z'
    """
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def seconds_of(timestamp: str) -> float:
    """A moment that Ground Truth wrote, in seconds; with milliseconds or without.

    >>> seconds_of("2023-11-14T22:13:20.250Z"), seconds_of("2023-11-14T22:13:20Z")
    (1700000000.25, 1700000000.0)
    """
    return datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp()


def credit(
    task: Task, worker: str, response: Mapping[str, Any], gold: Mapping[str, str]
) -> dict[str, AnswerStats]:
    """What an answer adds to the figures of its worker, and of those he is compared with.

    >>> task = Task(0, answers={"ben": {"4": "cat", "9": "dog"}})
    >>> answer = {"answerContent": {"4": {"cat": True}, "9": {"cat": True}}}
    >>> credits = credit(task, "ann", answer, {"9": "dog"})
    >>> credits["ann"].compared, credits["ann"].agreed, credits["ben"].agreed, credits["ann"].gold
    (2, 1, 1, 1)
    """
    mine = choices_in(response["answerContent"])
    known = mine.keys() & gold.keys()
    credits = {}
    for other, theirs in task.answers.items():
        both = mine.keys() & theirs.keys()
        same = sum(mine[index] == theirs[index] for index in both)
        credits[other] = AnswerStats(compared=len(both), agreed=same)
    return credits | {
        worker: AnswerStats(
            answers=1,
            images=len(mine),
            seconds=float(response.get("timeSpentInSeconds", 0.0)),
            compared=sum(each.compared for each in credits.values()),
            agreed=sum(each.agreed for each in credits.values()),
            gold=len(known),
            gold_right=sum(mine[index] == gold[index] for index in known),
        )
    }


def read_gold(files: Files, job: Job) -> Mapping[str, str]:
    """The known labels of the job's control images, by index; workers never see them."""
    return _gold(files.get, job.gold) if job.gold else {}


@lru_cache(maxsize=8)
def _gold(read: Callable[[str], bytes], uri: str) -> Mapping[str, str]:
    rows = csv.reader(read(uri).decode().splitlines()[1:])
    return {index: label for index, label, *_ in rows}
