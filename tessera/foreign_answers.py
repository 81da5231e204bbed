"""Read answers from outside, and what else is known of their tasks, as columns of numbers."""

from __future__ import annotations

import shlex
from array import array
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from tessera.csv_columns import Names, read_plain
from tessera.csv_file import (
    MISSING_IN_PANDAS,
    NO_VALUE,
    Notices,
    canonical_id,
    is_missing,
    read_rows,
)
from tessera.exits import Refused
from tessera.screen import counted, progress
from tessera.tiling.class_shares import FROM_GOLD, fill_shares, share_problems
from tessera.tiling.consensus import Consensus, Crowd, Evidence, Method, consolidate, guesses
from tessera.tiling.settings import likeness, normal_text

ROWS_AT_A_TIME = 10_000
"""Rows read between two signs of progress."""
MOST_LABELS = 1_000
"""Labels of one file: a page offers 50, and more than these are texts or ids, from another column.
Tables of the methods grow with workers times labels."""


NAMED_LABELS = 10
"""Labels that a message names."""
NUMBER_BEGINS = frozenset("+-0123456789")
"""First characters of numbers."""
NO_VALUE_BEGINS = frozenset(spelling[0] for spelling in NO_VALUE if spelling)
"""First characters of missing values; of a column that is read as a whole no name is empty."""


class Numbers(dict[str, int]):
    """Numbers of names, in order of first appearance.

    >>> numbers = Numbers()
    >>> [numbers[name] for name in ("dog", "cat", "dog")]
    [0, 1, 0]
    """

    def __missing__(self, name: str) -> int:
        """Give a new name the next number."""
        self[name] = len(self)
        return self[name]

    def beginning_with(self, characters: Container[str]) -> list[str]:
        """Return the names that begin with one of these characters, by number."""
        return [name for name in self if name[:1] in characters]

    def in_order(self) -> NDArray[np.intp]:
        """Return the numbers of the names in alphabetical order."""
        return np.array([self[name] for name in sorted(self)], np.intp)


Integers: TypeAlias = "array[int] | NDArray[np.int32]"


class Columns(NamedTuple):
    """Columns of answers with the line that each is on; a label of -1 says it cannot be judged."""

    line: Integers
    task: Integers
    worker: Integers
    label: Integers


def read_crowd(
    path: Path, workers: Numbers, labels: Numbers, unreadable: str | None, notices: Notices
) -> tuple[Crowd, Names | Numbers]:
    """Read a CSV file of answers; return them and the numbers of tasks.

    Workers and labels get their numbers on the way, by name; tasks have theirs as they come, and
    `consolidate_by_name` sees to it that the order of rows decides ties and nothing else. An empty
    label is no answer. Of several answers of a worker to a task the first counts.
    """
    escape = None if unreadable is None else normal_text(unreadable)
    plain = _read_plain_columns(path, workers, labels, escape)
    tasks: Names | Numbers
    tasks, columns = plain or _read_columns(path, workers, labels, escape, notices)
    if not tasks:
        raise Refused(f"{path} holds no answers, only the names of its columns.")
    if unreadable is not None and not (np.asarray(columns.label) == -1).any():
        _tell_of_unreadable(path, unreadable, labels, notices)
    _tell_of_names(tasks, workers, labels, notices)
    image = np.asarray(columns.task, np.int32)
    worker = _number_by_name(columns.worker, workers)
    label = _number_by_name(columns.label, labels).astype(np.int16)
    first = _first_answers(image, worker, label, columns.line, notices)
    crowd = Crowd(
        len(tasks), max(len(workers), 1), max(len(labels), 1),
        image[first], worker[first], label[first],
    )  # fmt: skip
    return crowd, tasks


def _read_columns(
    path: Path, workers: Numbers, labels: Numbers, escape: str | None, notices: Notices
) -> tuple[Numbers, Columns]:
    tasks = Numbers()
    lines, images, people, answers = (array("i") for _ in range(4))
    with progress("reading answers", None) as advance:
        rows = read_rows(path, ("task", "worker", "label"), notices)
        for number, (line, (task, worker, answer)) in enumerate(rows, start=1):
            for name, value in (("task", task), ("worker", worker)):
                if is_missing(value):
                    raise Refused(f"{path}, line {line}: no {name}. Complete or delete the line")
            image = tasks[task]  # known even without an answer, so that no task is lost
            if is_missing(answer):
                notices.count("answer", "without a label left out", line)
                continue
            label = normal_text(answer)
            lines.append(line)
            images.append(image)
            people.append(workers[worker])
            answers.append(-1 if label == escape else labels[label])
            if len(labels) > MOST_LABELS:
                raise Refused(
                    f"{path}, line {line}: more than {MOST_LABELS:,} different labels, the last "
                    f"{answer[:80]!r}. Is the right column called 'label'?"
                )
            if number % ROWS_AT_A_TIME == 0:
                advance(ROWS_AT_A_TIME)
    return tasks, Columns(lines, images, people, answers)


