"""Sets of labels: each label by its own yes and no, whatever the others are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tessera.tiling.consensus import METHODS, Crowd, Method, consolidate
from tessera.tiling.consensus.label_sets import YES, answers_to, consolidate_sets

LABELS, IMAGES, WORKERS = 3, 6, 4
ALL = -1
SETS = st.lists(
    st.tuples(
        st.integers(0, IMAGES - 1), st.integers(0, WORKERS - 1), st.integers(-1, 2**LABELS - 1)
    ),
    unique_by=lambda row: row[:2],
    max_size=IMAGES * WORKERS,
)


def crowd_of(rows: list[tuple[int, int, int]]) -> Crowd:
    columns = np.array(rows, np.int64).reshape(-1, 3).T
    image, worker = columns[0].astype(np.int32), columns[1].astype(np.int32)
    return Crowd(IMAGES, WORKERS, LABELS, image, worker, columns[2])


@given(SETS, st.sampled_from(sorted(METHODS)))
def test_each_label_is_what_its_yes_and_no_alone_add_up_to(
    rows: list[tuple[int, int, int]], method: Method
) -> None:
    crowd = crowd_of(rows)
    sets = consolidate_sets(crowd, method)
    for label in range(LABELS):
        alone = answers_to(crowd, label)
        assert set(alone.label.tolist()) <= {0, 1}
        if method == "majority":
            has = (consolidate(alone, method).label == YES) & sets.labeled
            assert (sets.has[:, label] == has).all()
    assert (sets.labeled <= (sets.answers > 0)).all()
    assert not sets.has[~sets.labeled].any()


@given(SETS)
def test_the_least_sure_label_speaks_for_the_image(rows: list[tuple[int, int, int]]) -> None:
    sets = consolidate_sets(crowd_of(rows))
    images = sets.of_images()
    assert ((images.label == 0) == sets.labeled).all()
    assert (images.confidence[sets.labeled] == sets.confidence[sets.labeled].min(axis=1)).all()
    assert (images.gain == sets.gain.max(axis=1)).all()


def test_a_rare_label_on_which_all_agree_makes_nobody_a_copy() -> None:
    image = np.repeat(np.arange(400, dtype=np.int32), 3)
    worker = np.tile(np.arange(3, dtype=np.int32), 400)
    rare = np.where(image % 20 == 0, 1, 0)
    sets = consolidate_sets(Crowd(400, 3, 1, image, worker, rare.astype(np.int64)))
    assert sets.has[:, 0].sum() == 20
    assert sets.confidence.min() > 0.9


@given(
    SETS,
    st.lists(st.integers(1, 2**LABELS - 1), min_size=IMAGES * WORKERS, max_size=IMAGES * WORKERS),
    st.sampled_from(sorted(METHODS)),
)
def test_answers_whose_page_did_not_ask_a_label_change_nothing_about_it(
    rows: list[tuple[int, int, int]], pages: list[int], method: Method
) -> None:
    rows = [row for row in rows if row[2] >= 0]  # that nobody can judge it is about the image
    asked = np.array(pages[: len(rows)], np.int64)
    crowd = crowd_of(rows)
    sets = consolidate_sets(crowd, method, asked=asked)
    for label in range(LABELS):
        was_asked = (asked >> label & 1).astype(bool)
        alone = consolidate(answers_to(crowd.answers(was_asked), label), method)
        assert (sets.has[:, label] == (alone.label == YES)).all()
        assert (sets.confidence[:, label] == alone.confidence).all()
        nobody = sets.labeled & (alone.label < 0)
        assert (sets.gain[:, label] == np.where(nobody, 1, alone.gain)).all()
        assert sets.in_doubt(0.99)[nobody, label].all()  # a label that nobody was asked for


@given(SETS, st.sampled_from(sorted(METHODS)))
def test_pages_that_asked_all_labels_give_what_a_crowd_without_pages_gives(
    rows: list[tuple[int, int, int]], method: Method
) -> None:
    crowd = crowd_of(rows)
    one, other = (
        consolidate_sets(crowd, method),
        consolidate_sets(crowd, method, asked=np.full(len(rows), ALL, np.int64)),
    )
    for column in ("has", "confidence", "agreement", "gain", "answers", "unreadable"):
        assert np.array_equal(getattr(one, column), getattr(other, column))


def test_an_image_that_few_cannot_judge_keeps_all_its_labels() -> None:
    image, worker = np.zeros(4, np.int32), np.arange(4, dtype=np.int32)
    # the third was asked about label 1 and the fourth about label 0, which they cannot judge
    labels, asked = np.array([0b11, 0b11, 0b10, -1]), np.array([ALL, ALL, 0b10, 0b01])
    sets = consolidate_sets(Crowd(1, 4, 2, image, worker, labels), asked=asked)
    assert sets.has.tolist() == [[True, True]]
    assert (sets.answers.tolist(), sets.labeled.tolist()) == ([4], [True])
