"""Read output manifests of labeling jobs, and single worker responses, into an answer book.

Malformed content never stops the reading: every answer is used, or noted with its reason.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tessera.tiling.answers.answer_book import ALL_LABELS, AnswerBook
from tessera.tiling.answers.flags import Flag, image_sources, one_line, read_flags
from tessera.tiling.answers.short_form import ShortForm, ShortFormReader
from tessera.tiling.answers.submission import (
    EXCERPT_LENGTH,
    MALFORMED,
    UNREADABLE_LABEL,
    UNUSABLE_LABEL,
    OddAnswer,
    Submission,
    chosen_label,
    chosen_labels,
    excerpt,
    image_indices,
    read_submission,
    split_meta,
    unwrap,
)
from tessera.tiling.page.page_choices import PAGE_CHOICES, read_page_choices

BATCH = 128
"""Tasks in short that are added at once: a million images are read in 0.65 s, one by one in 1.1
(docs/decisions/consensus-full-answers-one-by-one.md)."""

MAX_LABEL_NUMBERS = 100_000
"""Answers whose label numbers are kept: a job has few different ones, a hostile page any number."""


@dataclass(slots=True)
class Task:
    """Task whose answers are read: its number in the job, its images, and who answered it.

    `source` is the list of its images as its line has it, a text or parsed; `asked` are the labels
    that its page asks, a bit for each.
    """

    job: str
    number: int
    round: int
    images: list[int] = field(default_factory=list)
    workers: set[str] = field(default_factory=set)
    source: Any = None
    asked: int = ALL_LABELS


class _Responses(msgspec.Struct, gc=False):
    """Workers' submissions to a task, as `pack` writes them."""

    responses: list[Submission]


class _LabelNumbers(dict[bytes, int]):
    """Label numbers by the bytes of an answer, of which there are few: each is parsed once.

    >>> _LabelNumbers({"cat": 0, "dog": 1})[b'{"cat":false,"dog":true}']
    1
    """

    def __init__(self, by_name: dict[str, int]) -> None:
        super().__init__()
        self._by_name = by_name

    def __missing__(self, raw: bytes) -> int:
        try:
            label = self._by_name.get(chosen_label(msgspec.json.decode(raw)), UNUSABLE_LABEL)
        except MALFORMED:
            label = UNUSABLE_LABEL
        if len(self) < MAX_LABEL_NUMBERS:
            self[raw] = label
        return label


class _LabelSets(_LabelNumbers):
    """Sets of labels by the bytes of an answer: bit 0 is the first class, and 0 is none of them.

    A picture that cannot be judged has no labels, whatever else was chosen for it.

    >>> _LabelSets({"cat": 0, "dog": 1})[b'{"cat":false,"dog":true}']
    2
    """

    def __missing__(self, raw: bytes) -> int:
        try:
            numbers = [self._by_name[name] for name in chosen_labels(msgspec.json.decode(raw))]
            unreadable = UNREADABLE_LABEL in numbers
            labels = UNREADABLE_LABEL if unreadable else sum(1 << number for number in numbers)
        except MALFORMED:
            labels = UNUSABLE_LABEL
        if len(self) < MAX_LABEL_NUMBERS:
            self[raw] = labels
        return labels


