"""Test workers on known pictures before they get a page, and keep what each came to.

A record in S3 is put for each attempt, under a number that only one of several at the same moment
can have. The table has what all records of a worker come to; where it lost that, they are read
again. Neither the page nor any response has a label: `judge` compares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from tessera.portal.answer_body import choices_in, read_answer
from tessera.portal.errors import Busy, Declined, Invalid, Unknown, Unqualified
from tessera.portal.ports import Ports
from tessera.portal.records import Job
from tessera.portal.table_layout import all_standings, put_standing, read_standing
from tessera.portal.task_updates import attempts
from tessera.tiling.onboarding.qualification import (
    Attempt,
    QualificationFile,
    Standing,
    attempt_uri,
    needed,
    qualification_name,
    read_attempts,
    standing_of,
)

QUALIFY_FIRST = "This job begins with a few pictures to qualify."
"""Sentence for workers who ask for a page before they have passed."""


class Qualification(NamedTuple):
    """Qualification of a job: its `task.input`, the label of each picture by its name there."""

    records: str
    task_input: dict[str, Any]
    labels: Mapping[str, str]

    @property
    def pictures(self) -> frozenset[str]:
        """URIs of the pictures, which the job's own rule of sources need not know."""
        return frozenset(image["source-ref"] for image in self.task_input["images"])


def find_qualification(ports: Ports, job: Job) -> str:
    """Return the URI of the file of the job's qualification; empty if nobody is tested.

    Raises `Invalid` if the job wants a test and there is none: nobody could ever pass.
    """
    if not job.qualify:
        return ""
    uri = qualification_name(job.manifest)
    if ports.files.size(uri) is None:
        raise Invalid(f"Tags: tessera:qualify is set, and there is no {uri}")
    return uri


def qualification_of(ports: Ports, job: Job) -> Qualification:
    """Return the job's qualification; raises `Unknown` if it has none."""
    if not job.qualification:
        raise Unknown("This job has no qualification.")
    return _qualification(ports.files.get, job.qualification)


@lru_cache(maxsize=64)  # it never changes, and each claim of the job asks where its records lie
def _qualification(get: Callable[[str], bytes], uri: str) -> Qualification:
    file = msgspec.json.decode(get(uri), type=QualificationFile)
    names = {f"qualification-{at}": picture for at, picture in enumerate(file.pictures)}
    images = [{"source-ref": picture.source, "index": name} for name, picture in names.items()]
    labels = {name: picture.label for name, picture in names.items()}
    return Qualification(file.records, {"images": images}, labels)


def standing(ports: Ports, job: Job, worker: str) -> Standing:
    """Return what a worker came to in the qualification of the job's project."""
    records = qualification_of(ports, job).records
    kept = read_standing(ports.table, records, worker)
    return kept if kept is not None else _read_again(ports, records, worker, None)[1]


def is_qualified(ports: Ports, job: Job, worker: str) -> bool:
    """Return whether a worker may have pages of the job."""
    return not job.qualify or standing(ports, job, worker).passes(job.qualify)


def failed_workers(ports: Ports, records: str, share: float) -> set[str]:
    """Return who failed a project's qualification and gets no page until a requester lets them.

    Who failed once is none of them: they may try again a day later.
    """
    standings = all_standings(ports.table, records)
    return {worker for worker, standing in standings.items() if standing.fails(share)}


def require_qualified(ports: Ports, job: Job, worker: str) -> None:
    """Refuse a worker who has not passed the job's qualification."""
    if not is_qualified(ports, job, worker):
        raise Unqualified(QUALIFY_FIRST)


def describe(ports: Ports, job: Job, worker: str) -> dict[str, Any]:
    """Return what a worker is told of their standing: no picture's label, and not which was wrong.

    `again` is the time from which on they may try, null if a requester must let them.
    """
    test, own = qualification_of(ports, job), standing(ports, job, worker)
    return {
        "passed": own.passes(job.qualify),
        "attempts": own.attempts,
        "right": own.right,
        "pictures": own.pictures or len(test.labels),
        "needed": needed(job.qualify, own.pictures or len(test.labels)),
        "again": own.next_attempt,
        "now": ports.clock(),
    }


def require_attempt(ports: Ports, job: Job, own: Standing) -> None:
    """Refuse a worker who has passed, or who may not try now."""
    if own.passes(job.qualify):
        raise Declined("You have passed the qualification of this project.")
    again = own.next_attempt
    if again is None:
        raise Declined("Whoever invited you can let you try again.")
    if again > ports.clock():
        raise Declined("You may try again a day after the first time.")


def judge(ports: Ports, job: Job, worker: str, body: bytes) -> None:
    """Record an attempt at the job's qualification: how many pictures are labeled as known.

    The same answer sent twice, because its response was lost, is one attempt; so are two at the
    same moment. Raises `Declined` if the worker may not try now, `Invalid` if the answer makes no
    sense or pictures did not load, which counts as no attempt.
    """
    test = qualification_of(ports, job)
    choices = choices_in(read_answer(body, test.labels.keys(), job.choices))
    if len(choices) < len(test.labels):  # or the few that are sure would be all that is asked
        raise Invalid("Not every picture loaded. Load the page anew; this did not count.")
    answer = sha256(msgspec.json.encode(sorted(choices.items()))).hexdigest()[:16]
    right = sum(choices[name] == label for name, label in test.labels.items())
    attempt = Attempt(ports.clock(), right, len(choices), answer, job.page.split("/")[-2])
    for _ in attempts(ports):
        kept = read_standing(ports.table, test.records, worker)
        last, own = _read_again(ports, test.records, worker, kept)
        try:
            require_attempt(ports, job, own)
        except Declined:
            if last == answer:
                return
            raise
        uri = attempt_uri(test.records, worker, own.records + 1)
        if ports.files.put_if_absent(uri, attempt.encode()):
            _read_again(ports, test.records, worker, kept)
            return
    raise Busy("You sent this from several places at once. Trying again.")


def begin_anew(ports: Ports, records: str, worker: str) -> bool:
    """Let a worker begin anew in a project, passed or not; return whether they had tried."""
    for _ in attempts(ports):
        _, own = _read_again(ports, records, worker, read_standing(ports.table, records, worker))
        if not own.attempts:
            return False
        record = Attempt(ports.clock(), anew=True)
        if ports.files.put_if_absent(
            attempt_uri(records, worker, own.records + 1), record.encode()
        ):
            kept = read_standing(ports.table, records, worker)
            _read_again(ports, records, worker, kept)
            return True
    raise Busy(f"{worker} is trying to qualify at this moment.")


def _read_again(
    ports: Ports, records: str, worker: str, kept: Standing | None
) -> tuple[str, Standing]:
    """Return the worker's last answer and standing by the records in S3, and note it in the table.

    `kept` is what the table has. The records say more where a request died after its record.
    """
    all_records = read_attempts(ports.files, records, worker)
    own = standing_of(all_records)
    if own.records > (kept.records if kept else 0):
        # Whoever was faster has written the same, or more.
        ports.table.write(put_standing(records, worker, own, kept))
    return all_records[-1].answer if all_records else "", own