def _read_plain_columns(
    path: Path, workers: Numbers, labels: Numbers, escape: str | None
) -> tuple[Names, Columns] | None:
    """Read a file in which nothing is odd by column, or return None: then it is read by row."""
    columns = read_plain(path, ("task", "worker", "label"))
    if columns is None:
        return None
    task, worker, label = columns
    # missing names are told with their lines, as are labels that are too many
    if len(label.names) > MOST_LABELS or any(
        is_missing(name)
        for column in columns
        for name in column.names.beginning_with(NO_VALUE_BEGINS)
    ):
        return None
    workers.update({name: number for number, name in enumerate(worker.names)})
    spelled = [normal_text(name) for name in label.names]
    numbers = np.array([-1 if name == escape else labels[name] for name in spelled], np.int32)
    lines = np.arange(2, len(task.codes) + 2, dtype=np.int32)
    return task.names, Columns(lines, task.codes, worker.codes, numbers[label.codes])


def _first_answers(
    image: NDArray[np.int32],
    worker: NDArray[np.int32],
    label: NDArray[np.int16],
    lines: Integers,
    notices: Notices,
) -> NDArray[np.intp]:
    """Return the rows of each worker's first answer to each task, in the order of the file."""
    pairs = image.astype(np.int64) * (int(worker.max(initial=0)) + 1) + worker
    ordered = np.sort(pairs)
    if (ordered[1:] != ordered[:-1]).all():  # the usual case, which numbers alone decide
        return np.arange(len(pairs))
    del ordered
    order = np.argsort(pairs, kind="stable").astype(np.int32)
    begins = np.ones(len(pairs), np.bool_)
    begins[1:] = np.diff(pairs[order]) != 0
    firsts = order[begins]
    again = order[~begins]
    first_of_again = firsts[(np.cumsum(begins) - 1)[~begins]]
    in_order = np.argsort(again)
    again, first_of_again = again[in_order], first_of_again[in_order]
    differs = label[again] != label[first_of_again]
    for rows, remark in (
        (again[~differs], "given by a worker a second time to the same task counted once"),
        (
            again[differs],
            "unlike the same worker's first one to the task left out: the first counts",
        ),
    ):
        if len(rows):
            notices.count("answer", remark, lines[int(rows[0])], len(rows))
    return np.sort(firsts)


def _tell_of_unreadable(path: Path, unreadable: str, labels: Numbers, notices: Notices) -> None:
    """Refuse a label for --unreadable that is spelled otherwise in the file; tell if it is not."""
    alike = [label for label in labels if likeness(label) == likeness(normal_text(unreadable))]
    if alike:
        raise Refused(
            f"{path} has no label {unreadable!r} but {alike[0]!r}. Say so: "
            f"--unreadable {alike[0]!r}"
        )
    near = get_close_matches(unreadable, labels, n=1)
    hint = f"; is {near[0]!r} meant?" if near else ""
    notices.add(f"no answer is {unreadable!r}, so --unreadable has no effect{hint}")


def _tell_of_names(
    tasks: Names | Numbers, workers: Numbers, labels: Numbers, notices: Notices
) -> None:
    """Tell of names that mean something else to other programs, or probably the same here."""
    for noun, numbers in (("task", tasks), ("worker", workers), ("label", labels)):
        floats = [
            name
            # a quick look first: of a million names none may be a number that was bent
            for name in numbers.beginning_with(NUMBER_BEGINS)
            if "." in name or "e" in name.lower()
            if canonical_id(name) != name
        ]
        twins = [name for name in floats if canonical_id(name) in numbers]
        if twins:
            notices.add(
                f"{counted(len(twins), noun)} such as {twins[0]!r} and {canonical_id(twins[0])!r} "
                "kept apart, though a spreadsheet may have written the one for the other. Write "
                "each in one way"
            )
        elif noun != "label" and (
            rounded := [name for name in floats if "e" in name.lower() and "." in name]
        ):
            notices.add(
                f"{counted(len(rounded), noun)} such as {rounded[0]!r} look like long ids that a "
                "spreadsheet rounded, so that several are one. Export them as text"
            )
    spellings: dict[str, str] = {}
    for label in labels:
        other = spellings.setdefault(likeness(label), label)
        if other != label:
            notices.add(
                f"{other!r} and {label!r} count as two labels. If they are one, spell it one way"
            )
        if label.lower() in MISSING_IN_PANDAS:
            notices.add(
                f"the label {label!r} is a missing value to pandas. Read the result with "
                "keep_default_na=False"
            )