_decode_annotation = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class OutputReader:
    """Reader of the answers to questions with these classes, into one book.

    Label numbers are positions in `classes`; `escape` is the answer that says an image cannot be
    judged; `attribute` is the key that holds the answers in a line.
    """

    def __init__(
        self, book: AnswerBook, classes: Iterable[str], escape: str, attribute: str
    ) -> None:
        """Prepare to read into the book."""
        numbers = {name: number for number, name in enumerate(classes)} | {escape: UNREADABLE_LABEL}
        self.book = book
        self._attribute = attribute
        # a book of sets has a bit for each label
        self._has_sets = book.label.typecode == "q"
        self._label_numbers = (_LabelSets if self._has_sets else _LabelNumbers)(numbers)
        self._short_forms = ShortFormReader(attribute, numbers)
        label = ("label", _Responses | None, msgspec.field(name=attribute, default=None))
        self._numbers = numbers
        asked = (PAGE_CHOICES, str | None, None)
        line = msgspec.defstruct("OutputLine", [("source", str), label, asked], gc=False)
        self._decode_line: Callable[[bytes], Any] = msgspec.json.Decoder(line).decode

    def read(
        self, job: str, lines: Iterable[bytes], *, round_: int, wanted: int, asked: int = 0
    ) -> Iterator[Task]:
        """Add a job's output manifest to the book; yield each task with too few answers.

        A task's number is its line. Too few are fewer than `wanted`. Where there are fewer lines
        than tasks were `asked`, the missing tasks are yielded last, without images.
        """
        batch: list[tuple[ShortForm, bytes]] = []
        number = -1
        for number, line in enumerate(lines):
            # what is written in short has one label an image, and of sets it is no record
            if not self._has_sets and (short := self._short_forms.read(line)):
                if len(batch) == BATCH:
                    self._add_batch(batch, round_)
                batch.append(short)
                form = short[0]
                if len(form.workers) < wanted:
                    yield Task(job, number, round_, form.images, set(form.workers))
                continue
            self._add_batch(batch, round_)  # so that answers keep their order of arrival
            task = Task(job, number, round_)
            for submission in self._read_line(task, line):
                self._add_once(task, submission)
            if len(task.workers) < wanted:
                yield task
        self._add_batch(batch, round_)
        if number + 1 < asked:
            reason = f"the output manifest ends early: after {number + 1:,} of {asked:,} tasks"
            self.book.note(OddAnswer(job, reason))
            yield from (Task(job, missing, round_) for missing in range(number + 1, asked))

    def labels_asked(self, text: str | None) -> int:
        """Return the labels that a task's line names, a bit for each; all where it names none.

        Raises ValueError if they are no labels of the run.
        """
        if not text or not self._has_sets:
            return ALL_LABELS
        names = set(read_page_choices(text))
        if strange := names - self._numbers.keys():
            raise ValueError(f"the task asks a label that the run has not: {min(strange)[:256]}")
        return sum(1 << number for name in names if (number := self._numbers[name]) >= 0)

    def rescue(self, task: Task, content: bytes) -> int:
        """Add an object of `worker-response/` to the book; return how many submissions were new."""
        try:
            entries = msgspec.json.decode(content)["answers"]
        except MALFORMED as error:
            reason = f"a worker's response cannot be read: {error!r}"
            text = excerpt(content.decode("utf-8", "replace"))
            self.book.note(OddAnswer(task.job, reason, str(task.number), content=text))
            return 0
        before = len(task.workers)
        for submission in self._read_entries(task, entries, "answerContent"):
            if submission.worker not in task.workers:
                task.workers.add(submission.worker)
                self._add(task, submission)
        return len(task.workers) - before

    def _add_batch(self, batch: list[tuple[ShortForm, bytes]], round_: int) -> None:
        """Add the tasks that came in short, and empty the batch."""
        if batch:
            self.book.add_short_forms(batch, round_)
            batch.clear()

    def _read_line(self, task: Task, line: bytes) -> list[Submission]:
        """Read the task's images and submissions from its line, as far as that goes."""
        try:
            parsed = self._decode_line(line)
            task.images, task.source = image_indices(parsed.source), parsed.source
            task.asked = self.labels_asked(getattr(parsed, PAGE_CHOICES))
            return parsed.label.responses if parsed.label else []
        except (ValueError, RecursionError):
            return self._read_odd_line(task, line)

    def _read_odd_line(self, task: Task, line: bytes) -> list[Submission]:
        """Read what can be saved of a line that is not as `pack` and Ground Truth write it."""
        try:
            parsed = msgspec.json.decode(line)
            task.images, task.source = image_indices(parsed["source"]), parsed["source"]
            task.asked = self.labels_asked(parsed.get(PAGE_CHOICES))
        except MALFORMED as error:
            reason = f"a line of the output manifest cannot be read: {error!r}"
            text = excerpt(line.decode("utf-8", "replace"))
            self.book.note(OddAnswer(task.job, reason, str(task.number), content=text))
            return []
        label = parsed.get(self._attribute)  # a job that failed leaves its reason there instead
        entries = label.get("responses") if isinstance(label, dict) else None
        return list(self._read_entries(task, entries, "annotation"))

    def _read_entries(self, task: Task, entries: Any, key: str) -> Iterator[Submission]:
        """Yield those of the entries that can be read as submissions; note the others."""
        for entry in entries if isinstance(entries, list) else ():
            try:
                yield read_submission(entry, key)
            except MALFORMED as error:
                reason = f"an answer cannot be read: {error!r}"
                text = excerpt(entry)
                self.book.note(OddAnswer(task.job, reason, str(task.number), content=text))

    def _add_once(self, task: Task, submission: Submission) -> None:
        """Add a submission, unless its worker has answered the task before."""
        if submission.worker in task.workers:
            reason = "the same worker is in the same task twice"
            self.book.note(OddAnswer(task.job, reason, str(task.number), submission.worker))
        else:
            task.workers.add(submission.worker)
            self._add(task, submission)

    def _add(self, task: Task, submission: Submission) -> None:
        """Add the usable answers of a submission; note the others one by one."""
        images, labels = array("i"), array(self.book.label.typecode)
        expected = frozenset(task.images)
        # an answer that cannot be used takes no other with it
        answers = self._answers(task, submission)
        for key, raw in answers.items():
            label = self._label_numbers[bytes(raw)]
            reason = _why_odd(key, raw, label, expected, sets=self._has_sets)
            if not reason and label > 0 and label & ~task.asked:
                reason = "the answer has a label that its page did not ask"
            if reason:
                text = bytes(raw).decode("utf-8", "replace")[:EXCERPT_LENGTH]
                number, worker = str(task.number), submission.worker
                self.book.note(OddAnswer(task.job, reason, number, worker, key[:256], text))
            else:
                images.append(int(key))
                labels.append(label)
        seconds, asked = submission.seconds, task.asked
        self.book.add(submission.worker, task.round, images, labels, seconds, asked)
        unloaded = _unloaded_images(submission, expected.difference(images))
        self.book.add_unloaded(submission.worker, unloaded)
        if submission.flags:
            self._add_flags(task, submission, answers)
        if left_out := len(task.images) - len(images) - len(unloaded):
            self.book.noted["images left out of a submission"] += left_out

    def _add_flags(
        self, task: Task, submission: Submission, answers: Mapping[str, msgspec.Raw]
    ) -> None:
        """Hand on the submission's flags on images of the task, in the task's order."""
        flags, sources = submission.flags or {}, image_sources(task.source)
        for image in task.images:
            if reason := one_line(flags.get(str(image), "")):
                label = _label_text(answers.get(str(image)), sets=self._has_sets)
                source, worker = sources.get(image, ""), submission.worker
                self.book.on_flag(Flag(image, source, label, reason, worker, task.round))

    def _answers(self, task: Task, submission: Submission) -> dict[str, msgspec.Raw]:
        """Return a submission's answers by image, unwrapped; its seconds go to the submission."""
        try:
            annotation = _decode_annotation(submission.annotation)
            # as `pack` writes it; other programs leave the form's wrappings around it
            if not annotation.keys() & {"meta", "annotatedResult"}:
                return annotation
        except (ValueError, RecursionError):
            pass
        try:
            form = unwrap(bytes(submission.annotation))
            answer, seconds, unloaded = split_meta(form)
        except MALFORMED as error:
            reason = f"an answer cannot be read: {error!r}"
            text = excerpt(bytes(submission.annotation).decode("utf-8", "replace"))
            number, worker = str(task.number), submission.worker
            self.book.note(OddAnswer(task.job, reason, number, worker, content=text))
            return {}
        submission.seconds = submission.seconds or seconds
        submission.unloaded = submission.unloaded or unloaded
        submission.flags = submission.flags or read_flags(form)
        return {key: msgspec.Raw(msgspec.json.encode(value)) for key, value in answer.items()}


