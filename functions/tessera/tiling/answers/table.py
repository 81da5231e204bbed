"""Turn an answer book into arrays for the consensus, and write answers and unsure images as CSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan

import msgspec
import numpy as np
from numpy.typing import NDArray

from tessera.tiling.answers.answer_book import ALL_LABELS, AnswerBook
from tessera.tiling.consensus import Crowd
from tessera.tiling.consensus.unloaded import Unloaded, unloaded_pairs
from tessera.tiling.csv_field import csv_field

ROWS_AT_A_TIME = 65_536
"""Rows of CSV that are joined before they are written: some 4 MiB."""


@dataclass(frozen=True, slots=True, eq=False)
class AnswerTable:
    """Answers of a book in columns of equal length.

    `crowd` has images, workers and labels, `names` the ids of its workers. `seconds` (NaN where not
    measured), `submission` (its number) and `round_` have a row an answer, as the crowd has.
    `unloaded` are the images that did not load. `asked` has the labels that each answer's page
    asked, a bit for each; None where every page asked all.
    """

    crowd: Crowd
    names: list[str]
    seconds: NDArray[np.float32]
    submission: NDArray[np.int32]
    round_: NDArray[np.int8]
    unloaded: Unloaded
    asked: NDArray[np.int64] | None = None


def answer_table(book: AnswerBook, *, images: int, classes: int) -> AnswerTable:
    """Return the book's answers to images below `images`.

    A worker who was asked the same image again, in another task or round, counts once: the first
    time. Workers are numbered by name, so that numbers do not tell who came first.
    """
    names = sorted(book.workers)
    rank = np.empty(max(len(names), 1), np.int32)
    rank[[book.workers[name] for name in names]] = np.arange(len(names))
    image = np.frombuffer(book.image, np.int32)
    size = np.frombuffer(book.size, np.int32)
    worker = np.repeat(rank[np.frombuffer(book.worker, np.int32)], size)
    kept = first_of_worker(image, worker, len(names)) & (image < images)
    label = np.frombuffer(book.label, book.label.typecode)
    seconds = np.frombuffer(book.seconds, np.float32)
    submission = np.repeat(np.arange(len(size), dtype=np.int32), size)
    if not kept.all():
        image, worker, label = image[kept], worker[kept], label[kept]
        seconds, submission = seconds[kept], submission[kept]
    round_ = np.frombuffer(book.round, np.int8)[submission]
    crowd = Crowd(images, len(names), classes, image, worker, label)
    unloaded_image = np.frombuffer(book.unloaded_image, np.int32)
    unloaded_worker = rank[np.frombuffer(book.unloaded_worker, np.int32)]
    known = unloaded_image < images
    unloaded = unloaded_pairs(unloaded_image[known], unloaded_worker[known], crowd, len(names))
    by_submission = np.frombuffer(book.asked, np.int64)
    # nearly always all labels were: spare eight bytes an answer
    asked = by_submission[submission] if (by_submission != ALL_LABELS).any() else None
    return AnswerTable(crowd, names, seconds, submission, round_, unloaded, asked)


def first_of_worker(
    image: NDArray[np.int32], worker: NDArray[np.int32], workers: int
) -> NDArray[np.bool_]:
    """Tell which answers are their worker's first to their image."""
    pairs = image.astype(np.int64) * max(workers, 1) + worker
    ordered = np.sort(pairs)
    if not (ordered[1:] == ordered[:-1]).any():  # nearly always: spare the slower way
        return np.ones(len(pairs), np.bool_)
    first = np.zeros(len(pairs), np.bool_)
    first[np.unique(pairs, return_index=True)[1]] = True
    return first


def answer_rows(book: AnswerBook, choices: Sequence[str]) -> Iterator[bytes]:
    """Yield `answers.csv` in pieces: every usable answer in order of arrival.

    `choices` are the names of the label numbers; the last one is that of -1. A book of sets has
    the labels that the page asked behind each answer, as a list in JSON.
    """
    sets = book.label.typecode == "q"
    yield b"task,worker,label,seconds,round%b\n" % (b",asked" if sets else b"")
    names = {number: csv_field(name) for name, number in book.workers.items()}
    labels, asked = _LabelFields(choices, sets=sets), _LabelFields(choices, sets=True, none=False)
    start = 0
    rows: list[str] = []
    submissions = zip(book.worker, book.round, book.size, book.asked, strict=True)
    for worker, round_, size, asked_labels in submissions:
        stop = start + size
        end = f",{asked[asked_labels]}\n" if sets else "\n"
        before, after = f",{names[worker]},", f",{round_}{end}"
        rows += [
            f"{image}{before}{labels[label]},{'' if isnan(seconds) else seconds}{after}"
            for image, label, seconds in zip(
                book.image[start:stop],
                book.label[start:stop],
                (round(spent, 3) for spent in book.seconds[start:stop]),
                strict=True,
            )
        ]
        start = stop
        if len(rows) >= ROWS_AT_A_TIME:
            yield "".join(rows).encode()
            rows.clear()
    yield "".join(rows).encode()


class _LabelFields(dict[int, str]):
    """Fields of CSV by label number, each made once: a name, or a set of them as a list in JSON.

    The number -1 is the last of the choices; without `none`, the set of all others.
    """

    def __init__(self, choices: Sequence[str], *, sets: bool, none: bool = True) -> None:
        super().__init__({-1: csv_field(choices[-1])} if none else {})
        self._choices, self._has_sets = choices, sets

    def __missing__(self, label: int) -> str:
        names = [name for bit, name in enumerate(self._choices[:-1]) if label >> bit & 1]
        text = msgspec.json.encode(names).decode() if self._has_sets else self._choices[label]
        return self.setdefault(label, csv_field(text))


def unsure_rows(
    unsure: Sequence[int],
    crowd: Crowd,
    unloaded: Unloaded,
    names: Sequence[str],
    labels: Sequence[Sequence[str]] | None = None,
) -> Iterator[bytes]:
    """Yield `unsure.csv`: the images to ask again, each with the workers who had it before.

    Those are who answered it, and who could not because it did not load: it is somebody else's.
    `labels` has the labels to ask of each image, written as a list in JSON.
    """
    yield b"index,workers%b\n" % (b"" if labels is None else b",labels")
    asked_again = np.zeros(crowd.images, np.bool_)
    asked_again[np.asarray(unsure, np.int64)] = True
    image = np.concatenate((crowd.image, unloaded.image))
    worker = np.concatenate((crowd.worker, unloaded.worker))
    rows = np.flatnonzero(asked_again[image])
    order = np.lexsort((worker[rows], image[rows]))
    asked_before: dict[int, list[str]] = {}
    for index, number in zip(
        image[rows][order].tolist(), worker[rows][order].tolist(), strict=True
    ):
        asked_before.setdefault(index, []).append(names[number])
    for place, index in enumerate(unsure):
        row = [" ".join(asked_before.get(index, ()))]
        if labels is not None:
            row.append(msgspec.json.encode(labels[place]).decode())
        yield f"{index},{','.join(map(csv_field, row))}\n".encode()


def known_classes(gold: Mapping[int, int], images: int) -> NDArray[np.int16]:
    """Return the class of each image that is known beforehand, else -1."""
    known = np.full(images, -1, np.int16)
    known[np.fromiter(gold.keys(), np.int64, len(gold))] = np.fromiter(
        gold.values(), np.int16, len(gold)
    )
    return known