def consolidate_by_name(
    crowd: Crowd, tasks: Names | Numbers, method: Method, evidence: Evidence
) -> Consensus:
    """Return the consensus of tasks that have the numbers of their names while it is found.

    A large crowd is learned from every so manieth task. In the order of the file the same rows in
    another order would be learned from other tasks.
    """
    order = tasks.in_order()
    if (order[1:] > order[:-1]).all():  # most files have them in order
        return consolidate(crowd, method, evidence=evidence)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    beside = replace(
        evidence,
        known=_at(evidence.known, order),
        guess=_at(evidence.guess, order),
        log_odds=_at(evidence.log_odds, order),
    )
    named = replace(crowd, image=place[crowd.image].astype(np.int32))
    by_name = consolidate(named, method, evidence=beside)
    return replace(
        by_name,
        label=by_name.label[place],
        confidence=by_name.confidence[place],
        agreement=by_name.agreement[place],
        gain=by_name.gain[place],
        answers=by_name.answers[place],
        unreadable=by_name.unreadable[place],
    )


def _at(column: NDArray[np.generic] | None, rows: NDArray[np.intp]) -> Any:
    """Return a column in another order of rows, if there is one."""
    return None if column is None else column[rows]


def _number_by_name(column: Integers, numbers: Numbers) -> NDArray[np.int32]:
    """Return the column with its names numbered in alphabetical order; -1 stays.

    The names get these numbers, too.
    """
    rank = {name: number for number, name in enumerate(sorted(numbers))}
    table = np.array([*(rank[name] for name in numbers), -1], np.int32)
    numbers.clear()
    numbers.update(rank)
    return table[np.asarray(column, np.int32)]


def read_evidence(
    answers: Path,
    tasks: Mapping[str, int],
    labels: Numbers,
    gold: Path | None,
    prelabels: Path | None,
    classes: int,
) -> tuple[Evidence, list[str]]:
    """Read what is known of tasks beside answers; return it with notices of what is not used."""
    evidence, notices = Evidence(), list[str]()
    if prelabels:
        guess, sure = np.full(len(tasks), -1, np.int16), np.zeros(len(tasks))
        side = SideFile(prelabels, tasks, labels, "task", answers)
        for task, label, confidence in side.read(with_confidence=True):
            guess[task], sure[task] = label, confidence
        evidence = guesses(guess, sure, classes)
        notices += side.notices
    if gold:
        known = np.full(len(tasks), -1, np.int16)
        side = SideFile(gold, tasks, labels, "task", answers)
        for task, label, _ in side.read():
            known[task] = label
        evidence = replace(evidence, known=known)
        notices += side.notices
    return evidence, notices


def with_shares(evidence: Evidence, text: str, labels: Sequence[str]) -> Evidence:
    """Return the evidence with the labels' shares that an option names; Refused if it cannot be.

    The text is `gold`, pairs as in `ok=0.95,scratch=5%`, or a JSON object as in labeling.json.
    """
    if text == FROM_GOLD:
        return replace(evidence, random_gold=True)
    if not labels:
        raise Refused("--shares: no row of the answers has a label that could have a share.")
    try:
        shares = _parse_shares(text)
    except ValueError as error:
        named = normal_text(text.partition("=")[0].strip())
        label = named if named in labels else labels[0]
        raise Refused(
            f"--shares: {text[:80]!r} is neither gold nor shares by label: {error}. Write "
            f"--shares {shlex.quote(f'{label}=0.95')}"
        ) from None
    if problems := [*share_problems(shares, labels)]:
        end = "" if problems[-1].endswith("?") else "."
        raise Refused(f"--shares: {'; '.join(problems)}{end} The labels are {_first(labels)}")
    return replace(evidence, shares=np.array(fill_shares(shares, labels)))


def _parse_shares(text: str) -> dict[str, float]:
    """Return shares by label; ValueError says why it is a text of another form."""
    if text.lstrip().startswith("{"):
        return msgspec.json.decode(text, type=dict[str, float])
    shares: dict[str, float] = {}
    for pair in text.split(","):
        label, equals, share = pair.rpartition("=")
        label = normal_text(label.strip())
        if not equals:
            raise ValueError(f"{pair[:40]!r} has no =")
        if label in shares:
            raise ValueError(f"{label!r} is there twice")
        number = share.strip()
        whole = 100 if number.endswith("%") else 1
        try:
            shares[label] = float(number.removesuffix("%")) / whole
        except ValueError:
            raise ValueError(f"{share[:40]!r} is no number") from None
    return shares


