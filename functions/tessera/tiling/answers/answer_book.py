"""Parse Ground Truth's output manifests and submissions into columns of answers."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Any

import msgspec

from tessera.tiling.answers.short_form import (
    UNREADABLE,
    UNUSABLE,
    Compact,
    CompactReader,
)
from tessera.tiling.answers.submission import (
    _CONTENT_LIMIT,
    Odd,
    _read_shown,
    chosen,
    cut,
    open_content,
    shown_in,
    split_meta,
)

ABSENT = float("nan")
"""What stands in the seconds column where nobody measured."""


_NO_SECONDS = array("f", [ABSENT]).tobytes()


_TOGETHER = 128
"""Tasks whose submissions are read at once: about a MiB, which stays in a processor's cache."""


class _Response(msgspec.Struct, gc=False):
    """One worker's answers to one task, still in their own bytes."""

    workerId: str  # as Ground Truth spells it
    annotation: msgspec.Raw
    seconds: dict[str, float] | None = None


class _Responses(msgspec.Struct, gc=False):
    responses: list[_Response]


_read_annotation = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class _Choices(dict[bytes, int]):
    """Label numbers by an answer's own bytes: few different ones are seen, so each is read once.

    >>> _Choices({"cat": 0, "dog": 1})[b'{"cat":false,"dog":true}']
    1
    """

    def __init__(self, labels: dict[str, int]) -> None:
        super().__init__()
        self.labels = labels

    def __missing__(self, raw: bytes) -> int:
        try:
            label = self.labels.get(chosen(msgspec.json.decode(raw)), UNUSABLE)
        except ValueError:
            label = UNUSABLE
        if len(self) < 100_000:  # a hostile page must not fill the memory
            self[raw] = label
        return label


class Task:
    """A task as its answers are read: its number in the job, its images, who answered it."""

    __slots__ = ("answered", "number", "round", "shown", "where")

    def __init__(self, where: str, number: int, round_: int, shown: list[int]) -> None:
        """Start without answers; `shown` are the indices of its images in order."""
        self.where, self.number, self.round = where, number, round_
        self.shown = array("i", shown)
        self.answered: set[str] = set()

    def show(self, line: bytes) -> None:
        """Take its images from the line that asked it."""
        self.shown = array("i", shown_in(msgspec.json.decode(line)["source"]))

    def pieces(self, raw: bytes) -> list[bytes] | None:
        """The answers in a submission that has one of equal length for each image, in order.

        That is what a form of radio buttons sends: in each answer just one choice is true. Cutting
        by length is many times faster than parsing; putting together again proves it right.
        """
        if not self.shown:
            return None
        keys = list(map(str, self.shown))
        form = ('{"' + '":%b,"'.join(keys) + '":%b}').encode()
        lengths = list(map(len, keys))
        width, rest = divmod(len(raw) - (len(form) - 2 * len(keys)), len(lengths))
        if rest or width < 1:
            return None
        step = lengths[0] + 4 + width
        if step * len(lengths) + 1 == len(raw):
            starts: Iterable[int] = range(lengths[0] + 4, len(raw), step)
        else:
            ends = accumulate(length + 4 + width for length in lengths)
            starts = [end - width for end in ends]
        pieces = [raw[start : start + width] for start in starts]
        return pieces if form % tuple(pieces) == raw else None


