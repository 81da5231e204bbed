"""Reviews: pictures of a run with the crowd's answers, and what reviewers decide of them.

`tessera review` writes the pictures and lists the run in the table. A decision is an object of its
own in S3, as an answer is, and the latest one of a picture counts: nothing is written over, and
whoever decides anew, or takes a decision back, is named too (docs/decisions/review-decisions.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from typing import NamedTuple

import msgspec

from tessera.portal.errors import Invalid, Unknown, Unusable
from tessera.portal.ports import PARALLEL_READS, Files, Ports
from tessera.portal.store import Change, Item, Table
from tessera.portal.table_layout import REVIEWS, review_key
from tessera.tiling.decisions import (
    FOLDER,
    Choosable,
    Deciding,
    Decision,
    Label,
    change_problem,
    with_change,
)
from tessera.tiling.errors import NOT_JSON
from tessera.tiling.settings import OfKind, TaskKind

PICTURES = f"{FOLDER}pictures.json"
MAX_PICTURES = 2000
"""Pictures of one review: some hours of a person's work, and about a megabyte for the browser."""

INDEX = re.compile(r"[0-9]{1,9}")
"""Line of a manifest, as the name of a folder."""
MAX_LINES = 10**9
"""More lines than a manifest can have, where its own number is not known."""


class CrowdAnswer(msgspec.Struct, frozen=True):
    """Label that one worker chose for a picture; `worker` is the name that reviewers see.

    Where a picture may have several, it is the yes or no to each that the worker's page asked.
    """

    worker: str
    label: Label


