"""Answers stand in columns in the order in which they were added, however they came."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from math import isnan

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.answers.answer_book import AnswerBook
from tessera.tiling.answers.short_form import ShortForm
from tessera.tiling.answers.submission import OddAnswer

workers = st.sampled_from(["ann", "bob", "cid", "dan"])
seconds = st.floats(0, 100, width=32)


@st.composite
def tasks(draw: st.DrawFn) -> tuple[ShortForm, bytes]:
    images = draw(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=4, unique=True))
    who = draw(st.lists(workers, min_size=1, unique=True))
    row = st.none() | st.lists(seconds, min_size=len(images), max_size=len(images))
    times = draw(st.none() | st.lists(row, min_size=len(who), max_size=len(who)))
    size = len(images) * len(who)
    labels = draw(st.lists(st.integers(-1, 49), min_size=size, max_size=size))
    form = ShortForm(images, msgspec.Raw(b"[]"), who, "0" * size, times)
    return form, array("b", labels).tobytes()


def columns(book: AnswerBook) -> tuple[Sequence[object], ...]:
    times = [None if isnan(spent) else spent for spent in book.seconds]
    arrays = (book.image, book.label, book.worker, book.round, book.size)
    return (*(array_.tolist() for array_ in arrays), times, list(book.workers))


@given(st.lists(tasks(), min_size=1))
def test_tasks_in_short_are_added_as_their_submissions_would_be_one_by_one(
    drawn: list[tuple[ShortForm, bytes]],
) -> None:
    together, one_by_one = AnswerBook(), AnswerBook()
    together.add_short_forms(drawn, 2)
    for form, labels in drawn:
        rows = array("b", labels)
        for number, worker in enumerate(form.workers):
            row = rows[number * len(form.images) : (number + 1) * len(form.images)]
            times = form.seconds[number] if form.seconds else None
            by_image = dict(zip(map(str, form.images), times, strict=True)) if times else None
            one_by_one.add(worker, 2, form.images, row, by_image)
    assert columns(together) == columns(one_by_one)


def test_an_image_whose_time_is_not_known_has_none() -> None:
    book = AnswerBook()
    book.add("ann", 1, [3, 5], [0, 1], {"5": 1.5})
    assert isnan(book.seconds[0])
    assert book.seconds[1] == 1.5


def test_what_is_odd_is_counted_by_its_kind_and_handed_on() -> None:
    kept_out: list[OddAnswer] = []
    book = AnswerBook(kept_out.append)
    odd = [OddAnswer("job", f"the answer is malformed: {number} choices") for number in range(2)]
    for each in odd:
        book.note(each)
    assert book.noted == {"the answer is malformed": 2}
    assert kept_out == odd