class AnswerBook:
    """Everybody's answers as columns, in order of arrival.

    `image`, `label` and `seconds` have a row an answer; `worker`, `round` and `size` a row a
    submission, which is `size` answers long. Label numbers are positions in `classes`, or
    `UNREADABLE`. `odd` is called with whatever could not be used.
    """

    def __init__(
        self,
        classes: Iterable[str],
        escape: str,
        attribute: str,
        odd: Callable[[Odd], None] = lambda _: None,
    ) -> None:
        """Start an empty book for answers in these classes."""
        numbers = {name: number for number, name in enumerate(classes)} | {escape: UNREADABLE}
        self.image, self.label, self.seconds = array("i"), array("b"), array("f")
        self.worker, self.round, self.size = array("i"), array("b"), array("i")
        self.workers: dict[str, int] = {}
        self.figures: Counter[str] = Counter()
        self._attribute = attribute
        self._choices = _Choices(numbers)
        self._odd = odd
        self._compact = CompactReader(attribute, numbers)
        from tessera.tiling.answers.sheets import (
            Sheets,  # late: the post-annotation Lambda needs no numpy
        )

        self._sheets = Sheets(numbers)
        line = msgspec.defstruct(
            "OutputLine",
            [
                ("source", str),
                ("judged", _Responses | None, msgspec.field(name=attribute, default=None)),
            ],
            gc=False,
        )
        self._read_line: Callable[[bytes], Any] = msgspec.json.Decoder(line).decode

    def note(self, odd: Odd) -> None:
        """Count something odd under its reason's first words and hand it on."""
        self.figures[odd.reason.split(":")[0]] += 1
        self._odd(odd)

    def read_output(
        self, where: str, lines: Iterable[bytes], *, round_: int, wanted: int, asked: int = 0
    ) -> Iterator[Task]:
        """Take in a job's output manifest; yields each task with fewer than `wanted` answers.

        A task's number is its line; `where` names the job in what is written down. Where there are
        fewer lines than tasks were `asked`, the missing ones are yielded last, with no images.
        """
        tasks: list[Task] = []
        taken: list[tuple[Task, _Response]] = []
        in_short: list[tuple[Compact, bytes]] = []
        number = -1
        for number, line in enumerate(lines):
            if short := self._compact.read(line):
                if taken or len(in_short) == _TOGETHER:  # added in their order of arrival
                    self._add_all(taken, in_short, round_)
                in_short.append(short)
                workers = short[0].workers
                if len(workers) < wanted:
                    task = Task(where, number, round_, short[0].images)
                    task.answered.update(workers)
                    yield task
                continue
            if in_short:
                self._add_all(taken, in_short, round_)
            try:
                parsed = self._read_line(line)
                shown = [image.index for image in _read_shown(parsed.source)]
                responses = parsed.judged.responses if parsed.judged else []
            except msgspec.DecodeError:
                shown, responses = self._read_loosely(where, number, line)
            task = Task(where, number, round_, shown)
            for response in responses:
                if response.workerId in task.answered:
                    reason = "the same worker is in the same task twice"
                    self.note(Odd(where, reason, str(number), response.workerId))
                else:
                    task.answered.add(response.workerId)
                    taken.append((task, response))
            tasks.append(task)
            if len(tasks) == _TOGETHER:
                self._add_all(taken, in_short, round_)
                yield from (task for task in tasks if len(task.answered) < wanted)
                tasks.clear()
        self._add_all(taken, in_short, round_)
        yield from (task for task in tasks if len(task.answered) < wanted)
        if number + 1 < asked:
            reason = f"the output manifest ends early: after {number + 1:,} of {asked:,} tasks"
            self.note(Odd(where, reason))
            yield from (Task(where, missing, round_, []) for missing in range(number + 1, asked))

    def _read_loosely(
        self, where: str, number: int, line: bytes
    ) -> tuple[list[int], list[_Response]]:
        """What can be saved of a line that is not as it should be."""
        try:
            parsed = msgspec.json.decode(line)
            shown = shown_in(parsed["source"])
        except (ValueError, TypeError, KeyError) as error:
            reason = f"a line of the output manifest cannot be read: {error!r}"
            self.note(Odd(where, reason, str(number), content=cut(line.decode("utf-8", "replace"))))
            return [], []
        judged = parsed.get(self._attribute)
        entries = judged.get("responses") if isinstance(judged, dict) else None
        return shown, list(self._responses(where, number, entries or (), "annotation"))

    def _responses(self, where: str, number: int, entries: Any, key: str) -> Iterator[_Response]:
        """Those of the entries that can be read as submissions; the others are noted."""
        for entry in entries if isinstance(entries, list) else ():
            try:
                yield read_response(entry, key)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                reason = f"an answer cannot be read: {error!r}"
                self.note(Odd(where, reason, str(number), content=cut(entry)))

    def rescue(self, task: Task, content: bytes) -> int:
        """Take in an object of `worker-response/`; how many submissions of it were new."""
        try:
            entries = msgspec.json.decode(content)["answers"]
        except (ValueError, TypeError, KeyError) as error:
            reason = f"a worker's response cannot be read: {error!r}"
            found = cut(content.decode("utf-8", "replace"))
            self.note(Odd(task.where, reason, str(task.number), content=found))
            return 0
        before = len(task.answered)
        for response in self._responses(task.where, task.number, entries, "answerContent"):
            if response.workerId not in task.answered:
                task.answered.add(response.workerId)
                self._take(task, response)
        return len(task.answered) - before

    def _add_all(
        self,
        taken: list[tuple[Task, _Response]],
        in_short: list[tuple[Compact, bytes]],
        round_: int,
    ) -> None:
        """Add what was read, of which one list is empty, and empty the other."""
        if in_short:
            self._add_in_short(in_short, round_)
            in_short.clear()
        if taken:
            self._take_all(taken)
            taken.clear()

    def _take_all(self, taken: list[tuple[Task, _Response]]) -> None:
        """Add submissions, those that are laid out as usual together."""
        shown = [task.shown for task, _ in taken]
        labels = self._sheets.labels(shown, [bytes(response.annotation) for _, response in taken])
        for (task, response), said in zip(taken, labels, strict=True):
            if said is None:
                self._take(task, response)
            else:
                self.label.frombytes(said)
                self._add(task, response, task.shown)

    def _add_in_short(self, tasks: list[tuple[Compact, bytes]], round_: int) -> None:
        """Add tasks whose answers came in short, each with its label numbers."""
        self.label.frombytes(b"".join([labels for _, labels in tasks]))
        self.image.frombytes(
            b"".join([array("i", task.images).tobytes() * len(task.workers) for task, _ in tasks])
        )
        known = self.workers
        names = [name for task, _ in tasks for name in task.workers]
        self.worker.extend([known.setdefault(name, len(known)) for name in names])
        self.size.extend([len(task.images) for task, _ in tasks for _ in task.workers])
        self.round.extend([round_] * len(names))
        if any(task.seconds for task, _ in tasks):
            for task, _ in tasks:
                for row in task.seconds or [None] * len(task.workers):
                    self.seconds.extend(row or [ABSENT] * len(task.images))
        else:
            self.seconds.frombytes(_NO_SECONDS * (len(self.image) - len(self.seconds)))

    def _take(self, task: Task, response: _Response) -> None:
        """Add one submission."""
        raw = bytes(response.annotation)
        pieces = task.pieces(raw)
        labels = [self._choices[piece] for piece in pieces] if pieces else [UNUSABLE]
        if UNUSABLE in labels:
            images, labels = self._pick(task, response)
        else:
            images = task.shown
        self.label.extend(labels)
        self._add(task, response, images)

    def _add(self, task: Task, response: _Response, images: array[int]) -> None:
        """Add what stands beside a submission's labels."""
        self.image.extend(images)
        if response.seconds:
            spent = response.seconds.get
            self.seconds.extend([spent(key, ABSENT) for key in map(str, images)])
        else:
            self.seconds.frombytes(_NO_SECONDS * len(images))
        self.worker.append(self.workers.setdefault(response.workerId, len(self.workers)))
        self.round.append(task.round)
        self.size.append(len(images))
        if left_out := len(task.shown) - len(images):
            self.figures["images left out of a submission"] += left_out

    def _pick(self, task: Task, response: _Response) -> tuple[array[int], list[int]]:
        """The usable answers of a submission; the others are written down one by one."""
        images, labels = array("i"), []
        shown = frozenset(task.shown)
        for key, raw in self._open(task, response).items():
            label = self._choices[bytes(raw)]
            if reason := _why_odd(key, raw, label, shown):
                found = bytes(raw).decode("utf-8", "replace")[:_CONTENT_LIMIT]
                number, worker = str(task.number), response.workerId
                self.note(Odd(task.where, reason, number, worker, key[:256], found))
            else:
                images.append(int(key))
                labels.append(label)
        return images, labels

    def _open(self, task: Task, response: _Response) -> dict[str, msgspec.Raw]:
        """A submission's answers by image, out of whatever wraps them; its seconds set aside."""
        try:
            annotation = _read_annotation(response.annotation)
            if not annotation.keys() & {"meta", "annotatedResult"}:
                return annotation
        except msgspec.DecodeError:
            pass
        try:
            answer, seconds = split_meta(open_content(bytes(response.annotation)))
        except ValueError as error:
            reason = f"an answer cannot be read: {error!r}"
            found = cut(bytes(response.annotation).decode("utf-8", "replace"))
            self.note(Odd(task.where, reason, str(task.number), response.workerId, content=found))
            return {}
        response.seconds = response.seconds or seconds
        return {key: msgspec.Raw(msgspec.json.encode(value)) for key, value in answer.items()}