def _first(labels: Sequence[str]) -> str:
    """Return the first labels, so that a misspelled one is seen."""
    more = f" and {len(labels) - NAMED_LABELS:,} more" if len(labels) > NAMED_LABELS else ""
    return ", ".join(labels[:NAMED_LABELS]) + more


class SideFile:
    """File of labels beside another file, matched with it by name."""

    def __init__(
        self,
        path: Path,
        names: Mapping[str, int],
        labels: Mapping[str, int],
        noun: str,
        beside: Path,
        find: Callable[[str], int | None] | None = None,
    ) -> None:
        """Prepare to match rows with `names`, of the file or folder `beside`, and `labels`.

        The column of names is called `noun`, or one of several that `|` separates. `find` returns
        the number of a name, if not `name_finder` does.
        """
        self._beside = beside
        self._path = path
        self._names = names
        self._labels = labels
        self._find_label = name_finder(labels)
        self._column = noun
        self._noun = noun.split("|")[0]
        self._find = find or name_finder(names)
        self.notices = Notices(path)

    def read(self, *, with_confidence: bool = False) -> Iterator[tuple[int, int, float]]:
        """Yield the number of the name, of the label, and the confidence, of each row that matches.

        Refused if none does, and if one name has two labels. The notices are complete at the end.
        """
        columns = (self._column, "label", *(["confidence"] if with_confidence else []))
        rows = matches = 0
        elsewhere: list[str] = []
        first: dict[int, tuple[int, str, int]] = {}
        for line, (name, text, *more) in read_rows(self._path, columns, self.notices):
            rows += 1
            label = normal_text(text)
            sure = self._confidence(more[0], line) if more else 0.0
            number = self._find(name)
            if is_missing(label):
                self.notices.count("row", "without a label passed over", line)
            elif number is None:
                elsewhere.append(name)
                self.notices.count("row", f"of no {self._noun} here passed over", line)
            elif (place := self._find_label(label)) is None:
                self._count_unknown_label(label, line)
            else:
                matches += 1
                row = first.setdefault(number, (place, label, line))
                self._check_once(row, place, label, line, name)
                yield number, place, sure
        if not matches:
            self._refuse(rows, elsewhere)

    def _count_unknown_label(self, label: str, line: int) -> None:
        alike = {likeness(known): known for known in self._labels}
        hint = f"; is {alike[likeness(label)]!r} meant?" if likeness(label) in alike else ""
        remark = f"with the label {label[:80]!r}, which is none here, passed over{hint}"
        self.notices.count("row", remark, line)

    def _check_once(
        self, first: tuple[int, str, int], label: int, text: str, line: int, name: str
    ) -> None:
        """Refuse a name whose first row, with label, its text and line, has another label."""
        other, spelled, before = first
        if other != label:
            raise Refused(
                f"{self._path}, line {line}: {name!r} is {text!r} here and {spelled!r} on line "
                f"{before}. Keep one of the two lines"
            )

    def _confidence(self, text: str, line: int) -> float:
        """Return a number between 0 and 1; Refused for any other text."""
        try:
            confidence = float(text)
        except ValueError:
            confidence = -1.0
        if not 0 <= confidence <= 1:
            comma = ". Write a point in the place of the comma" if "," in text else ""
            raise Refused(
                f"{self._path}, line {line}: {text[:80]!r} is no confidence between 0 and 1{comma}"
            )
        return confidence

    def _refuse(self, rows: int, elsewhere: list[str]) -> None:
        """Raise Refused for a file that matches nothing, with a name of each side to compare."""
        if not rows:
            raise Refused(f"{self._path} holds no rows, only the names of its columns.")
        if elsewhere:
            own = next(iter(self._names), "")
            why = f"its {self._noun}s look like {elsewhere[0]!r}, those to match like {own!r}"
        else:
            why = "its labels are none of " + ", ".join(map(repr, list(self._labels)[:10]))
        raise Refused(
            f"{self._path}: 0 of {counted(rows, 'row')} match {_with_article(self._noun)} of "
            f"{self._beside}: {why}. Write them in the same way"
        )


def _with_article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def name_finder(names: Mapping[str, int]) -> Callable[[str], int | None]:
    """Return a function from a name to its number, also where other programs respelled it.

    As it stands first; then with accents composed, and as the whole number that it was before
    pandas made `12.0` of `12`. A respelling that two names share finds neither.
    """
    respelled: dict[str, int | None] = {}
    for name, number in names.items():
        key = canonical_id(normal_text(name))
        respelled[key] = None if key in respelled else number

    def find(name: str) -> int | None:
        number = names.get(name)  # never by index: an unknown name must not get a number
        return respelled.get(canonical_id(normal_text(name))) if number is None else number

    return find
