"""Answers become arrays and files of CSV that say the same, a worker counting once an image."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.answers.answer_book import AnswerBook
from tessera.tiling.answers.table import (
    answer_rows,
    answer_table,
    known_classes,
    unsure_rows,
)

WORKERS = ["ann", "bob", 'cid "the quick", of Ulm']
CHOICES = ("cat", 'dog, "Rex"', "cannot see")
Submitted = tuple[str, int, dict[int, int]]
submissions = st.lists(
    st.tuples(
        st.sampled_from(WORKERS),
        st.integers(1, 3),
        st.dictionaries(st.integers(0, 5), st.integers(-1, 1), max_size=4),
    )
)


def book_of(submitted: list[Submitted]) -> AnswerBook:
    book = AnswerBook()
    for worker, round_, labels in submitted:
        seconds = {str(image): image / 4 for image in labels if image % 2}
        book.add(worker, round_, list(labels), list(labels.values()), seconds)
    return book


@given(submissions)
def test_the_table_has_each_workers_first_answer_to_each_image(submitted: list[Submitted]) -> None:
    table = answer_table(book_of(submitted), images=5, classes=2)
    first: dict[tuple[str, int], tuple[int, int, int]] = {}
    for number, (worker, round_, labels) in enumerate(submitted):
        for image, label in labels.items():
            if image < 5:  # an image that the run does not have is passed over
                first.setdefault((worker, image), (label, round_, number))
    crowd = table.crowd
    rows = [
        ((table.names[worker], image), (label, round_, number))
        for worker, image, label, round_, number in zip(
            crowd.worker.tolist(),
            crowd.image.tolist(),
            crowd.label.tolist(),
            table.round_.tolist(),
            table.submission.tolist(),
            strict=True,
        )
    ]
    assert rows == list(first.items())
    assert table.names == sorted({worker for worker, _, _ in submitted})
    times = np.where(crowd.image % 2, crowd.image / 4, np.nan)
    assert np.array_equal(table.seconds, times.astype(np.float32), equal_nan=True)


@given(submissions)
def test_the_file_of_answers_is_csv_of_every_answer(submitted: list[Submitted]) -> None:
    text = b"".join(answer_rows(book_of(submitted), CHOICES)).decode()
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["task", "worker", "label", "seconds", "round"]
    assert rows[1:] == [
        [str(image), worker, CHOICES[label], str(image / 4) if image % 2 else "", str(round_)]
        for worker, round_, labels in submitted
        for image, label in labels.items()
    ]


@pytest.mark.thorough
@given(submissions, st.lists(st.integers(0, 4), unique=True))
def test_the_file_of_unsure_images_names_who_has_answered_them(
    submitted: list[Submitted], unsure: list[int]
) -> None:
    table = answer_table(book_of(submitted), images=5, classes=2)
    text = b"".join(unsure_rows(unsure, table.crowd, table.unloaded, table.names)).decode()
    rows = list(csv.reader(io.StringIO(text)))
    answered = {
        image: sorted({worker for worker, _, labels in submitted if image in labels})
        for image in range(5)
    }
    assert rows[0] == ["index", "workers"]
    assert rows[1:] == [[str(image), " ".join(answered[image])] for image in unsure]


def test_the_known_classes_stand_at_their_images() -> None:
    assert known_classes({3: 1, 0: 0}, 5).tolist() == [0, -1, -1, 1, -1]


def test_answers_to_several_labels_name_those_that_their_page_asked() -> None:
    book = AnswerBook(sets=True)
    book.add("ann", 1, [0, 1], [0b11, 0], None)
    book.add("bob", 2, [0, 1], [0b10, -1], None, asked=0b10)
    rows = list(csv.DictReader(io.StringIO(b"".join(answer_rows(book, CHOICES)).decode())))
    both, dog = '["cat","dog, \\"Rex\\""]', '["dog, \\"Rex\\""]'
    assert [(row["label"], row["asked"]) for row in rows] == [
        (both, both),
        ("[]", both),
        (dog, dog),
        ("cannot see", dog),
    ]
    table = answer_table(book, images=2, classes=2)
    assert table.asked is not None
    assert table.asked.tolist() == [-1, -1, 0b10, 0b10]
    text = b"".join(unsure_rows([1], table.crowd, table.unloaded, table.names, [["a,b", "c"]]))
    assert text.decode().splitlines() == ["index,workers,labels", '1,ann bob,"[""a,b"",""c""]"']