def _why_odd(key: str, raw: msgspec.Raw, label: int, shown: frozenset[int]) -> str:
    """Why an answer cannot be used; empty when it can."""
    try:
        if int(key) not in shown:
            return "the answer is for an image that is not in the task"
        if label == UNUSABLE:
            name = chosen(msgspec.json.decode(raw))
            return f"the answer is not in the list of labels: {name[:256]}"
    except ValueError as error:
        return f"the answer is malformed: {error}"
    return ""


def read_response(entry: dict[str, Any], key: str) -> _Response:
    """A submission out of any of the shapes that it may have; `key` holds the answers."""
    answer, seconds = split_meta(open_content(entry[key]))
    annotation = msgspec.Raw(msgspec.json.encode(answer))
    return _Response(str(entry["workerId"]), annotation, seconds or _spent(entry, answer))


def _spent(entry: dict[str, Any], answer: dict[str, Any]) -> dict[str, float]:
    """The seconds beside a submission: an image's own, or the task's shared out."""
    own, whole = entry.get("seconds"), entry.get("timeSpentInSeconds")
    if isinstance(own, dict):
        return {key: float(value) for key, value in own.items() if isinstance(value, int | float)}
    if isinstance(whole, int | float) and whole > 0 and answer:
        return dict.fromkeys(answer, round(whole / len(answer), 3))
    return {}