class Picture(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Picture to decide, by its line in the manifest, with the label that it has if it has one.

    A box has its place and its picture's size in `box`, as a task has them, and in `box_class` what
    it says that it shows. Of several labels, `sure` has each one's confidence.
    """

    index: int
    source: str
    label: Label | None
    confidence: float
    answers: tuple[CrowdAnswer, ...]
    box: str = ""
    box_class: str = ""
    sure: dict[str, float] = {}


class Review(msgspec.Struct, OfKind, frozen=True, kw_only=True):
    """Review of a run; `team` may decide it, or every reviewer, and `home` is the run's folder.

    `choices` are the labels and the escape, as the worker's page has them, `task` the run's kind.
    """

    run: str
    home: str
    title: str
    question: str
    choices: tuple[str, ...]
    escape: str = ""
    task: TaskKind = "tiles"
    team: str = ""
    project: str = ""
    pictures: tuple[Picture, ...] = ()


class Entry(msgspec.Struct, frozen=True):
    """Review in the list of the open ones."""

    run: str
    home: str
    title: str
    team: str
    project: str
    pictures: int


class _Stored(msgspec.Struct, frozen=True):
    """Decision as it is stored; a label of None takes the one before back."""

    label: Deciding
    by: str
    name: str
    at: str


# ── Opening and closing, by the tool ─────────────────────────────────────────────────────────────


def open_review(ports: Ports, review: Review) -> None:
    """Write the pictures of a review and show it to its reviewers, in the place of an earlier one.

    What was decided before stays.
    """
    ports.files.put(review.home + PICTURES, msgspec.json.encode(review))
    entry = Entry(
        review.run, review.home, review.title, review.team, review.project, len(review.pictures)
    )
    ports.table.write(Change("put", review_key(review.run), msgspec.to_builtins(entry)))


def close_review(ports: Ports, run: str) -> None:
    """Take a run's review off the list; pictures and decisions stay in its folder."""
    ports.table.write(Change("delete", review_key(run)))


def list_entries(ports: Ports) -> list[Entry]:
    """Return the open reviews, by name of their run; one that cannot be read is reported."""
    entries = []
    for run, item in ports.table.query(REVIEWS):
        try:
            entries.append(_entry(item))
        except msgspec.ValidationError as error:  # it is wrong with this review alone
            ports.report(run, error)
    return entries


def find_entry(table: Table, run: str) -> Entry | None:
    """Return a run's open review, or None if it has none; raises `Unusable` if it is unreadable."""
    (item,) = table.get(review_key(run))
    try:
        return _entry(item) if item else None
    except msgspec.ValidationError as error:
        raise Unusable(
            "This review cannot be read. Whoever opened it can open it again, with tessera "
            "review; what was decided is kept."
        ) from error


def _entry(item: Item) -> Entry:
    return msgspec.convert(dict(item), Entry, strict=False)


# ── Pictures and decisions ───────────────────────────────────────────────────────────────────────


def read_review(files: Files, home: str) -> Review:
    """Return the review of the run at `home`; raises `Unusable` if its file cannot be read."""
    try:
        return msgspec.json.decode(files.get(home + PICTURES), type=Review)
    except NOT_JSON as error:
        raise Unusable(
            "The pictures of this review cannot be read. Whoever opened it can open it again, "
            "with tessera review; what was decided is kept."
        ) from error


def decisions_folder(home: str) -> str:
    """Return where the decisions of the run at `home` lie."""
    return f"{home}{FOLDER}decisions/"


class LatestDecisions(NamedTuple):
    """Decision that counts for each picture that was decided, by line, in order.

    `broken` are the files in their folder that are no decisions, by URI. A picture whose last
    decision is one of them is undecided: what it was is not known, and the one before was changed.
    Of several labels a decision changes those that it names, so that those after it count.
    """

    decisions: dict[int, Decision]
    broken: tuple[str, ...]


def read_latest(
    files: Files, home: str, names: Choosable, lines: int = MAX_LINES
) -> LatestDecisions:
    """Return what counts of the decisions on each picture of the run at `home`.

    Only those of `names` are decisions, for one of the run's so many lines.
    """
    made: dict[int, list[str]] = {}
    broken = []
    folder = decisions_folder(home)
    for uri in files.list_uris(folder):  # in key order, so that a picture's last one comes last
        name = uri.removeprefix(folder).partition("/")[0]
        if INDEX.fullmatch(name) and int(name) < lines:
            earlier = made.get(int(name), []) if names.is_multi else []
            made[int(name)] = [*earlier, uri]
        else:
            broken.append(uri)
    decisions: dict[int, Decision] = {}
    stored = [(index, uri) for index, uris in made.items() for uri in uris]
    with ThreadPoolExecutor(PARALLEL_READS) as readers:
        documents = readers.map(files.get, (uri for _, uri in stored))
        for (index, uri), document in zip(stored, documents, strict=True):
            before, latest = decisions.pop(index, None), _stored(document, names)
            if latest is None:
                broken.append(uri)
                continue
            label = with_change(before.label if before else None, latest.label, names.escape)
            if label is not None:
                decisions[index] = Decision(index, label, latest.by, latest.at)
    return LatestDecisions(dict(sorted(decisions.items())), tuple(sorted(broken)))


def _stored(document: bytes, names: Choosable) -> _Stored | None:
    """Return a stored decision, or None if the file is none."""
    try:
        stored = msgspec.json.decode(document, type=_Stored)
    except NOT_JSON:
        return None
    return None if change_problem(stored.label, names) else stored


def decide(
    ports: Ports, review: Review, index: int, label: Deciding, *, by: str, name: str
) -> None:
    """Store what a reviewer decided of a picture; None takes back what was decided before."""
    if all(picture.index != index for picture in review.pictures):
        raise Unknown("This picture is not in the review.")
    if problem := change_problem(label, review):
        raise Invalid(problem)
    now = ports.clock()
    at = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")[:-6]
    stored = _Stored(label, by, name, at)
    # Fifteen digits of milliseconds sort as times do; two reviewers at once both keep their own,
    # and one who decides twice within a millisecond, too.
    for milliseconds in count(int(now * 1000)):
        uri = f"{decisions_folder(review.home)}{index}/{milliseconds:015d}-{by}.json"
        if ports.files.put_if_absent(uri, msgspec.json.encode(stored)):
            return


def sources_of(review: Review, indexes: Iterable[int]) -> Mapping[int, str]:
    """Return the sources of some pictures; those that are not in the review have none."""
    wanted = set(indexes)
    return {picture.index: picture.source for picture in review.pictures if picture.index in wanted}
