"""Collect everybody's answers as columns, in order of arrival."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Sequence

from tessera.tiling.answers.flags import Flag
from tessera.tiling.answers.short_form import ShortForm
from tessera.tiling.answers.submission import OddAnswer

NOT_MEASURED = float("nan")
"""Seconds of an answer whose time nobody measured."""

ALL_LABELS = -1
"""Labels of a page that asks all there are: every bit is set, however many labels there are."""

_NOT_MEASURED = array("f", [NOT_MEASURED]).tobytes()


class AnswerBook:
    """Columns of answers that grow at their end.

    `image` (int32), `label` (int8; int64 in a book of `sets`, where each bit is a label) and
    `seconds` (float32) have a row an answer. `worker` (int32),
    `round` (int8), `size` (int32) and `asked` (int64) have a row a submission, whose answers are
    the next `size`; `asked` has a bit for each label that the page asked, or `ALL_LABELS`.
    `unloaded_image` and `unloaded_worker` (int32) have a row for each image that did not load.
    `set_aside` (int32) has the images of pages that could not be shown to anybody.
    `workers` numbers the workers by id, in order of first appearance. `noted` counts what was left
    out, kept out or rescued, by reason; `on_odd` is called with everything that was kept out,
    `on_flag` with every flag on an image.
    """

    def __init__(
        self,
        on_odd: Callable[[OddAnswer], None] = lambda _: None,
        on_flag: Callable[[Flag], None] = lambda _: None,
        *,
        sets: bool = False,
    ) -> None:
        """Start without answers; with `sets` an answer is a set of labels, one bit for each."""
        # 50 labels at most: they fit into 64 bits, and the sign is left for unreadable pictures
        self.image, self.label, self.seconds = array("i"), array("q" if sets else "b"), array("f")
        self.worker, self.round, self.size = array("i"), array("b"), array("i")
        self.asked = array("q")
        self.unloaded_image, self.unloaded_worker = array("i"), array("i")
        self.set_aside = array("i")
        self.workers: dict[str, int] = {}
        self.noted: Counter[str] = Counter()
        self._on_odd = on_odd
        self.on_flag = on_flag

    def note(self, odd: OddAnswer) -> None:
        """Count something odd under its reason's first words, and hand it on."""
        self.noted[odd.reason.split(":")[0]] += 1
        self._on_odd(odd)

    def add(
        self,
        worker: str,
        round_: int,
        images: Sequence[int],
        labels: Sequence[int],
        seconds: dict[str, float] | None,
        asked: int = ALL_LABELS,
    ) -> None:
        """Add one submission: the label number of each image, and seconds by image where known.

        `asked` are the labels that its page asked, a bit for each.
        """
        self.image.extend(images)
        self.label.extend(labels)
        if seconds:
            spent = seconds.get
            self.seconds.extend([spent(key, NOT_MEASURED) for key in map(str, images)])
        else:
            self.seconds.frombytes(_NOT_MEASURED * len(images))
        self.worker.append(self.workers.setdefault(worker, len(self.workers)))
        self.round.append(round_)
        self.size.append(len(images))
        self.asked.append(asked)

    def add_unloaded(self, worker: str, images: Sequence[int]) -> None:
        """Add images that did not load for a worker, and so have no answer of theirs."""
        number = self.workers.setdefault(worker, len(self.workers))
        self.unloaded_image.extend(images)
        self.unloaded_worker.extend([number] * len(images))

    def add_short_forms(self, tasks: Sequence[tuple[ShortForm, bytes]], round_: int) -> None:
        """Add all submissions to these tasks, each in short and with its label numbers.

        Columns of many tasks are joined before they are added, since a call costs more than the
        copying of a task.
        """
        forms = [form for form, _ in tasks]
        self.label.frombytes(b"".join([labels for _, labels in tasks]))
        self.image.frombytes(
            b"".join([array("i", form.images).tobytes() * len(form.workers) for form in forms])
        )
        number = self.workers
        workers = [worker for form in forms for worker in form.workers]
        self.worker.extend([number.setdefault(worker, len(number)) for worker in workers])
        self.size.extend([len(form.images) for form in forms for _ in form.workers])
        self.round.extend([round_] * len(workers))
        self.asked.extend([ALL_LABELS] * len(workers))
        if any(form.seconds for form in forms):
            for form in forms:
                for row in form.seconds or [None] * len(form.workers):
                    self.seconds.extend(row or [NOT_MEASURED] * len(form.images))
        else:
            self.seconds.frombytes(_NOT_MEASURED * (len(self.image) - len(self.seconds)))