def _unloaded_images(submission: Submission, unanswered: frozenset[int]) -> list[int]:
    """Return which of a task's unanswered images did not load for the worker."""
    names = set(submission.unloaded or ())
    return [image for image in sorted(unanswered) if str(image) in names]


def _label_text(raw: msgspec.Raw | None, *, sets: bool) -> str:
    """Return an answer as answers.csv has it, a set as a list in JSON; empty for none."""
    try:
        choice = msgspec.json.decode(raw or b"null")
        return msgspec.json.encode(chosen_labels(choice)).decode() if sets else chosen_label(choice)
    except MALFORMED:
        return ""


def _why_odd(
    key: str, raw: msgspec.Raw, label: int, expected: frozenset[int], *, sets: bool
) -> str:
    """Return why an answer cannot be used; empty when it can."""
    try:
        # Not what is a number to Python only, such as "1_0" or " 7": each image has one key.
        if str(int(key)) != key or int(key) not in expected:
            return "the answer is for an image that is not in the task"
        if label == UNUSABLE_LABEL:
            choice = msgspec.json.decode(raw)
            name = ", ".join(chosen_labels(choice)) if sets else chosen_label(choice)
            return f"the answer is not in the list of labels: {name[:256]}"
    except MALFORMED as error:
        return f"the answer is malformed: {error}"
    return ""
